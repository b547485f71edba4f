"""How long a target takes: for its first content, and for a whole answer of some length.

Learnt from what the target's attempts took, and from how long those have waited that are still out. The clock is an
argument: monotonic seconds, never going back.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from math import exp2
from typing import TYPE_CHECKING

from costspan.routing.fit import Line, Pace, Peak
from costspan.routing.window import Recent

if TYPE_CHECKING:
    from collections.abc import Iterator

HALF_LIFE = 10.0
"""Seconds in which half of an estimate is forgotten that nothing confirms, so that a target that was slow is tried."""

FAILURE_COSTS = 5.0
"""Seconds by which a failure makes a target look slower, at least: an error is never fast (reliability notes, 5.4)."""

FORGIVEN = 0.25
"""What a success leaves of that."""

LATE = 1.5
"""An attempt that has waited so many times what it should, while none that began after it was answered, tells of a slow
target. Without the second condition it may just be a long answer: of many attempts at one time some always are."""

LOOKED_AT = 8
"""So many of those are looked at, the oldest."""

TRACKED = 32
"""Attempts of one target that are watched while they wait. Of more than these, the answers will tell soon enough."""

FORGOTTEN = 600.0
"""Seconds after which an attempt that nobody ended is no longer believed to wait."""

MIN_PACE_TOKENS = 8
"""Shorter answers say nothing of the pace: they come in one or two pieces."""

USUAL_PACE = 0.02
"""Seconds per token where nothing is known of a target's, about what hosted models of middling size do."""

OUTDATED = 30.0
"""Seconds by which what is known of streams may be older than what is known of whole answers, or the other way round,
before the other is believed instead."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds that a target should take for a whole answer."""

    measured: float | None
    """By what was seen of it. None when no answer ever was."""
    expected: float
    """The same, halved every `HALF_LIFE` that nothing has confirmed it. When nothing is known 0: it is worth a try."""
    pending: bool
    """Whether an attempt is out that will bring news."""


class Waiting:
    """An attempt that is out. `Timing.begun` makes it; `content`, `answered`, `failed` or `released` take it back."""

    __slots__ = ("begun", "first", "streamed", "tokens")

    def __init__(self, begun: float, tokens: float, *, streamed: bool) -> None:
        self.begun = begun
        self.tokens = tokens
        self.streamed = streamed
        self.first: float | None = None  # seconds to the first content of a stream, once it came


