"""One attempt as those see it who decide about the next ones: its target's health and speed, its key, its place.

A run tells its watch of its first content and of its end; each counts once, whatever else happens.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from costspan.errors import Category

if TYPE_CHECKING:
    from collections.abc import Callable

    from costspan.engine.call import Call
    from costspan.engine.keys import Lease
    from costspan.engine.targets import Target
    from costspan.errors import UpstreamError
    from costspan.ir.usage import Usage
    from costspan.ledger.records import Outcome
    from costspan.providers.account import Account
    from costspan.routing.breaker import Ticket
    from costspan.routing.expectation import Expectations
    from costspan.routing.plan import Step
    from costspan.routing.timing import Waiting

_log = logging.getLogger(__name__)

ILL = frozenset({Category.CONNECT, Category.TIMEOUT, Category.SERVER_ERROR, Category.OVERLOADED})
"""Failures that speak against a target. A 429 makes its key wait, a refused key is the account's matter, and whoever
refuses a bad request is well."""
_SLOW = frozenset({*ILL, Category.RATE_LIMIT})
"""Failures after which a target is not thought to be fast."""


class Watch:
    """Watches one attempt at one target."""

    __slots__ = (
        "_call", "_ended", "_expectations", "_free", "_now", "_step", "_target", "_ticket", "_waiting", "lease"
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - what an attempt holds, and whom its end concerns
        self,
        call: Call,
        step: Step,
        target: Target,
        ticket: Ticket,
        waiting: Waiting,
        *,
        now: Callable[[], float],
        lease: Lease,
        free: Callable[[Account], None],
        expectations: Expectations,
    ) -> None:
        """`ticket` is the breaker's, `waiting` the timing's; `free` gives back a place among the attempts under way."""
        self.lease = lease
        """Its key."""
        self._call = call
        self._step = step
        self._target = target
        self._ticket = ticket
        self._waiting = waiting
        self._now = now
        self._free = free
        self._expectations = expectations
        self._ended = False

    @property
    def expected_output(self) -> int:
        """Tokens of output that it is expected to have."""
        call = self._call
        return self._expectations.usage(call.matched.route, self._step.label, call.asked, self._now()).output

    def content(self) -> None:
        """The first content came: the verdict of a probe. Of other attempts it is their end that counts."""
        now, target, streamed = self._now(), self._target, self._call.peek.stream
        target.timing.content(now, self._waiting)
        target.usual[streamed] = target.timing.p95(now, streamed=streamed)
        if self._ticket.is_probe:
            self._is_well(now)

    def ended(self, outcome: Outcome, error: UpstreamError | None, usage: Usage | None) -> None:
        """The attempt has its final record. `usage` is None where it was not reported as a whole."""
        if self._ended:
            return
        self._ended = True
        self._free(self.lease.account)
        self.lease.end()
        now, target = self._now(), self._target
        if outcome == "ok":
            target.timing.answered(now, self._waiting, None if usage is None else usage.completion_tokens)
            self._is_well(now)
            if usage is not None and self._call.raw is None and (self._call.matched.weighs_cost or target.is_news()):
                route, asked = self._call.matched.route, self._call.asked
                self._expectations.learn(route, self._step.label, asked, usage.tokens, now)
        elif outcome == "lost_race" and self._was_late():
            target.timing.released(now, self._waiting)
            self._is_ill(now, "content that came too late")
        elif error is None or outcome != "failed" or error.stale or error.kind == "deadline_exceeded":
            target.timing.released(now, self._waiting)
            target.breaker.released(self._ticket)
        else:
            self._failed(now, error)

    def _failed(self, now: float, error: UpstreamError) -> None:
        target, category = self._target, error.category
        if category in _SLOW:
            target.timing.failed(now, self._waiting)
        else:
            target.timing.released(now, self._waiting)
        if category in ILL:
            self._is_ill(now, error.kind)
        elif category is Category.RATE_LIMIT or category is Category.AUTH:
            target.breaker.released(self._ticket)
        else:
            self._is_well(now)

    def _was_late(self) -> bool:
        """Whether the race was decided when 95 % of its answers would have begun: one is chance, many in a row hang.

        Races end before a timeout does: without this, a target that hangs would never be found out in them. How long
        a loser is read on afterwards says nothing of that.
        """
        decided = None if self._call.contest is None else self._call.contest.decided
        usual = self._target.usual.get(self._call.peek.stream)
        return decided is not None and usual is not None and decided - self._waiting.begun > usual

    def _is_ill(self, now: float, why: str) -> None:
        breaker = self._target.breaker
        if breaker.failed(now, self._ticket) and not self._ticket.is_probe:  # of probes only success is news
            due = round(breaker.due(now) - now, 1)
            _log.warning("target %s: breaker open after %s; tried again in %g s", self._target.label, why, due)

    def _is_well(self, now: float) -> None:
        if self._target.breaker.succeeded(now, self._ticket):
            _log.info("target %s: breaker closed, it answers again", self._target.label)
