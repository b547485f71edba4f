"""Which target is asked first where the fastest is wanted, and when another one is asked to see whether it is faster.

An estimate fades while nothing confirms it, so every target looks good at last. To follow that alone would send a tenth
of the requests of a quiet route to a slow target. So the order is that of what was measured, and a target that only
looks good is put first seldom: with a small part of the route's requests, and one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costspan.routing.timing import Estimate

SHARE = 0.04
"""The part of a route's requests that may go to a target to learn of it."""

SAVED = 3.0
"""So many explorations may be saved up: a new route gets to know three more targets at once."""


@dataclass(frozen=True, slots=True)
class Order:
    """Positions of the targets in the order to ask them, each once."""

    positions: tuple[int, ...]
    explores: bool
    """Whether the first of them is there to be learnt of, not because it is known as the fastest."""


class Explorer:
    """One per route."""

    def __init__(self) -> None:
        self._saved = SAVED

    def order(self, estimates: Sequence[Estimate]) -> Order:
        """Put the targets of one request in order. Call it once per request: it counts them."""
        self._saved = min(self._saved + SHARE, SAVED)
        ranked = sorted(range(len(estimates)), key=lambda i: _rank(estimates[i]))
        if not ranked:
            return Order((), explores=False)
        explored = self._explored(estimates, ranked)
        if explored is None:
            return Order(tuple(ranked), explores=False)
        return Order((explored, *(i for i in ranked if i != explored)), explores=True)

    def _explored(self, estimates: Sequence[Estimate], ranked: Sequence[int]) -> int | None:
        """The target to learn of now: of those that may be faster than the best the one unconfirmed for longest."""
        best = estimates[ranked[0]]
        if best.measured is None:  # nothing is known of any: the first is as good as another, and asking it explores
            return ranked[0]
        if self._saved < 1:
            return None
        able = [i for i in ranked[1:] if not estimates[i].pending and estimates[i].expected < best.expected]
        if not able:
            return None
        self._saved -= 1
        return min(able, key=lambda i: _confirmed(estimates[i]))


def _rank(estimate: Estimate) -> tuple[bool, float, bool]:
    """Unknown ones last; among those the ones that nobody has asked first."""
    unknown = estimate.measured is None
    return unknown, estimate.expected if unknown else estimate.measured or 0.0, estimate.pending and unknown


def _confirmed(estimate: Estimate) -> float:
    """1: just now; near 0: long ago, or never."""
    return estimate.expected / estimate.measured if estimate.measured else 0.0
