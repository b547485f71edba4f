"""billing.plans: single rules, and what holds for every plan and all spending."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costspan.billing.amounts import allocate, divide, plain, total
from costspan.billing.plans import Bill, Spending, bills
from costspan.config.billing import BillingPlan, FreeAllowance, Surcharge, TopUp

if TYPE_CHECKING:
    from collections.abc import Mapping

HOUR = "2026-09-03T12"


def plan(**fields: Any) -> BillingPlan:
    return BillingPlan.model_validate(fields)


def spent(requests: int, listed: str, direct: str | None = None) -> Spending:
    return Spending(requests, Decimal(direct or listed), Decimal(listed))


def bill(of: BillingPlan, hours: Mapping[str, Spending]) -> Bill:
    (found,) = bills([of], hours).values()
    assert found is not None
    return found


CARD = {"fee": Decimal("0.055"), "minimum": Decimal("0.80"), "amount": Decimal(100)}

TOP_UPS: dict[str, tuple[dict[str, Any], str, str, int]] = {
    "nothing is bought for nothing": ({}, "0", "0", 0),
    "less than a purchase": ({}, "50", "2.75", 1),
    "just a purchase": ({}, "100", "5.5", 1),
    "a purchase and the minimum": ({}, "101", "6.3", 2),
    "whole purchases": ({"last": "whole"}, "101", "11", 2),
    "inside, less than a purchase": ({"fee_is": "inside"}, "9.45", "0.8", 1),
    "inside, just a purchase": ({"fee_is": "inside"}, "94.5", "5.5", 1),
    "inside, a purchase and a rest": ({"fee_is": "inside"}, "141.75", "8.25", 2),
    "inside, whole": ({"fee_is": "inside", "last": "whole"}, "95", "11", 2),
}


@pytest.mark.parametrize(("changes", "needed", "fees", "purchases"), TOP_UPS.values(), ids=TOP_UPS.keys())
def test_credits_are_bought_as_the_plan_says(changes: dict[str, Any], needed: str, fees: str, purchases: int) -> None:
    found = bill(plan(top_up={**CARD, **changes}), {HOUR: spent(1, needed)})

    assert (plain(found.fees), found.purchases, plain(found.credits)) == (fees, purchases, needed)


def test_credits_are_used_at_list_price_and_keys_at_one_s_own() -> None:
    hours = {HOUR: spent(1, "100", "80")}
    credit = bill(plan(top_up={"fee": 0}), hours)
    own_key = bill(plan(surcharge={"percent": Decimal("0.05")}), hours)

    assert credit == Bill(credits=Decimal(100), purchases=1)
    assert own_key == Bill(direct=Decimal(80), surcharge=Decimal(5))


def test_what_is_left_of_a_whole_purchase_pays_the_next_month() -> None:
    whole = plan(top_up={**CARD, "last": "whole"})
    found = bills([whole], {"2026-08-01T00": spent(1, "130"), "2026-09-01T00": spent(1, "60"), HOUR: spent(1, "20")})

    assert [(month, each.purchases, each.left) for month, each in found.items() if each] == [
        ("2026-08", 2, Decimal(70)),
        ("2026-09", 1, Decimal(90)),
    ]


def test_a_surcharge_without_credits_of_its_own_is_paid_from_the_plan_s() -> None:
    found = bill(plan(top_up=CARD, surcharge={"percent": Decimal("0.1")}), {HOUR: spent(1, "100")})

    assert found == Bill(credits=Decimal(100), surcharge=Decimal(10), fees=Decimal("6.3"), purchases=2)


UNEVEN = {"2026-09-01T00": spent(10, "10"), "2026-09-01T01": spent(10, "200"), "2026-09-02T00": spent(20, "390")}
"""40 requests for 600 USD: the first ten cost 1 each, the next ten 20, the others 19.50."""

ALLOWANCES: dict[str, tuple[dict[str, Any], str]] = {
    "none": ({}, "600"),
    "dollars": ({"free": {"usd": Decimal("99.9")}}, "500.1"),
    "more dollars than were spent": ({"free": {"usd": Decimal(601)}}, "0"),
    "the first requests": ({"free": {"requests": 10}}, "590"),
    "the first requests, to the middle of an hour": ({"free": {"requests": 15}}, "490"),
    "a quarter of all alike": ({"free": {"requests": 10, "counted": "evenly"}}, "450"),
    "more requests than were made": ({"free": {"requests": 41}}, "0"),
    "more requests than were made, all alike": ({"free": {"requests": 41, "counted": "evenly"}}, "0"),
}


@pytest.mark.parametrize(("fields", "charged"), ALLOWANCES.values(), ids=ALLOWANCES.keys())
def test_an_allowance_is_used_up_as_the_plan_says(fields: dict[str, Any], charged: str) -> None:
    found = bill(plan(surcharge={"percent": 1, **fields}), UNEVEN)

    assert plain(found.surcharge) == charged


def test_the_order_of_hours_is_that_of_time() -> None:
    first = plan(surcharge={"percent": 1, "free": {"requests": 15}})

    assert bills([first], dict(reversed(UNEVEN.items()))) == bills([first], UNEVEN)


def test_an_allowance_begins_anew_with_each_month() -> None:
    dollars = plan(surcharge={"percent": 1, "free": {"usd": Decimal(10)}})
    found = bills([dollars], {"2026-08-31T23": spent(1, "15"), "2026-09-01T00": spent(1, "17")})

    assert [each.surcharge for each in found.values() if each] == [5, 7]


def test_each_version_has_a_whole_allowance_on_its_days() -> None:
    versions = [
        plan(to="2026-09-02", surcharge={"percent": 1, "free": {"requests": 15}}),
        plan(**{"from": "2026-09-02"}, surcharge={"percent": Decimal("0.5"), "free": {"usd": Decimal(90)}}),
    ]
    (found,) = bills(versions, UNEVEN).values()

    assert found is not None
    assert plain(found.surcharge) == "250"  # 5 of 10 requests for 200, and half of 390 - 90


def test_spending_on_a_day_without_a_version_makes_the_month_unknown() -> None:
    late = plan(**{"from": "2026-09-02"})

    assert bills([late], UNEVEN) == {"2026-09": None}
    assert bills([late], {**UNEVEN, "2026-09-01T00": Spending(), "2026-09-01T01": Spending()}) == {
        "2026-09": Bill(direct=Decimal(390))
    }


DAY = date(2026, 8, 10)
LAW = settings(deadline=None, max_examples=60)
AMOUNTS = st.decimals(min_value=0, max_value=10**6, places=6)
PERCENTS = st.decimals(min_value=0, max_value=Decimal("0.5"), places=4)
HOURS = st.sampled_from(
    [f"2026-{month:02}-{day:02}T{hour:02}" for month in (7, 8, 9) for day in (1, 9, 10, 30) for hour in (0, 23)]
)
SPENDINGS = st.builds(
    lambda requests, listed, keep: Spending(requests, listed * keep, listed),
    st.integers(1, 10**7),
    AMOUNTS,
    st.sampled_from([Decimal(1), Decimal("0.8")]),
)
TRAFFIC = st.dictionaries(HOURS, SPENDINGS, min_size=1)
TOP_UP = st.builds(
    TopUp,
    fee=PERCENTS,
    minimum=st.decimals(min_value=0, max_value=1, places=2),
    amount=st.decimals(min_value=5, max_value=1000, places=2),
    fee_is=st.sampled_from(["on_top", "inside"]),
    last=st.just("rest"),
)
FREE = st.builds(FreeAllowance, usd=AMOUNTS) | st.builds(
    FreeAllowance, requests=st.integers(1, 10**7), counted=st.sampled_from(["in_order", "evenly"])
)
SURCHARGE = st.builds(Surcharge, percent=PERCENTS, free=st.none() | FREE, top_up=st.none() | TOP_UP)
PLANS = st.builds(BillingPlan, top_up=st.none() | TOP_UP, surcharge=st.none() | SURCHARGE)
VERSIONS = PLANS.map(lambda only: [only]) | st.tuples(PLANS, PLANS).map(
    lambda both: [
        both[0].model_copy(update={"to": DAY}),
        both[1].model_copy(update={"from_": DAY}),
    ]
)


def sums(versions: list[BillingPlan], hours: Mapping[str, Spending]) -> Decimal:
    return total(each.total for each in bills(versions, hours).values() if each is not None)


@LAW
@given(VERSIONS, TRAFFIC, HOURS, SPENDINGS)
def test_to_spend_more_never_costs_less(
    versions: list[BillingPlan], hours: dict[str, Spending], hour: str, more: Spending
) -> None:
    with_more = {**hours, hour: hours.get(hour, Spending()) + more}

    # Quotients that do not end are rounded to 12 decimals, one at each version's border and one at each rest's fee.
    assert sums(versions, with_more) >= sums(versions, hours) - Decimal("1e-9")


@LAW
@given(VERSIONS, TRAFFIC)
def test_a_plan_never_costs_less_than_its_usage(versions: list[BillingPlan], hours: dict[str, Spending]) -> None:
    for found in bills(versions, hours).values():
        assert found is not None
        assert min(found.surcharge, found.fees, found.surcharge_fees) >= 0
        assert found.total >= total((found.direct, found.credits))


@LAW
@given(VERSIONS, TRAFFIC)
def test_the_months_are_reckoned_apart(versions: list[BillingPlan], hours: dict[str, Spending]) -> None:
    alone = {
        month: bills(versions, {hour: hours[hour] for hour in hours if hour.startswith(month)})[month]
        for month in {hour[:7] for hour in hours}
    }

    assert bills(versions, hours) == alone


@LAW
@given(PLANS, TRAFFIC)
def test_a_change_that_changes_nothing_on_the_first_of_a_month_shows_nowhere(
    same: BillingPlan, hours: dict[str, Spending]
) -> None:
    first = date(2026, 8, 1)
    versions = [same.model_copy(update={"to": first}), same.model_copy(update={"from_": first})]

    assert bills(versions, hours) == bills([same], hours)


@LAW
@given(TRAFFIC, st.decimals(min_value=0, max_value=1, places=3), AMOUNTS)
def test_without_quotients_every_figure_is_exact(hours: dict[str, Spending], fee: Decimal, free: Decimal) -> None:
    """No minimum and no purchases in parts: the fee is that of the whole, to the last digit."""
    exact = plan(top_up={"fee": fee, "amount": 7}, surcharge={"percent": fee, "free": {"usd": free}})
    for month, found in bills([exact], hours).items():
        listed = sum(hours[hour].listed for hour in hours if hour.startswith(month))
        surcharge = max(Decimal(0), listed - free) * fee
        assert found is not None
        assert (found.surcharge, found.fees) == (surcharge, (listed + surcharge) * fee)


@LAW
@given(AMOUNTS, st.lists(AMOUNTS, min_size=1, max_size=9))
def test_parts_add_up_to_the_whole(amount: Decimal, weights: list[Decimal]) -> None:
    parts = allocate(amount, weights)

    assert total(parts) == (amount if any(weights) else 0)
    assert all(part >= -Decimal("1e-9") for part in parts)


def test_a_quotient_is_exact_where_it_ends_and_rounded_where_it_does_not() -> None:
    assert divide(Decimal("0.0000000000001"), Decimal("0.8")) == Decimal("0.000000000000125")
    assert divide(Decimal(2), 3) == Decimal("0.666666666667")
    assert allocate(Decimal(1), [Decimal(1), Decimal(1), Decimal(1)]) == [
        Decimal("0.333333333334"),
        Decimal("0.333333333333"),
        Decimal("0.333333333333"),
    ]
