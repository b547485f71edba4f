"""Anthropic within the US only: 1.1 times the price of every token, whatever else is special about the request."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from costspan.ir.usage import Usage
from costspan.pricing.book import PriceBook
from costspan.pricing.catalog import Catalog
from costspan.pricing.cost import cost
from costspan.pricing.rates import Price, ServiceTier, rates_of

NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
D = Decimal

PRICES = {
    "input_mtok": ["5", [[200_000, "10"]]],
    "output_mtok": ["25", [[200_000, "37.5"]]],
    "cache_read_mtok": ["0.5", [[200_000, "1"]]],
    "web_searches_kcount": "10",
}
FAST = [{"speed": "fast"}, None, {"input_mtok": "30", "output_mtok": "150"}]
MODEL = ["claude-opus-4-6", ["equals", "claude-opus-4-6"], [[None, PRICES]], [FAST]]
USAGE = {"input": 10_000, "cache_read": 90_000, "output": 1_000}
LONG = {"input": 10_000, "cache_read": 200_000, "output": 1_000}


def book(provider: str = "anthropic", fallback: tuple[str, ...] = ()) -> PriceBook:
    owners: dict[str, Any] = {"anthropic": {"fallback": [], "models": [MODEL]}}
    owners.setdefault(provider, {"fallback": list(fallback), "models": []})
    return PriceBook([], Catalog({"version": "0.2.3", "aliases": {}, "providers": owners}), "1")


CASES = {
    # 10,000 x 5 + 90,000 x 0.5 + 1,000 x 25, per million: 0.12
    "anywhere": ("standard", USAGE, D("0.12")),
    "within the US": ("us", USAGE, D("0.132")),
    # 10,000 x 30 + 90,000 x 0.5 (no rate of its own) + 1,000 x 150: 0.495
    "fast": ("fast", USAGE, D("0.495")),
    "fast within the US": ("fast-us", USAGE, D("0.5445")),
    # above 200,000: 10,000 x 10 + 200,000 x 1 + 1,000 x 37.5: 0.3375
    "a long prompt": ("standard", LONG, D("0.3375")),
    "a long prompt within the US": ("us", LONG, D("0.37125")),
    # fast has one price for every size: 10,000 x 30 + 200,000 x 1 + 1,000 x 150: 0.65
    "a long prompt, fast": ("fast", LONG, D("0.65")),
    "a long prompt, fast, within the US": ("fast-us", LONG, D("0.715")),
}


@pytest.mark.parametrize(("tier", "tokens", "expected"), CASES.values(), ids=CASES.keys())
def test_every_token_costs_a_tenth_more(tier: str, tokens: dict[str, int], expected: Decimal) -> None:
    price = book().find("anthropic", "anthropic", "claude-opus-4-6", at=NOON)
    assert price is not None

    result = cost(Usage(tokens, service_tier=tier), price, at=NOON)

    assert (result.total, result.flags) == (expected, ())


def test_fees_stay() -> None:
    price = book().find("anthropic", "anthropic", "claude-opus-4-6", at=NOON)
    assert price is not None

    result = cost(Usage({"input": 1_000_000}, {"web_search_calls": 3}, service_tier="us"), price, at=NOON)

    assert result.parts == {"input": D("11"), "web_search_calls": D("0.03")}  # above 200,000: 10 x 1.1


def test_a_reseller_has_places_of_its_own() -> None:
    price = book("azure", ("anthropic",)).find("azure", "azure", "claude-opus-4-6", at=NOON)
    assert price is not None

    result = cost(Usage(USAGE, service_tier="us"), price, at=NOON)

    assert (result.total, result.flags) == (D("0.12"), ("tier_unpriced:us",))


def test_a_table_that_knows_fast_only_bills_fast_and_says_so() -> None:
    price = Price(
        rates_of({"input": D(5), "output": D(25)}),
        service_tiers={"fast": ServiceTier(rates=rates_of({"input": D(30), "output": D(150)}))},
    )

    result = cost(Usage({"input": 1_000_000}, service_tier="fast-us"), price, at=NOON)

    assert (result.total, result.flags) == (D(30), ("tier_unpriced:fast-us",))
