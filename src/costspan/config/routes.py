"""Sections of the file that say which targets a model name leads to, and in what order."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo, WithJsonSchema, model_validator

from costspan.config.fields import Count, Duration, Integer, Label, Money, Params, Section, Text, read_duration
from costspan.config.providers import FallbackReason, Timeouts

Strategy = Literal["fallback", "cheapest", "fastest", "weighted", "race"]
Capability = Literal["tools", "images", "json_schema"]
MAX_WEIGHT = 1_000_000
"""Far above what anybody means, and far below where sums of them have no place for the small ones."""


def _target(text: str) -> str:
    provider, slash, model = text.partition("/")
    if not (provider and slash and model) or re.search(r"\s", text):
        raise ValueError("expected provider/model")
    if "{" in provider or "{" in model.replace("{model}", "") or "}" in text.replace("{model}", ""):
        raise ValueError("the only placeholder is {model}, in the model part")
    return text


def _after(value: object, info: ValidationInfo) -> float | Literal["p95"]:
    return "p95" if value == "p95" else read_duration(value, info)


TargetName = Annotated[str, AfterValidator(_target), Label("`provider/model`")]
After = Annotated[
    float | Literal["p95"],
    PlainValidator(_after),
    WithJsonSchema({"type": ["string", "number"], "pattern": r"^(p95|0|[0-9]+(\.[0-9]+)? ?(ms|s|m))$"}),
    Label("duration or `p95`"),
]


class Target(Section):
    """One place an attempt can go: a provider's model, or another route. Short form: `provider/model`."""

    target: TargetName | None = Field(
        default=None, description="provider and model; everything after the first `/` is the model"
    )
    route: Text | None = Field(default=None, description="another route, instead of a target")
    params: Params = Field(default={}, description="request parameters put in when the request lacks them")
    weight: Annotated[Money, Field(le=MAX_WEIGHT)] = Field(
        default=Decimal(1), description="share of the requests (strategy weighted)"
    )
    lacks: tuple[Capability, ...] | None = Field(
        default=None,
        description="what the model cannot do: requests that need it go to other targets; `[]`: nothing; "
        "null: what is known of the model",
    )
    context_length: Count | None = Field(
        default=None, description="tokens of prompt and answer together that the model takes; null: as the catalog says"
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: object) -> object:
        return {"target": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.target is None) == (self.route is None):
            raise ValueError("expected either `target` or `route`")
        return self


class PriceCeiling(Section):
    """Highest acceptable prices, USD per million tokens."""

    input: Money | None = Field(default=None, description="of input tokens")
    output: Money | None = Field(default=None, description="of output tokens")


class Constraints(Section):
    """What a target must keep to be eligible."""

    max_first_token: Duration | None = Field(
        default=None, description="targets that are slower to their first token are asked last"
    )
    max_price: PriceCeiling | None = Field(default=None, description="targets that cost more are not asked")


class Race(Section):
    """Ask a second target before the first has failed; the first content wins, every loser is billed."""

    after: After = Field(
        default="p95", description="when the next target starts; `0s`: all at once; `p95`: of the first target"
    )
    max_parallel: Annotated[Integer, Field(ge=2, le=10)] = Field(default=2, description="attempts at one time")
    losers: Literal["cancel", "drain"] = Field(
        default="cancel", description="cut losers off, or read them to the end to learn their exact usage"
    )
    max_extra_usd: Money | None = Field(
        default=None, description="no race when the extra attempts would be expected to cost more, USD"
    )


class Route(Section):
    """A model name that clients may ask for. Short form: one `provider/model`."""

    strategy: Strategy = Field(default="fallback", description="how the targets are ordered")
    targets: tuple[Target, ...] = Field(description="where attempts can go", min_length=1)
    fallback_on: tuple[FallbackReason, ...] | None = Field(default=None, description="instead of the defaults")
    retries: Annotated[Integer, Field(ge=0, le=10)] | None = Field(default=None, description="instead of the defaults")
    timeouts: Timeouts | None = Field(default=None, description="instead of the defaults, by phase")
    constraints: Constraints | None = Field(default=None, description="what targets must keep")
    race: Race | None = Field(default=None, description="how to race (strategy race)")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: object) -> object:
        return {"targets": [data]} if isinstance(data, str) else data

    @model_validator(mode="before")
    @classmethod
    def _race_has_settings(cls, data: object) -> object:
        """A race without settings is a race with the usual ones."""
        if isinstance(data, Mapping) and data.get("strategy") == "race" and data.get("race") is None:
            return {**data, "race": {}}
        return data
