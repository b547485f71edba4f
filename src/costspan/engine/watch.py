"""One attempt as those see it who decide about the next ones: its target's health and speed, its key, its place.

A run tells its watch of its first content and of its end; each counts once, whatever else happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.errors import Category

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from costspan.engine.keys import Lease
    from costspan.engine.targets import Target
    from costspan.errors import UpstreamError
    from costspan.ir.usage import Usage
    from costspan.ledger.records import Outcome
    from costspan.routing.breaker import Ticket
    from costspan.routing.expectation import Expected
    from costspan.routing.timing import Waiting

ILL = frozenset({Category.CONNECT, Category.TIMEOUT, Category.SERVER_ERROR, Category.OVERLOADED})
"""Failures that speak against a target. A 429 makes its key wait, a refused key is the account's matter, and whoever
refuses a bad request is well."""
_SLOW = frozenset({*ILL, Category.RATE_LIMIT})
"""Failures after which a target is not thought to be fast."""


class Watch:
    """Watches one attempt at one target."""

    __slots__ = ("_ended", "_free", "_learn", "_now", "_target", "_ticket", "_waiting", "expected", "lease")

    def __init__(  # noqa: PLR0913 - what an attempt holds, and what is expected of it
        self,
        target: Target,
        ticket: Ticket,
        waiting: Waiting,
        *,
        now: Callable[[], float],
        lease: Lease,
        free: Callable[[], None],
        learn: Callable[[Mapping[str, int]], None],
        expected: Expected,
    ) -> None:
        """`ticket` is the breaker's, `waiting` the timing's.

        `free` gives back its place among the attempts under way, `learn` takes in the usage that was reported.
        """
        self.lease = lease
        """Its key."""
        self.expected = expected
        """What it is expected to use."""
        self._target = target
        self._ticket = ticket
        self._waiting = waiting
        self._now = now
        self._free = free
        self._learn = learn
        self._ended = False

    def content(self) -> None:
        """The first content came: the verdict of a probe. Of other attempts it is their end that counts."""
        now = self._now()
        self._target.timing.content(now, self._waiting)
        if self._ticket.is_probe:
            self._target.breaker.succeeded(now, self._ticket)

    def ended(self, outcome: Outcome, error: UpstreamError | None, usage: Usage | None) -> None:
        """The attempt has its final record. `usage` is None where it was not reported as a whole."""
        if self._ended:
            return
        self._ended = True
        self._free()
        self.lease.end()
        now, target = self._now(), self._target
        if outcome == "ok":
            target.timing.answered(now, self._waiting, None if usage is None else usage.completion_tokens)
            target.breaker.succeeded(now, self._ticket)
            if usage is not None:
                self._learn(usage.tokens)
        elif error is None or outcome != "failed" or error.stale or error.kind == "deadline_exceeded":
            target.timing.released(now, self._waiting)
            target.breaker.released(self._ticket)
        else:
            self._failed(now, error.category)

    def _failed(self, now: float, category: Category) -> None:
        target = self._target
        if category in _SLOW:
            target.timing.failed(now, self._waiting)
        else:
            target.timing.released(now, self._waiting)
        if category in ILL:
            target.breaker.failed(now, self._ticket)
        elif category is Category.RATE_LIMIT or category is Category.AUTH:
            target.breaker.released(self._ticket)
        else:
            target.breaker.succeeded(now, self._ticket)
