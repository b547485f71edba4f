"""billing.reconcile: each cause alone, causes together, and that they always come to the difference."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.billing.amounts import total
from costspan.billing.exports.charge import Charge
from costspan.billing.reconcile import reconcile
from costspan.billing.reconcile_sums import Bill, Spent
from costspan.wire import json
from fakes.bills import Names, attempt

if TYPE_CHECKING:
    from collections.abc import Mapping

DAYS: Final = [date(2026, 10, 1) + timedelta(days=number) for number in range(7)]
RATES: Final = MappingProxyType({"input": Decimal(1), "output": Decimal(4)})
"""USD per million: a million of input is a dollar."""
GPT: Final = Names("gpt-5", "gpt-5", "gpt-5")
MILLION: Final = 1_000_000
FOLDED: Final = {"reasoning": "output"}


@dataclass
class Books:
    """Both sides, by hand."""

    bill: Bill = field(default_factory=lambda: Bill(FOLDED))
    spent: Spent = field(default_factory=lambda: Spent(FOLDED, frozenset({"openai"})))
    number: int = 0

    def charge(self, day: int, **changes: Any) -> None:
        """A charge for a million tokens of input at the ledger's price, or changed."""
        usual = Charge(DAYS[day], "gpt-5", "input", Decimal(MILLION), Decimal(1))
        self.bill.add(replace(usual, **changes))

    def attempt(
        self,
        day: int,
        usage: Mapping[str, int] = MappingProxyType({"input": MILLION}),
        rates: Mapping[str, Decimal] | None = RATES,
        names: Names = GPT,
        **changes: Any,
    ) -> None:
        """An attempt of a million tokens of input, or changed."""
        self.number += 1
        line = attempt(f"at_{self.number}", DAYS[day], names, usage, rates, **changes)
        self.spent.add(json.loads(line))

    def reconcile(self, prices: Mapping[str, Decimal] | None = None) -> Any:  # compared with whole numbers
        """The `Reconciliation`. `prices` are list prices by bucket."""
        found = reconcile(self.bill, self.spent, lambda _model, bucket, _day: (prices or {}).get(bucket))
        if found.difference_usd is not None:
            assert total(finding.usd or Decimal(0) for finding in found.findings) == found.difference_usd
        return found


@pytest.fixture
def books() -> Books:
    """A week on which both sides have a million tokens of input a day."""
    made = Books()
    for day in range(7):
        made.charge(day)
        made.attempt(day)
    return made


def causes(found: Any) -> list[tuple[str, Any]]:
    return [(finding.cause.value, finding.usd) for finding in found.findings]


def test_a_week_that_agrees(books: Books) -> None:
    found = books.reconcile()

    assert (found.agrees, found.findings, found.differences, found.unexplained_usd) == (True, (), (), 0)
    assert (found.export_usd, found.ledger_usd) == (7, 7)


def test_traffic_besides_the_gateway_costs_what_the_provider_charged_for_it(books: Books) -> None:
    books.charge(2, quantity=Decimal(500_000), usd=Decimal("0.5"))

    (finding,) = books.reconcile().findings

    assert (finding.cause, finding.usd, finding.quantities) == (
        "traffic_outside_gateway",
        Decimal("0.5"),
        {"input": 500_000},
    )


def test_a_model_that_the_ledger_does_not_have_is_such_traffic(books: Books) -> None:
    books.charge(2, model="gpt-9", usd=Decimal(3))

    (finding,) = books.reconcile().findings

    assert (finding.cause, finding.models, finding.usd) == ("traffic_outside_gateway", ("gpt-9",), 3)


def test_such_traffic_at_a_discount_is_not_taken_for_a_price(books: Books) -> None:
    discounted = Books()
    for day in range(7):
        discounted.attempt(day)
        discounted.charge(day, usd=Decimal("0.8"))
    discounted.charge(3, usd=Decimal("0.8"))

    assert causes(discounted.reconcile()) == [
        ("traffic_outside_gateway", Decimal("0.8")),
        ("price", Decimal("-1.4")),
    ]


def test_usage_that_is_not_billed_is_less(books: Books) -> None:
    books.attempt(2)

    (finding,) = books.reconcile().findings

    assert (finding.cause, finding.usd, finding.quantities) == ("not_billed", -1, {"input": MILLION})


