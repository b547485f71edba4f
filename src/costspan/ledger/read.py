"""Reading the ledger back: records of all files in order, one at a time, whatever else the files hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Literal

from costspan.errors import Malformed
from costspan.ledger import files
from costspan.ledger.records import VERSION
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_STARTED = b'{"type":"attempt_started",'
_SLACK = timedelta(days=1)
"""A clock that was set back may have written a record into an earlier day's file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An `attempt` or `exchange` line. Names are those of the line; `time` is when it began, aware, UTC."""

    type: Literal["attempt", "exchange"]
    id: str
    exchange_id: str
    time: datetime
    provider: str | None
    provider_kind: str | None
    model_requested: str | None
    model_served: str | None
    model_asked: str | None
    route: str | None
    key: str | None
    attributes: Mapping[str, str]
    outcome: str
    error_type: str | None
    usage: Mapping[str, int]
    units: Mapping[str, int | float]
    cost_usd: Decimal | None
    cost_estimated_usd: Decimal | None
    cost_status: str
    cost_parts: Mapping[str, Decimal]
    price_source: str | None
    service_tier: str | None
    upstream_id: str | None


@dataclass(slots=True)
class Reader:
    """Iterates over the entries in `directory` that began in [`since`, `until`), aware datetimes.

    Memory is bounded by the longest line. An id may come more than once (a record appended again after a failed
    sync): whoever sums counts each once. After the iteration `skipped` is the number of lines nobody could read.
    Raises OSError.
    """

    directory: Path
    since: datetime | None = None
    until: datetime | None = None
    skipped: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[Entry]:
        for name in files.names(self.directory):
            if self.since is not None and name.day < (self.since - _SLACK).astimezone(UTC).date():
                continue
            with (self.directory / str(name)).open("rb") as file:
                for line in file:
                    if line.startswith(_STARTED) or line == b"\n":
                        continue
                    entry = parse(line)
                    if entry is None:
                        self.skipped += 1
                    elif self._wanted(entry.time):
                        yield entry

    def _wanted(self, time: datetime) -> bool:
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)


def parse(line: bytes) -> Entry | None:
    """Read one line; None if it is damaged, of another version or of a type that is not known."""
    try:
        fields = json.loads_object(line)
        if fields.get("v") != VERSION or fields.get("type") not in {"attempt", "exchange"}:
            return None
        time = datetime.fromisoformat(fields["time"])
        if time.tzinfo is None or not isinstance(fields["id"], str):
            return None
        return Entry(
            type=fields["type"],
            id=fields["id"],
            exchange_id=fields["exchange_id"],
            time=time,
            provider=fields["provider"],
            provider_kind=fields["provider_kind"],
            model_requested=fields["model_requested"],
            model_served=fields["model_served"],
            model_asked=fields["model_asked"],
            route=fields["route"],
            key=fields["key"],
            attributes=fields["attributes"],
            outcome=fields["outcome"],
            error_type=fields["error_type"],
            usage=fields["usage"],
            units=fields["units"],
            cost_usd=_decimal(fields["cost_usd"]),
            cost_estimated_usd=_decimal(fields["cost_estimated_usd"]),
            cost_status=fields["cost_status"],
            cost_parts={bucket: Decimal(usd) for bucket, usd in fields["cost_parts"].items()},
            price_source=fields["price_source"],
            service_tier=fields["service_tier"],
            upstream_id=fields["upstream_id"],
        )
    except (Malformed, KeyError, TypeError, ValueError, AttributeError, InvalidOperation):
        return None


def _decimal(usd: str | None) -> Decimal | None:
    return None if usd is None else Decimal(usd)
