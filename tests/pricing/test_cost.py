"""pricing.cost: units, gaps, and speed that a request can afford."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from timeit import repeat

import pytest

from costspan.ir.usage import Usage
from costspan.pricing.cost import Cost, cost
from costspan.pricing.rates import Price, Rates, ServiceTier, rates_of

D = Decimal
NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def test_nothing_used_costs_nothing() -> None:
    assert cost(Usage(), Price(rates_of({"input": D(1)})), at=NOON) == Cost(D(0), {}, ())


UNITS = {
    "a request is one when nothing is said": (Usage(), {"per_request": D("0.012")}, {"requests": D("0.012")}, ()),
    "requests as counted": (Usage(units={"requests": 3}), {"per_request": D("0.012")}, {"requests": D("0.036")}, ()),
    "no fee for requests is no gap": (Usage(units={"requests": 1}), {"input": D(1)}, {}, ()),
    "seconds may be decimal": (
        Usage(units={"audio_seconds": D("12.5")}),
        {"per_audio_minute": D("0.006")},
        {"audio_seconds": D("0.00125")},
        (),
    ),
    "a call without a fee is a gap": (
        Usage({"input": 1_000_000}, {"code_execution_calls": 2}),
        {"input": D(1)},
        {"input": D(1)},
        ("unpriced_unit:code_execution_calls",),
    ),
    "a size without a fee is no gap where tokens are billed": (
        Usage({"input": 1_000_000}, {"audio_seconds": 2}),
        {"input": D(1)},
        {"input": D(1)},
        (),
    ),
    "a picture that a chat had drawn is a gap, as its tokens are the chat's": (
        Usage({"input": 1_000_000}, {"images": 1}),
        {"input": D(1)},
        {"input": D(1)},
        ("unpriced_unit:images",),
    ),
    "a size without a fee and without tokens is a gap": (
        Usage(units={"images": 2}),
        {"input": D(1)},
        {},
        ("unpriced_unit:images",),
    ),
    "a unit that is not known is a gap": (
        Usage(units={"url_context_calls": 1}),
        {"web_search": D(1)},
        {},
        ("unpriced_unit:url_context_calls",),
    ),
}


@pytest.mark.parametrize(("usage", "words", "parts", "flags"), UNITS.values(), ids=UNITS.keys())
def test_units(usage: Usage, words: dict[str, Decimal], parts: dict[str, Decimal], flags: tuple[str, ...]) -> None:
    result = cost(usage, Price(rates_of(words)), at=NOON)

    assert (dict(result.parts), result.flags) == (parts, flags)


TIERS = {
    "as written in the table": ("Turbo", D(3), ()),
    "in another case": ("FLEX", D(2), ()),
    "the list price": ("STANDARD", D(1), ()),
    "the list price, priced by the table": ("auto", D(4), ()),
    "unknown and long": ("Y" * 99, D(1), ("tier_unpriced:" + "y" * 32,)),
    "empty": ("", D(1), ()),
}


@pytest.mark.parametrize(("served", "expected", "flags"), TIERS.values(), ids=TIERS.keys())
def test_service_tiers_are_found_by_the_providers_word(served: str, expected: Decimal, flags: tuple[str, ...]) -> None:
    factors = {"Turbo": D(3), "flex": D(2), "auto": D(4)}
    price = Price(
        rates_of({"input": D(1)}), service_tiers={name: ServiceTier(factor) for name, factor in factors.items()}
    )

    result = cost(Usage({"input": 1_000_000}, service_tier=served), price, at=NOON)

    assert (result.total, result.flags) == (expected, flags)


def test_a_requested_tier_without_a_price_is_both_assumed_and_unpriced() -> None:
    result = cost(Usage({"input": 1}), Price(rates_of({"input": D(1)})), service_tier="scale", at=NOON)

    assert result.flags == ("tier_unpriced:scale", "tier_assumed")


def test_what_the_source_prices_and_usage_cannot_say_is_reported() -> None:
    price = Price(rates_of({"input": D(1)}), gaps=("output_citation_mtok",))

    assert cost(Usage(), price, at=NOON).flags == ("unmapped:output_citation_mtok",)


def test_a_flag_is_said_once() -> None:
    usage = Usage({"input": -1, "output": -1, "cache_read": -1})

    assert cost(usage, Price(Rates()), at=NOON).flags == ("usage_inconsistent",)


def test_a_cost_is_computed_in_microseconds() -> None:
    price = Price(rates_of({"input": D("1.25"), "cache_read": D("0.125"), "output": D(10)}))
    usage = Usage({"input": 1000, "cache_read": 500, "output": 300, "reasoning": 100})

    best = min(repeat(lambda: cost(usage, price, at=NOON), number=200, repeat=20)) / 200

    assert best < 50e-6  # measured 3 µs; the slack is for loaded machines
