"""Reading the ledger back: records of all files in order, one at a time, whatever else the files hold.

Two ways: `Reader` iterates over entries, checked and typed; `Reader.raw` over the lines as decoded, in two thirds of
the time, for who looks at a few fields of millions.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final, Literal, NotRequired, TypedDict, cast

from costspan.errors import Malformed
from costspan.ledger import files
from costspan.ledger.records import VERSION
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

Kind = Literal["attempt", "exchange"]

_STARTED: Final = b'{"type":"attempt_started",'
_SLACK: Final = timedelta(days=1)
"""A clock that was set back may have written a record into an earlier day's file."""
_BLOCK: Final = 1 << 20
_LONGEST: Final = 4 << 20
"""A longer line is none of ours: a file that is all zeros must not fill the memory."""
_REMEMBERED: Final = 10_000
"""As many records as the writer may append again after a failed sync (`writer.RING`)."""
_TIME: Final = len("2026-01-02T03:04:05.678Z")


class Line(TypedDict):
    """An `attempt` or `exchange` line as decoded: docs/ledger.md has the meaning of its fields, these and more.

    `type`, `v`, `id` and `time` (RFC 3339, UTC, milliseconds) were checked. The rest is as it was found, so a reader
    of it expects KeyError, TypeError, ValueError, AttributeError and InvalidOperation, and calls the line damaged.
    """

    type: Kind
    v: int
    id: str
    exchange_id: str
    time: str
    provider: str | None
    provider_kind: str | None
    model_requested: str | None
    model_served: str | None
    attributes: dict[str, str]
    outcome: str
    usage: dict[str, int]
    units: dict[str, int | float]
    cost_usd: str | None
    cost_estimated_usd: str | None
    cost_status: str
    cost_parts: dict[str, str]
    service_tier: str | None
    flags: NotRequired[list[str]]
    """Of attempts."""


DAMAGED: Final = (KeyError, TypeError, ValueError, AttributeError, InvalidOperation)
"""What reading a field of a damaged `Line` may raise."""


@dataclass(slots=True)
class Entry:
    """An `attempt` or `exchange` line. Names are those of the line; `time` is when it began, aware, UTC.

    Nobody changes one; it is not frozen because a frozen dataclass takes twice as long to make.
    """

    type: Kind
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
    """Iterates over the entries in `directory` that began in [`since`, `until`), aware datetimes, each once.

    Files come in the order of days, writers and segments. A record that its writer appended again after a failed sync
    is left out the second time. Memory is bounded: some MiB, and two more for each process that writes to `directory`.
    `watch` is called after every MiB that was read. After the iteration `skipped` is the number of lines nobody could
    read. Raises OSError.
    """

    directory: Path
    since: datetime | None = None
    until: datetime | None = None
    watch: Callable[[Reader], None] | None = None
    skipped: int = field(default=0, init=False)
    lines: int = field(default=0, init=False)
    """Lines read so far, of every kind."""
    read: int = field(default=0, init=False)
    """Bytes read so far."""
    size: int = field(default=0, init=False)
    """Bytes of all files that are read."""

    def __iter__(self) -> Iterator[Entry]:
        for line, time in self._walk():
            entry = _entry(line, time)
            if entry is None:
                self.skipped += 1
            else:
                yield entry

    def raw(self) -> Iterator[Line]:
        """The same records as decoded lines. Who finds one damaged adds it to `skipped`. Raises OSError."""
        return (line for line, _ in self._walk())

    def _walk(self) -> Iterator[tuple[Line, datetime]]:
        names = [name for name in files.names(self.directory) if self._may_hold(name)]
        self.size = sum(map(self._size, names))
        writers: defaultdict[int, Recent] = defaultdict(Recent)
        for name in names:
            with suppress(FileNotFoundError):  # it became too old meanwhile
                for lines in self._blocks(self.directory / str(name)):
                    yield from self._records(lines, writers[name.worker])

    def _may_hold(self, name: files.Name) -> bool:
        return self.since is None or name.day >= (self.since - _SLACK).astimezone(UTC).date()

    def _size(self, name: files.Name) -> int:
        with suppress(FileNotFoundError):
            return (self.directory / str(name)).stat().st_size
        return 0

    def _blocks(self, path: Path) -> Iterator[list[bytes]]:
        """The lines of a file without their ends, about a MiB at a time."""
        rest = b""
        with path.open("rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                lines = (rest + block).split(b"\n")
                rest = lines.pop()
                if len(rest) > _LONGEST:
                    rest = b"\0"  # whatever follows on this line, it is one that nobody can read
                yield lines
                self._count(len(lines), len(block))
        if rest:
            yield [rest]
            self._count(1, 0)

    def _count(self, lines: int, size: int) -> None:
        self.lines += lines
        self.read += size
        if self.watch is not None:
            self.watch(self)

    def _records(self, lines: Iterable[bytes], known: Recent) -> Iterator[tuple[Line, datetime]]:
        timeless = self.since is None and self.until is None
        for text in lines:
            if text.startswith(_STARTED) or not text:
                continue
            found = decode(text)
            if found is None:
                self.skipped += 1
                continue
            line, time = found
            if (timeless or self._wanted(time)) and known.is_new(line["type"] + line["id"]):
                yield found

    def _wanted(self, time: datetime) -> bool:
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)


class Recent:
    """The last records of one writer, by type and id: at least `_REMEMBERED`, at most twice as many.

    What a writer appends again is among the last `writer.RING` it made, and comes in the same order: remembering so
    many, each by its first coming, finds every copy. (But for one thing: a clock set back over midnight in the second
    of a failed sync, since files are read in the order of their days.)
    """

    __slots__ = ("_before", "_now")

    def __init__(self) -> None:
        self._now: set[str] = set()
        self._before: set[str] = set()

    def is_new(self, record: str) -> bool:
        """Whether `record` is none of those; from now on it is."""
        if record in self._now or record in self._before:
            return False
        if len(self._now) >= _REMEMBERED:
            self._before, self._now = self._now, set()
        self._now.add(record)
        return True


def parse(text: bytes) -> Entry | None:
    """Read one line; None if it is damaged, of another version or of a type that is not known."""
    found = decode(text)
    return None if found is None else _entry(*found)


def decode(text: bytes) -> tuple[Line, datetime] | None:
    """One line as decoded, and its time; None as in `parse`."""
    try:
        fields = json.loads_object(text)
        if fields["v"] != VERSION or fields["type"] not in {"attempt", "exchange"} or not isinstance(fields["id"], str):
            return None
        time = datetime.fromisoformat(fields["time"])
        if len(fields["time"]) != _TIME or not fields["time"].endswith("Z"):
            if time.tzinfo is None:
                return None
            utc = time.astimezone(UTC).replace(tzinfo=None)
            fields["time"] = utc.isoformat(timespec="milliseconds") + "Z"
    except (Malformed, *DAMAGED):
        return None
    return cast("Line", fields), time


def _entry(line: Line, time: datetime) -> Entry | None:
    fields = cast("json.Object", line)
    try:
        return Entry(
            type=line["type"],
            id=line["id"],
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
    except DAMAGED:
        return None


def _decimal(usd: str | None) -> Decimal | None:
    return None if usd is None else Decimal(usd)