def test_usage_without_a_price_that_is_not_billed_is_no_money(books: Books) -> None:
    books.attempt(2, rates=None, names=Names("new", "new", "new"))
    books.attempt(2, names=Names("new", "new", "new"))

    (finding,) = books.reconcile().findings

    assert (finding.cause, finding.usd, finding.quantities) == ("not_billed", -1, {"input": 2 * MILLION})


def priced(first: int, factor: str) -> Books:
    """A week on which the provider takes `factor` of the price from a day on."""
    made = Books()
    for day in range(7):
        made.attempt(day)
        made.charge(day, usd=Decimal(factor) if day >= first else Decimal(1))
    return made


PRICES = {
    "a discount": (0, "0.8", "negotiated discount about 20.0 %", "-1.4"),
    "a discount from the fourth day on": (3, "0.75", "negotiated discount about 25.0 %", "-1"),
    "a surcharge": (0, "1.055", "surcharge about 5.5 %", "0.385"),
    "a discount on one day": (6, "0.5", "price 50.0 % below the ledger's, on one day", "-0.5"),
    "nothing charged": (5, "0", "used, and not charged", "-2"),
}


@pytest.mark.parametrize(("first", "factor", "title", "usd"), PRICES.values(), ids=PRICES)
def test_prices(first: int, factor: str, title: str, usd: str) -> None:
    (finding,) = priced(first, factor).reconcile().findings

    assert (finding.cause, finding.title, finding.usd) == ("price", title, Decimal(usd))
    assert finding.days == tuple(DAYS[first:])
    (rate,) = finding.rates
    assert (rate.charged_usd, rate.ledger_usd) == (Decimal(factor), 1)


def test_two_discounts_one_after_the_other_are_two() -> None:
    books = Books()
    for day in range(6):
        books.attempt(day)
        books.charge(day, usd=Decimal("0.9") if day < 2 else Decimal("0.8"))

    assert [(each.title, each.days[0], each.usd) for each in books.reconcile().findings] == [
        ("negotiated discount about 20.0 %", DAYS[2], Decimal("-0.8")),
        ("negotiated discount about 10.0 %", DAYS[0], Decimal("-0.2")),
    ]


def test_a_price_that_changes_every_day_is_no_discount() -> None:
    books = Books()
    for day, usd in enumerate(("0.9", "1.2", "0.8", "1.1", "0.7")):
        books.attempt(day)
        books.charge(day, usd=Decimal(usd))

    (finding,) = books.reconcile().findings

    assert finding.title == "price differs, from -20.0 % to 30.0 % below the ledger's"


def test_what_was_free_and_is_charged() -> None:
    books = Books()
    books.attempt(0, rates={"input": Decimal(0)})
    books.charge(0)

    (finding,) = books.reconcile().findings

    assert (finding.title, finding.usd, finding.ratio) == ("charged, and free in the ledger", 1, None)


def test_one_ratio_over_models_and_buckets_is_one_finding() -> None:
    books = Books()
    for day in range(3):
        for model in ("gpt-5", "gpt-5-mini"):
            books.attempt(day, {"input": MILLION, "output": MILLION}, names=Names(model, model, model))
            books.charge(day, model=model, usd=Decimal("0.8"))
            books.charge(day, model=model, bucket="output", usd=Decimal("3.2"))

    (finding,) = books.reconcile().findings

    assert (finding.title, finding.usd) == ("negotiated discount about 20.0 %", -6)
    assert (finding.models, finding.parts) == (("gpt-5", "gpt-5-mini"), ("input", "output"))
    assert [(rate.model, rate.bucket, rate.charged_usd, rate.ledger_usd) for rate in finding.rates] == [
        ("gpt-5", "input", Decimal("0.8"), 1),
        ("gpt-5", "output", Decimal("3.2"), 4),
        ("gpt-5-mini", "input", Decimal("0.8"), 1),
        ("gpt-5-mini", "output", Decimal("3.2"), 4),
    ]


def test_a_shift_over_midnight_nets_to_nothing(books: Books) -> None:
    books.charge(2, quantity=Decimal(300_000), usd=Decimal("0.3"))
    books.charge(3, quantity=Decimal(-300_000), usd=Decimal("-0.3"))

    found = books.reconcile()
    (finding,) = found.findings

    assert (finding.cause, finding.usd, finding.moved_usd) == ("day_boundary", 0, Decimal("0.3"))
    assert [(each.day, each.pieces[0].usd) for each in found.differences] == [
        (DAYS[2], Decimal("0.3")),
        (DAYS[3], Decimal("-0.3")),
    ]


