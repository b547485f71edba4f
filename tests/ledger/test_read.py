"""read: entries of all files in order, whatever else the files hold."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from costspan.ledger import lines, read, writer
from costspan.ledger.files import System
from costspan.ledger.read import Reader, parse
from costspan.ledger.writer import Writer
from fakes import ledger_records as records

if TYPE_CHECKING:
    from pathlib import Path

ATTEMPT = lines.attempt(records.attempt())
EXCHANGE = lines.exchange(records.exchange(), [records.attempt()])
STARTED = lines.attempt_started(records.started())
BEGAN = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def test_ends_are_entries_and_starts_are_not(tmp_path: Path) -> None:
    (tmp_path / "costspan-2026-01-02.jsonl").write_bytes(STARTED + ATTEMPT + EXCHANGE)
    reader = Reader(tmp_path)

    attempt, exchange = reader

    assert (attempt.type, attempt.id, attempt.time) == ("attempt", "at_1", BEGAN)
    assert attempt.cost_usd == Decimal("0.000225")
    assert attempt.cost_parts["output"] == Decimal("0.0002")
    assert (exchange.type, exchange.id) == ("exchange", "cs_1")
    assert reader.skipped == 0


def test_files_come_in_order_and_other_files_not_at_all(tmp_path: Path) -> None:
    for number, name in enumerate(["2026-01-02.1", "2026-01-03", "2026-01-02", "2026-01-02-1", "2026-02-31"]):
        line = lines.attempt(records.attempt(records.started(f"at_{number}")))
        (tmp_path / f"costspan-{name}.jsonl").write_bytes(line)
    (tmp_path / "notes.jsonl").write_bytes(ATTEMPT)

    assert [entry.id for entry in Reader(tmp_path)] == ["at_2", "at_0", "at_3", "at_1"]


DAMAGED: dict[str, bytes] = {
    "torn": ATTEMPT[:100],
    "not JSON": b"\0\0\0\n",
    "no object": b"[]\n",
    "another version": ATTEMPT.replace(b'"v":1', b'"v":2'),
    "another type": ATTEMPT.replace(b'"type":"attempt"', b'"type":"refund"'),
    "a field gone": ATTEMPT.replace(b'"outcome"', b'"outcame"'),
    "no money": ATTEMPT.replace(b'"0.000225"', b'"0.0x0225"'),
    "no time": ATTEMPT.replace(b'678Z"', b'678X"'),
    "no zone": ATTEMPT.replace(b'678Z"', b'6780"'),
    "an id that is none": ATTEMPT.replace(b'"id":"at_1"', b'"id":{}'),
}


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_bad_line_is_skipped_and_counted(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "costspan-2026-01-02.jsonl").write_bytes(line.rstrip(b"\n") + b"\n\n" + EXCHANGE)
    reader = Reader(tmp_path)

    assert [entry.type for entry in reader] == ["exchange"]
    assert reader.skipped == 1
    assert parse(line) is None


SPANS: dict[str, tuple[datetime | None, datetime | None, int]] = {
    "from its moment": (BEGAN, None, 1),
    "until its moment": (None, BEGAN, 0),
    "just around": (BEGAN, BEGAN + timedelta(milliseconds=1), 1),
    "the month after": (datetime(2026, 2, 1, tzinfo=UTC), None, 0),
}


@pytest.mark.parametrize(("since", "until", "expected"), SPANS.values(), ids=SPANS.keys())
def test_time_is_half_open(tmp_path: Path, since: datetime | None, until: datetime | None, expected: int) -> None:
    (tmp_path / "costspan-2026-01-02.jsonl").write_bytes(ATTEMPT)

    assert len(list(Reader(tmp_path, since, until))) == expected


def test_a_time_of_another_zone_is_told_in_utc(tmp_path: Path) -> None:
    (tmp_path / "costspan-2026-01-02.jsonl").write_bytes(ATTEMPT.replace(b"03:04:05.678Z", b"04:04:05.678+01:00"))
    reader = Reader(tmp_path)

    assert [line["time"] for line in reader.raw()] == ["2026-01-02T03:04:05.678Z"]
    assert [entry.time for entry in reader] == [BEGAN]


def test_lines_are_as_decoded_and_only_those_in_time(tmp_path: Path) -> None:
    (tmp_path / "costspan-2026-01-02.jsonl").write_bytes(STARTED + ATTEMPT + b"[]\n" + EXCHANGE)
    reader = Reader(tmp_path)

    assert [(line["type"], line["cost_usd"]) for line in reader.raw()] == [
        ("attempt", "0.000225"),
        ("exchange", "0.000225"),
    ]
    assert reader.skipped == 1
    assert list(Reader(tmp_path, BEGAN + timedelta(days=1)).raw()) == []


def test_a_last_line_without_its_newline_counts(tmp_path: Path) -> None:
    (tmp_path / "costspan-2026-01-02.jsonl").write_bytes(EXCHANGE + ATTEMPT.rstrip(b"\n"))

    assert [entry.type for entry in Reader(tmp_path)] == ["exchange", "attempt"]


@pytest.mark.parametrize("zeros", [9 << 20, (9 << 20) + 1], ids=["at a block's end", "just after it"])
def test_a_line_beyond_all_measure_is_one_bad_line_and_not_kept_in_memory(tmp_path: Path, zeros: int) -> None:
    with (tmp_path / "costspan-2026-01-02.jsonl").open("wb") as file:
        file.write(ATTEMPT)
        file.seek(zeros)
        file.write(b"\n" + EXCHANGE)
    reader = Reader(tmp_path)
    longest = max(len(line) for block in reader._blocks(tmp_path / "costspan-2026-01-02.jsonl") for line in block)

    assert [entry.type for entry in reader] == ["attempt", "exchange"]
    assert reader.skipped == 1
    assert longest <= 6 << 20


def test_who_watches_sees_every_mebibyte_and_the_end(tmp_path: Path) -> None:
    (tmp_path / "costspan-2026-01-02.jsonl").write_bytes(STARTED + ATTEMPT * 1_500)
    (tmp_path / "costspan-2026-01-03.jsonl").write_bytes(EXCHANGE)
    size = len(STARTED) + len(ATTEMPT) * 1_500 + len(EXCHANGE)
    seen: list[tuple[int, int]] = []

    entries = list(Reader(tmp_path, watch=lambda reader: seen.append((reader.read, reader.size))))

    assert [entry.type for entry in entries] == ["attempt", "exchange"]
    assert (seen[0], seen[-1]) == ((1 << 20, size), (size, size))


class Disk:
    """Takes so many writes and syncs, then refuses once, and so on."""

    def __init__(self) -> None:
        self.writes: list[int] = []
        self.syncs: list[bool] = []

    def write(self, descriptor: int, data: bytes) -> int:
        if self.writes:
            if self.writes[0] == 0:
                self.writes.pop(0)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.writes[0] -= 1
        return os.write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        if self.syncs and not self.syncs.pop(0):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.fsync(descriptor)


async def write(directory: Path, *, syncs: list[bool], refused_after: int | None, days: int) -> None:
    """Write 12 000 attempts, one on a later day, and after each of `syncs` 700 more."""
    now, disk, written = records.TIME, Disk(), 0
    disk.syncs = syncs.copy()
    ledger = Writer(
        directory,
        fsync_interval=1.0,
        keep_days=90,
        clock=lambda: now,
        system=System(disk.write, disk.fsync),
    )
    ledger.start()

    def some(count: int) -> None:
        nonlocal written
        for _ in range(count):
            written += 1
            ledger.attempt_ended(records.attempt(records.started(f"at_{written}", f"cs_{written}")))

    some(12_000)
    now += 86_400.0 * days
    some(1)
    for _ in syncs:
        if refused_after is not None:
            disk.writes = [refused_after]
        await ledger.flush()
        some(700)
    await ledger.close()


def lines_of_attempts(directory: Path) -> int:
    return sum(path.read_bytes().count(b'{"type":"attempt",') for path in directory.iterdir())


FAILED_SYNCS: dict[str, tuple[list[bool], int | None, int]] = {
    "one": ([False], None, 0),
    "one after midnight": ([False, False], None, 1),
    "three in a row": ([False, False, False], None, 0),
    "and a disk that is full in the middle of writing again": ([False, True, False, False], 4_000, 0),
    "and a disk that is full at once": ([False, False, False], 0, 0),
}


@pytest.mark.parametrize(("syncs", "refused_after", "days"), FAILED_SYNCS.values(), ids=FAILED_SYNCS.keys())
async def test_what_the_writer_wrote_again_after_a_failed_sync_comes_once(
    tmp_path: Path, syncs: list[bool], refused_after: int | None, days: int
) -> None:
    await write(tmp_path, syncs=syncs, refused_after=refused_after, days=days)
    expected = 12_001 + 700 * len(syncs)
    assert lines_of_attempts(tmp_path) >= expected + 9_000
    assert sorted(int(line["id"].removeprefix("at_")) for line in Reader(tmp_path).raw()) == [*range(1, expected + 1)]


def test_each_writer_is_remembered_by_itself(tmp_path: Path) -> None:
    for worker in range(3):
        first = b"".join(
            lines.attempt(records.attempt(records.started(f"at_{worker}_{number}"))) for number in range(9_000)
        )
        suffix = f"-{worker}" if worker else ""
        (tmp_path / f"costspan-2026-01-02{suffix}.jsonl").write_bytes(first)
        (tmp_path / f"costspan-2026-01-03{suffix}.jsonl").write_bytes(first)

    assert sum(1 for _ in Reader(tmp_path).raw()) == 27_000


def test_an_attempt_and_an_exchange_of_one_id_are_two_records(tmp_path: Path) -> None:
    same = lines.attempt(records.attempt(records.started("cs_1")))
    (tmp_path / "costspan-2026-01-02.jsonl").write_bytes(same + EXCHANGE + same + EXCHANGE)

    assert [entry.type for entry in Reader(tmp_path)] == ["attempt", "exchange"]


def test_as_much_is_remembered_as_a_writer_may_write_again() -> None:
    assert read._REMEMBERED >= writer.RING
