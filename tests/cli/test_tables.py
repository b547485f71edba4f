"""cli.tables: figures and names as people get them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from costspan.cli.tables import harmless, printable, readable

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
