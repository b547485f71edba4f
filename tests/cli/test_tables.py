"""cli.tables: figures and names as people get them."""

from __future__ import annotations

from decimal import Decimal
from io import StringIO

import pytest

from costspan.cli.tables import cents, grid, harmless, printable, readable, remarks

READABLE: dict[str, tuple[int | str | None, str]] = {
    "a count": (1234567, "1,234,567"),
    "nothing": ("0", "0.000000"),
    "dollars": ("1234.5678905", "1,234.567890"),
    "too small for six decimals": ("0.000000123456", "0.00000012"),
    "just large enough": ("0.0000012", "0.000001"),
    "less than nothing": ("-12.5", "-12.500000"),
    "unknown": (None, "\N{EN DASH}"),
}


@pytest.mark.parametrize(("value", "expected"), READABLE.values(), ids=READABLE.keys())
def test_a_cost_is_never_shown_as_nothing(value: int | str | None, expected: str) -> None:
    assert readable(Decimal(value) if isinstance(value, str) else value) == expected


def test_a_name_does_not_steer_the_terminal() -> None:
    assert (
        printable("a\x1b[31m\nb\u202e")
        == "a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
    )
    assert printable("señal 検索") == "señal 検索"
    assert printable(None) == "\N{EN DASH}"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1"])
def test_a_spreadsheet_takes_no_name_for_a_formula(name: str) -> None:
    assert harmless(name) == "'" + name
    assert harmless("search") == "search"
    assert harmless(None) == ""


CENTS: dict[str, tuple[str | None, str]] = {
    "dollars": ("41333.333333333333", "41,333.33"),
    "nothing": ("0", "0.00"),
    "too small for cents": ("0.000123", "0.00012"),
    "less than nothing": ("-8000", "-8,000.00"),
    "unknown": (None, "\N{EN DASH}"),
}


@pytest.mark.parametrize(("value", "expected"), CENTS.values(), ids=CENTS.keys())
def test_a_bill_is_shown_in_cents_and_never_as_nothing(value: str | None, expected: str) -> None:
    assert cents(None if value is None else Decimal(value)) == expected


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def drawn(out: StringIO) -> list[str]:
    grid(out, ["plan", "fees", "cost"], [["direct [bold]", "0.00", "40,000.00"]], first_to_go=["fees"])
    return [line.strip() for line in out.getvalue().splitlines() if line.strip()]


def test_a_table_away_from_a_terminal_has_all_columns_and_no_colours() -> None:
    heading, _, row = drawn(StringIO())

    assert heading.split() == ["plan", "fees", "cost"]
    assert row.split() == ["direct", "[bold]", "0.00", "40,000.00"]


def test_a_narrow_terminal_does_without_what_matters_least_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("NO_COLOR", "1")
    text = " ".join(drawn(Terminal()))

    assert "40,000.00" in text
    assert " 0.00" not in text
    assert "Not shown, for want of room: fees. --json has all." in text


def test_remarks_are_printed_as_they_are_written() -> None:
    out = StringIO()
    long = "a [bold] plan" + " and so on" * 30
    remarks(out, [long, "another"])

    assert out.getvalue().splitlines() == [long, "another"]
