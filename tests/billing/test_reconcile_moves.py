"""billing.reconcile_moves: what is booked on a neighbouring day, and what is not."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.billing.reconcile_moves import Move, find_moves

DAYS = [date(2026, 10, 1) + timedelta(days=number) for number in range(8)]


def moves(*surplus: int, late: dict[int, int] | None = None) -> list[tuple[int, int, int]]:
    found = find_moves(
        DAYS[: len(surplus)],
        {DAYS[place]: Decimal(count) for place, count in enumerate(surplus)},
        {DAYS[0] + timedelta(days=place): Decimal(count) for place, count in (late or {}).items()},
    )
    return [((move.start - DAYS[0]).days, (move.end - DAYS[0]).days, int(move.quantity)) for move in found]


CASES: dict[str, tuple[tuple[int, ...], list[tuple[int, int, int]]]] = {
    "a surplus before the same deficit": ((0, 5, -5, 0), [(2, 1, 5)]),
    "a deficit before the same surplus": ((-5, 5), [(0, 1, 5)]),
    "two pairs side by side": ((5, -5, 7, -7), [(1, 0, 5), (3, 2, 7)]),
    "two pairs with a surplus between them": ((5, -5, 9, 7, -7), [(1, 0, 5), (4, 3, 7)]),
    "a day between": ((5, 0, -5), []),
    "not the same": ((5, -6), []),
    "more only": ((5, 5, 5), []),
    "over three days": ((5, -2, -3), [(1, 0, 5), (2, 1, 3)]),
    "through a day": ((-5, 2, 3), [(0, 1, 5), (1, 2, 3)]),
    "a pair inside a longer run": ((4, 5, -5, 4), [(2, 1, 5)]),
    "nothing": ((0, 0), []),
}


@pytest.mark.parametrize(("surplus", "expected"), CASES.values(), ids=CASES)
def test_surplus_and_deficit(surplus: tuple[int, ...], expected: list[tuple[int, int, int]]) -> None:
    assert moves(*surplus) == expected


LATE: dict[str, tuple[tuple[int, ...], dict[int, int], list[tuple[int, int, int]]]] = {
    "every night a little": ((-3, -1, 4), {0: 3, 1: 4}, [(0, 1, 3), (1, 2, 4)]),
    "every night the same": ((-5, 0, 0), {0: 5, 1: 5, 2: 5}, [(0, 1, 5), (1, 2, 5), (2, 3, 5)]),
    "every night a little, and other traffic": ((-3, 49, 4), {0: 3, 1: 4}, [(0, 1, 3), (1, 2, 4)]),
    "booked where it began": ((0, 0, 0), {0: 3, 1: 4}, []),
    "other traffic on the next day": ((0, 100, 0), {0: 30}, []),
    "other traffic besides": ((-30, 130, 0), {0: 30}, [(0, 1, 30)]),
    "from before the first day": ((30, 0), {-1: 30}, [(-1, 0, 30)]),
    "something else on the first day": ((31, 0), {-1: 30}, []),
    "beyond the last day": ((0, -30), {1: 30}, [(1, 2, 30)]),
    "something else on the last day": ((0, -31), {1: 30}, []),
}


@pytest.mark.parametrize(("surplus", "late", "expected"), LATE.values(), ids=LATE)
def test_attempts_that_end_after_midnight(
    surplus: tuple[int, ...], late: dict[int, int], expected: list[tuple[int, int, int]]
) -> None:
    assert moves(*surplus, late=late) == expected


def test_no_days_no_moves() -> None:
    assert find_moves([], {}, {DAYS[0]: Decimal(1)}) == []


@given(st.lists(st.integers(-3, 3), max_size=8))
def test_moves_go_next_door_and_leave_less(surplus: list[int]) -> None:
    days = DAYS[: len(surplus)]
    rest = dict(zip(days, map(Decimal, surplus), strict=True))

    for move in find_moves(days, rest, {}):
        assert isinstance(move, Move)
        assert (move.start, move.end) in {*pairwise(days), *pairwise(days[::-1])}
        assert move.quantity > 0
        rest[move.start] += move.quantity
        rest[move.end] -= move.quantity

    assert all(left in {0, before} for left, before in zip(rest.values(), surplus, strict=True))
