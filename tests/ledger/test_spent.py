"""costspan.ledger.spent: what budgets had spent before, exact, without reading the whole ledger at each start."""

from __future__ import annotations

import logging
import stat
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from costspan.ledger import lines, spent
from costspan.ledger.spent import Spent
from costspan.routing.budget import number_of
from fakes import ledger_records

if TYPE_CHECKING:
    from pathlib import Path

    from costspan.routing.budget import Match

D = Decimal
A: Match = (("team", "a"),)
ALL: Match = ()
EVER = 0


def day(text: str) -> int:
    return number_of(date.fromisoformat(text))


class Folder:
    """A ledger's folder, written line by line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made = 0

    def attempt(
        self,
        usd: str | None,
        when: str = "2026-11-26T12:00",
        *,
        team: str = "a",
        estimated: str | None = None,
        name: str | None = None,
        id_: str | None = None,
    ) -> str:
        """Append an attempt that began at `when` to the file of that day, or to that of `name`."""
        self._made += 1
        id_ = id_ or f"at_{self._made}"
        began = datetime.fromisoformat(when).replace(tzinfo=UTC)
        started = replace(
            ledger_records.started(id_),
            origin=replace(ledger_records.origin(), attributes={"team": team}),
            time_ns=int(began.timestamp()) * 1_000_000_000,
        )
        ended = replace(
            ledger_records.attempt(started),
            cost_usd=None if usd is None else D(usd),
            cost_estimated_usd=None if estimated is None else D(estimated),
        )
        self.write(
            lines.attempt_started(started) + lines.attempt(ended) + lines.exchange(ledger_records.exchange(), []),
            name or when[:10],
        )
        return id_

    def write(self, data: bytes, name: str) -> None:
        with (self.path / f"costspan-{name}.jsonl").open("ab") as file:
            file.write(data)

    def start(self, *wanted: Match, since: int = EVER, worker: int = 0) -> dict[Match, dict[int, Decimal]]:
        """What a process finds out at its start, and keeps."""
        it = Spent(self.path, lambda: worker)
        cut = it.cut()
        found = it.restore(dict.fromkeys(wanted, since), cut)
        it.save({match: (since, days) for match, days in found.items()}, cut)
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_attempts_are_summed_by_attributes_and_the_day_on_which_they_began(folder: Folder) -> None:
    folder.attempt("0.1")
    folder.attempt("0.2", team="b")
    folder.attempt(None, estimated="0.004")
    folder.attempt(None)  # unpriced
    folder.attempt("1", "2026-11-25T23:59", name="2026-11-26")

    assert folder.start(ALL, A) == {
        ALL: {day("2026-11-25"): D(1), day("2026-11-26"): D("0.304")},
        A: {day("2026-11-25"): D(1), day("2026-11-26"): D("0.104")},
    }


def test_the_next_start_reads_only_what_came_after(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spent, "OVERLAP", 0)
    folder.attempt("1", "2026-11-25T12:00")
    folder.attempt("0.5")
    assert folder.start(ALL) == {ALL: {day("2026-11-25"): D(1), day("2026-11-26"): D("0.5")}}

    for name in ("2026-11-25", "2026-11-26"):  # what was read is not looked at again: it may be anything by now
        path = folder.path / f"costspan-{name}.jsonl"
        path.write_bytes(b"x" * (path.stat().st_size - 1) + b"\n")
    folder.attempt("0.25")
    folder.attempt("0.125", "2026-11-27T00:00")
    assert folder.start(ALL) == {
        ALL: {day("2026-11-25"): D(1), day("2026-11-26"): D("0.75"), day("2026-11-27"): D("0.125")}
    }


def test_a_line_that_begins_where_the_last_start_ended_counts(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spent, "OVERLAP", 0)
    folder.attempt("1")
    folder.start(ALL)
    began = replace(ledger_records.started("at_9"), origin=ledger_records.origin())
    folder.write(lines.attempt(replace(ledger_records.attempt(began), cost_usd=D("0.5"))), "2026-11-26")

    assert folder.start(ALL) == {ALL: {day("2026-11-26"): D(1), day("2026-01-02"): D("0.5")}}


def test_what_was_deleted_is_still_in_the_sum(folder: Folder) -> None:
    folder.attempt("1", "2026-01-01T12:00")
    folder.attempt("0.5")
    folder.start(ALL)
    (folder.path / "costspan-2026-01-01.jsonl").unlink()

    assert folder.start(ALL) == {ALL: {day("2026-01-01"): D(1), day("2026-11-26"): D("0.5")}}
    assert folder.start(ALL) == {ALL: {day("2026-01-01"): D(1), day("2026-11-26"): D("0.5")}}


def test_attributes_that_were_not_asked_for_before_are_summed_from_all_files_beside_those_that_were(
    folder: Folder,
) -> None:
    folder.attempt("1", "2026-11-25T12:00")
    folder.start(A)
    folder.attempt("0.5")
    folder.attempt("0.25", team="b")

    assert folder.start(A, ALL) == {
        A: {day("2026-11-25"): D(1), day("2026-11-26"): D("0.5")},
        ALL: {day("2026-11-25"): D(1), day("2026-11-26"): D("0.75")},
    }


def test_only_the_days_of_the_period_are_read(folder: Folder) -> None:
    folder.write(b"damaged\n", "2026-10-30")
    folder.attempt("1", "2026-10-31T23:00")
    folder.attempt("2", "2026-11-01T00:00", name="2026-10-31")  # the clock was set back
    folder.attempt("4", "2026-11-26T00:00")

    found = folder.start(ALL, since=day("2026-11-01"))
    assert found == {ALL: {day("2026-11-01"): D(2), day("2026-11-26"): D(4)}}
    assert folder.start(ALL, since=day("2026-11-05")) == found  # more than is asked for is known
    assert folder.start(ALL, since=day("2026-10-01")) == {ALL: found[ALL] | {day("2026-10-31"): D(1)}}


def test_what_a_writer_appended_again_after_a_failed_sync_counts_once(folder: Folder) -> None:
    again = folder.attempt("1")
    folder.start(ALL)
    folder.attempt("1", name="2026-11-26.1", id_=again)
    folder.attempt("0.5", name="2026-11-26.1")

    assert folder.start(ALL) == {ALL: {day("2026-11-26"): D("1.5")}}
    assert folder.start(ALL, A) == {ALL: {day("2026-11-26"): D("1.5")}, A: {day("2026-11-26"): D("1.5")}}


def test_the_sums_are_for_their_owner_only_and_say_what_they_are_of(folder: Folder) -> None:
    folder.attempt("0.10")
    folder.start(A)
    path = folder.path / ".spent"
    size = (folder.path / "costspan-2026-11-26.jsonl").stat().st_size

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == (
        f'{{"v":1,"files":{{"costspan-2026-11-26.jsonl":{size}}},'
        '"spent":[{"match":{"team":"a"},"since":"1970-01-01","days":{"2026-11-26":"0.10"}}]}\n'
    )
    assert [file.name for file in folder.path.iterdir() if "spent" in file.name] == [".spent"]


DAMAGED = {
    "torn": b'{"v":1,"fil',
    "empty": b"",
    "another version": b'{"v":2,"files":{},"spent":[]}',
    "a size that is none": b'{"v":1,"files":{"costspan-2026-11-26.jsonl":"x"},"spent":[]}',
    "a sum that is none": b'{"v":1,"files":{},"spent":[{"match":{},"since":"1970-01-01","days":{"2026-11-26":"x"}}]}',
    "a list": b"[]",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_sums_that_cannot_be_read_are_taken_again_and_it_is_said(
    folder: Folder, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    folder.attempt("1")
    folder.start(ALL)
    (folder.path / ".spent").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert folder.start(ALL) == {ALL: {day("2026-11-26"): D(1)}}
    assert "ledger: .spent cannot be read; what budgets have spent is summed from the files again" in caplog.messages


def test_a_file_that_became_shorter_is_summed_again_and_what_was_deleted_before_stays(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    folder.attempt("4", "2026-01-01T12:00")
    folder.attempt("1")
    whole = (folder.path / "costspan-2026-11-26.jsonl").read_bytes()
    folder.attempt("2")
    folder.start(ALL)
    (folder.path / "costspan-2026-01-01.jsonl").unlink()
    (folder.path / "costspan-2026-11-26.jsonl").write_bytes(whole)
    with caplog.at_level(logging.WARNING):
        assert folder.start(ALL) == {ALL: {day("2026-01-01"): D(4), day("2026-11-26"): D(1)}}
    assert "costspan-2026-11-26.jsonl is shorter than it was" in caplog.messages[0]


def test_damaged_lines_are_passed_over_and_said(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    folder.attempt("1")
    folder.write(
        b'{"type":"attempt","v":1,"id":"at_x"}\n\n{"type":"attempt",\n' + b"\0" * (5 << 20) + b"\n", "2026-11-26"
    )
    folder.attempt("2")
    folder.write(b'{"type":"attempt","v":1', "2026-11-26")
    with caplog.at_level(logging.WARNING):
        assert folder.start(ALL) == {ALL: {day("2026-11-26"): D(3)}}
    assert caplog.messages[-1] == "ledger: 3 damaged lines are in no budget's sum"


@pytest.mark.parametrize("overlap", [0, 50_000])
def test_places_are_told_over_blocks_and_long_lines(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, overlap: int
) -> None:
    monkeypatch.setattr(spent, "_BLOCK", 100)
    monkeypatch.setattr(spent, "_LONGEST", 5000)
    monkeypatch.setattr(spent, "OVERLAP", overlap)
    for count in range(1, 12):
        folder.write(b"z" * (count * 700) + b"\n", "2026-11-26")
        folder.attempt("1")
        assert folder.start(ALL) == {ALL: {day("2026-11-26"): D(count)}}


def test_what_another_process_writes_after_the_start_is_left_to_the_next_one(folder: Folder) -> None:
    folder.attempt("1")
    folder.attempt("2", name="2026-11-26-1")
    it = Spent(folder.path, lambda: 0)
    first = it.restore({ALL: EVER}, it.cut())
    folder.attempt("4", name="2026-11-26-1")
    folder.attempt("8", name="2026-11-27-1")
    folder.attempt("16")
    later = it.cut()

    assert first == {ALL: {day("2026-11-26"): D(3)}}
    assert it.restore({ALL: EVER}, later) == {ALL: {day("2026-11-26"): D(19)}}
    it.save({ALL: (EVER, {day("2026-11-26"): D(19)})}, later)
    assert folder.start(ALL) == {ALL: {day("2026-11-26"): D(31)}}


def test_without_a_file_there_is_nothing(folder: Folder) -> None:
    assert folder.start(ALL, A) == {ALL: {}, A: {}}


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Spent(tmp_path / "nowhere", lambda: 0).cut()


def test_sums_are_exact(folder: Folder) -> None:
    amounts = [D("0.1"), D("1E-20"), D("12345678901234567890.123456789"), D(1) / D(3)]
    for amount in amounts:
        folder.attempt(format(amount, "f"))
    expected = D("12345678901234567890.5567901223333333333433333333")
    assert folder.start(ALL) == {ALL: {day("2026-11-26"): expected}}
    assert folder.start(ALL) == {ALL: {day("2026-11-26"): expected}}
