"""A request that was let in: what it holds of limits and budgets until its last attempt has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from costspan.routing.budget import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from decimal import Decimal

    from costspan.ledger.records import Attempt
    from costspan.routing.budget import Fund, Tally
    from costspan.routing.limits import Limits, Use

DAY_NS: Final = DAY_SECONDS * 1_000_000_000
_UNKNOWN: Final = frozenset({"estimated", "unpriced"})
"""Statuses of attempts that may have used tokens of which nobody told."""


class Entered:
    """Changes until the client has its answer and no attempt goes on. The gate makes and feeds it."""

    __slots__ = (
        "_begun", "_closed", "_day", "_estimate", "_exchange_id", "_first", "_funds", "_held", "_left", "_limits",
        "_more", "_now", "_open", "_second", "_tallies", "_tokens", "_use", "_used",
    )  # fmt: skip

    def __init__(self, now: Callable[[], float], closed: Callable[[str], None], exchange_id: str) -> None:
        """`closed` is called once, when all is given back. `now` is monotonic seconds."""
        self._now = now
        self._closed = closed
        self._exchange_id = exchange_id
        self._funds: tuple[Fund, ...] = ()
        self._tallies: tuple[Tally, ...] = ()
        self._limits: Limits | None = None
        self._use: Use | None = None
        self._second = 0
        self._tokens = 0
        self._used = 0
        self._day = 0
        self._held: Decimal | None = None
        """Reserved for the first attempt, until it begins."""
        self._first: Decimal | None = None
        self._estimate: Decimal | None = None
        """Of the first attempt: what it may cost at most, and what its record expects."""
        self._more: list[tuple[int, Decimal | None]] = []
        """Reserved for further attempts, until they begin."""
        self._open: dict[str, tuple[int, Decimal | None]] = {}
        self._begun = False
        self._left = False

    def limit(self, limits: Limits, use: Use, second: int, tokens: int) -> None:
        """It counts to `use`, with so many tokens since that second."""
        self._limits, self._use, self._second, self._tokens = limits, use, second, tokens

    def reserve(self, funds: Sequence[Fund], day: int, usd: Decimal | None) -> None:
        """It spends what `funds` have: at most `usd` by its first attempt; None: that has no price."""
        self._funds = tuple(funds)
        self._tallies = tuple({id(fund.tally): fund.tally for fund in funds}.values())
        self._day, self._held, self._first = day, usd, usd
        self._reserve(day, usd)

    def headers(self) -> dict[str, str]:
        """What the client is told of the limits of its key: `x-ratelimit-*`."""
        if self._use is None or self._limits is None:
            return {}
        return self._use.headers(self._limits, self._now())

    def allows(self, extra: Decimal | None) -> bool:
        """Whether all budgets have room for one more attempt of at most `extra` USD. None: it has no price."""
        standings = [fund.standing(self._day) for fund in self._funds]
        return all(not s.used_up if extra is None else s.remaining >= extra for s in standings)

    def allows_another(self) -> bool:
        """Whether all budgets have room for one more attempt that costs as much as the first may."""
        return self.allows(self._first)

    def expect_another(self) -> None:
        """One more attempt is about to begin beside another: until it does, nobody else may have its room."""
        self._more.append((self._day, self._first))
        self._reserve(self._day, self._first)

    def attempt_begins(self, attempt_id: str, day: int, estimate: Decimal | None) -> None:
        """One more attempt that is expected to cost `estimate`. Its reservation is that of the first, in proportion."""
        if not self._begun:
            self._release(self._day, self._held)
            usd, self._held, self._estimate = self._held, None, estimate
            self._begun = True
        else:
            if self._more:
                self._release(*self._more.pop())
            usd = estimate
            if estimate is not None and self._first and self._estimate:
                usd = estimate * self._first / self._estimate
        self._day = day
        self._open[attempt_id] = (day, usd)
        self._reserve(day, usd)

    def attempt_ended(self, attempt: Attempt) -> None:
        """An attempt has its record: its cost is spent by now."""
        day, usd = self._open.pop(attempt.started.id, (0, None))
        self._release(day, usd)
        if attempt.usage:
            self._used += sum(attempt.usage.values())
        elif attempt.cost_status in _UNKNOWN:
            self._used += self._tokens
        if self._left and not self._open:
            self._close()

    def leave(self) -> None:
        """The client has its answer, or will get none. What is still reserved is for attempts that go on without it."""
        if self._left:
            return
        self._left = True
        if self._use is not None:
            self._use.leave()
        self._release(self._day, self._held)
        self._held = None
        while self._more:  # who was to be asked was not, after all
            self._release(*self._more.pop())
        if not self._open:
            self._close()

    def _close(self) -> None:
        if self._use is not None and self._tokens != self._used:
            self._use.tokens.correct(self._second, self._used - self._tokens, self._now())
        self._closed(self._exchange_id)

    def _reserve(self, day: int, usd: Decimal | None) -> None:
        if usd:
            for tally in self._tallies:
                tally.reserve(day, usd)

    def _release(self, day: int, usd: Decimal | None) -> None:
        if usd:
            for tally in self._tallies:
                tally.release(day, usd)