class Timing:
    """What is known of one target. It costs a few kilobytes."""

    def __init__(self) -> None:
        self._first = Peak()
        self._pace = Pace()
        self._line = Line()
        self._firsts = Recent()
        self._totals = Recent()
        self._waiting: dict[Waiting, None] = {}  # in the order in which they began
        self._stream_at = float("-inf")  # the last sample of each kind
        self._whole_at = float("-inf")
        self._stream_begun = float("-inf")  # the youngest attempt of each kind that was answered
        self._whole_begun = float("-inf")
        self._failure = 0.0  # 1 after a failure, less with each success
        self._failure_at = float("-inf")

    # What the caller tells.

    def begun(self, now: float, tokens: float, *, streamed: bool) -> Waiting:
        """An attempt goes out, of which `tokens` of output are expected."""
        waiting = Waiting(now, tokens, streamed=streamed)
        self._forget(now)
        if len(self._waiting) < TRACKED:
            self._waiting[waiting] = None
        return waiting

    def content(self, now: float, waiting: Waiting) -> None:
        """The first content of an answer came. Of whole answers it need not be told."""
        if waiting.first is not None or not waiting.streamed:
            return
        self._waiting.pop(waiting, None)
        self._stream_begun = max(self._stream_begun, waiting.begun)
        waiting.first = max(now - waiting.begun, 0.0)
        self._note_first(now, waiting.first)
        self._firsts.add(now, waiting.first)
        self._succeeded()

    def answered(self, now: float, waiting: Waiting, tokens: int | None) -> None:
        """The answer is complete, with `tokens` of output; None where nobody knows how many."""
        total = max(now - waiting.begun, 0.0)
        if waiting.streamed:
            self.content(now, waiting)
            if tokens is not None and tokens >= MIN_PACE_TOKENS:
                self._pace.add(now, tokens - 1, total - (waiting.first or 0.0))
            return
        self._waiting.pop(waiting, None)
        self._whole_begun = max(self._whole_begun, waiting.begun)
        self._totals.add(now, total)
        if tokens is not None:
            self._note_whole(now, tokens, total)
        self._succeeded()

    def failed(self, now: float, waiting: Waiting) -> None:
        """The attempt failed, or was refused: no sample, however quick it was, but a reason to go elsewhere."""
        self._waiting.pop(waiting, None)
        self._failure = 1.0
        self._failure_at = now

    def released(self, now: float, waiting: Waiting) -> None:
        """The attempt was given up: the client left, a race was lost.

        Where it had waited longer than it should, that is a sample all the same, if too low a one: without it a target
        that loses every race would keep its good name, and percentiles would forget the tail that races cut off.
        """
        if waiting not in self._waiting:  # its content came, or it was not watched
            return
        del self._waiting[waiting]
        waited = now - waiting.begun
        usual = self._usual(waiting)
        if usual is None or waited <= usual:
            return
        recent = self._firsts if waiting.streamed else self._totals
        most = recent.p95(now)
        if most is None or waited >= most:
            recent.add(now, waited)
        if waiting.streamed:
            self._note_first(now, waited)
        elif waited > LATE * usual:
            self._note_whole(now, waiting.tokens, waited)

    # What a strategy asks.

    def estimate(self, now: float, tokens: float, *, streamed: bool) -> Estimate:
        """Seconds until an answer of `tokens` is complete."""
        pending = self.pending(now)
        seconds = self._seconds(tokens, streamed=streamed)
        if seconds is None:
            return Estimate(None, self._penalty(now, 0.0), pending)
        measured = seconds * self._lateness(now) + self._penalty(now, seconds)
        confirmed = max(self._stream_at, self._whole_at, self._failure_at)
        return Estimate(measured, measured * _halved(now - confirmed), pending)

    def pending(self, now: float) -> bool:
        """Whether an attempt waits for its first content."""
        self._forget(now)
        return bool(self._waiting)

    def first_token(self, now: float) -> float | None:
        """Expected seconds to the first content of a stream; None when no stream was ever seen.

        Less the longer nothing has confirmed it, except while an attempt is out to do so.
        """
        seconds = self._first.value
        if seconds is None:
            return None
        if self.pending(now):
            return seconds * self._lateness(now)
        return seconds * _halved(now - self._stream_at)

    def p95(self, now: float, *, streamed: bool) -> float | None:
        """What 95 % of the last answers stayed below: to the first content of streams, to the end of whole answers.

        Seconds; None with too few samples, which are the last 200 of ten minutes.
        """
        return (self._firsts if streamed else self._totals).p95(now)

    def _note_first(self, now: float, seconds: float) -> None:
        self._first.add(now, seconds)
        self._stream_at = now

    def _note_whole(self, now: float, tokens: float, seconds: float) -> None:
        self._line.add(now, tokens, seconds)
        self._whole_at = now

    def _succeeded(self) -> None:
        self._failure *= FORGIVEN

    def _seconds(self, tokens: float, *, streamed: bool) -> float | None:
        """By the samples alone: of answers of this kind, or of the other kind where those are missing or outdated."""
        first = self._first.value
        if first is None:
            return self._line.at(tokens) if self._line else None
        newer = self._stream_at - self._whole_at
        if self._line and (newer < -OUTDATED if streamed else newer <= OUTDATED):
            return self._line.at(tokens)
        pace = self._pace.value
        return first + tokens * (USUAL_PACE if pace is None else pace)

    def _usual(self, waiting: Waiting) -> float | None:
        """Seconds that the attempt should wait: to the first content of a stream, to the end of a whole answer."""
        return self._first.value if waiting.streamed else self._seconds(waiting.tokens, streamed=False)

    def _lateness(self, now: float) -> float:
        """How many times longer than it should the worst of the waiting attempts has waited; 1 if none is late."""
        worst = LATE
        for waiting in islice(self._not_overtaken(), LOOKED_AT):
            usual = self._usual(waiting)
            if usual:
                worst = max(worst, (now - waiting.begun) / usual)
        return worst if worst > LATE else 1.0

    def _not_overtaken(self) -> Iterator[Waiting]:
        """The waiting attempts of which no younger one of the same kind was answered, oldest first."""
        for waiting in self._waiting:
            if waiting.begun > (self._stream_begun if waiting.streamed else self._whole_begun):
                yield waiting

    def _forget(self, now: float) -> None:
        """Drop attempts that were begun so long ago that somebody must have forgotten to end them."""
        while self._waiting:
            oldest = next(iter(self._waiting))
            if oldest.begun > now - FORGOTTEN:
                return
            del self._waiting[oldest]

    def _penalty(self, now: float, seconds: float) -> float:
        return max(FAILURE_COSTS, seconds) * self._failure * _halved(now - self._failure_at)


def _halved(age: float) -> float:
    return exp2(-age / HALF_LIFE)
