"""Sections of the file that describe billing plans, for `costspan compare`. Dated facts, never code."""

from decimal import Decimal
from typing import Literal

from pydantic import Field

from costspan.config.fields import Money, Percent, Section, Text


class TopUp(Section):
    """Credits bought ahead, with a fee on each purchase."""

    fee: Percent = Field(description="of the amount bought")
    minimum: Money = Field(default=Decimal(0), description="least fee of one purchase, USD")
    amount: Money = Field(default=Decimal(100), description="credits bought at one time, USD")


class FreeAllowance(Section):
    """Spending on which no surcharge is taken."""

    usd: Money = Field(description="spending without surcharge, USD")
    per: Literal["month"] = Field(default="month", description="period, UTC")


class Surcharge(Section):
    """A percentage on spending that the provider bills directly (bring your own key)."""

    percent: Percent = Field(description="of the spending")
    of: Literal["list"] = Field(default="list", description="of the list price")
    free: FreeAllowance | None = Field(default=None, description="spending on which it is not taken")
    top_up: TopUp | None = Field(default=None, description="how the surcharge itself is paid")


class BillingPlan(Section):
    """What an intermediary adds to the cost. An empty plan is paying the provider directly."""

    top_up: TopUp | None = Field(default=None, description="all spending is paid from credits bought ahead")
    surcharge: Surcharge | None = Field(default=None, description="a percentage on top of the direct cost")
    source: Text | None = Field(default=None, description="where and when the facts were read, for people")
