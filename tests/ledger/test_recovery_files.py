"""recovery over several files: clocks that were set back, segments, what need not be read again, disks that fail."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from costspan.ledger import files, recovery
from costspan.wire import json
from fakes import ledger_records as records
from fakes.ledger_lines import ended, finished, read, started

if TYPE_CHECKING:
    from pathlib import Path

TODAY = "costspan-2026-01-02.jsonl"
DAY = 86_400.0


def recover(directory: Path, *, days: int = 0, system: files.System | None = None) -> int:
    """Recover, so many days after 2026-01-02."""
    return recovery.recover(directory, worker=0, clock=lambda: records.TIME + days * DAY, system=system)


def ends_of(directory: Path) -> list[tuple[str, str]]:
    """Type and id of all lines that end something."""
    return [(record["type"], record["id"]) for record in read(directory) if record["type"] != "attempt_started"]


def test_an_end_in_an_earlier_days_file_than_its_start_is_found_each_time(tmp_path: Path) -> None:
    """The clock was set back: what began on the 3rd was recovered on the 2nd."""
    (tmp_path / "costspan-2026-01-03.jsonl").write_bytes(started(1))

    assert recover(tmp_path) == 1
    for days in (1, 1, 2, 2):
        assert recover(tmp_path, days=days) == 0
    assert ends_of(tmp_path) == [("attempt", "at_1"), ("exchange", "cs_1")]


def test_an_exchange_whose_attempt_ended_before_it_began_is_closed_with_it(tmp_path: Path) -> None:
    """By the clock, that is: it was set back between the attempt's lines, and then the process was killed."""
    (tmp_path / "costspan-2026-01-03.jsonl").write_bytes(started(1, 7) + started(2, 7, index=1))
    (tmp_path / TODAY).write_bytes(ended(1, 7))

    assert recover(tmp_path) == 1
    (exchange,) = [record for record in read(tmp_path) if record["type"] == "exchange"]
    assert (exchange["attempts"], exchange["cost_usd"], exchange["cost_estimated_usd"]) == (2, "0.000225", "0.0123")


def test_files_that_tell_of_each_other_are_remembered_together_or_not_at_all(tmp_path: Path) -> None:
    """A segment repeats a start whose end is in the one before, and has the end of another."""
    (tmp_path / TODAY).write_bytes(started(1) + started(2) + ended(1) + finished(1))
    (tmp_path / "costspan-2026-01-02.1.jsonl").write_bytes(started(1) + started(2) + ended(2) + finished(2))

    for days in (0, 1, 1, 2):
        assert recover(tmp_path, days=days) == 0
    assert sorted(json.loads_object((tmp_path / ".reconciled").read_bytes())) == [
        "costspan-2026-01-02.1.jsonl",
        "costspan-2026-01-02.jsonl",
    ]


def test_a_file_that_was_cut_is_read_with_those_that_have_its_ends(tmp_path: Path) -> None:
    (tmp_path / TODAY).write_bytes(started(1) + started(2) + ended(1) + finished(1))
    (tmp_path / "costspan-2026-01-02.1.jsonl").write_bytes(ended(2) + finished(2))
    recover(tmp_path, days=1)
    os.truncate(tmp_path / TODAY, len(started(1) + started(2)) + 10)  # a machine lost power

    assert recover(tmp_path, days=1) == 1  # at_1: its end is gone; that of at_2 is not
    assert ends_of(tmp_path).count(("attempt", "at_2")) == 1


def test_nothing_is_remembered_before_the_disk_has_confirmed_the_ends(tmp_path: Path) -> None:
    """Else a machine that fails now loses an end whose start is never looked at again."""
    (tmp_path / "costspan-2026-01-01.jsonl").write_bytes(started(1))
    (tmp_path / TODAY).write_bytes(ended(1) + finished(1))
    synced: list[int] = []

    def fsync(descriptor: int) -> None:
        assert not (tmp_path / ".reconciled").exists()
        synced.append(os.fstat(descriptor).st_ino)

    recover(tmp_path, system=files.System(fsync=fsync))

    assert (tmp_path / TODAY).stat().st_ino in synced
    assert b"costspan-2026-01-01.jsonl" in (tmp_path / ".reconciled").read_bytes()


def test_ends_that_could_not_be_synced_are_written_once_more(tmp_path: Path) -> None:
    (tmp_path / TODAY).write_bytes(started(1))
    errors = [OSError(5, "Input/output error")]

    def fsync(descriptor: int) -> None:
        if errors:
            raise errors.pop()
        os.fsync(descriptor)

    assert recover(tmp_path, system=files.System(fsync=fsync)) == 1
    again = (tmp_path / "costspan-2026-01-02.1.jsonl").read_bytes()
    assert (tmp_path / TODAY).read_bytes() == started(1) + again
    assert recover(tmp_path) == 0


def test_a_disk_that_is_full_at_the_start_leaves_recovery_to_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "costspan-2026-01-01.jsonl").write_bytes(started(1))

    def write(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device", descriptor, len(data))

    with pytest.raises(OSError, match="No space left"):
        recover(tmp_path, system=files.System(write=write))
    assert not (tmp_path / ".reconciled").exists()
    assert recover(tmp_path) == 1
