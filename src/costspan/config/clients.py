"""Sections of the file about those who call: keys, their limits, budgets."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from costspan.config.fields import Count, Day, Endpoint, Money, Percent, Section, Text

DEFAULT_WARN_AT = Decimal("0.8")


class Limits(Section):
    """What one key may use at most, in each process. Absent: no limit."""

    requests_per_minute: Count | None = Field(default=None, description="requests in any 60 s; all may come at once")
    tokens_per_minute: Count | None = Field(
        default=None, description="tokens in any 60 s, input and output: by estimate at first, then as they were"
    )
    concurrency: Count | None = Field(default=None, description="requests at one time")


class Key(Section):
    """A key that clients present. Only its hash is stored; `costspan key new` makes both."""

    name: Text = Field(description="shown in the ledger and in telemetry")
    hash: Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")] = Field(
        description="`sha256:` and 64 lower-case hexadecimal digits"
    )
    attributes: dict[Text, Text] = Field(default={}, description="attribution that wins over anything the client sends")
    routes: tuple[Text, ...] = Field(
        default=("*",), description="routes and `provider/model` targets it may ask for, exact or glob"
    )
    limits: Limits = Field(default=Limits(), description="what it may use at most")
    expires: Day | None = Field(default=None, description="first day on which it is refused, UTC")


class ExceedRoute(Section):
    """Where requests go when the budget is used up."""

    route: Text = Field(description="a route")


def _on_exceed(value: object) -> object:
    if isinstance(value, str) and value != "reject":
        raise ValueError("expected reject or {route: NAME}")
    return value


def _form(value: object) -> str:
    return "(word)" if isinstance(value, str) else "(route)"


OnExceed = Annotated[
    Annotated[Literal["reject"], Tag("(word)")] | Annotated[ExceedRoute, Tag("(route)")],
    Discriminator(_form),
    BeforeValidator(_on_exceed),
]
"""The tags are no keys of the file, so that errors are placed by the keys around them."""


class Budget(Section):
    """A ceiling for the spending of the requests whose attributes match."""

    name: Text = Field(description="shown in errors, metrics and the console")
    match: dict[Text, Text] = Field(default={}, description="attributes that a request must have; {} = everything")
    usd: Money = Field(description="ceiling, USD")
    per: Literal["day", "week", "month", "total"] = Field(description="period, UTC; weeks begin on Monday")
    warn_at: Percent = Field(default=DEFAULT_WARN_AT, description="share of the ceiling that is warned about")
    on_exceed: OnExceed = Field(default="reject", description="answer 402, or send further requests to a cheaper route")
    shared: Endpoint | None = Field(
        default=None,
        description=(
            "base URL of a Prometheus that scrapes all gateways, such as http://prometheus:9090: what they spend counts"
        ),
    )
