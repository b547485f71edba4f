"""Sections of the file that describe billing plans, for `costspan compare`. Dated facts, never code."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from costspan.config.fields import Count, Day, Money, Percent, Section, Text


class TopUp(Section):
    """Credits bought ahead, with a fee on each purchase."""

    fee: Percent = Field(description="of the amount bought")
    minimum: Money = Field(default=Decimal(0), description="least fee of one purchase, USD")
    amount: Money = Field(default=Decimal(100), gt=0, description="of one purchase, USD")
    fee_is: Literal["on_top", "inside"] = Field(
        default="on_top", description="whether the fee is paid besides the amount, or taken out of it"
    )
    last: Literal["rest", "whole"] = Field(
        default="rest",
        description="a month's last purchase: of what is still needed, or whole with the rest kept for later months",
    )

    @model_validator(mode="after")
    def _buys_something(self) -> Self:
        if self.fee_is == "inside" and max(self.minimum, self.fee * self.amount) >= self.amount:
            raise ValueError("the fee takes the whole amount: nothing is bought")
        return self


class FreeAllowance(Section):
    """What no surcharge is taken on: spending, or a number of requests."""

    usd: Money | None = Field(default=None, description="spending without surcharge, USD")
    requests: Count | None = Field(default=None, description="requests without surcharge")
    counted: Literal["in_order", "evenly"] = Field(
        default="in_order",
        description="which requests are free: the first ones, or all alike in part, as though each cost the same",
    )
    per: Literal["month"] = Field(default="month", description="period, UTC")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.usd is None) == (self.requests is None):
            raise ValueError("expected either `usd` or `requests`")
        return self


class Surcharge(Section):
    """A percentage on spending that the provider bills directly (bring your own key)."""

    percent: Percent = Field(description="of the spending")
    of: Literal["list"] = Field(default="list", description="of the list price")
    free: FreeAllowance | None = Field(default=None, description="what it is not taken on")
    top_up: TopUp | None = Field(default=None, description="how the surcharge itself is paid")


class BillingPlan(Section):
    """What an intermediary adds to the cost; nothing: paying the provider directly. A list: rules that changed."""

    from_: Day | None = Field(default=None, alias="from", description="first day, UTC; absent: always")
    to: Day | None = Field(default=None, description="day after the last, UTC; absent: still")
    top_up: TopUp | None = Field(default=None, description="all spending is paid from credits bought ahead")
    surcharge: Surcharge | None = Field(default=None, description="a percentage on top of the direct cost")
    source: Text | None = Field(default=None, description="where and when the facts were read, for people")

    @model_validator(mode="after")
    def _holds_some_day(self) -> Self:
        if self.from_ is not None and self.to is not None and self.to <= self.from_:
            raise ValueError("`to` is not after `from`: this version never holds")
        return self

    def in_force(self, day: date) -> bool:
        """Whether the version holds on `day` (UTC)."""
        return (self.from_ is None or self.from_ <= day) and (self.to is None or day < self.to)


def _one_at_a_time(versions: tuple[BillingPlan, ...]) -> tuple[BillingPlan, ...]:
    ordered = sorted(versions, key=lambda version: version.from_ or date.min)
    for earlier, later in pairwise(ordered):
        if earlier.to is None or later.from_ is None or later.from_ < earlier.to:
            raise ValueError(
                "two versions hold on the same day: give the earlier one `to` the day the later one is `from`"
            )
    return tuple(ordered)


def _form(value: object) -> str:
    return "versions" if isinstance(value, list | tuple) else "plan"


DatedPlan = Annotated[
    Annotated[BillingPlan, Tag("plan")]
    | Annotated[tuple[BillingPlan, ...], Field(min_length=1), AfterValidator(_one_at_a_time), Tag("versions")],
    Discriminator(_form),
]
"""A plan, or the versions of one, in order of their dates."""


def versions(plan: BillingPlan | tuple[BillingPlan, ...]) -> Sequence[BillingPlan]:
    """The versions of `plan`, which may be its only one."""
    return plan if isinstance(plan, tuple) else (plan,)
