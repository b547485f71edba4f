"""pricing: what holds for every usage and every price."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from costspan.ir.usage import BUCKETS, UNITS, Usage
from costspan.pricing.cost import cost
from costspan.pricing.rates import FALLBACKS, Hours, Price, Rates, ServiceTier, Tier
from costspan.pricing.settle import STRENGTH, Settlement, Status, add, settle, weakest

LAW = settings(deadline=None, max_examples=60)
"""No deadline: how long an example takes says more about the machine than about the law."""

NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
AMOUNTS = st.decimals(min_value=0, max_value=1000, places=6)
COUNTS = st.integers(min_value=0, max_value=10**12)
RATES = st.builds(
    Rates, st.dictionaries(st.sampled_from(BUCKETS), AMOUNTS), st.dictionaries(st.sampled_from(UNITS), AMOUNTS)
)
TIERS = st.lists(st.builds(Tier, st.integers(0, 10**6), RATES), max_size=2).map(tuple)
SERVICE_TIERS = st.fixed_dictionaries({"flex": st.builds(ServiceTier, AMOUNTS, st.none() | RATES, TIERS)})
MINUTES = st.integers(0, 1439)
HOURS = st.lists(st.builds(Hours, MINUTES, MINUTES, AMOUNTS, st.none() | RATES), max_size=2).map(tuple)
FRACTIONS = st.decimals(min_value=0, max_value=1, places=4)
PRICES = st.builds(Price, RATES, TIERS, SERVICE_TIERS, HOURS, FRACTIONS)
FLAT_PRICES = st.builds(Price, RATES, hours=HOURS, discount=FRACTIONS)
TOKENS = st.dictionaries(st.sampled_from(BUCKETS), COUNTS)
SERVED = st.sampled_from([None, "default", "flex", "other"])
USAGES = st.builds(Usage, TOKENS, st.dictionaries(st.sampled_from(UNITS), COUNTS | AMOUNTS), service_tier=SERVED)
TIMES = st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2027, 1, 1)).map(  # noqa: DTZ001 - zone below
    lambda moment: moment.replace(tzinfo=UTC)
)


@LAW
@given(USAGES, PRICES, TIMES)
def test_a_cost_is_the_sum_of_parts_that_are_not_negative(usage: Usage, price: Price, at: datetime) -> None:
    result = cost(usage, price, at=at)

    assert all(part >= 0 for part in result.parts.values())
    assert result.total == (add(result.parts.values()) or 0)


@LAW
@given(TOKENS, TOKENS, FLAT_PRICES, TIMES)
def test_without_thresholds_the_cost_of_a_sum_is_the_sum_of_the_costs(
    left: dict[str, int], right: dict[str, int], price: Price, at: datetime
) -> None:
    both = {bucket: left.get(bucket, 0) + right.get(bucket, 0) for bucket in {*left, *right}}
    costs = [
        cost(Usage(tokens, {"requests": requests}), price, at=at).total
        for tokens, requests in ((both, 2), (left, 1), (right, 1))
    ]

    assert costs[0] == add(costs[1:])


@LAW
@given(USAGES, PRICES, TIMES)
def test_the_order_of_buckets_does_not_matter(usage: Usage, price: Price, at: datetime) -> None:
    turned = Usage(
        dict([*usage.tokens.items()][::-1]), dict([*usage.units.items()][::-1]), service_tier=usage.service_tier
    )

    assert cost(turned, price, at=at).parts == cost(usage, price, at=at).parts


@LAW
@given(USAGES, PRICES, TIMES)
def test_a_remembered_plan_gives_the_same_cost(usage: Usage, price: Price, at: datetime) -> None:
    assert cost(usage, price, at=at) == cost(usage, price, at=at)


@LAW
@given(COUNTS, COUNTS, AMOUNTS, AMOUNTS)
def test_both_conventions_of_cached_tokens_cost_the_same(
    fresh: int, cached: int, rate: Decimal, cached_rate: Decimal
) -> None:
    price = Price(Rates({"input": rate, "cache_read": cached_rate}))
    at = datetime(2026, 11, 1, tzinfo=UTC)
    total_including_cached = fresh + cached
    inclusive = Usage({"input": total_including_cached - cached, "cache_read": cached})
    exclusive = Usage({"input": fresh, "cache_read": cached})

    assert cost(inclusive, price, at=at) == cost(exclusive, price, at=at)


@LAW
@given(st.none() | USAGES, st.none() | PRICES, st.booleans(), st.none() | AMOUNTS, SERVED, TIMES)
def test_a_settlement_keeps_what_its_status_promises(
    usage: Usage | None,
    price: Price | None,
    reached: bool,
    estimate: Decimal | None,
    service_tier: str | None,
    at: datetime,
) -> None:
    settled = settle(
        usage,
        price,
        price_as="provider",
        reached=reached,
        estimate=estimate,
        estimate_basis="",
        service_tier=service_tier,
        at=at,
    )

    assert (settled.cost_usd is not None) is (settled.status in {"exact", "provider", "free"})
    assert (settled.cost_estimated_usd is not None) is (settled.status == "estimated")


REPORTED = st.none() | AMOUNTS


def settled_of(usage: Usage | None, price: Price | None, *, trusted: bool, estimate: Decimal | None) -> Settlement:
    return settle(
        usage,
        price,
        price_as="provider" if trusted else None,
        reached=True,
        estimate=estimate,
        estimate_basis="seen",
        service_tier=None,
        at=NOON,
    )


@LAW
@given(USAGES, st.none() | PRICES, REPORTED, st.booleans(), st.none() | AMOUNTS)
def test_an_estimate_changes_nothing_where_usage_is_known(
    usage: Usage, price: Price | None, reported: Decimal | None, trusted: bool, estimate: Decimal | None
) -> None:
    told = replace(usage, reported_cost=reported)

    with_it = settled_of(told, price, trusted=trusted, estimate=estimate)

    assert with_it == settled_of(told, price, trusted=trusted, estimate=None)
    assert with_it.cost_estimated_usd is None


@LAW
@given(USAGES, st.none() | PRICES, REPORTED, st.booleans())
def test_a_cost_of_nothing_was_configured_or_said_or_nothing_was_used(
    usage: Usage, price: Price | None, reported: Decimal | None, trusted: bool
) -> None:
    settled = settled_of(replace(usage, reported_cost=reported), price, trusted=trusted, estimate=None)

    if settled.cost_usd == 0 and settled.status == "exact":
        assert price is not None
        plan = price.plan(usage, usage.service_tier if usage.service_tier in price.service_tiers else None, NOON)
        assert all(not count or plan.tokens[bucket] == 0 for bucket, count in usage.tokens.items())
    elif settled.cost_usd == 0:
        assert settled.status == "free" or (trusted and reported == 0)


@LAW
@given(USAGES, st.sampled_from(BUCKETS), st.integers(1, 10**6), RATES)
def test_tokens_without_any_rate_are_never_a_cost(usage: Usage, bucket: str, count: int, rates: Rates) -> None:
    silent = {bucket, *FALLBACKS.get(bucket, ())}
    price = Price(Rates({name: rate for name, rate in rates.tokens.items() if name not in silent}, rates.units))

    settled = settled_of(Usage({**usage.tokens, bucket: count}, usage.units), price, trusted=False, estimate=Decimal(1))

    assert (settled.cost_usd, settled.cost_estimated_usd, settled.computed_usd) == (None, None, None)
    assert settled.status == "unpriced"


@LAW
@given(USAGES, st.none() | PRICES, AMOUNTS)
def test_what_a_provider_says_is_taken_to_the_digit_and_ours_is_kept_beside(
    usage: Usage, price: Price | None, reported: Decimal
) -> None:
    told = replace(usage, reported_cost=reported)

    theirs = settled_of(told, price, trusted=True, estimate=None)
    ours = settled_of(told, price, trusted=False, estimate=None)

    assert (theirs.cost_usd, theirs.status) == (reported, "provider")
    assert theirs.computed_usd == ours.cost_usd


@LAW
@given(st.lists(st.sampled_from(STRENGTH)), st.lists(st.sampled_from(STRENGTH)))
def test_the_weakest_of_a_whole_is_the_weakest_of_its_weakest_parts(left: list[Status], right: list[Status]) -> None:
    assert weakest(left + right) == weakest([weakest(left), weakest(right)])
