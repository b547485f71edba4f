"""How many attempts a provider account may have at one time: `max_concurrency`.

Attempts wait in line for a moment, because the next one often ends soon; a line that is long or slow is worse than the
next target. Limits are those of the running configuration, for exchanges that began before a reload too.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costspan.providers.account import Account

MAX_WAIT = 3.0
"""Seconds."""
MAX_WAITING = 256
"""In line for one account."""


class _Place:
    """One account's attempts, and who waits in line."""

    __slots__ = ("limit", "under_way", "waiting")

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.under_way = 0
        self.waiting: dict[asyncio.Future[bool], None] = {}
        """First come, first served. All of them are open: whoever settles one takes it out."""

    @property
    def full(self) -> bool:
        """Whether one more attempt would be too many."""
        return self.limit is not None and self.under_way >= self.limit

    def admit(self) -> None:
        """Let in who waits, as far as there is room."""
        while self.waiting and not self.full:
            first = next(iter(self.waiting))
            del self.waiting[first]
            if not first.done():  # else its task was cancelled and has not run since
                self.under_way += 1
                first.set_result(True)


class Slots:
    """The attempts under way of all accounts, by name. One for the process; use it from the event loop."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}

    def busy(self, account: Account) -> bool:
        """Whether an attempt would have to wait."""
        place = self._places.get(account.name)
        return place is not None and place.full

    def used(self, account: Account) -> int:
        """How many attempts have one of the account's slots."""
        place = self._places.get(account.name)
        return 0 if place is None else place.under_way

    def try_acquire(self, account: Account) -> bool:
        """Take a slot that is free. An account without a limit has always one; it is counted all the same."""
        place = self._place(account)
        if place.full:
            return False
        place.under_way += 1
        return True

    async def acquire(self, account: Account, seconds: float) -> bool:
        """Take a slot, waiting for one at most `seconds` and `MAX_WAIT`. False: there is none; ask another target.

        Await it directly: the slot is the caller's once it has returned True, and nobody's when it was cancelled.
        """
        if self.try_acquire(account):
            return True
        place = self._place(account)
        if seconds <= 0 or len(place.waiting) >= MAX_WAITING:
            return False
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        place.waiting[turn] = None
        timer = loop.call_later(min(seconds, MAX_WAIT), _give_up, place, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():  # it came in the same moment
                self.release(account)
            raise
        finally:
            timer.cancel()
            place.waiting.pop(turn, None)

    def release(self, account: Account) -> None:
        """An attempt that had a slot has ended: once for each slot that was taken."""
        place = self._places.get(account.name)
        if place is not None and place.under_way > 0:
            place.under_way -= 1
            place.admit()

    def renew(self, accounts: Iterable[Account]) -> None:
        """Apply the limits of a new configuration at once. What is under way goes on where a limit has become less."""
        limits = {account.name: account.max_concurrency for account in accounts}
        for name, place in list(self._places.items()):
            place.limit = limits.get(name)
            place.admit()
            if name not in limits and not place.under_way:
                del self._places[name]

    def _place(self, account: Account) -> _Place:
        found = self._places.get(account.name)
        if found is None:
            found = self._places[account.name] = _Place(account.max_concurrency)
        return found


def _give_up(place: _Place, turn: asyncio.Future[bool]) -> None:
    """It took too long."""
    if place.waiting.pop(turn, True) is None and not turn.done():
        turn.set_result(False)
