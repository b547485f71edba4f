"""Ledgers of a month's traffic, for what reckons over them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from costspan.ledger import lines
from fakes import ledger_records as records

if TYPE_CHECKING:
    from pathlib import Path

_SECOND = 1_000_000_000


def nanoseconds(instant: str) -> int:
    """Epoch nanoseconds of an instant such as `2026-07-01T00:00:00+00:00`."""
    return int(datetime.fromisoformat(instant).timestamp()) * _SECOND


def write_month(directory: Path, month: str, cost_usd: str, *, requests: int, attempts: int = 1) -> None:
    """Write `attempts` of equal cost, evenly over the first 28 days of `month`, which are `requests` together."""
    begin = nanoseconds(f"{month}-01T00:00:00+00:00")
    step = 28 * 86400 * _SECOND // attempts
    each = replace(
        records.attempt(),
        cost_usd=Decimal(cost_usd) / attempts,
        cost_parts={},
        units={"requests": requests // attempts},
    )
    data = b"".join(
        lines.attempt(
            replace(each, started=replace(records.started(f"at_{month}_{place}"), time_ns=begin + place * step))
        )
        for place in range(attempts)
    )
    (directory / f"costspan-{month}-28.jsonl").write_bytes(data)
