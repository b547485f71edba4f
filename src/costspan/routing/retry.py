"""What may be tried again, after how long, and how often in all. The clock is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.errors import Category

if TYPE_CHECKING:
    from costspan.errors import UpstreamError

RATIO = 0.2
PER_SECOND = 10.0
WINDOW = 10.0
"""Finagle's shape: a fifth of the requests of the last ten seconds, and ten a second on top."""

FIRST_DELAY = 0.1
MAX_DELAY = 2.0
LONGEST_RETRY_AFTER = 2.0
"""A target that asks for patience is waited for only this long (seconds); beyond it the next one is better."""

_RETRIED_STATUSES = frozenset({408, 500, 502, 503, 504, 529})


def may_retry(error: UpstreamError) -> bool:
    """Whether the same target may be asked again: never after something that repeating cannot mend."""
    if error.retry_after is not None and error.retry_after > LONGEST_RETRY_AFTER:
        return False
    if error.category is Category.RATE_LIMIT:
        return error.retry_after is not None
    return error.category is Category.CONNECT or error.status in _RETRIED_STATUSES


def delay(error: UpstreamError, tries: int, pick: float) -> float:
    """Seconds to wait before try number `tries` + 1. Full jitter; `pick` is a random number in [0, 1)."""
    if error.stale:
        return 0.0
    if error.retry_after is not None:
        return error.retry_after
    return min(MAX_DELAY, FIRST_DELAY * 2.0**tries) * pick


class RetryBudget:
    """Keeps retries a small part of all traffic, whatever fails. One for the whole process."""

    def __init__(self) -> None:
        self._tokens = PER_SECOND
        self._seen = 0.0

    def deposit(self, now: float) -> None:
        """Count a request. `now` is monotonic seconds."""
        self._refill(now)
        self._tokens = min(self._tokens + RATIO, PER_SECOND * WINDOW)

    def withdraw(self, now: float) -> bool:
        """Take the right to one retry, if there is one left."""
        self._refill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _refill(self, now: float) -> None:
        if self._seen:
            self._tokens = min(self._tokens + (now - self._seen) * PER_SECOND, PER_SECOND * WINDOW)
        self._seen = now
