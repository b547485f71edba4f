"""Rows of exports: CSV with a header, JSON documents one after another, JSON lines. Streaming, text in, rows out.

Columns that nobody asks for may be there; one that is needed and is not, or does not hold what it should, is
`Malformed` with its line and name, and never with its content.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, DecimalException
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from costspan.errors import Malformed
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

LONGEST_DOCUMENT: Final = 128 << 20
"""Characters of one JSON document: it is held whole. CSV and JSON lines may have any length."""
_LARGEST: Final = 30
_SMALLEST: Final = -60
"""Exponents beyond which a number is no count and no amount."""
_DELIMITERS: Final = ",\t;"
_SECONDS: Final = 10**11
_FIRST: Final = date(2015, 1, 1)
_LAST: Final = date(2100, 1, 1)
"""Days before and after these are none on which anybody paid for tokens: a column was misread."""
_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"')


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table, or an object of JSON. `where` says which, for messages."""

    values: Mapping[str, Any]
    where: str

    def has(self, *names: str) -> bool:
        """Whether it has all of these columns, filled in or not."""
        return all(name in self.values for name in names)

    def within(self, values: Mapping[str, Any]) -> Row:
        """Another object in the same place."""
        return Row(values, self.where)

    def objects(self, name: str) -> Iterator[Row]:
        """The objects of a list, none where there is no list."""
        items = self.values.get(name)
        if items is None:
            return
        if not isinstance(items, list):
            raise self.flaw(name, "a list")
        for item in items:
            if not isinstance(item, dict):
                raise self.flaw(name, "a list of objects")
            yield Row(item, self.where)

    def inner(self, name: str) -> Row:
        """An object inside; an empty one where there is none."""
        value = self.values.get(name)
        return Row(value if isinstance(value, dict) else {}, self.where)

    def text(self, *names: str) -> str | None:
        """The first of these columns that holds something."""
        for name in names:
            value = self.values.get(name)
            if isinstance(value, str) and value.strip():
                return value.strip()
        return None

    def number(self, *names: str) -> Decimal | None:
        """The number in the first of these columns that holds something."""
        for name in names:
            value = self.values.get(name)
            if value is None or (isinstance(value, str) and not value.strip()):
                continue
            return self._number(name, value)
        return None

    def count(self, *names: str) -> Decimal:
        """The same, not negative, and 0 where all are empty."""
        number = self.number(*names) or Decimal(0)
        if number < 0:
            raise self.flaw(names[0], "a count")
        return number

    def needed(self, *names: str) -> Decimal:
        """The same, and one of them must hold a number."""
        number = self.number(*names)
        if number is None:
            raise self.flaw(names[0], "a number")
        return number

    def day(self, *names: str) -> date:
        """The UTC day of a date, an instant, or seconds since 1970."""
        for name in names:
            value = self.values.get(name)
            if value is None or value == "":
                continue
            day = _day(value)
            if day is None:
                raise self.flaw(name, "a date")
            return day
        raise self.flaw(names[0], "a date")

    def flaw(self, name: str, expected: str) -> Malformed:
        """What to raise where a column does not hold what it should."""
        return Malformed(f"{self.where}: {name} must be {expected}")

    def _number(self, name: str, value: object) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise self.flaw(name, "a number")
        try:
            number = Decimal(value.strip() if isinstance(value, str) else value)
        except DecimalException:
            raise self.flaw(name, "a number") from None
        exponent = number.as_tuple().exponent
        if not isinstance(exponent, int) or number.adjusted() > _LARGEST or exponent < _SMALLEST or "_" in str(value):
            raise self.flaw(name, "a number")
        return number


def read_rows(lines: Iterable[str]) -> Iterator[Row]:
    """The rows of a file. Raises `Malformed`."""
    numbered = enumerate(lines, start=1)
    for number, line in numbered:
        first = line.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
        if first.strip():
            rest = _chain((number, first), numbered)
            yield from _documents(rest) if first.lstrip()[0] in "{[" else _table(first, number, rest)
            return


def _chain(first: tuple[int, str], rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield first
    yield from rest


def _table(header: str, number: int, numbered: Iterator[tuple[int, str]]) -> Iterator[Row]:
    delimiter = max(_DELIMITERS, key=header.count)
    read = csv.reader((line for _, line in numbered), delimiter=delimiter, strict=True)
    names: list[str] = []
    try:
        for fields in read:
            where = f"line {number + read.line_num - 1}"
            if not any(field.strip() for field in fields):
                continue
            if not names:
                names = [field.strip() for field in fields]
                continue
            if len(fields) < len(names):
                raise Malformed(f"{where}: {len(fields)} fields where the header has {len(names)}")
            yield Row(dict(zip(names, fields, strict=False)), where)
    except csv.Error as error:
        raise Malformed(f"line {number + read.line_num - 1}: not CSV ({error})") from None


def _documents(numbered: Iterator[tuple[int, str]]) -> Iterator[Row]:
    """Documents one after another, each of any number of lines: one ends where its brackets are closed."""
    waiting: list[str] = []
    size = begin = depth = 0
    for number, line in numbered:
        if not waiting and not line.strip():
            continue
        begin = begin if waiting else number
        waiting.append(line)
        size += len(line)
        if size > LONGEST_DOCUMENT:
            raise Malformed(
                f"line {begin}: a JSON document of more than {LONGEST_DOCUMENT >> 20} MiB; JSON lines may be longer"
            )
        depth += _depth(line)
        if depth <= 0:
            yield from _read("".join(waiting), begin)
            waiting, size, depth = [], 0, 0
    if waiting:
        yield from _read("".join(waiting), begin)


def _depth(line: str) -> int:
    """How many brackets it opens and leaves open. A string of JSON has no line end in it."""
    bare = _STRING.sub("", line)
    return bare.count("{") + bare.count("[") - bare.count("}") - bare.count("]")


def _read(text: str, number: int) -> Iterator[Row]:
    try:
        document = json.loads_exactly(text)
    except Malformed as error:
        raise Malformed(f"line {number}: {error}") from None
    yield from _objects(document, number)


def _objects(document: object, number: int) -> Iterator[Row]:
    for item in document if isinstance(document, list) else [document]:
        if not isinstance(item, dict):
            raise Malformed(f"line {number}: expected JSON objects")
        yield Row(item, f"line {number}")


def _day(value: object) -> date | None:
    day = _written_day(value) if isinstance(value, str) and "-" in value else _epoch_day(value)
    return day if day is not None and _FIRST <= day <= _LAST else None


@lru_cache(maxsize=4096)  # a bill has few days
def _written_day(value: str) -> date | None:
    try:
        instant = datetime.fromisoformat(value.strip().removesuffix(" UTC"))
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC).date()
    except (ValueError, OverflowError):
        return None


def _epoch_day(value: object) -> date | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        seconds = Decimal(value)
        if not 0 < seconds < _SECONDS:
            return None
        return datetime.fromtimestamp(int(seconds), UTC).date()
    except (DecimalException, ValueError, OverflowError):
        return None
