"""recovery: every attempt that started has exactly one end, after a kill and after damage to the file."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from costspan.ledger import files, lines, recovery
from costspan.wire import json
from fakes import ledger_records as records
from fakes.ledger_lines import ended, finished, read, started

if TYPE_CHECKING:
    import pytest

TODAY = "costspan-2026-01-02.jsonl"
KILLS = 20
SEED = 20260102


def clock() -> float:
    return records.TIME


def recover(directory: Path, worker: int = 0) -> int:
    return recovery.recover(directory, worker=worker, clock=clock)


def test_an_attempt_without_an_end_is_closed_at_its_estimate(tmp_path: Path) -> None:
    (tmp_path / TODAY).write_bytes(started(1))

    assert recover(tmp_path) == 1
    _, attempt, exchange = read(tmp_path)
    assert attempt == {
        **json.loads_object(ended(1)),
        "outcome": "recovered",
        "http_status": None,
        "model_served": None,
        "finish_reasons": [],
        "usage": {},
        "units": {},
        "cost_usd": None,
        "cost_estimated_usd": "0.0123",
        "cost_status": "estimated",
        "cost_parts": {},
        "estimate_basis": "prompt_bytes/4+max_tokens",
        "service_tier": None,
        "upstream_id": None,
        "duration_ms": None,
        "first_token_ms": None,
    }
    assert exchange.keys() == json.loads_object(finished(1)).keys()
    assert (exchange["id"], exchange["outcome"], exchange["attempts"]) == ("cs_1", "recovered", 1)
    assert (exchange["cost_usd"], exchange["cost_estimated_usd"], exchange["cost_status"]) == (
        None,
        "0.0123",
        "estimated",
    )


def test_recovered_lines_keep_the_order_of_their_fields(tmp_path: Path) -> None:
    (tmp_path / TODAY).write_bytes(started(1))
    recover(tmp_path)
    _, attempt, exchange = read(tmp_path)

    assert list(attempt) == list(json.loads_object(ended(1)))
    assert list(exchange) == list(json.loads_object(finished(1)))


def test_without_a_price_the_recovered_attempt_is_unpriced_and_not_free(tmp_path: Path) -> None:
    (tmp_path / TODAY).write_bytes(started(1, estimate=None))
    recover(tmp_path)
    attempt = read(tmp_path)[1]

    assert (attempt["cost_estimated_usd"], attempt["cost_status"]) == (None, "unpriced")


def test_a_recovered_exchange_sums_all_of_its_attempts(tmp_path: Path) -> None:
    (tmp_path / TODAY).write_bytes(
        started(1, 7) + ended(1, 7) + started(2, 7, index=1) + ended(2, 7) + started(3, 7, index=2)
    )

    assert recover(tmp_path) == 1
    exchange = read(tmp_path)[-1]
    assert (exchange["id"], exchange["attempts"]) == ("cs_7", 3)
    assert (exchange["cost_usd"], exchange["cost_estimated_usd"]) == ("0.000450", "0.0123")
    assert exchange["cost_parts"] == {"input": "0.0000250", "cache_read": "0.0000250", "output": "0.0004"}
    assert exchange["cost_status"] == "estimated"
    assert exchange["model_served"] == "gpt-5-2025-08-07"


def test_an_exchange_that_has_its_line_gets_no_second_one(tmp_path: Path) -> None:
    (tmp_path / TODAY).write_bytes(started(1, 7) + started(2, 7) + ended(1, 7) + finished(7))

    assert recover(tmp_path) == 1
    assert [record["type"] for record in read(tmp_path)[4:]] == ["attempt"]


def test_a_kill_between_the_attempts_end_and_the_exchanges_end_is_mended(tmp_path: Path) -> None:
    (tmp_path / TODAY).write_bytes(started(1) + ended(1))

    assert recover(tmp_path) == 0
    exchange = read(tmp_path)[-1]
    assert (exchange["type"], exchange["cost_usd"], exchange["cost_status"]) == ("exchange", "0.000225", "exact")


def test_a_second_recovery_adds_nothing(tmp_path: Path) -> None:
    (tmp_path / TODAY).write_bytes(started(1) + started(2) + ended(2))
    recover(tmp_path)
    before = (tmp_path / TODAY).read_bytes()

    assert recover(tmp_path) == 0
    assert (tmp_path / TODAY).read_bytes() == before


def test_a_start_that_was_appended_again_after_its_end_is_not_open(tmp_path: Path) -> None:
    (tmp_path / TODAY).write_bytes(started(1) + ended(1) + finished(1))
    (tmp_path / "costspan-2026-01-02.1.jsonl").write_bytes(started(1))

    assert recover(tmp_path) == 0


def test_a_live_workers_attempts_are_left_alone_and_a_dead_ones_are_closed(tmp_path: Path) -> None:
    (tmp_path / "costspan-2026-01-02-1.jsonl").write_bytes(started(1))
    (tmp_path / "costspan-2026-01-02-2.jsonl").write_bytes(started(2))
    lock = files.lock(tmp_path, 1)
    assert lock is not None

    assert recover(tmp_path) == 1
    assert (tmp_path / "costspan-2026-01-02-1.jsonl").read_bytes() == started(1)
    assert b'"recovered"' in (tmp_path / "costspan-2026-01-02-2.jsonl").read_bytes()

    os.close(lock)
    assert recover(tmp_path) == 1


def test_what_started_before_midnight_is_closed_in_todays_file_and_the_old_one_is_not_read_again(
    tmp_path: Path,
) -> None:
    yesterday = tmp_path / "costspan-2026-01-01.jsonl"
    yesterday.write_bytes(started(1))

    assert recover(tmp_path) == 1
    assert b'"recovered"' in (tmp_path / TODAY).read_bytes()
    assert json.loads_object((tmp_path / ".reconciled").read_bytes()) == {yesterday.name: len(started(1))}

    (tmp_path / TODAY).unlink()
    assert recover(tmp_path) == 0  # by the note alone: the end is gone

    yesterday.write_bytes(started(1) + started(2))
    assert recover(tmp_path) == 2  # another size: read after all


def test_damaged_lines_are_passed_over_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / TODAY).write_bytes(
        started(1) + b"\0" * 5000 + b"\n\n" + ended(1)[:300] + b"\n" + ended(2)[:-9] + b"}\n" + b'{"type":"atte'
    )

    assert recover(tmp_path) == 1
    assert "4 damaged lines" in caplog.text


def test_a_line_cut_behind_a_brace_is_no_end(tmp_path: Path) -> None:
    line = ended(1)
    cut = line[: line.index(b'"units"') - 1]  # ends with the brace of `usage`
    assert cut.endswith(b"}")
    (tmp_path / TODAY).write_bytes(started(1) + cut + b"\n" + (started(2) + ended(2) + finished(2)) * 200)

    assert recover(tmp_path) == 1


def test_a_file_of_zeros_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "_LONGEST", 1 << 19)
    (tmp_path / TODAY).write_bytes(b"\0" * (3 << 20) + b"\n" + started(1))

    assert recover(tmp_path) == 1


WHOLE = b"".join(started(n) + ended(n) + finished(n) for n in range(4)) + started(4) + ended(4) + started(5)


def damage(data: bytes, kind: str, place: int) -> bytes:
    place %= len(data)
    match kind:
        case "truncate":
            return data[:place]
        case "flip":
            return data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1 :]
        case _:
            return data[:place] + b"\n" + data[place:]


@given(st.lists(st.tuples(st.sampled_from(["truncate", "flip", "newline"]), st.integers(0, 10**6)), max_size=3))
@settings(max_examples=60, deadline=None)
def test_whatever_happens_to_the_file_each_readable_start_has_exactly_one_readable_end(
    damages: list[tuple[str, int]],
) -> None:
    data = WHOLE
    for kind, place in damages:
        data = damage(data, kind, place) or b"\n"
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / TODAY).write_bytes(data)
        recover(directory)
        starts, ends = readable(directory)
        assert recover(directory) == 0

    assert {id_ for id_ in starts if ends[id_] != 1} == set()


def readable(directory: Path) -> tuple[set[str], Counter[str]]:
    """Ids that started, and how often each one ended, in lines that a reader and recovery can both read."""
    starts: set[str] = set()
    ends: Counter[str] = Counter()
    for path in directory.glob("costspan-*"):
        for line in path.read_bytes().split(b"\n"):
            if not recovery._HEAD.match(line) or recovery._is_damaged(line):
                continue
            found = json.loads_object(line)
            if "config_generation" not in found:  # a bit flip in the name of the key
                continue
            if found["type"] == "attempt_started":
                starts.add(found["id"])
            elif found["type"] == "attempt":
                ends[found["id"]] += 1
    return starts, ends


def run_and_kill(directory: Path, chance: random.Random, *options: str) -> set[str]:
    """Let a process append and kill it at a random moment. Returns the ids of the attempts it told of."""
    script = Path(__file__).with_name("appending_process.py")
    environment = {**os.environ, "PYTHONPATH": str(script.parent.parent)}
    with subprocess.Popen(
        [sys.executable, str(script), str(directory), *options], stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        told = process.stdout.read(chance.randrange(20, 20_000))  # that many bytes later it dies
        process.kill()
        told += process.stdout.read()
    return {line.decode() for line in told.split(b"\n")[:-1]}


def test_after_kills_at_random_moments_every_attempt_has_exactly_one_end(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    told: set[str] = set()
    for _ in range(KILLS):
        told |= run_and_kill(tmp_path, chance)
    recover(tmp_path)
    starts, ends = readable(tmp_path)

    assert told <= starts
    assert ends == Counter(starts)
    assert b'"outcome":"recovered"' in (tmp_path / TODAY).read_bytes()
    assert recover(tmp_path) == 0


def test_the_kill_test_would_notice_starts_that_are_not_written(tmp_path: Path) -> None:
    """The control run: an attempt that was told of just before the kill has no end."""
    chance = random.Random(SEED)
    lost: set[str] = set()
    for _ in range(KILLS):
        lost |= run_and_kill(tmp_path, chance, "without-starts")
        recover(tmp_path)
        lost -= set(readable(tmp_path)[1])
        if lost:
            break

    assert lost


def test_decimals_that_no_longer_are_any_do_not_stop_recovery(tmp_path: Path) -> None:
    broken = ended(1).replace(b'"cost_usd":"0.000225"', b'"cost_usd":"0.00x225"')
    (tmp_path / TODAY).write_bytes(started(1) + broken)

    assert recover(tmp_path) == 0
    assert read(tmp_path)[-1]["cost_usd"] is None


def test_an_estimate_keeps_its_digits(tmp_path: Path) -> None:
    tiny = replace(records.started(), estimate_usd=Decimal("1E-12"))
    (tmp_path / TODAY).write_bytes(lines.attempt_started(tiny))
    recover(tmp_path)

    assert read(tmp_path)[1]["cost_estimated_usd"] == "0.000000000001"