def test_an_attempt_over_midnight_is_booked_where_it_ended(books: Books) -> None:
    books.attempt(2, {"input": 400_000}, at="23:59:58", duration_ms=2500.0)
    books.attempt(2, {"input": 100_000}, at="23:59:58", duration_ms=1500.0)
    books.charge(2, quantity=Decimal(100_000), usd=Decimal("0.1"))
    books.charge(3, quantity=Decimal(400_000), usd=Decimal("0.4"))

    (finding,) = books.reconcile().findings

    assert (finding.cause, finding.usd, finding.moved_usd) == ("day_boundary", 0, Decimal("0.4"))


def test_an_attempt_of_the_day_before_the_export_may_be_booked_on_its_first() -> None:
    books = Books(bill=Bill(FOLDED, since=DAYS[1]))
    books.attempt(0, {"input": 400_000}, at="23:59:58", duration_ms=2500.0)
    books.attempt(1)
    books.charge(1, quantity=Decimal(1_400_000), usd=Decimal("1.4"))

    found = books.reconcile()

    assert causes(found) == [("day_boundary", Decimal("0.4"))]
    assert found.ledger_usd == 1


def open_estimate(books: Books, usd: str) -> None:
    books.attempt(2, {}, None, cost_status="estimated", cost_estimated_usd=Decimal(usd))


def test_an_open_estimate_explains_up_to_what_was_estimated(books: Books) -> None:
    open_estimate(books, "0.30")
    books.charge(2, quantity=Decimal(200_000), usd=Decimal("0.20"))

    found = books.reconcile()
    (finding,) = found.findings

    assert (finding.cause, finding.usd, finding.estimate_usd) == ("still_estimated", Decimal("0.2"), Decimal("0.3"))
    assert found.estimated_usd == Decimal("0.30")


def test_what_goes_beyond_the_estimate_is_traffic_besides_the_gateway(books: Books) -> None:
    open_estimate(books, "0.30")
    books.charge(2, quantity=Decimal(400_000), usd=Decimal("0.40"))

    outside, estimated = books.reconcile().findings

    assert (outside.usd, outside.quantities) == (Decimal("0.1"), {"input": 100_000})
    assert (estimated.usd, estimated.quantities) == (Decimal("0.3"), {"input": 300_000})


def test_an_estimate_that_was_never_billed_is_no_difference(books: Books) -> None:
    open_estimate(books, "0.30")

    assert books.reconcile().agrees


def test_a_missing_price_is_what_the_provider_charged(books: Books) -> None:
    books.attempt(2, {"input": 2 * MILLION}, None)
    books.charge(2, quantity=Decimal(2 * MILLION), usd=Decimal(2))

    (finding,) = books.reconcile().findings

    assert (finding.cause, finding.usd, finding.quantities) == ("missing_price", 2, {"input": 2 * MILLION})


def test_rounding_is_no_price_and_agrees() -> None:
    books = Books()
    for day in range(3):
        books.attempt(day, {"input": 1_004_000})
        books.charge(day, quantity=Decimal(1_004_000), usd=Decimal("1.00"))

    found = books.reconcile()

    assert causes(found) == [("rounding", Decimal("-0.012"))]
    assert found.agrees


def test_each_amount_of_a_day_may_have_been_rounded() -> None:
    books = Books()
    books.attempt(0, {"input": 1_002_000})
    for _ in range(3):
        books.charge(0, quantity=Decimal(334_000), usd=Decimal("0.33"))

    assert causes(books.reconcile()) == [("rounding", Decimal("-0.012"))]


def test_more_than_rounding_is_a_price() -> None:
    books = Books()
    books.attempt(0, {"input": 1_006_000})
    books.charge(0, quantity=Decimal(1_006_000), usd=Decimal("1.00"))

    assert causes(books.reconcile()) == [("price", Decimal("-0.006"))]


def test_taxes_are_explained_and_strange_lines_are_not(books: Books) -> None:
    books.charge(1, model=None, bucket=None, quantity=None, usd=Decimal("1.33"), label="tax", kind="other")
    books.charge(2, model=None, bucket=None, quantity=None, usd=Decimal("0.10"), label="storage", kind="unknown")
    books.charge(3, model=None, bucket=None, quantity=None, usd=Decimal("0.20"), label="storage", kind="unknown")

    found = books.reconcile()

    assert [(each.title, each.usd, each.settled) for each in found.findings] == [
        ("no usage: tax", Decimal("1.33"), True),
        ("not recognised: storage", Decimal("0.30"), False),
    ]
    assert found.unexplained_usd == Decimal("0.30")


