"""Writes a ledger of N lines as a busy month leaves it, and measures what `costspan report` takes to read it.

    python benchmarks/ledger.py --lines 1000000                    write, measure, delete
    python benchmarks/ledger.py --lines 1000000 --keep /srv/ledger write only

A third of the lines each are `attempt_started`, `attempt` and `exchange`, made by the ledger's own encoder from some
thousand different calls and then repeated with new ids and times: a minute for 10 million lines, 11 GB. Refuses when
the disk would be left with less than a tenth free.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, cast

from costspan.ledger import lines
from costspan.ledger.records import Attempt, AttemptStarted, Exchange, Origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from costspan.ledger.records import CostStatus

FIRST_DAY = datetime(2026, 10, 1, tzinfo=UTC)
DAYS = 31
CALLS = 3_000
STREAMED = 0.7
LINES_A_CALL = 3
BYTES_A_LINE = 1_150
LIMIT_SECONDS = 3_600
MODELS = {
    ("openai", "gpt-5"): ("1.25", "0.125", "10"),
    ("openai", "gpt-5-mini"): ("0.25", "0.025", "2"),
    ("anthropic", "claude-sonnet-4-5"): ("3", "0.3", "15"),
    ("gemini", "gemini-2.5-flash"): ("0.3", "0.03", "2.5"),
    ("groq", "llama-3.3-70b"): ("0.59", "0.59", "0.79"),
}
"""USD a million tokens: fresh, cached, output."""
TEAMS = ("search", "checkout", "support", "growth", "data", "mobile", "platform", "risk")
FEATURES = ("autocomplete", "summary", "chat", "classify", "translate")

EXCHANGE_ID = "0190a7c0-0000-7000-8000-00000000000e"
ATTEMPT_ID = "0190a7c0-0000-7000-8000-00000000000a"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TIME_NS = 1_767_323_045_678_000_000
TIME = b"2026-01-02T03:04:05.678Z"


def call(choose: random.Random) -> tuple[bytes, bytes, bytes]:
    """The three lines of one call, with the placeholders above."""
    (provider, model), prices = choose.choice(list(MODELS.items()))
    fate = choose.choices(["exact", "estimated", "unpriced", "failed"], [94, 2, 2, 2])[0]
    usage = {"input": choose.randint(50, 8_000), "cache_read": choose.randint(0, 20) * 512}
    usage["output"] = choose.randint(5, 2_000)
    parts = {
        bucket: tokens * Decimal(price) / 1_000_000
        for (bucket, tokens), price in zip(usage.items(), prices, strict=True)
    }
    origin = Origin(
        exchange_id=EXCHANGE_ID,
        route=choose.choice(["smart", "fast", "cheap"]),
        strategy="fallback",
        operation="chat",
        model_asked="smart",
        dialect_in=choose.choice(["openai-chat", "anthropic-messages", "openai-responses"]),
        stream=choose.random() < STREAMED,
        key=choose.choice(["web", "batch", "internal"]),
        attributes={"team": choose.choice(TEAMS), "feature": choose.choice(FEATURES), "environment": "production"},
        client_request_id=None,
        trace_id=TRACE_ID,
        span_id="b7ad6b7169203331",
        parent_span_id="00f067aa0ba902b7",
        sampled=True,
        config_generation=3,
    )
    started = AttemptStarted(
        origin=origin,
        id=ATTEMPT_ID,
        span_id="53995c3f42cd8ad8",
        index=0,
        time_ns=TIME_NS,
        provider=provider,
        provider_kind=provider,
        model_requested=model,
        dialect_out="openai-chat",
        server_address="api.example.com",
        server_port=443,
        estimate_usd=Decimal("0.0123"),
        estimate_basis="prompt_bytes/4+max_tokens",
        price_source=f"catalog:{provider}/{model}",
        price_version="2026-09-01",
    )
    exact = fate == "exact"
    cost = sum(parts.values(), Decimal(0)) if exact else None
    estimate = Decimal("0.0123") if fate == "estimated" else None
    status = cast("CostStatus", {"failed": "free"}.get(fate, fate))
    if fate in {"failed", "estimated"}:
        usage = {}
    if fate == "failed":
        cost = Decimal(0)
    ended = Attempt(
        started=started,
        outcome="failed" if fate == "failed" else "ok",
        http_status=503 if fate == "failed" else 200,
        error_type="upstream_rejected" if fate == "failed" else None,
        model_served=model,
        usage=usage,
        units={"requests": 1},
        cost_usd=cost,
        cost_estimated_usd=estimate,
        cost_status=status,
        cost_parts=parts if exact else {},
        price_source=started.price_source,
        price_version=started.price_version,
        service_tier=choose.choice([None, "default", "priority"]),
        upstream_id="chatcmpl-CMmXa7Bq0e3jzq0nQ4yQe8VY1kq3f",
        duration_ms=round(choose.uniform(200, 9_000), 3),
        first_token_ms=round(choose.uniform(80, 900), 3),
        finish_reasons=("stop",),
    )
    answered = Exchange(
        origin=origin,
        time_ns=TIME_NS,
        outcome=ended.outcome,
        http_status=200,
        error_type=ended.error_type,
        provider=provider,
        model_requested=model,
        model_served=model,
        attempts=1,
        usage=usage,
        cost_usd=cost,
        cost_estimated_usd=estimate,
        cost_status=status,
        duration_ms=ended.duration_ms + 1,
        first_token_ms=ended.first_token_ms,
        upstream_ms=ended.duration_ms,
        finish_reasons=("stop",),
    )
    return lines.attempt_started(started), lines.attempt(ended), lines.exchange(answered, [ended])


def template(line: bytes) -> bytes:
    """`line` for the % operator: exchange id, attempt id, trace and time, by name."""
    return (
        line.replace(b"%", b"%%")
        .replace(EXCHANGE_ID.encode(), b"%(exchange)b")
        .replace(ATTEMPT_ID.encode(), b"%(attempt)b")
        .replace(TRACE_ID.encode(), b"%(trace)b")
        .replace(TIME, b"%(time)b")
    )


def blocks(calls: Sequence[bytes], count: int, day_number: int) -> Iterator[bytes]:
    """`count` lines of one day, in pieces."""
    picture = b"%sT%02d:%02d:%02d.%03dZ"
    day = (FIRST_DAY + timedelta(days=day_number)).date().isoformat().encode()
    total = count // LINES_A_CALL
    for first in range(0, total, 1_000):
        piece = []
        for number in range(first, min(first + 1_000, total)):
            milli = number * 86_400_000 // max(total, 1)
            second, milli = divmod(milli, 1_000)
            ids = b"0190a7c0-%04x-7%03x-8000-%012x" % (day_number, number & 0xFFF, number)
            values = {
                b"exchange": b"cs_" + ids,
                b"attempt": b"at_" + ids,
                b"trace": b"%032x" % (number * 2_654_435_761),
                b"time": picture % (day, second // 3_600, second // 60 % 60, second % 60, milli),
            }
            piece.append(calls[number * 7_919 % CALLS] % values)
        yield b"".join(piece)


def write(folder: Path, count: int) -> int:
    """Write `count` lines to `folder`, spread over a month. Returns their bytes."""
    if (free := shutil.disk_usage(folder)).free - count * BYTES_A_LINE < free.total // 10:
        raise SystemExit(f"{count} lines take about {count * BYTES_A_LINE >> 30} GiB, and the disk has not enough")
    choose = random.Random(0)
    calls = [b"".join(map(template, call(choose))) for _ in range(CALLS)]
    size = 0
    for day in range(DAYS):
        name = folder / f"costspan-{(FIRST_DAY + timedelta(days=day)).date().isoformat()}.jsonl"
        with name.open("wb") as file:
            for block in blocks(calls, count // DAYS, day):
                size += file.write(block)
    return size


def measure(folder: Path, options: Sequence[str]) -> None:
    """Run the command as a user would; print its seconds and its largest resident size."""
    command = [sys.executable, "-m", "costspan", "report", "--ledger", str(folder), *options]
    began = time.perf_counter()
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _, status, used = os.wait4(running.pid, 0)
    except BaseException:
        running.kill()
        raise
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise SystemExit(f"costspan report ended with {running.returncode}")
    seconds = time.perf_counter() - began
    cpu = used.ru_utime + used.ru_stime
    print(f"report {' '.join(options):40} {seconds:7.1f} s  {cpu:7.1f} s of CPU  {used.ru_maxrss / 1024:6.0f} MiB peak")


RUNS = (
    ("--by", "model"),
    ("--by", "team", "--by", "day"),
    ("--by", "bucket", "--json"),
    ("--by", "model", "--where", "team=search"),
    ("--focus",),
)


def _give_up(_signal: int, _frame: object) -> None:
    raise SystemExit(f"not done after {LIMIT_SECONDS} s")


def main() -> None:
    """Write, measure, delete."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lines", type=int, default=1_000_000)
    options.add_argument("--keep", type=Path, help="write the ledger to this folder and leave it there")
    chosen = options.parse_args()
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(LIMIT_SECONDS)
    folder = chosen.keep or Path(tempfile.mkdtemp(prefix="costspan-ledger-", dir=os.environ.get("TMPDIR", "/var/tmp")))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        size = write(folder, chosen.lines)
        print(f"{chosen.lines} lines, {size / 1e9:.2f} GB, written in {time.perf_counter() - began:.0f} s")
        if not chosen.keep:
            for run in RUNS:
                measure(folder, run)
    finally:
        if not chosen.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
