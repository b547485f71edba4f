"""What commands print for people and spreadsheets. Names may come from clients, so nothing of them steers anything."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

UNKNOWN: Final = "\N{EN DASH}"
"""Stands for what is not known, which is never zero."""

_PLACES: Final = Decimal("0.000001")
_SIGNIFICANT: Final = 2
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take text for a formula."""


def readable(value: int | Decimal | None) -> str:
    """`value` for people: six decimals, more where six would show a cost as nothing; a dash for unknown."""
    if value is None:
        return UNKNOWN
    if isinstance(value, int):
        return f"{value:,}"
    rounded = value.quantize(_PLACES, ROUND_HALF_EVEN)
    if rounded or not value:
        return f"{rounded:,f}"
    return format(round(value, _SIGNIFICANT - 1 - value.adjusted()), "f")


def printable(value: str | None) -> str:
    """`value` without what would steer a terminal; a dash for unknown."""
    if value is None:
        return UNKNOWN
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in value)


def harmless(value: str | None) -> str:
    """`value` for a cell of CSV, with a quote before what a spreadsheet would run."""
    text = value or ""
    return "'" + text if text.startswith(_FORMULA) else text
