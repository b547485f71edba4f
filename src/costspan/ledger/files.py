"""The ledger's directory: names of files, appending to one of them, the lock that makes a process its only writer.

<dir>/costspan-2026-01-31.jsonl         worker 0
<dir>/costspan-2026-01-31-2.jsonl       worker 2
<dir>/costspan-2026-01-31-2.1.jsonl     worker 2, the segment after a failed fsync
<dir>/.lock  <dir>/.lock-2              held (flock) while the worker lives
<dir>/.reconciled                       files that recovery need not read again, with their sizes
<dir>/.spent                            sums for budgets, with the sizes up to which they were taken
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_NAME = re.compile(r"costspan-(\d{4}-\d{2}-\d{2})(?:-([1-9]\d{0,4}))?(?:\.([1-9]\d{0,4}))?\.jsonl", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """What a file's name says: the UTC day of writing, the writer, the segment."""

    day: date
    worker: int = 0
    segment: int = 0

    def __str__(self) -> str:
        worker = f"-{self.worker}" if self.worker else ""
        segment = f".{self.segment}" if self.segment else ""
        return f"costspan-{self.day.isoformat()}{worker}{segment}.jsonl"

    def next(self) -> Name:
        """The segment after this one."""
        return Name(self.day, self.worker, self.segment + 1)


@dataclass(frozen=True, slots=True)
class System:
    """The system calls that fail in interesting ways."""

    write: Callable[[int, bytes], int] = os.write
    fsync: Callable[[int], None] = os.fsync


class Suspect(OSError):
    """A sync of the file `name` failed: what it was to confirm may be gone, and a later sync would not say so.

    https://wiki.postgresql.org/wiki/Fsync_Errors (read 2026-01)
    """

    def __init__(self, name: Name, error: OSError) -> None:
        super().__init__(error.errno, error.strerror)
        self.name = name


def parse(name: str) -> Name | None:
    """Read a file's name; None if it is not one of ours."""
    found = _NAME.fullmatch(name)
    if not found:
        return None
    with suppress(ValueError):  # the 31st of February
        return Name(date.fromisoformat(found[1]), int(found[2] or 0), int(found[3] or 0))
    return None


def names(directory: Path) -> list[Name]:
    """Our files in `directory`, in order of day, worker and segment. Raises OSError."""
    return sorted(name for path in directory.iterdir() if (name := parse(path.name)))


def newest(directory: Path, day: date, worker: int) -> Name:
    """The name to append to on `day`: the last segment there is."""
    mine = [name for name in names(directory) if (name.day, name.worker) == (day, worker)]
    return mine[-1] if mine else Name(day, worker)


def make(directory: Path) -> None:
    """Create `directory`, for its owner only. One that exists stays as it is. Raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def sync(directory: Path) -> None:
    """Make the names of new files outlive the machine, which syncing the files does not promise. Raises OSError.

    https://man7.org/linux/man-pages/man2/fsync.2.html (read 2026-11-26)
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(directory: Path, worker: int) -> int | None:
    """Become the writer of `worker`'s files: a descriptor to keep open, or None when another one is. Raises OSError."""
    name = f".lock-{worker}" if worker else ".lock"
    descriptor = os.open(directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            return None
        raise
    return descriptor


class Appender:
    """One open file. A record is one write; after one that failed half-way the next gets a line of its own."""

    def __init__(self, directory: Path, name: Name, *, write: Callable[[int, bytes], int] = os.write) -> None:
        self.name = name
        self.path = directory / str(name)
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.dirty = False
        """Something was appended that no sync has confirmed. Whoever syncs clears it first."""
        self.named = False
        """The file's name, too, outlives the machine."""
        self._write = write
        size = os.fstat(self.descriptor).st_size
        self._torn = size > 0 and os.pread(self.descriptor, 1, size - 1) != b"\n"

    def append(self, line: bytes) -> None:
        """Write `line`, which ends in a newline. Raises OSError, and then `line` is not in the file as a whole."""
        data = b"\n" + line if self._torn else line
        done = 0
        try:
            while done < len(data):
                written = self._write(self.descriptor, data[done:])
                if not written:
                    raise OSError(errno.EIO, "nothing was written")
                done += written
        finally:
            self._torn = done < len(data) and (done > 0 or self._torn)
            self.dirty = self.dirty or done > 0

    def in_place(self) -> bool:
        """Whether the file still has its name: one that was deleted or replaced takes lines and keeps none."""
        try:
            there = self.path.stat()
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self.descriptor))

    def close(self) -> None:
        """Close the file. An error here has nothing more to say than fsync had."""
        with suppress(OSError):
            os.close(self.descriptor)
