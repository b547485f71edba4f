"""cli.progress: how far a long reading is."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from costspan.cli.progress import Progress
from costspan.ledger.read import Reader

if TYPE_CHECKING:
    from pathlib import Path


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def reader(directory: Path) -> Reader:
    made = Reader(directory)
    made.lines, made.read, made.size = 1_234_567, 512 << 20, 2048 << 20
    return made


def test_nothing_is_said_within_the_first_second(tmp_path: Path) -> None:
    clock, terminal = Clock(), Terminal()
    progress = Progress(terminal, clock)

    clock.now += 0.9
    progress(reader(tmp_path))
    progress.done()

    assert terminal.getvalue() == ""


def test_lines_and_bytes_are_told_and_taken_away_in_the_end(tmp_path: Path) -> None:
    clock, terminal = Clock(), Terminal()
    progress = Progress(terminal, clock)

    clock.now += 1.0
    progress(reader(tmp_path))
    clock.now += 0.1
    progress(reader(tmp_path))
    progress.done()
    progress.done()

    assert terminal.getvalue() == "\r\x1b[K1,234,567 lines, 512 of 2,048 MiB (25%)\r\x1b[K"


def test_a_file_or_pipe_gets_no_progress(tmp_path: Path) -> None:
    clock, log = Clock(), StringIO()
    progress = Progress(log, clock)

    clock.now += 60.0
    progress(reader(tmp_path))
    progress.done()

    assert log.getvalue() == ""
