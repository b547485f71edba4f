"""pricing.estimate: guesses for decisions."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from costspan.pricing.estimate import estimate_output_tokens, estimate_prompt_tokens, expected_cost
from costspan.pricing.rates import Price, ServiceTier, rates_of

NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)

PROMPTS = {
    "empty": (0, 0, 0),
    "rounded up": (5, 0, 2),
    "exact": (8, 0, 2),
    "two images": (4, 2, 2001),
    "nonsense": (-3, -1, 0),
}


@pytest.mark.parametrize(("chars", "media", "tokens"), PROMPTS.values(), ids=PROMPTS.keys())
def test_a_token_is_four_characters_and_an_image_a_thousand(chars: int, media: int, tokens: int) -> None:
    assert estimate_prompt_tokens(chars, media) == tokens


def test_output_is_counted_like_text() -> None:
    assert estimate_output_tokens(9) == 3


PRICE = Price(
    rates_of({"input": Decimal(4), "output": Decimal(10), "cache_read": Decimal(1), "per_request": Decimal("0.5")}),
    service_tiers={"flex": ServiceTier(Decimal("0.5"))},
)
EXPECTED = {
    "fresh": (0, None, "1.00"),  # 100,000 x 4 + 10,000 x 10, and the request's 0.5
    "half cached": (50_000, None, "0.85"),
    "more cached than there is": (999_999, None, "0.70"),
    "in a tier": (0, "flex", "0.50"),
}


@pytest.mark.parametrize(("cached", "tier", "expected"), EXPECTED.values(), ids=EXPECTED.keys())
def test_the_expected_cost_of_one_request(cached: int, tier: str | None, expected: str) -> None:
    assert expected_cost(PRICE, 100_000, 10_000, NOON, tier, cached_tokens=cached) == Decimal(expected)


def test_what_is_sold_by_something_else_than_tokens_is_not_expected_to_cost_nothing() -> None:
    by_character = Price(rates_of({"per_million_characters": Decimal(15)}))

    assert expected_cost(by_character, 1000, 0, NOON) is None


def test_a_price_of_nothing_is_one() -> None:
    free = Price(rates_of({"input": Decimal(0), "output": Decimal(0)}))

    assert expected_cost(free, 1000, 100, NOON) == Decimal(0)
