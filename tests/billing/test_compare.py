"""billing.compare: what holds for any traffic."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from costspan.billing.amounts import total
from costspan.billing.compare import Comparison, Traffic, compare
from costspan.config.billing import BillingPlan, versions

LAW = settings(deadline=None, max_examples=60)

PLANS = {
    "direct": versions(BillingPlan()),
    "credits": versions(
        BillingPlan.model_validate({"top_up": {"fee": Decimal("0.055"), "minimum": Decimal("0.8"), "amount": 100}})
    ),
    "byok": versions(
        (
            BillingPlan.model_validate(
                {"to": "2026-08-10", "surcharge": {"percent": Decimal("0.05"), "free": {"requests": 3}}}
            ),
            BillingPlan.model_validate(
                {"from": "2026-08-10", "surcharge": {"percent": Decimal("0.05"), "free": {"usd": 7}}}
            ),
        )
    ),
}
DISCOUNTS = {"a": Decimal(0), "b": Decimal("0.2"), "c": Decimal("0.07")}

USD = st.decimals(min_value=0, max_value=10**4, places=9).map(lambda amount: format(amount, "f"))
COSTS = st.one_of(
    st.tuples(st.sampled_from(["exact", "provider"]), USD, st.none()),
    st.tuples(st.just("estimated"), st.none(), USD),
    st.just(("unpriced", None, None)),
    st.just(("free", "0", None)),
)


@st.composite
def attempts(draw: st.DrawFn) -> dict[str, Any]:
    status, cost, estimated = draw(COSTS)
    day, hour = draw(st.sampled_from(["07-31", "08-01", "08-09", "08-10", "09-02"])), draw(st.integers(0, 23))
    return {
        "type": "attempt",
        "time": f"2026-{day}T{hour:02}:30:00.000Z",
        "provider": draw(st.sampled_from(["a", "b", "c", "unknown"])),
        "cost_status": status,
        "cost_usd": cost,
        "cost_estimated_usd": estimated,
        "units": {"requests": 1},
        "attributes": {"team": draw(st.sampled_from(["x", "y", "z"]))},
    }


TRAFFIC = st.lists(attempts(), max_size=30)


def compared(lines: list[dict[str, Any]]) -> Comparison:
    traffic = Traffic([lambda line: line["attributes"]["team"]])
    for line in lines:
        traffic.add(line)  # type: ignore[arg-type] # - the fields that matter
    return compare(traffic, DISCOUNTS, PLANS)


@LAW
@given(TRAFFIC)
def test_months_and_groups_add_up_to_the_total(lines: list[dict[str, Any]]) -> None:
    found = compared(lines)
    paid = total(Decimal(line["cost_usd"]) for line in lines if line["cost_usd"] is not None)

    assert found.spent.known.direct == paid
    assert total(row.spent.known.direct for row in found.groups) == paid
    for name, cost in found.plans.items():
        assert cost.total is not None
        assert total(bill.total for bill in cost.months.values() if bill is not None) == cost.total.total
        assert total(row.plans[name] or Decimal(0) for row in found.groups) == cost.total.total


@LAW
@given(TRAFFIC)
def test_paying_directly_costs_what_was_paid_and_estimates_are_apart(lines: list[dict[str, Any]]) -> None:
    found = compared(lines)
    direct = found.plans["direct"]
    estimated = total(Decimal(line["cost_estimated_usd"]) for line in lines if line["cost_estimated_usd"] is not None)

    assert direct.total is not None
    assert direct.total.total == found.spent.known.direct
    assert direct.total_estimated == found.spent.estimated.direct == estimated


@LAW
@given(TRAFFIC, st.randoms())
def test_the_order_of_lines_does_not_matter(lines: list[dict[str, Any]], random: Any) -> None:
    shuffled = list(lines)
    random.shuffle(shuffled)
    left, right = compared(lines), compared(shuffled)

    assert (left.months, left.plans) == (right.months, right.plans)


@LAW
@given(TRAFFIC, attempts())
def test_one_more_attempt_never_makes_a_plan_cheaper(lines: list[dict[str, Any]], more: dict[str, Any]) -> None:
    before, after = compared(lines), compared([*lines, more])

    for name, cost in before.plans.items():
        new = after.plans[name].total
        assert cost.total is not None
        assert new is not None
        assert new.total >= cost.total.total - Decimal("1e-9")


def attempt(cost_usd: str, time: str = "2026-08-01T00:00:00.000Z") -> Any:
    return {
        "type": "attempt",
        "time": time,
        "provider": "c",
        "cost_status": "exact",
        "cost_usd": cost_usd,
        "cost_estimated_usd": None,
        "units": {},
        "attributes": {"team": "x"},
    }


def test_a_list_price_is_exact_where_the_discount_made_the_cost() -> None:
    assert compared([attempt("0.00000093")]).spent.known.listed == Decimal("0.000001")


def test_a_discount_of_everything_leaves_no_list_price() -> None:
    traffic = Traffic()
    traffic.add(attempt("0"))
    found = compare(traffic, {"c": Decimal(1)}, PLANS)

    assert (found.spent.unlisted, found.spent.known.listed) == (1, Decimal(0))


def test_memory_is_bounded_by_hours_not_by_attempts() -> None:
    traffic = Traffic()
    for minute in range(3000):
        traffic.add(attempt("1", f"2026-08-01T{minute // 60 % 24:02}:{minute % 60:02}:00.000Z"))

    assert len(traffic.hours({})) == 24
    assert compare(traffic, {}, PLANS).spent.known.requests == 3000
