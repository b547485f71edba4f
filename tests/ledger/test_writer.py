"""writer: appends that never fail, whatever the disk does."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from costspan.ledger import files, lines
from costspan.ledger import writer as writer_module
from costspan.ledger.files import System
from costspan.ledger.writer import NullWriter, Writer
from costspan.wire import json
from fakes import ledger_records as records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from costspan.ledger.records import Attempt

DAY = 86_400.0


class Clock:
    def __init__(self) -> None:
        self.now = records.TIME

    def __call__(self) -> float:
        return self.now


class Disk:
    """System calls that can be told to fail, and remember what they were asked."""

    def __init__(self) -> None:
        self.error: int | None = None
        self.short: int | None = None
        self.fsync_errors: list[int] = []
        self.synced: list[int] = []

    def write(self, descriptor: int, data: bytes) -> int:
        if self.short is not None:
            size, self.short = self.short, None
            return os.write(descriptor, data[:size])
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        return os.write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        self.synced.append(descriptor)
        if self.fsync_errors:
            code = self.fsync_errors.pop(0)
            raise OSError(code, os.strerror(code))
        os.fsync(descriptor)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def disk() -> Disk:
    return Disk()


def make(directory: Path, clock: Clock, disk: Disk, *, worker: int = 0, keep_days: int = 90) -> Writer:
    return Writer(
        directory,
        worker=worker,
        fsync_interval=1.0,
        keep_days=keep_days,
        clock=clock,
        system=System(disk.write, disk.fsync),
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
async def writer(ledger: Path, clock: Clock, disk: Disk) -> Writer:
    made = make(ledger, clock, disk)
    made.start()
    return made


def ids(directory: Path) -> list[str]:
    """Type and id of each whole line, in order of the files' names."""
    return list(_ids(directory))


def _ids(directory: Path) -> Iterator[str]:
    for path in sorted(directory.glob("costspan-*.jsonl")):
        for line in path.read_bytes().splitlines():
            if line.endswith(b',"config_generation":3}'):
                found = json.loads_object(line)
                yield f"{found['type']} {found['id']}"


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("costspan-*"))


def modes(directory: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in directory.iterdir()}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def fill(directory: Path, files: dict[str, bytes]) -> None:
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_bytes(content)


def link(directory: Path, name: str, target: str) -> Path:
    directory.mkdir()
    (directory / name).symlink_to(target)
    return directory / name


def attempt_of(id_: str) -> Attempt:
    return records.attempt(records.started(id_))


async def test_each_record_is_in_the_days_file_before_the_call_returns(writer: Writer, ledger: Path) -> None:
    writer.attempt_started(records.started())
    writer.attempt_ended(records.attempt())
    writer.exchange_ended(records.exchange(), [records.attempt()])

    assert names(ledger) == ["costspan-2026-01-02.jsonl"]
    assert ids(ledger) == ["attempt_started at_1", "attempt at_1", "exchange cs_1"]


async def test_only_the_owner_can_read_the_ledger(writer: Writer, ledger: Path) -> None:
    writer.attempt_started(records.started())

    assert mode(ledger) == 0o700
    assert modes(ledger) == {0o600}


