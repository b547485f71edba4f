"""A disk that fills up, fails to sync and loses power; and a reader that keeps an eye on the ledger's files."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from costspan.errors import Malformed
from costspan.wire import json

if TYPE_CHECKING:
    from pathlib import Path

Key = tuple[str, str]
"""Type and id of a line."""


class Disk:
    """Beside the real files, knows how much of each would survive the machine."""

    def __init__(self) -> None:
        self.error: int | None = None
        """What every write fails with."""
        self.short: int | None = None
        """So many bytes of the next write go well."""
        self.fsync_fails = False
        """The next one."""
        self.ever_spoilt = False
        self._safe: dict[int, int] = {}
        self._spoilt: set[int] = set()
        """Files whose sync failed: what it did not confirm is gone, and later syncs say nothing of it."""

    @property
    def well(self) -> bool:
        return self.error is None and not self.fsync_fails

    def heal(self) -> None:
        self.error = self.short = None
        self.fsync_fails = False

    def write(self, descriptor: int, data: bytes) -> int:
        if self.short is not None:
            size, self.short = self.short, None
            return os.write(descriptor, data[: max(size, 1)])
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        return os.write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        file = os.fstat(descriptor)
        if self.fsync_fails:
            self.fsync_fails, self.ever_spoilt = False, True
            self._spoilt.add(file.st_ino)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if file.st_ino not in self._spoilt:
            self._safe[file.st_ino] = file.st_size

    def lose_power(self, directory: Path, more: int) -> None:
        """Only what was synced stays, and of each file up to `more` bytes that happened to be written already."""
        for path in directory.glob("costspan-*"):
            file = path.stat()
            safe = self._safe.get(file.st_ino, 0)
            os.truncate(path, safe + more % (file.st_size - safe + 1))
            self._safe[file.st_ino] = path.stat().st_size
        self._spoilt.clear()


class Books:
    """All whole lines of the files of `directory`, read as they come. What is wrong with them is in `faults`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.faults: list[str] = []
        self.lines: dict[Key, dict[str, Any]] = {}
        self._raw: dict[Key, bytes] = {}
        self._seen: dict[Path, bytes] = {}

    def look(self) -> None:
        """Take in what is new. Nothing that was there may be gone or changed."""
        for path, before in self._seen.items():
            if not path.exists():
                self.faults.append(f"I4: {path.name} is gone")
            elif not path.read_bytes().startswith(before):
                self.faults.append(f"I4: {path.name} was changed")
        for path in sorted(self._directory.glob("costspan-*")):
            data = path.read_bytes()
            begin = len(self._seen.get(path, b""))
            whole = data.rfind(b"\n") + 1
            for line in data[begin:whole].split(b"\n"):
                self._take(line)
            self._seen[path] = data[:whole]

    def forget(self) -> None:
        """Read anew: the machine itself lost something."""
        self.lines.clear()
        self._raw.clear()
        self._seen.clear()
        self.look()

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        return {id_: line for (type_, id_), line in self.lines.items() if type_ == kind}

    def _take(self, line: bytes) -> None:
        if not line:
            return
        try:
            found = json.loads_object(line)
        except Malformed:
            return  # torn
        key = found["type"], found["id"]
        if self._raw.setdefault(key, line) != line:
            self.faults.append(f"I1: two different lines of {key}")
        self.lines[key] = found
