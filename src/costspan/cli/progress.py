"""How far a long reading is, of the ledger or of another file, on a terminal's stderr."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_AFTER: Final = 1.0
_EVERY: Final = 0.2
_MEBIBYTE: Final = 1 << 20
_ERASE: Final = "\r\x1b[K"


class Measured(Protocol):
    """What is read, such as the ledger's `Reader`. In bytes, but for the lines."""

    lines: int
    read: int
    size: int


class Progress:
    """A `watch` for `Reader`: after a second, and only on a terminal, one line that is written over until `done`."""

    def __init__(self, err: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._err: Final = err or sys.stderr
        self._clock: Final = clock
        self._shown = False
        self._next = clock() + _FIRST_AFTER

    def __call__(self, reader: Measured) -> None:
        """Say how far `reader` is, now and then."""
        now = self._clock()
        if now < self._next or not self._err.isatty():
            return
        self._next = now + _EVERY
        self._shown = True
        part = reader.read / reader.size if reader.size else 1
        self._err.write(
            f"{_ERASE}{reader.lines:,} lines, {reader.read / _MEBIBYTE:,.0f} of "
            f"{reader.size / _MEBIBYTE:,.0f} MiB ({min(part, 1):.0%})"
        )
        self._err.flush()

    def done(self) -> None:
        """Take the line away, before anything else is printed."""
        if self._shown:
            self._shown = False
            self._err.write(_ERASE)
            self._err.flush()