async def test_a_second_process_writes_as_the_next_free_worker(
    writer: Writer, ledger: Path, clock: Clock, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    second = make(ledger, clock, disk)
    second.start()
    second.attempt_started(records.started())

    assert (writer.worker, second.worker) == (0, 1)
    assert "costspan-2026-01-02-1.jsonl" in names(ledger)
    assert "writing as worker 1" in caplog.text


async def test_a_closed_writer_gives_its_place_up(writer: Writer, ledger: Path, clock: Clock, disk: Disk) -> None:
    await writer.close()
    await writer.close()
    next_ = make(ledger, clock, disk)
    next_.start()

    assert next_.worker == 0


async def test_a_record_after_the_close_is_counted_as_lost(writer: Writer, ledger: Path) -> None:
    await writer.close()
    writer.attempt_ended(records.attempt())

    assert (writer.lost, writer.lost_usd) == (1, Decimal("0.000225"))


FULL = {"no space": errno.ENOSPC, "read-only": errno.EROFS, "broken": errno.EIO, "quota": errno.EDQUOT}


@pytest.mark.parametrize("error", FULL.values(), ids=FULL.keys())
async def test_a_disk_that_refuses_costs_nothing_but_time(writer: Writer, ledger: Path, disk: Disk, error: int) -> None:
    writer.attempt_started(records.started("at_1"))
    disk.error = error
    writer.attempt_ended(attempt_of("at_1"))
    writer.attempt_started(records.started("at_2"))

    assert (writer.degraded, writer.waiting) == (True, 2)
    assert ids(ledger) == ["attempt_started at_1"]

    disk.error = None
    writer.attempt_ended(attempt_of("at_2"))

    assert (writer.degraded, writer.waiting, writer.lost) == (False, 0, 0)
    assert ids(ledger) == ["attempt_started at_1", "attempt at_1", "attempt_started at_2", "attempt at_2"]


async def test_the_flusher_brings_waiting_records_to_the_disk_without_new_traffic(
    writer: Writer, ledger: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    disk.error = errno.ENOSPC
    writer.attempt_started(records.started())
    await writer.flush()

    assert (writer.degraded, writer.waiting) == (True, 1)

    disk.error = None
    await writer.flush()

    assert (writer.degraded, writer.waiting) == (False, 0)
    assert ids(ledger) == ["attempt_started at_1"]
    assert "writable again" in caplog.text


async def test_a_really_full_device_is_survived(ledger: Path, clock: Clock, disk: Disk) -> None:
    file = link(ledger, "costspan-2026-01-02.jsonl", "/dev/full")
    writer = make(ledger, clock, disk)
    writer._rotate(writer._today())
    writer.attempt_started(records.started())

    assert (writer.degraded, writer.waiting) == (True, 1)

    file.unlink()
    await writer.flush()

    assert not writer.degraded
    assert ids(ledger) == ["attempt_started at_1"]


async def test_what_falls_out_of_the_ring_is_counted_with_its_money(
    writer: Writer, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "RING", 3)
    disk.error = errno.ENOSPC
    estimated = replace(records.attempt(), cost_usd=None, cost_estimated_usd=Decimal("0.5"), cost_status="estimated")
    for ended in (records.attempt(), estimated, records.attempt(), records.attempt(), records.attempt()):
        writer.attempt_ended(ended)

    assert (writer.waiting, writer.lost, writer.lost_usd) == (3, 2, Decimal("0.500225"))


async def test_it_shouts_at_most_once_a_minute(
    writer: Writer, clock: Clock, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    disk.error = errno.ENOSPC
    for seconds in (0, 1, 58, 1, 30):  # the fourth is a minute after the first
        clock.now += seconds
        writer.attempt_started(records.started())

    shouts = [record for record in caplog.records if record.levelno == logging.CRITICAL]

    assert len(shouts) == 2
    assert "No space left on device" in shouts[0].getMessage()


async def test_a_write_cut_short_is_finished(writer: Writer, ledger: Path, disk: Disk) -> None:
    disk.short = 10
    writer.attempt_started(records.started("at_1"))
    writer.attempt_started(records.started("at_2"))

    assert ids(ledger) == ["attempt_started at_1", "attempt_started at_2"]
    assert (ledger / "costspan-2026-01-02.jsonl").read_bytes().count(b"\n") == 2


async def test_a_write_that_failed_half_way_does_not_touch_the_next_record(
    writer: Writer, ledger: Path, disk: Disk
) -> None:
    disk.short, disk.error = 10, errno.ENOSPC
    writer.attempt_started(records.started("at_1"))
    disk.error = None
    writer.attempt_started(records.started("at_2"))

    written = (ledger / "costspan-2026-01-02.jsonl").read_bytes().splitlines()

    assert written[0] == b'{"type":"a'
    assert ids(ledger) == ["attempt_started at_1", "attempt_started at_2"]


async def test_a_torn_line_of_a_predecessor_does_not_touch_the_next_record(
    ledger: Path, clock: Clock, disk: Disk
) -> None:
    fill(ledger, {"costspan-2026-01-02.jsonl": b'{"type":"atte'})
    writer = make(ledger, clock, disk)
    writer.start()
    writer.attempt_started(records.started())

    assert (ledger / "costspan-2026-01-02.jsonl").read_bytes().startswith(b'{"type":"atte\n{"type":"attempt_started"')


async def test_a_flush_syncs_once_and_only_what_is_new(writer: Writer, disk: Disk) -> None:
    await writer.flush()
    writer.attempt_started(records.started())
    await writer.flush()
    await writer.flush()

    assert len(disk.synced) == 1


async def test_a_new_files_name_is_synced_with_it(
    writer: Writer, ledger: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[list[str]] = []
    monkeypatch.setattr(files, "sync", lambda directory: synced.append(names(directory)))
    for _ in range(3):
        writer.attempt_started(records.started())
        await writer.flush()
    clock.now += DAY
    writer.attempt_ended(records.attempt())
    await writer.flush()

    assert synced == [["costspan-2026-01-02.jsonl"], ["costspan-2026-01-02.jsonl", "costspan-2026-01-03.jsonl"]]


async def test_without_an_interval_nothing_is_synced(ledger: Path, clock: Clock, disk: Disk) -> None:
    writer = Writer(ledger, fsync_interval=0, keep_days=90, clock=clock, system=System(disk.write, disk.fsync))
    writer.start()
    writer.attempt_started(records.started())
    await writer.flush()
    await writer.close()

    assert disk.synced == []
    assert ids(ledger) == ["attempt_started at_1"]


async def test_a_failed_sync_is_never_repeated_and_its_records_go_to_a_new_segment(
    writer: Writer, ledger: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    writer.attempt_started(records.started("at_1"))
    await writer.flush()
    writer.attempt_ended(attempt_of("at_1"))
    disk.fsync_errors = [errno.EIO]
    await writer.flush()
    writer.attempt_started(records.started("at_2"))
    await writer.flush()

    assert names(ledger) == ["costspan-2026-01-02.1.jsonl", "costspan-2026-01-02.jsonl"]
    assert ids(ledger) == ["attempt at_1", "attempt_started at_2", "attempt_started at_1", "attempt at_1"]
    assert len(disk.synced) == 3
    assert "costspan-2026-01-02.jsonl is suspect" in caplog.text
    assert not writer.degraded


async def test_a_restart_goes_on_in_the_last_segment(writer: Writer, ledger: Path, clock: Clock, disk: Disk) -> None:
    writer.attempt_started(records.started("at_1"))
    disk.fsync_errors = [errno.EIO]
    await writer.flush()
    writer.attempt_ended(attempt_of("at_1"))
    await writer.close()
    next_ = make(ledger, clock, disk)

    assert next_.start() == 0
    next_.attempt_started(records.started("at_2"))

    assert b'"at_2"' in (ledger / "costspan-2026-01-02.1.jsonl").read_bytes()


async def test_a_deleted_file_is_noticed_and_written_anew(writer: Writer, ledger: Path) -> None:
    writer.attempt_started(records.started("at_1"))
    (ledger / "costspan-2026-01-02.jsonl").unlink()
    await writer.flush()

    assert ids(ledger) == ["attempt_started at_1"]


async def test_midnight_starts_a_file_and_the_old_one_is_synced(
    writer: Writer, ledger: Path, clock: Clock, disk: Disk
) -> None:
    writer.attempt_started(records.started())
    clock.now += DAY
    writer.attempt_ended(records.attempt())
    await writer.flush()

    assert names(ledger) == ["costspan-2026-01-02.jsonl", "costspan-2026-01-03.jsonl"]
    assert len(disk.synced) == 2


async def test_old_files_go_at_start_and_at_midnight_and_nobody_elses(ledger: Path, clock: Clock, disk: Disk) -> None:
    kept = ["costspan-2026-01-01.jsonl", "costspan-2025-12-31-3.jsonl", "costspan-old.jsonl"]
    old = ["costspan-2025-12-30.jsonl", "costspan-2025-12-29-2.1.jsonl"]
    fill(ledger, dict.fromkeys([*kept, *old], b""))
    writer = make(ledger, clock, disk, keep_days=2)
    writer.start()

    assert names(ledger) == sorted([*kept, "costspan-2026-01-02.jsonl"])

    clock.now += DAY
    writer.attempt_started(records.started())
    await writer.flush()

    assert "costspan-2025-12-31-3.jsonl" not in names(ledger)
    assert "costspan-2026-01-01.jsonl" in names(ledger)


async def test_a_clock_that_jumps_years_ahead_deletes_nothing(writer: Writer, ledger: Path, clock: Clock) -> None:
    writer.attempt_started(records.started())
    clock.now += 3_000 * DAY
    writer.attempt_ended(records.attempt())
    await writer.flush()
    clock.now -= 3_000 * DAY
    writer.exchange_ended(records.exchange(), [])
    await writer.flush()

    assert len(names(ledger)) == 2
    assert sorted(ids(ledger)) == ["attempt at_1", "attempt_started at_1", "exchange cs_1"]


async def test_a_directory_that_cannot_be_made_degrades_the_ledger_and_not_the_start(
    tmp_path: Path, clock: Clock, disk: Disk
) -> None:
    (tmp_path / "ledger").write_text("a file is in the way")
    writer = make(tmp_path / "ledger", clock, disk)

    assert writer.start() == 0
    writer.attempt_started(records.started())
    await writer.flush()
    assert (writer.degraded, writer.waiting) == (True, 1)

    (tmp_path / "ledger").unlink()
    await writer.flush()
    assert (writer.degraded, ids(tmp_path / "ledger")) == (False, ["attempt_started at_1"])


async def test_a_file_that_recovery_could_not_sync_is_not_gone_on_with(ledger: Path, clock: Clock, disk: Disk) -> None:
    line = lines.attempt_started(records.started("at_1"))
    fill(ledger, {"costspan-2026-01-02.jsonl": line})
    disk.fsync_errors = [errno.EIO, errno.EIO]  # of the ends, and of the ends once more
    writer = make(ledger, clock, disk)

    assert writer.start() == 0
    writer.attempt_started(records.started("at_2"))
    await writer.flush()

    assert names(ledger)[:2] == ["costspan-2026-01-02.1.jsonl", "costspan-2026-01-02.2.jsonl"]
    assert b'"at_2"' in (ledger / "costspan-2026-01-02.2.jsonl").read_bytes()
    assert not writer.degraded


async def test_run_ends_when_the_writer_is_closed(writer: Writer) -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(writer.run())
        await asyncio.sleep(0)
        await writer.close()

    assert writer.waiting == 0


async def test_what_still_waits_at_the_close_is_counted_as_lost(writer: Writer, disk: Disk) -> None:
    disk.error = errno.ENOSPC
    writer.attempt_ended(records.attempt())
    await writer.close()

    assert (writer.lost, writer.lost_usd) == (1, Decimal("0.000225"))


async def test_the_null_writer_leaves_no_trace(tmp_path: Path) -> None:
    writer = NullWriter()
    writer.start()
    writer.attempt_started(records.started())
    writer.attempt_ended(records.attempt())
    writer.exchange_ended(records.exchange(), [])
    await writer.run()
    await writer.flush()
    await writer.close()

    assert modes(tmp_path) == set()
    assert not writer.degraded
