"""billing.exports.rows: tables and documents as they come, and what is wrong with them by line and column."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from costspan.billing.exports import rows as module
from costspan.billing.exports.rows import Row, read_rows
from costspan.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable


def read(text: str) -> list[dict[str, Any]]:
    return [dict(row.values) for row in read_rows(text.splitlines(keepends=True))]


TABLES = {
    "commas": "a,b\n1,2\n",
    "tabs": "a\tb\n1\t2\n",
    "semicolons": "a;b\r\n1;2\r\n",
    "a mark of the byte order": "\ufeffa,b\n1,2",
    "spaces and an empty line": " a , b \n\n1,2\n\n",
    "further columns without a name": "a,b\n1,2,3\n",
    "one JSON object a line": '{"a": "1", "b": "2"}\n',
    "a JSON array": '[\n{"a": "1",\n"b": "2"}\n]\n',
    "a JSON object over lines": '{\n"a":\n"1", "b": "2"\n}\n',
}


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
def test_the_same_row_is_read_from(text: str) -> None:
    assert read(text) == [{"a": "1", "b": "2"}]


def test_quoted_fields_may_hold_lines_and_delimiters() -> None:
    assert read('a,b\n"x,\ny",2\n') == [{"a": "x,\ny", "b": "2"}]


def test_documents_may_follow_each_other_with_brackets_in_their_strings() -> None:
    assert read('{\n"a": "}{["\n}\n\n{"a": "\\""}\n{\n"a": {"b": 1}\n}\n') == [
        {"a": "}{["},
        {"a": '"'},
        {"a": {"b": 1}},
    ]


def test_nothing_is_no_row() -> None:
    assert read("\n \n") == []


BAD = {
    "a row that is cut off": ("a,b\n1,2\n3\n", "line 3: 1 fields where the header has 2"),
    "a quote that is not closed": ('a,b\n"1,2\n', "line 2: not CSV (unexpected end of data)"),
    "JSON that is cut off": ('\n{"a": 1\n', "line 2: not valid JSON at character 8"),
    "a JSON line that is no object": ('{"a": 1}\n3\n', "line 2: expected JSON objects"),
    "brackets that do not match": ("[}\n", "line 1: not valid JSON at character 1"),
}


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(Malformed) as caught:
        read(text)

    assert str(caught.value) == said


def test_a_document_may_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_DOCUMENT", 1 << 20)

    def endless() -> Iterable[str]:
        yield "[\n"
        while True:
            yield '{"a": 1},\n' * 1000

    with pytest.raises(Malformed, match="line 1: a JSON document of more than 1 MiB; JSON lines may be longer"):
        list(read_rows(endless()))


DAYS: dict[str, tuple[object, date | None]] = {
    "a date": ("2026-10-05", date(2026, 10, 5)),
    "an instant": ("2026-10-05T23:59:59Z", date(2026, 10, 5)),
    "an instant elsewhere": ("2026-10-05T23:00:00-08:00", date(2026, 10, 6)),
    "an instant of nowhere": ("2026-10-05 00:00:00", date(2026, 10, 5)),
    "as BigQuery writes it": ("2026-10-05 07:00:00 UTC", date(2026, 10, 5)),
    "seconds": (1_759_622_400, date(2025, 10, 5)),
    "seconds as text": ("1759622400", date(2025, 10, 5)),
    "seconds that look like a date": ("1791072000", date(2026, 10, 4)),
    "seconds with a point": (Decimal("1759622400.5"), date(2025, 10, 5)),
    "milliseconds": (1_759_622_400_000, None),
    "another century": ("1926-10-05", None),
    "a month": ("2026-10", None),
    "a word": ("today-ish", None),
    "a truth": (True, None),
    "a list": ([], None),
    "not a number": ("NaN", None),
}


@pytest.mark.parametrize(("value", "day"), DAYS.values(), ids=DAYS)
def test_days(value: object, day: date | None) -> None:
    row = Row({"day": value}, "line 1")
    if day is None:
        with pytest.raises(Malformed, match="line 1: day must be a date"):
            row.day("day")
    else:
        assert row.day("first", "day") == day


NUMBERS: dict[str, tuple[object, Decimal | None]] = {
    "text": (" 1.50 ", Decimal("1.50")),
    "a whole number": (3, Decimal(3)),
    "an exponent": ("1e-7", Decimal("0.0000001")),
    "negative": ("-2", Decimal(-2)),
    "thousands": ("1,234.5", None),
    "underscores": ("1_000", None),
    "a currency": ("$1.25", None),
    "infinity": ("Infinity", None),
    "not a number": ("NaN", None),
    "beyond all counts": ("1e400", None),
    "below all amounts": ("1e-400", None),
    "a truth": (True, None),
    "an object": ({}, None),
}


@pytest.mark.parametrize(("value", "number"), NUMBERS.values(), ids=NUMBERS)
def test_numbers(value: object, number: Decimal | None) -> None:
    row = Row({"usd": value}, "line 7")
    if number is None:
        with pytest.raises(Malformed, match="line 7: usd must be a number"):
            row.needed("usd")
    else:
        assert row.needed("other", "usd") == number


def test_what_is_empty_is_no_number_and_no_count() -> None:
    row = Row({"a": "", "b": None, "c": "-1"}, "line 2")

    assert (row.number("a", "b"), row.count("a", "b"), row.text("a", "b")) == (None, Decimal(0), None)
    with pytest.raises(Malformed, match="line 2: a must be a number"):
        row.needed("a")
    with pytest.raises(Malformed, match="line 2: c must be a count"):
        row.count("c")
