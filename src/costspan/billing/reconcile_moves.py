"""Usage that the provider books on another day than the ledger: a surplus here, the same deficit next to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Final

from costspan.pricing.rates import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
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
    moves = _straddling(days, rest, late)
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


def _straddling(days: Sequence[date], rest: dict[date, Decimal], late: Mapping[date, Decimal]) -> list[Move]:
    moves = []
    for day in [days[0] - _NEXT, *days] if days else []:
        quantity, after = late.get(day, ZERO), day + _NEXT
        if not quantity:
            continue
        here, there = rest.get(day), rest.get(after)
        if here is None or there is None:  # the neighbour is not compared: only the very same figure is sure
            booked = there == quantity or here == -quantity
        else:
            booked = abs(here + quantity) + abs(there - quantity) < abs(here) + abs(there)
        if booked:
            moves.append(Move(day, after, quantity))
            for place, change in ((day, quantity), (after, -quantity)):
                if place in rest:
                    rest[place] += change
    return moves


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
