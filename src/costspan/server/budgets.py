"""Keeps the gate's budgets in step: with the ledger, the configuration, and what other gateways spend."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from costspan.ledger.spent import Spent
from costspan.server.protocol import traceback_only
from costspan.server.shared_budgets import SharedBudgets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from costspan.engine.call import Clock
    from costspan.engine.gate import Gate
    from costspan.ledger.writer import NullWriter, Writer
    from costspan.routing.budget import Match
    from costspan.snapshot import Snapshot

_log = logging.getLogger(__name__)

SAVE_SECONDS: Final = 60.0
"""From one writing of the sums to the next: a start has to read no more than the ledger took meanwhile."""


class Budgets:
    """One for the process. All but the reading and writing of files is on the event loop."""

    def __init__(self, gate: Gate, ledger: Writer | NullWriter, clock: Clock, pick: Callable[[], float]) -> None:
        """`pick` gives random numbers in [0, 1)."""
        self._gate = gate
        self._ledger = ledger
        self._spent = None if ledger.directory is None else Spent(ledger.directory, lambda: ledger.worker)
        self._shared = SharedBudgets(gate, clock, pick)
        self._saved: object = None
        self._before: Mapping[Match, Mapping[int, Decimal]] = {}
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def start(self, snapshot: Snapshot) -> None:
        """Look up what was spent, before the first request and after the ledger's recovery."""
        if snapshot.budgets and self._spent is None:
            _log.warning("budgets: without a ledger (ledger.dir) they begin at nothing with each start")
        await self.prepare(snapshot)
        self.hold(snapshot)
        await self._save()
        loop = asyncio.get_running_loop()
        self._tasks = (loop.create_task(self._keep()), loop.create_task(self._shared.run()))  # cancelled by close

    async def prepare(self, snapshot: Snapshot) -> None:
        """Look up what the budgets of the next snapshot have spent, where that is not known: `hold` follows.

        What is spent meanwhile is counted by the gate; what was before is in the files as they are now.
        """
        unknown = self._gate.unknown(snapshot.budgets)
        self._gate.follow(unknown)
        self._before = {}
        if self._spent is None or not unknown:
            return
        try:
            cut = self._spent.cut()
            self._before = await asyncio.to_thread(self._spent.restore, unknown, cut)
        except OSError as error:
            _log.error("budgets: what was spent before cannot be read (%s): they begin at nothing", error.strerror)

    def hold(self, snapshot: Snapshot) -> None:
        """Let in by the budgets and limits of `snapshot`, which is prepared and current."""
        self._gate.hold(snapshot.budgets, snapshot.limits, self._before)
        self._before = {}

    async def close(self) -> None:
        """Stop, and write the sums a last time. The ledger is closed by now."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        if self._tasks:
            await self._save()
        self._tasks = ()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            try:
                await self._save()
            except Exception as error:  # noqa: BLE001 - a fault of ours must not end what keeps the sums
                _log.error("budgets: unhandled %s", type(error).__name__, exc_info=traceback_only(error))

    async def _save(self) -> None:
        """Write the sums, unless the ledger still lacks lines of what is in them, or nothing has changed."""
        spending = self._gate.spending()
        if self._spent is None or not spending or spending == self._saved or self._ledger.waiting:
            return
        try:
            cut = self._spent.cut()
            await asyncio.to_thread(self._spent.save, spending, cut)
        except OSError as error:
            _log.warning("budgets: the sums for the next start are not written (%s)", error.strerror)
        else:
            self._saved = spending
