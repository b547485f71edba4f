"""pricing.settle: the five statuses."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from costspan.ir.usage import Usage
from costspan.pricing.book import FREE
from costspan.pricing.rates import Price, rates_of
from costspan.pricing.settle import STRENGTH, Settlement, Status, add, settle, weakest

D = Decimal
NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
PRICE = Price(rates_of({"input": D(1), "output": D(2)}))
USAGE = Usage({"input": 1_000_000}, reported_cost=D("0.7"))
EXACT_ONE = Settlement(D(1), None, "exact", {"input": D(1)}, (), None, D(1))


def settled(
    usage: Usage | None,
    price: Price | None,
    *,
    price_as: str | None = None,
    reached: bool = True,
    estimate: Decimal | None = None,
) -> Settlement:
    return settle(
        usage,
        price,
        price_as=price_as,
        reached=reached,
        estimate=estimate,
        estimate_basis="8 characters seen",
        service_tier=None,
        at=NOON,
    )


CASES: dict[str, tuple[Settlement, Settlement]] = {
    "exact": (settled(USAGE, PRICE, estimate=D(9)), EXACT_ONE),
    "exact: nothing was used": (settled(Usage(), PRICE), Settlement(D(0), None, "exact", computed_usd=D(0))),
    "provider": (
        settled(USAGE, PRICE, price_as="provider"),
        Settlement(D("0.7"), None, "provider", computed_usd=D(1)),
    ),
    "provider: without a price of ours": (
        settled(USAGE, None, price_as="provider"),
        Settlement(D("0.7"), None, "provider"),
    ),
    "provider: zero is a figure": (
        settled(Usage({"input": 1}, reported_cost=D(0)), None, price_as="provider"),
        Settlement(D(0), None, "provider"),
    ),
    "provider: nothing reported": (settled(Usage({"input": 1_000_000}), PRICE, price_as="provider"), EXACT_ONE),
    "provider: a figure that cannot be": (
        settled(Usage({"input": 1_000_000}, reported_cost=D("-3")), PRICE, price_as="provider"),
        Settlement(D(1), None, "exact", {"input": D(1)}, ("reported_cost_invalid",), None, D(1)),
    ),
    "provider: no number at all": (
        settled(Usage({"input": 1}, reported_cost=D("NaN")), None, price_as="provider"),
        Settlement(None, None, "unpriced"),
    ),
    "estimated": (
        settled(None, PRICE, estimate=D("0.3")),
        Settlement(None, D("0.3"), "estimated", basis="8 characters seen"),
    ),
    "unpriced: usage known, price not": (settled(USAGE, None), Settlement(None, None, "unpriced")),
    "unpriced: neither known": (settled(None, None, estimate=D(5)), Settlement(None, None, "unpriced")),
    "unpriced: no estimate either": (settled(None, PRICE), Settlement(None, None, "unpriced")),
    "unpriced: a bucket has no rate": (
        settled(Usage({"input": 1_000_000, "output": 1}), Price(rates_of({"input": D(1)}))),
        Settlement(None, None, "unpriced", {"input": D(1)}, ("unpriced_bucket:output",)),
    ),
    "unpriced: only units, none with a fee": (
        settled(Usage(units={"images": 2}), PRICE),
        Settlement(None, None, "unpriced", {}, ("unpriced_unit:images",)),
    ),
    "free: a price of zero": (
        settled(Usage({"input": 7}), FREE),
        Settlement(D(0), None, "free", {"input": D(0)}, computed_usd=D(0)),
    ),
    "free: a price of zero, usage unknown": (settled(None, FREE, estimate=D(1)), Settlement(D(0), None, "free")),
    "free: never reached": (settled(None, PRICE, reached=False, estimate=D(1)), Settlement(D(0), None, "free")),
    "free: never reached, no price": (settled(None, None, reached=False), Settlement(D(0), None, "free")),
}


@pytest.mark.parametrize(("actual", "expected"), CASES.values(), ids=CASES.keys())
def test_settlement(actual: Settlement, expected: Settlement) -> None:
    assert actual == expected


WEAKEST: dict[str, tuple[list[Status], Status]] = {
    "unpriced is the weakest": (["free", "exact", "provider", "estimated", "unpriced"], "unpriced"),
    "estimated before provider": (["provider", "estimated", "exact"], "estimated"),
    "provider before exact": (["exact", "provider"], "provider"),
    "a failed connect does not weaken": (["free", "exact"], "exact"),
    "nothing happened": ([], "free"),
}


@pytest.mark.parametrize(("statuses", "expected"), WEAKEST.values(), ids=WEAKEST.keys())
def test_a_whole_has_the_weakest_status_of_its_parts(statuses: list[Status], expected: Status) -> None:
    assert weakest(statuses) == expected


def test_every_status_has_a_strength() -> None:
    assert STRENGTH == ("unpriced", "estimated", "provider", "exact", "free")


SUMS: dict[str, tuple[list[Decimal | None], Decimal | None]] = {
    "nothing": ([], None),
    "only unknown": ([None, None], None),
    "zero is known": ([None, D(0)], D(0)),
    "beyond the digits of the default context": ([D(10**20), D("1E-12")], D("100000000000000000000.000000000001")),
}


@pytest.mark.parametrize(("amounts", "expected"), SUMS.values(), ids=SUMS.keys())
def test_add(amounts: list[Decimal | None], expected: Decimal | None) -> None:
    assert add(amounts) == expected
