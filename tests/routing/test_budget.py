"""costspan.routing.budget: periods, what is spent and reserved, how a budget stands."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from costspan.routing.budget import MAX_DAYS, Budget, Fund, Period, Shared, Tally, date_of, number_of, period

D = Decimal
TODAY = number_of(date(2026, 11, 26))
"""A Thursday."""
MONTH = period("month", TODAY)


def budget(usd: str = "10", per: str = "month", **more: object) -> Budget:
    return Budget("b", {}, D(usd), per, **more)  # type: ignore[arg-type] # - one of the words


def fund(usd: str = "10", **more: object) -> Fund:
    return Fund(budget(usd, **more), Tally(()))  # type: ignore[arg-type] # - as above


PERIODS = {
    "a day": ("day", date(2026, 11, 26), date(2026, 11, 27)),
    "a week begins on Monday": ("week", date(2026, 11, 23), date(2026, 11, 30)),
    "a month": ("month", date(2026, 11, 1), date(2026, 12, 1)),
}


@pytest.mark.parametrize(("per", "first", "end"), PERIODS.values(), ids=PERIODS.keys())
def test_periods_are_those_of_the_calendar_in_utc(per: str, first: date, end: date) -> None:
    found = period(per, TODAY)
    assert (date_of(found.first), date_of(found.end)) == (first, end)
    assert found.resets_at == datetime(end.year, end.month, end.day, tzinfo=UTC).timestamp()


def test_a_week_and_a_month_end_with_the_year() -> None:
    silvester = number_of(date(2026, 12, 31))
    assert date_of(period("month", silvester).end) == date(2027, 1, 1)
    assert date_of(period("week", silvester).end) == date(2027, 1, 4)
    assert date_of(period("week", number_of(date(2026, 11, 23))).first) == date(2026, 11, 23)
    assert date_of(period("week", number_of(date(2026, 11, 22))).first) == date(2026, 11, 16)


def test_total_never_begins_anew() -> None:
    assert period("total", TODAY) == period("total", TODAY + 100_000)
    assert period("total", TODAY).resets_at is None


def test_what_is_spent_and_reserved_leaves_less() -> None:
    it = fund("10")
    it.tally.spend(TODAY, D("4.5"))
    it.tally.reserve(TODAY, D("5.4"))
    standing = it.standing(TODAY)

    assert (standing.spent, standing.reserved, standing.remaining) == (D("4.5"), D("5.4"), D("0.1"))
    assert not standing.used_up


def test_a_budget_is_used_up_at_its_last_cent() -> None:
    it = fund("10")
    it.tally.spend(TODAY, D("9.99"))
    assert not it.standing(TODAY).used_up

    it.tally.reserve(TODAY, D("0.01"))
    assert it.standing(TODAY).used_up


def test_a_budget_of_nothing_lets_nothing_in() -> None:
    standing = fund("0").standing(TODAY)
    assert (standing.used_up, standing.ratio) == (True, D(1))


def test_what_is_released_can_be_spent_again_to_the_last_digit() -> None:
    it = fund("1")
    amounts = [D(1) / D(3), D("0.1"), D("1E-28"), D("12345.678901234567890123456789")]
    for usd in amounts:
        it.tally.reserve(TODAY, usd)
    for usd in reversed(amounts):
        it.tally.release(TODAY, usd)

    assert it.standing(TODAY).reserved == 0
    assert it.tally._reserved == {}


def test_a_new_period_begins_at_nothing_and_the_old_one_keeps_what_it_had() -> None:
    it = fund("10")
    december = period("month", TODAY + 30).first
    it.tally.spend(TODAY, D(9))
    it.tally.reserve(TODAY, D(1))

    assert it.standing(december).remaining == D(10)
    it.tally.release(TODAY, D(1))  # an attempt that began in November ends in December
    it.tally.spend(TODAY, D("0.5"))
    assert it.standing(december).spent == 0
    assert it.standing(TODAY).spent == D("9.5")


def test_a_clock_that_jumps_over_a_boundary_and_back_neither_loses_nor_doubles() -> None:
    it = fund("10")
    it.tally.spend(TODAY, D(3))
    for day in (TODAY + 40, TODAY - 400, TODAY + 100_000):
        assert it.standing(day).spent == 0
        it.tally.follow(it.period(day))
        it.tally.spend(day, D(1))
    assert it.standing(TODAY).spent == D(3)


def test_a_followed_sum_is_the_sum_of_its_days() -> None:
    chance = random.Random(3)
    tally, plain = Tally(()), dict.fromkeys(range(TODAY - 40, TODAY + 1), D(0))
    for _ in range(2000):
        day = chance.randrange(TODAY - 40, TODAY + 1)
        usd = D(chance.randrange(10**9)).scaleb(-12)
        tally.spend(day, usd)
        plain[day] += usd
        for per in ("day", "week", "month", "total"):
            tally.follow(period(per, day))
    for per in ("day", "week", "month", "total"):
        within = period(per, TODAY)
        assert tally.spent(within) == sum(usd for day, usd in plain.items() if within.first <= day < within.end)
    assert len(tally._followed) <= 8


def test_it_is_warned_once_in_a_period() -> None:
    it = fund("10", per="day")
    it.tally.spend(TODAY, D("7.99"))
    assert it.crosses(TODAY) is None

    it.tally.spend(TODAY, D("0.01"))
    crossed = it.crosses(TODAY)
    assert crossed is not None
    assert crossed.ratio == D("0.8")
    it.tally.spend(TODAY, D(1))
    assert it.crosses(TODAY) is None
    it.tally.spend(TODAY + 1, D(9))
    assert it.crosses(TODAY + 1) is not None


def test_what_others_spend_counts_and_what_was_spent_here_since_is_added() -> None:
    it = fund("10")
    it.tally.spend(TODAY, D(2))
    it.shared = Shared(MONTH, usd=D(7), own=D(2))
    assert it.standing(TODAY).spent == D(7)

    it.tally.spend(TODAY, D("0.5"))
    assert it.standing(TODAY).spent == D("7.5")


def test_shared_figures_never_make_less_of_what_was_spent_here() -> None:
    it = fund("10")
    it.tally.spend(TODAY, D(5))
    it.shared = Shared(MONTH, usd=D(1), own=D(5))
    assert it.standing(TODAY).spent == D(5)


def test_shared_figures_of_the_last_period_do_not_count() -> None:
    it = fund("10")
    it.shared = Shared(period("month", TODAY - 30), usd=D(100), own=D(0))
    assert it.standing(TODAY).spent == 0


def test_only_requests_whose_attributes_match_spend() -> None:
    tally = Tally((("environment", "prod"), ("team", "checkout")))
    assert tally.matches({"team": "checkout", "environment": "prod", "feature": "x"})
    assert not tally.matches({"team": "checkout"})
    assert not tally.matches({"team": "checkout", "environment": "dev"})
    assert Tally(()).matches({})


def test_the_same_attributes_in_another_order_are_the_same_spending() -> None:
    one = Budget("a", {"team": "x", "environment": "y"}, D(1), "day")
    two = Budget("b", {"environment": "y", "team": "x"}, D(2), "month")
    assert one.key == two.key


def test_memory_is_bounded_and_nothing_is_lost() -> None:
    tally = Tally(())
    for day in range(MAX_DAYS + 100):
        tally.spend(day, D(1))
    assert len(tally.by_day()) == MAX_DAYS
    assert tally.spent(Period(0, 10_000)) == MAX_DAYS + 100
    assert tally.spent(Period(4000, 10_000)) == MAX_DAYS + 100 - 4000
