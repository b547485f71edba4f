"""Differences sorted into causes where the export has amounts only.

More usage and a higher price look the same then. What can be told apart: models that one side does not have at all,
usage without a price, a day's amount that is missing on its neighbour, and one ratio that most days have. A day that
stands out from these stays unexplained.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from costspan.billing.amounts import divide, multiply, subtract, total
from costspan.billing.reconcile_pieces import Cause, Piece, tolerance
from costspan.pricing.rates import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from costspan.billing.reconcile_cells import Cell, Comparison, Series

_THOUSANDTH: Final = Decimal("0.001")
_SAME_RATIO: Final = Decimal("0.0005")
_MOST: Final = 2
"""So many days at least, and more than half of all, make a ratio the usual one."""


def explain_amounts(comparison: Comparison, series: Series, days: Sequence[date]) -> Iterator[Piece]:
    """The pieces of these days of a series."""
    open_: dict[date, Cell] = {}
    for day in days:
        cell = series.cells[day]
        if (found := _plain(comparison, series, day, cell)) is not None:
            yield found
        elif cell.usd or cell.own_usd:
            open_[day] = cell
    yield from _booked_next_door(comparison, series, open_)
    yield from _by_ratio(comparison, series, open_)


def _plain(comparison: Comparison, series: Series, day: date, cell: Cell) -> Piece | None:
    """What needs no other day to be seen; None where it does."""
    usd, own_usd = cell.usd or ZERO, cell.own_usd
    piece = Piece(Cause.OUTSIDE, day, series.model, series.part, subtract(usd, own_usd))
    difference = subtract(usd, own_usd)
    if difference.copy_abs() <= tolerance(cell.rows, comparison.places):
        return replace(piece, cause=Cause.ROUNDING) if difference else None
    if not usd:
        return replace(piece, cause=Cause.NOT_BILLED, quantities=dict(cell.own))
    if any(cell.unpriced.values()) and difference > 0:
        return replace(piece, cause=Cause.MISSING_PRICE, quantities=dict(cell.unpriced))
    attempts = comparison.estimates.get((day, series.model))
    if (not own_usd and not cell.own) or (attempts and 0 < difference <= attempts.estimated_usd):
        return piece
    return None


def _booked_next_door(comparison: Comparison, series: Series, open_: dict[date, Cell]) -> Iterator[Piece]:
    """A surplus and the same deficit on neighbouring days; both are closed then."""
    for day in sorted(open_):
        after = day + timedelta(days=1)
        if day not in open_ or after not in open_:
            continue
        here, there = (subtract(open_[each].usd or ZERO, open_[each].own_usd) for each in (day, after))
        rows = open_[day].rows + open_[after].rows
        if here and total([here, there]).copy_abs() <= tolerance(rows, comparison.places):
            piece = Piece(Cause.BOUNDARY, day, series.model, series.part, here, moved_usd=here.copy_abs())
            yield piece
            yield replace(piece, day=after, usd=here.copy_negate(), moved_usd=None)
            if rest := total([here, there]):
                yield replace(piece, cause=Cause.ROUNDING, day=after, usd=rest, moved_usd=None)
            del open_[day], open_[after]


def _by_ratio(comparison: Comparison, series: Series, open_: dict[date, Cell]) -> Iterator[Piece]:
    ratio = _usual(open_)
    for day, cell in open_.items():
        usd, own_usd = cell.usd or ZERO, cell.own_usd
        difference = subtract(usd, own_usd)
        piece = Piece(Cause.UNEXPLAINED, day, series.model, series.part, difference)
        if ratio is None:
            if difference:
                yield piece
            continue
        expected = multiply(own_usd, ratio)
        rest = subtract(usd, expected)
        near = tolerance(cell.rows, comparison.places) + _SAME_RATIO * abs(expected)
        charged = usd if abs(rest) <= near else divide(expected, 1)
        if price := subtract(charged, own_usd):
            yield replace(piece, cause=Cause.PRICE, usd=price, own_usd=own_usd, their_usd=charged)
        if unknown := subtract(usd, charged):
            yield replace(piece, usd=unknown)


def _usual(open_: dict[date, Cell]) -> Decimal | None:
    """The ratio of charged to reckoned that most days have."""
    rounded = {
        day: divide(cell.usd or ZERO, cell.own_usd).quantize(_THOUSANDTH) for day, cell in open_.items() if cell.own_usd
    }
    usual, number = next(iter(Counter(rounded.values()).most_common(1)), (ZERO, 0))
    if number < _MOST or number * 2 <= len(open_):
        return None
    days = [day for day, ratio in rounded.items() if ratio == usual]
    return divide(total(open_[day].usd or ZERO for day in days), total(open_[day].own_usd for day in days))
