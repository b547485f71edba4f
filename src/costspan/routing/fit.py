"""Running estimates of a target's speed, in which what is old counts less. Times are monotonic seconds."""

from __future__ import annotations

from math import exp

DECAY = 10.0
"""Seconds in which a peak comes down to 1/e of what it was above the average."""

GAP = 10.0
"""Seconds without samples after which those before weigh 1/e; after thirty they weigh nothing. While samples come it is
their number that makes old ones fade: by time alone a busy target could hardly change its mind, an idle one would
change it with every sample."""

SMOOTHING = 1 / 8
"""The least weight of a new sample in a peak. Without smoothing, a busy target's estimate would be the worst of
hundreds of samples, an idle one's the worst of few, and the idle one would look faster."""

MAX_WEIGHT = 20.0
"""All old samples together never weigh more than so many new ones."""

RIDGE = 0.01
"""How much the assumption that all time goes into tokens weighs, as a share of the mean length squared."""


class Peak:
    """A peak-EWMA: it follows rises of the smoothed samples at once and falls with time.

    Finagle's idea, as tower describes it (https://docs.rs/tower/0.4.5/tower/load/peak_ewma/struct.PeakEwma.html, read
    2026-11-26): sensitive to the worst, decaying towards the average. Theirs takes single samples, ours smoothed ones.
    """

    __slots__ = ("_at", "_smooth", "value")

    def __init__(self) -> None:
        self.value: float | None = None
        self._smooth = 0.0
        self._at = 0.0

    def add(self, now: float, sample: float) -> None:
        """Take in a sample that was seen at `now`."""
        if self.value is None:
            self.value = self._smooth = sample
        else:
            kept = exp((self._at - now) / DECAY)
            self._smooth += (sample - self._smooth) * max(SMOOTHING, 1 - _kept(now - self._at))
            self.value = max(self._smooth, self._smooth + (self.value - self._smooth) * kept)
        self._at = now


class Line:
    """Seconds of an answer by its tokens: a least-squares line over fading samples, nowhere negative."""

    __slots__ = ("_at", "_covariance", "_seconds", "_tokens", "_variance", "_weight")

    def __init__(self) -> None:
        self._weight = 0.0
        self._at = 0.0
        # Means, and means of products of deviations from them: sums of squares would lose digits.
        self._tokens = 0.0
        self._seconds = 0.0
        self._variance = 0.0
        self._covariance = 0.0

    def __bool__(self) -> bool:
        return self._weight > 0

    def add(self, now: float, tokens: float, seconds: float) -> None:
        """Take in an answer of `tokens` that took `seconds`, seen at `now`."""
        self._weight = min(self._weight * _kept(now - self._at), MAX_WEIGHT) + 1
        self._at = now
        share = 1 / self._weight
        x, y = tokens - self._tokens, seconds - self._seconds
        self._tokens += x * share
        self._seconds += y * share
        self._variance = (1 - share) * (self._variance + share * x * x)
        self._covariance = (1 - share) * (self._covariance + share * x * y)

    def at(self, tokens: float) -> float:
        """Seconds that an answer of `tokens` should take. Only of a line that has samples."""
        if not self._tokens:
            return self._seconds
        steepest = self._seconds / self._tokens  # through the origin: a steeper one would start below zero
        ridge = RIDGE * self._tokens * self._tokens
        slope = (self._covariance + ridge * steepest) / (self._variance + ridge)
        slope = min(max(slope, 0.0), steepest)
        return self._seconds + slope * (tokens - self._tokens)


class Pace:
    """Seconds per token: a quotient of fading means, so that long answers weigh more than short ones."""

    __slots__ = ("_at", "_seconds", "_tokens", "_weight")

    def __init__(self) -> None:
        self._weight = 0.0
        self._at = 0.0
        self._tokens = 0.0
        self._seconds = 0.0

    @property
    def value(self) -> float | None:
        """Seconds per token; None without samples."""
        return self._seconds / self._tokens if self._tokens else None

    def add(self, now: float, tokens: float, seconds: float) -> None:
        """Take in `tokens` that came within `seconds`, seen at `now`."""
        self._weight = min(self._weight * _kept(now - self._at), MAX_WEIGHT) + 1
        self._at = now
        share = 1 / self._weight
        self._tokens += (tokens - self._tokens) * share
        self._seconds += (seconds - self._seconds) * share


def _kept(gap: float) -> float:
    """What samples still weigh after `gap` seconds without any."""
    return exp(-((gap / GAP) ** 2))
