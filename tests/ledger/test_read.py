"""read: entries of all files in order, whatever else the files hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from costspan.ledger import lines
from costspan.ledger.read import Reader, parse
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
