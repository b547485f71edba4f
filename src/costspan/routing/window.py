"""The last samples of something, and what most of them stay below."""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from math import ceil

SAMPLES = 200
MAX_AGE = 600.0
"""Seconds after which a sample says nothing of today."""

MIN_SAMPLES = 20
"""With fewer the 95th percentile is whatever the slowest was."""

_SHARE = 0.95


class Recent:
    """The last `SAMPLES` samples not older than `MAX_AGE`. Kept sorted, so that a percentile costs nothing to ask."""

    __slots__ = ("_at", "_sorted", "_values")

    def __init__(self) -> None:
        self._at = array("d")
        self._values = array("d")
        self._sorted = array("d")

    def add(self, now: float, value: float) -> None:
        """Add a sample taken at `now`, monotonic seconds."""
        self._forget(now)
        if len(self._at) == SAMPLES:
            self._drop_oldest()
        self._at.append(now)
        self._values.append(value)
        insort(self._sorted, value)

    def p95(self, now: float) -> float | None:
        """The 95th percentile, by nearest rank; None with fewer than `MIN_SAMPLES`."""
        self._forget(now)
        count = len(self._sorted)
        return self._sorted[ceil(_SHARE * count) - 1] if count >= MIN_SAMPLES else None

    def _forget(self, now: float) -> None:
        while self._at and self._at[0] < now - MAX_AGE:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        del self._at[0]
        del self._sorted[bisect_left(self._sorted, self._values[0])]
        del self._values[0]