def test_usage_alone_is_compared_at_the_ledgers_price() -> None:
    books = Books()
    for day in range(3):
        books.attempt(day)
        books.charge(day, usd=None, metered=True)
    books.charge(1, quantity=Decimal(500_000), usd=None, metered=True)

    found = books.reconcile()

    assert (found.export_usd, found.difference_usd) == (None, None)
    assert causes(found) == [("traffic_outside_gateway", Decimal("0.5"))]


def test_usage_of_a_strange_model_is_priced_by_the_book_or_not_known(books: Books) -> None:
    strange = Books()
    strange.charge(1, model="gpt-9", usd=None)

    assert causes(strange.reconcile({"input": Decimal("0.000003")})) == [("traffic_outside_gateway", Decimal(3))]
    unknown = strange.reconcile()
    assert causes(unknown) == [("traffic_outside_gateway", None)]
    assert unknown.unexplained_usd is None


def test_a_report_of_usage_counts_in_place_of_quantities_on_the_bill(books: Books) -> None:
    for day in range(7):
        books.charge(day, usd=None, metered=True)

    assert books.reconcile().agrees


def test_costs_that_the_provider_reported_are_compared_as_a_whole() -> None:
    books = Books()
    for day in range(3):
        books.attempt(
            day, {"input": MILLION, "output": MILLION}, cost_parts={}, cost_usd=Decimal(5), cost_status="provider"
        )
        books.charge(day)
        books.charge(day, bucket="output", usd=Decimal(4))
    books.charge(1, bucket="output", quantity=Decimal(MILLION), usd=Decimal(4))

    found = books.reconcile()

    assert causes(found)[0][0] == "traffic_outside_gateway"
    assert found.findings[0].quantities == {"output": MILLION}
    assert found.difference_usd == 4


def test_one_amount_for_all_buckets_is_shared_out_by_the_ledgers_prices() -> None:
    books = Books()
    for day in range(3):
        books.attempt(day, {"input": MILLION, "output": MILLION})
        more = 2 if day == 1 else 1
        books.charge(day, usd=None)
        books.charge(day, usd=None, bucket="output", quantity=Decimal(more * MILLION))
        books.charge(day, bucket=None, quantity=None, usd=Decimal("0.8") * (1 + 4 * more))

    found = books.reconcile()

    assert causes(found) == [("traffic_outside_gateway", Decimal("3.2")), ("price", Decimal(-3))]
    assert found.findings[1].title == "negotiated discount about 20.0 %"


def test_fees_without_a_model_are_compared_without_models(books: Books) -> None:
    books.attempt(0, {}, units={"web_search_calls": 3}, cost_parts={"web_search_calls": Decimal("0.03")})
    books.charge(0, model=None, bucket="web_search_calls", quantity=None, usd=Decimal("0.03"))
    assert books.reconcile().agrees

    books.charge(1, model=None, bucket="web_search_calls", quantity=None, usd=Decimal("0.05"))
    assert causes(books.reconcile()) == [("traffic_outside_gateway", Decimal("0.05"))]


def test_units_that_no_bill_shows_are_no_difference(books: Books) -> None:
    books.attempt(0, {}, units={"requests": 5, "images": 2}, cost_parts={}, cost_usd=Decimal(0))

    assert books.reconcile().agrees


def amounts_only(*usd: str) -> Books:
    made = Books()
    for day, amount in enumerate(usd):
        made.attempt(day)
        made.charge(day, quantity=None, usd=Decimal(amount))
    return made


AMOUNTS: dict[str, tuple[tuple[str, ...], list[tuple[str, str]]]] = {
    "all the same": (("1", "1", "1"), []),
    "a discount": (("0.8", "0.8", "0.8"), [("price", "-0.6")]),
    "a discount and a day that stands out": (
        ("0.8", "0.8", "1.3", "0.8"),
        [("price", "-0.8"), ("unexplained", "0.5")],
    ),
    "a day that stands out": (("1", "1", "1.5", "1"), [("unexplained", "0.5")]),
    "a shift": (("1", "1.3", "0.7", "1"), [("day_boundary", "0")]),
    "a day that is missing": (("1", "0", "1"), [("not_billed", "-1")]),
    "a ratio of less than half of the days": (("0.8", "0.8", "1.25", "1.33", "0.71"), [("unexplained", "-0.11")]),
    "no two days alike": (("0.8", "1.15", "0.95"), [("unexplained", "-0.1")]),
}


