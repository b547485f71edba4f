"""A circuit breaker: a target that fails is left alone for a while, then tried with one attempt at a time.

Thresholds and penalties: the project's specification 5, "breaker". Envoy, too, takes five failures in a row by default
(`consecutive_5xx`, https://envoyproxy.io/docs/envoy/v1.22.7/api-v3/config/cluster/v3/outlier_detection.proto, read
2026-11-26).
The clock is an argument: monotonic seconds. Which errors count as failures is the caller's matter.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

State = Literal["closed", "open", "half_open"]

FAILURES_IN_A_ROW = 5
MIN_OUTCOMES = 20
FAILED_SHARE = 0.5
WINDOW = 30
"""Seconds whose outcomes count for the share, to the whole second."""

FIRST_PENALTY = 1.0
LONGEST_PENALTY = 60.0
LAST_RESORT_PAUSE = 1.0
"""Seconds between two attempts at an open target that is asked only because nothing better is left."""

FORGOTTEN = 120.0
"""Seconds after which a probe without verdict no longer keeps others from being sent."""


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """The right to one attempt. It says when it was given, so that a late verdict is known as one."""

    era: int
    is_probe: bool


class Breaker:
    """One per target. `pick` gives random numbers in [0, 1): a penalty lasts 0.5 to 1.5 times its nominal length."""

    def __init__(self, pick: Callable[[], float]) -> None:
        self._pick = pick
        self._outcomes = _Outcomes()
        self._in_a_row = 0
        self._penalty = 0.0  # nominal seconds; 0 while closed
        self._until = 0.0
        self._probe: Ticket | None = None
        self._probed = float("-inf")  # when the last probe went
        self._regular = Ticket(era=0, is_probe=False)

    def state(self, now: float) -> State:
        """Closed: all may pass. Open: none should. Half open: the penalty is over, one at a time finds out."""
        if not self._penalty:
            return "closed"
        return "open" if now < self._until else "half_open"

    def due(self, now: float) -> float:
        """When the next attempt may go, in monotonic seconds; not after `now` if at once.

        Behind a probe whose verdict is awaited it is a guess: a second from now.
        """
        if not self._penalty:
            return now
        return max(self._until, now + LAST_RESORT_PAUSE) if self._awaits_verdict(now) else self._until

    def admit(self, now: float, *, last_resort: bool = False) -> Ticket | None:
        """The right to one attempt now, or None.

        `last_resort` says that no healthy target is left: then an open one may be asked too, by one attempt at a time
        and once a second, so that nothing is a dead end and a dead upstream is not hammered. Whoever has a ticket gives
        it back with exactly one of `succeeded`, `failed` and `released`.
        """
        if not self._penalty:
            return self._regular
        if self._awaits_verdict(now):
            return None
        if now < self._until and not (last_resort and now >= self._probed + LAST_RESORT_PAUSE):
            return None
        self._probe = Ticket(self._regular.era, is_probe=True)
        self._probed = now
        return self._probe

    def succeeded(self, now: float, ticket: Ticket) -> bool:
        """The attempt was answered. True when that closed the breaker."""
        if ticket is self._probe:
            self._penalty = 0.0
            self._next_era()
            return True
        if ticket is self._regular:
            self._in_a_row = 0
            self._outcomes.add(now, failed=False)
        return False

    def failed(self, now: float, ticket: Ticket) -> bool:
        """The attempt failed in a way that speaks against the target. True when that opened the breaker, also again.

        A last resort that fails while the penalty lasts changes nothing: the penalty is being served.
        """
        if ticket is self._probe:
            self._probe = None
            if now < self._until:
                return False
            self._open(now, min(self._penalty * 2, LONGEST_PENALTY))
            return True
        if ticket is not self._regular:  # begun before the breaker opened or closed: counted then
            return False
        self._in_a_row += 1
        self._outcomes.add(now, failed=True)
        if self._in_a_row < FAILURES_IN_A_ROW and not self._outcomes.too_many_failed:
            return False
        self._open(now, FIRST_PENALTY)
        return True

    def released(self, ticket: Ticket) -> None:
        """The attempt ended without a verdict: the client left, a race was lost, the fault was ours."""
        if ticket is self._probe:
            self._probe = None

    def _awaits_verdict(self, now: float) -> bool:
        return self._probe is not None and now < self._probed + FORGOTTEN

    def _open(self, now: float, penalty: float) -> None:
        self._penalty = penalty
        self._until = now + penalty * (0.5 + self._pick())
        self._next_era()

    def _next_era(self) -> None:
        """Forget what was counted, and take no verdict any more on what began before."""
        self._regular = Ticket(self._regular.era + 1, is_probe=False)
        self._probe = None
        self._in_a_row = 0
        self._outcomes = _Outcomes()


class _Outcomes:
    """How many attempts of the last `WINDOW` seconds ended, and how many of them failed: counts by second."""

    __slots__ = ("_all", "_failed", "_seconds")

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()  # [second, all, failed]
        self._all = 0
        self._failed = 0

    @property
    def too_many_failed(self) -> bool:
        return self._all >= MIN_OUTCOMES and self._failed >= FAILED_SHARE * self._all

    def add(self, now: float, *, failed: bool) -> None:
        second = int(now)
        seconds = self._seconds
        if not seconds or seconds[-1][0] < second:
            seconds.append([second, 0, 0])
        while seconds[0][0] <= second - WINDOW:
            _, old, old_failed = seconds.popleft()
            self._all -= old
            self._failed -= old_failed
        seconds[-1][1] += 1
        seconds[-1][2] += failed
        self._all += 1
        self._failed += failed
