"""The ledger's writer: an `Observer` that appends each record to the day's file before it returns.

A write reaches the page cache and so survives the process; a flusher syncs in a thread, for the machine's sake. When
the disk refuses, nothing fails: records wait in memory (a bounded ring), are appended in order once it takes them
again, and what had to be let go is counted. All state belongs to the event loop; the thread sees descriptors only.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from costspan.ledger import files, lines, recovery

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from pathlib import Path

    from costspan.ledger.records import Attempt, AttemptStarted, Exchange

log = logging.getLogger(__name__)

RING = 10_000
"""Lines kept in memory while the disk refuses them, and lines kept until a sync confirms them: some MiB each."""

_RETRY_LINES = 64
"""Waiting lines that one call appends: the request path pays for its own record and a little more."""

_RETRY_SECONDS = 1.0
"""Pause of the flusher when syncing is off: it still brings a degraded ledger back."""

_SHOUT_SECONDS = 60.0
_WORKERS = 1024
_DAY_SECONDS = 86_400

_Record = tuple[bytes, Decimal | None]
"""A line, and the money that would be lost with it."""


class Writer:
    """Appends records to `directory` as worker `worker`, or the next free one when another process is that.

    `fsync_interval` is in seconds, 0 leaves syncing to the system. `keep_days` is the age at which files go.
    `clock` gives epoch seconds. Methods of the observer block for one write and raise nothing.
    """

    def __init__(
        self,
        directory: Path,
        *,
        worker: int = 0,
        fsync_interval: float,
        keep_days: int,
        clock: Callable[[], float],
        system: files.System | None = None,
    ) -> None:
        self.worker = worker
        self.directory: Final = directory
        self.degraded = False
        """Records wait in memory because the disk does not take them."""
        self.lost = 0
        """Records that fell out of the ring."""
        self.lost_usd = Decimal(0)
        """Their money, estimates included."""
        self._fsync_interval: Final = fsync_interval
        self._keep_days: Final = keep_days
        self._clock: Final = clock
        self._system: Final = system or files.System()
        self._lock: int | None = None
        self._day = -1
        self._file: files.Appender | None = None
        self._suspect: files.Name | None = None
        """A file that recovery could not sync: the next segment is written instead."""
        self._retired: list[files.Appender] = []
        self._waiting: deque[_Record] = deque()
        self._unsynced: deque[_Record] = deque(maxlen=RING)
        self._shouted_at: float | None = None
        self._expired_due = False
        self._flushing: Final = asyncio.Lock()
        self._closing: Final = asyncio.Event()
        self._closed = False

    @property
    def waiting(self) -> int:
        """Records in memory that the disk has not taken yet."""
        return len(self._waiting)

    def start(self) -> int:
        """Take the lock, close what a killed process left open, delete what is too old.

        Returns the number of attempts recovered. A disk that refuses makes the ledger degraded, not the start fail.
        """
        try:
            self._become_a_worker()
            recovered = recovery.recover(self.directory, worker=self.worker, clock=self._clock, system=self._system)
            self._rotate(self._today())
        except OSError as error:
            if isinstance(error, files.Suspect):
                self._suspect = error.name
            self._degrade(error)
            return 0
        self._expire()
        if recovered:
            log.warning("ledger: %d attempts without an end closed as recovered", recovered)
        return recovered

    def attempt_started(self, started: AttemptStarted) -> None:
        """Append the line that a kill leaves behind."""
        self._put(lines.attempt_started(started), None)

    def attempt_ended(self, attempt: Attempt) -> None:
        """Append the attempt's final line."""
        usd = attempt.cost_estimated_usd if attempt.cost_usd is None else attempt.cost_usd
        self._put(lines.attempt(attempt), usd)

    def exchange_ended(self, exchange: Exchange, attempts: Sequence[Attempt]) -> None:
        """Append the exchange's line."""
        self._put(lines.exchange(exchange, attempts), None)

    async def run(self) -> None:
        """Flush every interval until `close` is called."""
        interval = self._fsync_interval or _RETRY_SECONDS
        while not self._closing.is_set():
            try:
                async with asyncio.timeout(interval):
                    await self._closing.wait()
            except TimeoutError:
                await self.flush()

    async def flush(self) -> None:
        """Append what waits, then make what was appended outlive the machine."""
        async with self._flushing:
            if self.degraded:
                self._retire()  # whatever was wrong, a fresh descriptor knows it no more
            self._retry(RING)
            await self._sync()
            if self._expired_due:
                self._expired_due = False
                await asyncio.to_thread(self._expire)

    async def close(self) -> None:
        """Flush, end `run`, give up the files. Records that still come, or still wait, are counted as lost."""
        if self._closed:
            return
        self._closing.set()
        await self.flush()
        self._closed = True
        self._retire()
        await self._sync()
        while self._waiting:
            self._lose(self._waiting.popleft())
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _put(self, line: bytes, usd: Decimal | None) -> None:
        if self._closed:
            self._lose((line, usd))
            return
        if self._waiting:
            self._wait((line, usd))
            self._retry(_RETRY_LINES)
            return
        try:
            self._current().append(line)
        except OSError as error:
            self._wait((line, usd))
            self._degrade(error)
        else:
            self._unsynced.append((line, usd))

    def _wait(self, record: _Record) -> None:
        if len(self._waiting) >= RING:
            self._lose(self._waiting.popleft())
        self._waiting.append(record)

    def _lose(self, record: _Record) -> None:
        self.lost += 1
        self.lost_usd += record[1] or 0

    def _retry(self, limit: int) -> None:
        """Append up to `limit` waiting records, in order, as far as the disk goes along."""
        try:
            current = self._current()
            while self._waiting and limit:
                current.append(self._waiting[0][0])
                self._unsynced.append(self._waiting.popleft())
                limit -= 1
        except OSError as error:
            self._degrade(error)
            return
        if self.degraded and not self._waiting:
            self.degraded = False
            self._shouted_at = None
            log.warning("ledger: writable again, nothing waits any more; %d records were lost so far", self.lost)

    def _degrade(self, error: OSError) -> None:
        self.degraded = True
        now = self._clock()
        if self._shouted_at is not None and 0 <= now - self._shouted_at < _SHOUT_SECONDS:
            return
        self._shouted_at = now
        log.critical(
            "ledger: cannot write to %s (%s): %d records wait in memory, %d lost worth %s USD; requests go on",
            self.directory,
            error.strerror or type(error).__name__,
            len(self._waiting),
            self.lost,
            lines.money(self.lost_usd),
        )

    def _today(self) -> int:
        return int(self._clock() // _DAY_SECONDS)

    def _current(self) -> files.Appender:
        """The file of today, UTC. Raises OSError when it cannot be had."""
        today = self._today()
        if self._file is None or today != self._day:
            return self._rotate(today)
        return self._file

    def _rotate(self, today: int, *, after: files.Name | None = None) -> files.Appender:
        """Open the file of `today`; a segment later than `after`, if given."""
        if self._lock is None:
            self._become_a_worker()
        name = files.newest(self.directory, _date(today), self.worker)
        if after is not None and name <= after:
            name = after.next()
        if name == self._suspect:
            name = name.next()
        opened = files.Appender(self.directory, name, write=self._system.write)
        self._retire()
        self._expired_due = self._day not in {-1, today}
        self._day = today
        self._file = opened
        return opened

    def _retire(self) -> None:
        if self._file is not None:
            self._retired.append(self._file)
            self._file = None

    def _become_a_worker(self) -> None:
        files.make(self.directory)
        for worker in range(self.worker, self.worker + _WORKERS):
            self._lock = files.lock(self.directory, worker)
            if self._lock is not None:
                break
        else:
            raise OSError(f"more than {_WORKERS} processes write here")
        if worker != self.worker:
            log.warning("ledger: worker %d is another process, writing as worker %d", self.worker, worker)
            self.worker = worker

    async def _sync(self) -> None:
        """Sync what was appended and close what was retired.

        A failed fsync is never repeated: the system may have dropped the pages and says so once. What was not
        confirmed is appended again to a new segment; readers count an id once.
        https://wiki.postgresql.org/wiki/Fsync_Errors (read 2026-01)
        """
        current, retired, batch = self._file, self._retired, self._unsynced
        if not (retired or (batch and current)):
            return
        self._retired = []
        self._unsynced = deque(maxlen=RING)
        suspects = await asyncio.to_thread(self._sync_files, current, retired)
        if not suspects:
            return
        for suspect, error in suspects:
            log.critical("ledger: %s is suspect, its sync failed (%s)", suspect.name, error.strerror)
        self._replay([*batch, *self._unsynced], suspects[-1][1])

    def _sync_files(
        self, current: files.Appender | None, retired: list[files.Appender]
    ) -> list[tuple[files.Appender, OSError]]:
        """In a thread. Returns the files whose sync failed, or that are no longer where they were."""
        suspects: list[tuple[files.Appender, OSError]] = []
        for file in [*retired, current] if current else retired:
            try:
                if self._fsync_interval and file.dirty:
                    file.dirty = False
                    self._system.fsync(file.descriptor)
                    if not file.named:
                        files.sync(self.directory)
                        file.named = True
                if file is current and not file.in_place():
                    suspects.append((file, FileNotFoundError(2, "deleted or replaced")))
            except OSError as error:
                suspects.append((file, error))
        for file in retired:
            file.close()
        return suspects

    def _replay(self, records: list[_Record], error: OSError) -> None:
        """Go on in a new segment, with `records` first."""
        before = self._file
        if before:
            before.dirty = False  # not to be synced again, whatever was appended meanwhile
        later, self._waiting = self._waiting, deque()
        self._unsynced.clear()
        for record in [*records, *later]:
            self._wait(record)
        self._degrade(error)
        try:
            self._rotate(self._today(), after=before.name if before else None)
        except OSError as failure:
            self._degrade(failure)
            self._retire()
            return
        self._retry(RING)

    def _expire(self) -> None:
        """Delete files older than `keep_days`.

        Age is counted back from the newest earlier day in the directory, at most from today: one jump of the clock
        into the future deletes nothing.
        """
        today = _date(self._today())
        try:
            there = files.names(self.directory)
            newest = max((name.day for name in there if name.day < today), default=today)
            for name in there:
                if (newest - name.day).days >= self._keep_days:
                    (self.directory / str(name)).unlink(missing_ok=True)
        except OSError as error:
            log.warning("ledger: old files not deleted (%s)", error.strerror)


class NullWriter:
    """The ledger that is switched off."""

    directory = None
    worker = 0
    degraded = False
    lost = 0
    lost_usd = Decimal(0)
    waiting = 0

    def start(self) -> int:
        """Nothing to recover."""
        return 0

    def attempt_started(self, started: AttemptStarted) -> None:
        """Not recorded."""

    def attempt_ended(self, attempt: Attempt) -> None:
        """Not recorded."""

    def exchange_ended(self, exchange: Exchange, attempts: Sequence[Attempt]) -> None:
        """Not recorded."""

    async def run(self) -> None:
        """Nothing to do."""

    async def flush(self) -> None:
        """Nothing to flush."""

    async def close(self) -> None:
        """Nothing to give up."""


def _date(day: int) -> date:
    return datetime.fromtimestamp(day * _DAY_SECONDS, UTC).date()
