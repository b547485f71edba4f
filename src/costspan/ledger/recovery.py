"""Recovery: what a killed process left open gets its end, before the first request. A second run adds nothing.

An attempt that started and has no `attempt` line is closed as `recovered` at its estimate, an exchange that has
attempts and no `exchange` line as their sum. Only files whose lock can be had are touched: another live worker's
attempts are in flight, not lost. The line is read by its two ends, not parsed: a million in two seconds.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from costspan.errors import Malformed
from costspan.ledger import ends, files, lines
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

RECONCILED = ".reconciled"

_HEAD = re.compile(
    rb'\{"type":"(attempt_started|attempt|exchange)","v":1,"id":"([^"\\]{1,200})","exchange_id":"([^"\\]{1,200})",'
)
_LAST_KEY = b',"config_generation":'
_LAST_ROOM = len(_LAST_KEY) + 24
"""Where the last key must begin, counted from the end: a line that was cut, even behind a brace, lacks it."""

_BLOCK = 1 << 18
_LONGEST = 4 << 20
"""A longer line is none of ours: a file that is all zeros must not fill the memory."""

_TAIL = 256 * 1024
"""Bytes at a file's end whose lines are parsed: damage by a crash is there."""

_REMEMBERED = 50_000
"""Ends kept in mind: a record appended again after a failed sync may follow its own end by twice the ring."""

_CLOSING_BRACE = ord("}")

_Place: TypeAlias = "tuple[Path, int, int]"
"""A line: its file, offset and length."""
_UNKNOWN: tuple[list[Path], list[_Place]] = ([], [])


def recover(directory: Path, *, worker: int, clock: Callable[[], float], system: files.System | None = None) -> int:
    """Close what is open in the files of `worker`, whose lock the caller holds, and of workers that are gone.

    Returns the number of attempts closed. Raises OSError; `files.Suspect` names a file that is not to be appended to.
    """
    known = _read_reconciled(directory)
    unread: dict[int, list[files.Name]] = {worker: []}
    for owner, mine in _by_worker(files.names(directory)).items():
        sizes = {name: (directory / str(name)).stat().st_size for name in mine}
        changed = any(known.get(str(name), size) != size for name, size in sizes.items())
        if left := [name for name in mine if changed or str(name) not in known]:
            unread[owner] = left  # of a file that was cut, the ends may be anywhere
    recovered = 0
    for owner, names in unread.items():
        lock = None if owner == worker else files.lock(directory, owner)
        if lock is None and owner != worker:
            continue
        try:
            recovered += _recover(directory, owner, names, clock(), system or files.System())
        finally:
            if lock is not None:
                os.close(lock)
    return recovered


def _by_worker(names: Iterable[files.Name]) -> dict[int, list[files.Name]]:
    found: dict[int, list[files.Name]] = {}
    for name in names:
        found.setdefault(name.worker, []).append(name)
    return found


def remember(directory: Path, names: Iterable[files.Name]) -> None:
    """Note that everything that started in `names` has its end: they need not be read again. Raises OSError."""
    known = _read_reconciled(directory)
    for name in names:
        with suppress(FileNotFoundError):
            known[str(name)] = (directory / str(name)).stat().st_size
    known = {name: size for name, size in known.items() if (directory / name).exists()}
    draft = directory / f"{RECONCILED}.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(json.dumps(known) + b"\n")
    draft.replace(directory / RECONCILED)


def _read_reconciled(directory: Path) -> dict[str, int]:
    try:
        known = json.loads_object((directory / RECONCILED).read_bytes())
    except (OSError, Malformed):
        return {}  # nothing is lost by reading a file again
    return {name: size for name, size in known.items() if isinstance(size, int)}


def _recover(directory: Path, worker: int, names: list[files.Name], now: float, system: files.System) -> int:
    today = datetime.fromtimestamp(now, UTC).date()
    scan = _Scan()
    for name in names:
        scan.read(directory / str(name))
    missing = scan.ends()
    if missing:
        name = files.newest(directory, today, worker)
        try:
            _append(directory, name, missing, system)
        except files.Suspect as error:
            log.critical("ledger: %s is suspect, its sync failed (%s)", name, error.strerror)
            _append(directory, name.next(), missing, system)
    if scan.damaged:
        log.warning("ledger: %d damaged lines passed over", scan.damaged)
    needed = scan.needed_by({str(name) for name in names if name.day >= today})
    if past := [name for name in names if str(name) not in needed]:
        for name in names:  # an end that the disk has not confirmed must not be taken for granted
            _sync(directory, name, system)
        remember(directory, past)
    return sum(end["type"] == "attempt" for end in missing)


def _append(directory: Path, name: files.Name, missing: list[json.Object], system: files.System) -> None:
    appender = files.Appender(directory, name, write=system.write)
    try:
        for end in missing:
            appender.append(lines.encode(end))
    finally:
        appender.close()
    _sync(directory, name, system)
    files.sync(directory)


def _sync(directory: Path, name: files.Name, system: files.System) -> None:
    with (directory / str(name)).open("rb") as file:
        try:
            system.fsync(file.fileno())
        except OSError as error:
            raise files.Suspect(name, error) from error


