"""cli.bars: costs as bars of text."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from costspan.cli.bars import draw
from costspan.cli.tables import UNKNOWN
from costspan.ledger.report import Report, Sums


def sums(cost: str | None, estimated: str = "0") -> Sums:
    known = Decimal(0) if cost is None else Decimal(cost)
    return Sums(attempts=1, priced=cost is not None, cost_usd=known, cost_estimated_usd=Decimal(estimated))


def drawn(by: tuple[str, ...], groups: dict[tuple[str | None, ...], Sums], width: int = 40) -> list[str]:
    total = Sums()
    for group in groups.values():
        total.add(group)
    return list(draw(Report(by, groups, total), width))


def test_bars_are_as_long_as_costs_to_an_eighth_of_a_cell() -> None:
    assert drawn(("team",), {("search",): sums("8"), ("ads",): sums("4.25"), ("risk",): sums("0.5")}) == [
        "search   8.000000  █████████████████████",
        "ads      4.250000  ███████████▏",
        "risk     0.500000  █▎",
        "total   12.750000",
    ]


def test_the_least_cost_has_a_bar_and_no_cost_has_none() -> None:
    assert drawn(("team",), {("a",): sums("1000"), ("b",): sums("0.000001"), ("c",): sums("0")})[1:3] == [
        "b          0.000001  ▏",
        "c          0.000000",
    ]


def test_an_estimate_is_lighter_and_what_is_unknown_is_no_zero() -> None:
    assert drawn(("team",), {("a",): sums("4", "4"), ("b",): sums(None, "2"), ("c",): sums(None)}) == [
        "a      4.000000  ███████████▌░░░░░░░░░░░",
        f"b             {UNKNOWN}  ░░░░░",
        f"c             {UNKNOWN}",
        "total  4.000000",
    ]


def test_days_without_records_have_their_place() -> None:
    assert drawn(("day",), {("2026-02-27",): sums("1"), ("2026-03-02",): sums("2")}, 36) == [
        "2026-02-27  1.000000  ███████",
        "2026-02-28",
        "2026-03-01",
        "2026-03-02  2.000000  ██████████████",
        "total       3.000000",
    ]


def test_hours_too_unless_nearly_all_lines_would_be_empty() -> None:
    near = drawn(("hour",), {("2026-01-01T23",): sums("1"), ("2026-01-02T01",): sums("1")})
    far = drawn(("hour",), {("2025-12-28T20",): sums("1"), ("2026-01-02T01",): sums("1")})

    assert [line.split()[0] for line in near] == ["2026-01-01T23", "2026-01-02T00", "2026-01-02T01", "total"]
    assert [line.split()[0] for line in far] == ["2025-12-28T20", "2026-01-02T01", "total"]


def test_a_year_of_days_has_its_few_gaps_shown() -> None:
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(365) if number % 7]
    lines = drawn(("day",), {(day.isoformat(),): sums("1") for day in days})

    assert len(lines) == 363 + 1
    assert lines[6] == "2026-01-08"


def test_a_name_takes_no_more_than_its_part_of_the_width_and_steers_nothing() -> None:
    lines = drawn(
        ("team", "day"), {("検索チームの名前はとても長い\x1b[2J", None): sums("1"), ("a", "b"): sums("1")}, 50
    )

    assert lines[0] == "検索チームの名前は…   1.000000  ██████████████████"
    assert lines[1] == "a  b                  1.000000  ██████████████████"


def test_names_stand_below_each_other() -> None:
    assert drawn(("team", "day"), {("search", "2026-01-02"): sums("1"), ("ads", "2026-01-02"): sums("1")}, 60)[:2] == [
        "search  2026-01-02  1.000000  ██████████████████████████████",
        "ads     2026-01-02  1.000000  ██████████████████████████████",
    ]


def test_there_is_a_bar_however_narrow_the_terminal() -> None:
    assert drawn(("team",), {("a-long-name-of-a-team",): sums("1")}, 10)[0] == "a-long-na…  1.000000  ██████████"


def test_without_groups_there_is_the_total() -> None:
    assert drawn((), {(): sums("1")}) == ["       1.000000  ███████████████████████", "total  1.000000"]
