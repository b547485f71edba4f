"""pricing.age: of which day a price's facts are."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from costspan.pricing.age import Age, ages
from costspan.pricing.catalog import Catalog
from costspan.pricing.rates import Rates, Row

TODAY = date(2026, 11, 25)
PRICED = Rates({"input": Decimal(1)})


def row(stated: str | None = None, begin: str | None = None, end: str | None = None, rates: Rates = PRICED) -> Row:
    from_, to = (date.fromisoformat(day) if day else None for day in (begin, end))
    return Row("p", "m", rates, "table:f.yaml:1", from_=from_, to=to, stated=stated)


OLD: dict[str, tuple[Row, str | None, int | None, str]] = {
    "the day in the source": (row("list price, read 2026-11-20"), "2026-11-20", 5, "source"),
    "the last of several": (row("of 2026-01-01, read 2026-11-05, again 2026-11-15"), "2026-11-15", 10, "source"),
    "the source before the first day": (row("read 2025-11-25", "2026-06-01"), "2025-11-25", 365, "source"),
    "the first day where the source has none": (row("list price", "2026-08-27"), "2026-08-27", 90, "from"),
    "a day to come is no day of reading": (row("until 2027-01-01", "2026-11-01"), "2026-11-01", 24, "from"),
    "a first day to come": (row(None, "2026-12-01"), "2026-12-01", 0, "from"),
    "no day at all": (row("list price"), None, None, "unknown"),
    "what looks like a day": (row("2026-13-45, 12026-01-01"), None, None, "unknown"),
    "a row that ends later": (row("2026-11-24", end="2026-11-26"), "2026-11-24", 1, "source"),
}


@pytest.mark.parametrize(("each", "as_of", "days", "basis"), OLD.values(), ids=OLD.keys())
def test_a_row_is_as_old_as_it_says(each: Row, as_of: str | None, days: int | None, basis: str) -> None:
    day = date.fromisoformat(as_of) if as_of else None

    assert [(age.as_of, age.days, age.basis) for age in ages([each], None, TODAY)] == [(day, days, basis)]


def test_rows_that_have_ended_and_those_that_cost_nothing_have_no_age() -> None:
    free = Rates({"input": Decimal(0), "output": Decimal(0)})

    assert list(ages([row("2025-01-01", end="2026-11-25"), row(rates=free)], None, TODAY)) == []


def catalog(**more: object) -> Catalog:
    return Catalog({"version": "0.2.3", "aliases": {}, "providers": {}, **more})


def test_a_catalog_is_as_old_as_its_release() -> None:
    changes = ["2026-10-12", "2027-01-01"]

    assert list(ages([], catalog(released="2026-11-10", changes=changes), TODAY)) == [
        Age("catalog", "genai-prices 0.2.3", date(2026, 11, 10), 15, "release")
    ]


def test_a_catalog_of_an_unknown_version_is_no_older_than_its_newest_price() -> None:
    found = list(ages([], catalog(released=None, changes=["2026-10-12", "2026-11-20", "2027-01-01"]), TODAY))

    assert found == [Age("catalog", "genai-prices 0.2.3", date(2026, 11, 20), 5, "at_least")]


def test_a_catalog_that_says_nothing_has_no_age() -> None:
    assert [(age.days, age.basis) for age in ages([], catalog(), TODAY)] == [(None, "unknown")]


@pytest.mark.parametrize(("days", "expected"), [(89, False), (90, False), (91, True), (None, True)])
def test_what_may_be_too_old_is(days: int | None, expected: bool) -> None:
    assert Age("f.yaml:1", "p/m", None, days, "source").over(90) is expected
