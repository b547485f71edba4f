"""costspan.config.billing: plans, and plans whose rules changed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # - its stubs are not installed

from costspan.config.billing import versions
from costspan.config.jsonschema import json_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from costspan.config.load import Loaded

DEMO = "providers: {demo: {kind: mock}}\nbilling_plans:\n"

SPECIFIED = (
    "  openrouter-credits: {top_up: {fee: 5.5%, minimum: 0.80, amount: 100}}\n"
    "  openrouter-byok:\n"
    "    surcharge: {percent: 5%, of: list, free: {usd: 25000, per: month}, "
    "top_up: {fee: 5.5%, minimum: 0.80, amount: 100}}\n"
)


def test_the_plans_of_the_specification_are_read_as_they_stand(read: Callable[..., Loaded]) -> None:
    plans = read(DEMO + SPECIFIED).config.billing_plans
    (credit,) = versions(plans["openrouter-credits"])
    (byok,) = versions(plans["openrouter-byok"])

    assert credit.top_up is not None
    assert (credit.top_up.fee, credit.top_up.minimum, credit.top_up.amount) == (
        Decimal("0.055"),
        Decimal("0.80"),
        Decimal(100),
    )
    assert credit.surcharge is None
    assert byok.surcharge is not None
    assert byok.surcharge.free is not None
    assert (byok.surcharge.percent, byok.surcharge.free.usd) == (Decimal("0.05"), Decimal(25000))
    assert byok.surcharge.top_up == credit.top_up


def test_versions_are_in_the_order_of_their_dates(read: Callable[..., Loaded]) -> None:
    plans = read(DEMO + "  a: [{from: 2026-08-10, source: new}, {to: 2026-08-10, source: old}]").config.billing_plans
    old, new = versions(plans["a"])

    assert (old.source, new.source) == ("old", "new")
    assert (old.in_force(date(2026, 8, 9)), old.in_force(date(2026, 8, 10))) == (True, False)
    assert (new.in_force(date(2026, 8, 9)), new.in_force(date(2026, 8, 10))) == (False, True)


def test_an_empty_plan_is_paying_directly(read: Callable[..., Loaded]) -> None:
    (direct,) = versions(read(DEMO + "  direct:").config.billing_plans["direct"])

    assert (direct.top_up, direct.surcharge) == (None, None)


OVERLAP = (
    "3:6: billing_plans.a: two versions hold on the same day: give the earlier one `to` the day the later one is `from`"
)

FAULTS: dict[str, tuple[str, str]] = {
    "no version": ("a: []", "3:6: billing_plans.a: must not be empty"),
    "no plan": ("a: 5", "3:6: billing_plans.a: expected a mapping of keys and values"),
    "a misspelt key": ("a: {topup: 1}", "3:7: billing_plans.a.topup: unknown key; did you mean top_up?"),
    "a misspelt key of a version": (
        "a: [{topup: 1}]",
        "3:8: billing_plans.a[0].topup: unknown key; did you mean top_up?",
    ),
    "two versions at one time": (
        "a: [{to: 2026-01-02}, {from: 2026-01-01}]",
        OVERLAP,
    ),
    "an earlier version without end": (
        "a: [{}, {from: 2026-01-01}]",
        OVERLAP,
    ),
    "a version that never holds": (
        "a: {from: 2026-01-02, to: 2026-01-02}",
        "3:6: billing_plans.a: `to` is not after `from`: this version never holds",
    ),
    "an allowance of nothing": (
        "a: {surcharge: {percent: 5%, free: {per: month}}}",
        "3:38: billing_plans.a.surcharge.free: expected either `usd` or `requests`",
    ),
    "an allowance of both": (
        "a: {surcharge: {percent: 5%, free: {usd: 1, requests: 1}}}",
        "3:38: billing_plans.a.surcharge.free: expected either `usd` or `requests`",
    ),
    "a purchase of nothing": (
        "a: {top_up: {fee: 5%, amount: 0}}",
        "3:33: billing_plans.a.top_up.amount: expected greater than 0",
    ),
    "a fee that takes all": (
        "a: {top_up: {fee: 5%, minimum: 10, amount: 10, fee_is: inside}}",
        "3:15: billing_plans.a.top_up: the fee takes the whole amount: nothing is bought",
    ),
}


@pytest.mark.parametrize(("text", "problem"), FAULTS.values(), ids=FAULTS.keys())
def test_what_cannot_be_is_told_with_its_place(text: str, problem: str, mistakes: Callable[..., list[str]]) -> None:
    assert mistakes(f"{DEMO}  {text}") == [f"gateway.yaml:{problem}"]


def test_the_schema_takes_both_forms() -> None:
    plan = {"top_up": {"fee": "5%"}}
    schema = Draft202012Validator(json_schema())

    assert schema.is_valid({"billing_plans": {"a": plan, "b": [{"to": "2026-01-01"}, {"from": "2026-01-01", **plan}]}})
    assert not schema.is_valid({"billing_plans": {"a": [{"topup": 1}]}})
