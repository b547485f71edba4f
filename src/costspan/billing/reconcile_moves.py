"""Usage that the provider books on another day than the ledger: a surplus here, the same deficit next to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Final

from costspan.pricing.rates import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date
    from decimal import Decimal

_NEXT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Move:
    """`quantity` that the ledger has on the day `start` and the provider on `end`, a neighbour."""

    start: date
    end: date
    quantity: Decimal


def find_moves(days: Sequence[date], surplus: Mapping[date, Decimal], late: Mapping[date, Decimal]) -> list[Move]:
    """Moves that explain `surplus`, which is the provider's quantity less the ledger's (negative: a deficit).

    `days` are the days compared, all of them, in order. `late` is what began on a day and ended on the next. Three
    rules, the surest first: what ended after midnight is booked there; a surplus and the same deficit on neighbouring
    days; longer runs of days that differ and sum up to nothing.
    """
    rest = {day: surplus.get(day, ZERO) for day in days}
    moves = _straddling(rest, late)
    for run in _differing(days, rest):
        moves += _cancelling(run, rest)
    return moves


def _differing(days: Sequence[date], rest: Mapping[date, Decimal]) -> list[list[date]]:
    """The longest runs of days that all differ."""
    return [list(run) for differs, run in groupby(days, key=lambda day: bool(rest[day])) if differs]


def _cancelling(run: Sequence[date], rest: dict[date, Decimal]) -> Iterator[Move]:
    """Shorter runs inside `run` that sum up to nothing, the shortest first."""
    for length in range(2, len(run) + 1):
        sums = [ZERO, *accumulate(rest[day] for day in run)]
        taken = 0
        for first in range(len(run) - length + 1):
            part = run[first : first + length]
            if first >= taken and sums[first] == sums[first + length] and all(rest[day] for day in part):
                taken = first + length
                yield from _through(part, rest)


def _straddling(rest: dict[date, Decimal], late: Mapping[date, Decimal]) -> list[Move]:
    """What ended after midnight: all of it, if that leaves less than it was; else each night for itself.

    Of the nights before the first day and after the last only one side is seen: they follow the others.
    """
    nights = [Move(day, day + _NEXT, late[day]) for day in sorted(late) if {day, day + _NEXT} & rest.keys()]
    inner = [night for night in nights if {night.start, night.end} <= rest.keys()]
    if _left(_moved(rest, inner)) < _left(rest) or _left(_moved(rest, nights)) == 0:
        booked = nights
    else:
        booked = [night for night in nights if _is_booked(night, rest)]
    rest.update(_moved(rest, booked))
    return booked


def _moved(rest: Mapping[date, Decimal], moves: Iterable[Move]) -> dict[date, Decimal]:
    after = dict(rest)
    for move in moves:
        for day, change in ((move.start, move.quantity), (move.end, -move.quantity)):
            if day in after:
                after[day] += change
    return after


def _left(rest: Mapping[date, Decimal]) -> Decimal:
    return sum(map(abs, rest.values()), ZERO)


def _is_booked(night: Move, rest: Mapping[date, Decimal]) -> bool:
    """Whether it explains the two days. Where one of them is not compared, only the very same figure is sure."""
    here, there = rest.get(night.start), rest.get(night.end)
    if here is None or there is None:
        return night.quantity in {there, -here if here is not None else None}
    both = {night.start: here, night.end: there}
    return _left(_moved(both, [night])) < _left(both)


def _through(run: Sequence[date], rest: dict[date, Decimal]) -> list[Move]:
    """What flows between the days of a run: over each boundary the sum of what is before it."""
    flows = accumulate(rest[day] for day in run[:-1])
    moves = [
        Move(after, day, flow) if flow > 0 else Move(day, after, -flow)
        for day, after, flow in zip(run[:-1], run[1:], flows, strict=True)
        if flow
    ]
    rest.update(dict.fromkeys(run, ZERO))
    return moves
