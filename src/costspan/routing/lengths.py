"""How long answers are: a running distribution, and means that are worth little until they have seen something.

Old answers count for less and less, so that a changed model or application shows within some hundred answers.
"""

from __future__ import annotations

from math import log2

_BUCKETS = 40
"""Two to an octave: the last holds everything from 2^19.5, some 741,000 tokens."""
_KEPT = 256.0
"""When so many answers have been counted, each counts half from then on."""


class Lengths:
    """A histogram of output tokens in log-spaced buckets, with the sum of each, so that capped means are near exact."""

    __slots__ = ("_counts", "_largest", "_sums", "count", "total")

    def __init__(self) -> None:
        self._counts = [0.0] * _BUCKETS
        self._sums = [0.0] * _BUCKETS
        self._largest = 0.0
        self.count = 0.0
        self.total = 0.0

    def add(self, tokens: float) -> None:
        """Count an answer of so many tokens."""
        if self.count >= _KEPT:
            self._halve()
        bucket = _bucket(tokens)
        self._counts[bucket] += 1.0
        self._sums[bucket] += tokens
        if tokens > self._largest:  # noqa: PLR1730 - max() costs as much as the rest
            self._largest = tokens
        self.count += 1.0
        self.total += tokens

    def mean(self, cap: float | None = None) -> float:
        """The expectation of min(length, `cap`); 0 when nothing has been counted."""
        if not self.count:
            return 0.0
        if cap is None or cap >= self._largest:
            return self.total / self.count
        bucket = _bucket(cap)
        below = sum(self._sums[:bucket])
        above = cap * sum(self._counts[bucket + 1 :])
        return (below + min(self._sums[bucket], cap * self._counts[bucket]) + above) / self.count

    def _halve(self) -> None:
        self._counts = [0.5 * count for count in self._counts]
        self._sums = [0.5 * total for total in self._sums]
        self.count *= 0.5
        self.total *= 0.5


def _bucket(tokens: float) -> int:
    if tokens <= 1:
        return 0
    bucket = int(2.0 * log2(tokens))
    return bucket if bucket < _BUCKETS else _BUCKETS - 1


class Mean:
    """A running mean in which the last `memory` observations or so count; `count` says how many it rests on."""

    __slots__ = ("count", "value")

    def __init__(self) -> None:
        self.count = 0.0
        self.value = 0.0

    def add(self, value: float, memory: float, weight: float = 1.0) -> None:
        """Count an observation, with a `weight` of 0 to 1."""
        self.count = count = min(self.count, memory) + weight
        if count:
            self.value += (value - self.value) * weight / count


def blend(own: float, count: float, parent: float, doubt: float) -> float:
    """`own`, of `count` observations, drawn towards `parent` as if that were `doubt` more. Geometric: both positive."""
    if not count or own <= 0:
        return parent
    if parent <= 0:
        return own
    weight: float = (parent / own) ** (doubt / (count + doubt))
    return own * weight