@pytest.mark.parametrize(("usd", "expected"), AMOUNTS.values(), ids=AMOUNTS)
def test_amounts_without_usage(usd: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    found = amounts_only(*usd).reconcile()

    assert causes(found) == [(cause, Decimal(amount)) for cause, amount in expected]


def test_amounts_for_unpriced_usage_and_for_strange_models() -> None:
    books = amounts_only("1", "1", "1")
    books.attempt(1, {"output": 10}, None, Names("new", "new", "new"))
    books.charge(1, model="new", quantity=None, bucket="output", usd=Decimal("0.7"))
    books.charge(2, model="gpt-9", quantity=None, usd=Decimal("0.2"))
    open_estimate(books, "0.50")
    books.charge(2, quantity=None, usd=Decimal("0.4"))

    assert causes(books.reconcile()) == [
        ("traffic_outside_gateway", Decimal("0.2")),
        ("still_estimated", Decimal("0.4")),
        ("missing_price", Decimal("0.7")),
    ]


def test_a_bill_by_day_only_is_compared_by_day_only() -> None:
    books = Books()
    for day in range(3):
        books.attempt(day)
        books.attempt(day, {"output": MILLION}, names=Names("gpt-5-mini", None, ""))
        books.charge(day, model=None, bucket=None, quantity=None, usd=Decimal(4))

    (finding,) = books.reconcile().findings

    assert (finding.title, finding.models, finding.usd) == ("negotiated discount about 20.0 %", ("all models",), -3)


def test_days_before_and_after_are_left_out() -> None:
    books = Books(bill=Bill(FOLDED, DAYS[2], DAYS[4]))
    for day in range(7):
        books.attempt(day)
        books.charge(day)

    found = books.reconcile()

    assert (found.agrees, list(found.days), found.export_usd, found.ledger_usd) == (True, DAYS[2:4], 2, 2)
    assert books.bill.outside == 5


def test_a_month_that_was_asked_for_and_is_not_on_the_bill_is_not_billed() -> None:
    books = Books(bill=Bill(FOLDED, DAYS[0], DAYS[3]))
    books.attempt(1)
    books.charge(0, model="gpt-9", quantity=Decimal(0), usd=Decimal(0))

    assert causes(books.reconcile()) == [("not_billed", Decimal(-1))]


def test_only_the_provider_that_is_meant_is_counted() -> None:
    books = Books(spent=Spent(FOLDED, frozenset({"openai"}), "eu"))
    books.attempt(0)
    books.charge(0)

    assert causes(books.reconcile()) == [("traffic_outside_gateway", Decimal(1))]
    assert books.spent.providers == set()


SIDE = st.fixed_dictionaries(
    {
        "tokens": st.integers(0, 5),
        "price": st.sampled_from(["0.8", "1", "1.07", "0"]),
        "bucket": st.sampled_from(["input", "output"]),
        "model": st.sampled_from(["gpt-5", "gpt-5-mini"]),
    }
)


@given(
    days=st.lists(st.tuples(st.lists(SIDE, max_size=3), st.lists(SIDE, max_size=3)), max_size=5),
    quantities=st.booleans(),
    estimate=st.booleans(),
    unpriced=st.booleans(),
)
def test_the_causes_always_come_to_the_difference(
    days: list[Any], quantities: bool, estimate: bool, unpriced: bool
) -> None:
    books = Books()
    for day, (own, theirs) in enumerate(days):
        for each in own:
            names = Names(each["model"], each["model"], each["model"])
            rates = None if unpriced and each["tokens"] == 1 else RATES
            books.attempt(day, {each["bucket"]: each["tokens"] * 333_333}, rates, names)
        if estimate and day == 2:
            open_estimate(books, "0.7")
        for each in theirs:
            count = Decimal(each["tokens"] * 333_333)
            usd = count * RATES[each["bucket"]] / MILLION * Decimal(each["price"])
            books.charge(
                day, model=each["model"], bucket=each["bucket"], quantity=count if quantities else None, usd=usd
            )

    found = books.reconcile()  # checks the sum

    assert found.agrees or found.differences
