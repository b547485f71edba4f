"""billing.what_if: other targets, other tiers, no cache, and what stays unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import pytest

from costspan.billing.what_if import Figures, Scenario, Seller, WhatIf
from costspan.ledger import lines
from costspan.pricing.book import PriceBook
from costspan.pricing.rates import Rates, Row, ServiceTier, Tier
from costspan.wire import json
from fakes import ledger_records as records
from fakes.ledger_months import nanoseconds

if TYPE_CHECKING:
    from costspan.ledger.read import Line

MILLION = 1_000_000
HERE = Seller("openai", "openai", None)
THERE = Seller("other", "openai-compatible", None)


def row(provider: str, model: str, **changes: Any) -> Row:
    words = {name: Decimal(rate) for name, rate in changes.pop("rates").items()}
    return Row(provider, model, Rates(words, changes.pop("fees", {})), source="table:1", **changes)


BOOK = PriceBook(
    [
        row("openai", "gpt-5", rates={"input": "1", "cache_read": "0.1", "output": "10"}),
        row("other", "small", rates={"input": "0.5", "cache_read": "0.25", "output": "2"}, to=date(2026, 2, 1)),
        row("other", "small", rates={"input": "0.4", "cache_read": "0.2", "output": "1"}, from_=date(2026, 2, 1)),
        row(
            "other",
            "tiered",
            rates={"input": "1", "output": "1"},
            tiers=(Tier(MILLION, Rates({"input": Decimal(2)})),),
            service_tiers={"flex": ServiceTier(Decimal("0.5"))},
        ),
        row("other", "half", rates={"input": "1"}),
        row("other", "searching", rates={"input": "0", "output": "0"}, fees={"web_search_calls": Decimal("0.01")}),
    ],
    None,
    "1",
)

USAGE = {"input": 1 * MILLION, "cache_read": 2 * MILLION, "output": 3 * MILLION}


def line(*, at: str = "2026-01-05T10:00:00+00:00", **changes: Any) -> Line:
    started = replace(records.started(), time_ns=nanoseconds(at), provider=changes.pop("provider", "openai"))
    attempt = replace(
        records.attempt(started),
        **{"usage": USAGE, "cost_usd": Decimal("31.2"), "cost_parts": {}, "service_tier": None, **changes},
    )
    return cast("Line", json.loads_object(lines.attempt(attempt)))


def figures(scenario: Scenario, *seen: Line) -> Figures:
    what_if = WhatIf(BOOK, {"openai": HERE}, [scenario])
    for each in seen:
        what_if.add(each)
    return what_if.total[0]


def at(model: str, **changes: Any) -> Scenario:
    return Scenario(model, changes.pop("seller", THERE), model, **changes)


PRICED: dict[str, tuple[Scenario, str]] = {
    "where it went": (Scenario("as it was"), "31.2"),
    "where it went, without the cache": (Scenario("no cache", cached=False), "33"),
    "elsewhere": (at("small"), "7"),
    "elsewhere, at a discount": (at("small", seller=replace(THERE, discount=Decimal("0.1"))), "6.3"),
    "elsewhere, without the cache": (at("small", cached=False), "7.5"),
    "with long prompts": (at("tiered"), "9"),
    "in another tier": (at("tiered", service_tier="flex"), "4.5"),
    "in the usual tier by name": (at("tiered", service_tier="default"), "9"),
    "for nothing": (at("any", seller=replace(THERE, price_as="free")), "0"),
}


@pytest.mark.parametrize(("scenario", "expected"), PRICED.values(), ids=PRICED.keys())
def test_the_same_usage_has_another_price(scenario: Scenario, expected: str) -> None:
    assert figures(scenario, line()) == Figures(attempts=1, real=Decimal("31.2"), hypothetical=Decimal(expected))


def test_each_attempt_is_priced_at_its_own_date() -> None:
    found = figures(at("small"), line(), line(at="2026-02-01T00:00:00+00:00"))

    assert (found.hypothetical, found.real, found.difference) == (
        Decimal("10.8"),
        Decimal("62.4"),
        Decimal("-51.6"),
    )


UNKNOWN: dict[str, Scenario] = {
    "no price": at("nameless"),
    "no price for a bucket": at("half"),
    "no price for the tier": at("small", service_tier="flex"),
    "an account that is gone": Scenario("as it was"),
}


@pytest.mark.parametrize("scenario", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_has_no_price_is_counted_and_in_neither_sum(scenario: Scenario) -> None:
    provider = "gone" if scenario.seller is None else "openai"
    found = figures(scenario, line(provider=provider))

    assert found == Figures(unpriced=1, unpriced_real=Decimal("31.2"))
    assert found.ratio is None


def test_the_model_that_answered_is_not_the_one_that_is_asked_about() -> None:
    assert figures(at("nameless"), line(model_served="small")).unpriced == 1
    assert figures(Scenario("as it was", HERE), line(model_served="gpt-5-2025-08-07")).unpriced == 0


def test_a_unit_without_a_fee_makes_the_whole_unknown() -> None:
    searches = line(units={"requests": 1, "web_search_calls": 2})

    assert figures(at("searching"), searches).hypothetical == Decimal("0.02")
    assert figures(at("tiered"), searches).unpriced == 1


def test_a_fraction_of_a_unit_keeps_its_digits() -> None:
    book = PriceBook([row("other", "ears", rates={}, fees={"audio_seconds": Decimal("0.1")})], None, "1")
    what_if = WhatIf(book, {}, [at("ears")])
    what_if.add(line(usage={}, units={"audio_seconds": Decimal("0.3")}))

    assert what_if.total[0].hypothetical == Decimal("0.03")


def test_what_had_no_price_here_and_has_one_there_is_in_neither_sum() -> None:
    assert figures(at("small"), line(cost_usd=None, cost_status="unpriced")) == Figures(unpaid=1)


def test_the_tier_that_served_is_kept_where_the_target_has_one_of_that_name() -> None:
    flex = line(service_tier="flex")

    assert figures(at("tiered"), flex) == Figures(attempts=1, real=Decimal("31.2"), hypothetical=Decimal("4.5"))
    assert figures(at("small"), flex) == Figures(
        attempts=1, real=Decimal("31.2"), hypothetical=Decimal(7), without_tier=1
    )


def test_without_a_cache_no_token_is_lost() -> None:
    usage = {"input": 1, "cache_read": 2, "cache_write": 4, "cache_write_1h": 8, "input_audio": 16}
    usage |= {"cache_read_audio": 32, "output": 64}
    book = PriceBook(
        [row("other", "plain", rates={"input": "1", "input_audio": "1000", "output": "0", "cache_read": "7"})],
        None,
        "1",
    )
    what_if = WhatIf(book, {}, [at("plain", cached=False)])
    what_if.add(line(usage=usage))

    assert what_if.total[0].hypothetical == Decimal("0.048015")


def test_attempts_that_never_reported_usage_are_apart() -> None:
    what_if = WhatIf(BOOK, {}, [at("small")])
    nothing: dict[str, Any] = {"usage": {}, "units": {}}
    what_if.add(line(cost_usd=None, cost_status="estimated", cost_estimated_usd=Decimal(5), **nothing))
    what_if.add(line(cost_usd=None, cost_status="unpriced", **nothing))
    what_if.add(line(cost_usd=Decimal(3), cost_status="provider", **nothing))
    what_if.add(line(cost_usd=Decimal(0), cost_status="free", **nothing))

    assert what_if.total == (Figures(),)
    assert (what_if.unmetered.attempts, what_if.unmetered.paid, what_if.unmetered.estimated) == (
        3,
        Decimal(3),
        Decimal(5),
    )


def test_groups_and_scenarios_are_summed_apart() -> None:
    what_if = WhatIf(BOOK, {}, [at("small"), at("nameless")], [lambda each: each["provider"]])
    what_if.add(line())
    what_if.add(line(provider="azure"))
    exchange: Any = json.loads_object(lines.exchange(records.exchange(), []))
    what_if.add(exchange)

    assert [(group, [each.attempts for each in seen]) for group, seen in what_if.groups.items()] == [
        (("openai",), [1, 0]),
        (("azure",), [1, 0]),
    ]
    assert [(each.attempts, each.unpriced) for each in what_if.total] == [(2, 0), (0, 2)]


def test_a_damaged_line_leaves_the_sums_as_they_were() -> None:
    what_if = WhatIf(BOOK, {}, [at("small")])
    damaged: Any = {**line(), "cost_usd": "NaN"}
    with pytest.raises(ValueError, match="no amount of money"):
        what_if.add(damaged)

    assert what_if.total == (Figures(),)
