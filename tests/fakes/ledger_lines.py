"""Lines of a ledger, numbered: attempt 1 is `at_1`, exchange 7 is `cs_7`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.errors import Malformed
from costspan.ledger import lines
from costspan.wire import json
from fakes import ledger_records as records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def started(number: int, exchange: int | None = None, *, estimate: str | None = "0.0123", index: int = 0) -> bytes:
    exchange = number if exchange is None else exchange
    return lines.attempt_started(records.started(f"at_{number}", f"cs_{exchange}", estimate=estimate, index=index))


def ended(number: int, exchange: int | None = None) -> bytes:
    exchange = number if exchange is None else exchange
    return lines.attempt(records.attempt(records.started(f"at_{number}", f"cs_{exchange}")))


def finished(exchange: int) -> bytes:
    return lines.exchange(records.exchange(f"cs_{exchange}"), [records.attempt()])


def read(directory: Path) -> list[dict[str, Any]]:
    """All lines of all files, in order; without what is damaged."""
    return list(_read(directory))


def _read(directory: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(directory.glob("costspan-*")):
        for line in path.read_bytes().splitlines():
            try:
                yield json.loads_object(line)
            except Malformed:
                continue
