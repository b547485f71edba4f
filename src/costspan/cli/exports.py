"""Files that providers export, opened as text: plain or packed with gzip, a line at a time, with progress."""

from __future__ import annotations

import gzip
import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from costspan.billing.exports.rows import LONGEST_DOCUMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_GZIP: Final = b"\x1f\x8b"
_EVERY: Final = 10_000


@dataclass(slots=True)
class Reading:
    """How far a file is read, as `Progress` asks of a `Reader`."""

    size: int
    lines: int = 0
    read: int = 0


@contextmanager
def opened(path: Path, watch: Callable[[Reading], None]) -> Iterator[Iterator[str]]:
    """The lines of the file. Raises OSError, and EOFError or zlib.error where packed ones are damaged."""
    with path.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        unpacked = gzip.GzipFile(fileobj=file) if packed else file
        # CSV has line ends inside quotes; what is not UTF-8 is seen in a name, not in an amount.
        with io.TextIOWrapper(unpacked, encoding="utf-8-sig", errors="replace", newline="") as text:
            yield _lines(text, file, Reading(path.stat().st_size), watch)


def _lines(text: io.TextIOWrapper, file: BinaryIO, reading: Reading, watch: Callable[[Reading], None]) -> Iterator[str]:
    """A line may not fill the memory: a longer one comes in pieces, which no format takes."""
    while line := text.readline(LONGEST_DOCUMENT + 1):
        yield line
        reading.lines += 1
        if reading.lines % _EVERY == 0:
            reading.read = file.tell()
            watch(reading)