class _Scan:
    """Reads lines in the order of their files and keeps what has started and not ended.

    That is the order of writing, unless the clock was set back over midnight: then an end comes before its start.
    """

    def __init__(self) -> None:
        self.damaged = 0
        self._open: dict[bytes, tuple[bytes, _Place]] = {}
        """Attempt id: its exchange's id, and where its `attempt_started` line is."""
        self._exchanges: dict[bytes, tuple[list[Path], list[_Place]]] = {}
        """Exchange id: the files where its attempts began, and where its `attempt` lines are."""
        self._early: dict[bytes, list[_Place]] = {}
        """The latter of attempts whose starts were not seen: they come in a later file, or are damaged."""
        self._ended: dict[bytes, Path] = {}
        """Ids of attempts and exchanges, and the file that says so."""
        self._ended_before: dict[bytes, Path] = {}
        self._needs: dict[str, set[str]] = {}
        """Names of files: those that have ends of what began in another."""

    def read(self, path: Path) -> None:
        """Take in the lines of a file. Those of its tail are parsed to see whether they are sound. Raises OSError."""
        match = _HEAD.match
        for offset, block, size, is_tail in _blocks(path):
            start = 0
            while start < size:
                end = block.find(b"\n", start)
                head = match(block, start, end)
                if (
                    head is None
                    or block[end - 1] != _CLOSING_BRACE
                    or block.rfind(_LAST_KEY, end - _LAST_ROOM, end) < start
                    or (is_tail and _is_damaged(bytes(block[start:end])))
                ):
                    self.damaged += end > start
                else:
                    self._take(head, (path, offset + start, end - start))
                start = end + 1
            if len(self._ended) >= _REMEMBERED:
                self._ended_before, self._ended = self._ended, {}

    def ends(self) -> list[json.Object]:
        """The lines that are missing, as objects: attempts, then the exchanges that they belong to."""
        found: list[json.Object] = []
        closed: dict[bytes, list[json.Object]] = {}
        for exchange_id, place in self._open.values():
            for started in self._parse([place]):
                end = ends.attempt(started)
                found.append(end)
                closed.setdefault(exchange_id, []).append(end)
        for exchange_id, (_, places) in self._exchanges.items():
            if attempts := self._parse(places) + closed.get(exchange_id, []):
                found.append(ends.exchange(attempts))
        return found

    def needed_by(self, names: Iterable[str]) -> set[str]:
        """All files that have to be read where those of `names` are: else what began there would seem open."""
        needed: set[str] = set()
        left = set(names)
        while left:
            needed |= left
            left = {name for one in left for name in self._needs.get(one, ())} - needed
        return needed

    def _take(self, head: re.Match[bytes], place: _Place) -> None:
        kind, id_, exchange_id = head.groups()
        if kind == b"attempt":
            self._end(id_, exchange_id, place)
        elif kind == b"exchange":
            for began in self._exchanges.pop(id_, _UNKNOWN)[0]:
                self._link(began, place[0])
            self._early.pop(id_, None)
            self._ended[id_] = place[0]
        else:
            self._begin(id_, exchange_id, place)

    def _begin(self, id_: bytes, exchange_id: bytes, place: _Place) -> None:
        if not self._has_ended(id_, place):
            self._open[id_] = exchange_id, place
        if self._has_ended(exchange_id, place):
            return
        if exchange_id not in self._exchanges:
            self._exchanges[exchange_id] = [place[0]], self._early.pop(exchange_id, [])
        elif (files_ := self._exchanges[exchange_id][0])[-1] is not place[0]:
            files_.append(place[0])

    def _end(self, id_: bytes, exchange_id: bytes, place: _Place) -> None:
        began = self._open.pop(id_, None)
        if began is not None:
            self._link(began[1][0], place[0])
        if id_ in self._ended:
            return  # appended again
        self._ended[id_] = place[0]
        if exchange_id in self._exchanges:
            self._exchanges[exchange_id][1].append(place)
        elif began is None and exchange_id not in self._ended:
            self._early.setdefault(exchange_id, []).append(place)

    def _has_ended(self, id_: bytes, began: _Place) -> bool:
        """Whether an end was seen of what begins at `began`."""
        path = self._ended.get(id_) or self._ended_before.get(id_)
        if path is None:
            return False
        self._link(began[0], path)
        return True

    def _link(self, began: Path, ended: Path) -> None:
        if began is not ended:
            self._needs.setdefault(began.name, set()).add(ended.name)

    def _parse(self, places: Iterable[_Place]) -> list[json.Object]:
        """The records at `places`, each once, without those that are damaged inside."""
        found: dict[str, json.Object] = {}
        for path, offset, length in places:
            with path.open("rb") as file:
                file.seek(offset)
                try:
                    record = json.loads_object(file.read(length))
                except Malformed:
                    self.damaged += 1
                else:
                    found[record["id"]] = record
        return list(found.values())


def _blocks(path: Path) -> Iterator[tuple[int, bytearray, int, bool]]:
    """Whole lines of a file: their offset, a buffer that is used again, how much of it they are, whether of the tail.

    The last line may lack its newline: it is torn, or only the newline is missing and it counts.
    """
    buffer = bytearray(_BLOCK)
    kept = offset = 0
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        while count := file.readinto(memoryview(buffer)[kept:]):
            filled = kept + count
            whole = buffer.rfind(b"\n", 0, filled) + 1
            yield offset, buffer, whole, offset + filled > size - _TAIL
            kept = filled - whole
            offset += whole
            buffer[:kept] = buffer[whole:filled]
            if kept > _LONGEST:
                offset, kept = offset + kept, 0
            elif kept == len(buffer):
                buffer = buffer + bytearray(_BLOCK)
    if kept:
        yield offset, buffer[:kept] + b"\n", kept + 1, True


def _is_damaged(line: bytes) -> bool:
    try:
        json.loads_object(line)
    except Malformed:
        return True
    return False
