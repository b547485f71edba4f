"""What commands print for people and spreadsheets. Names may come from clients, so nothing of them steers anything."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UNKNOWN: Final = "\N{EN DASH}"
"""Stands for what is not known, which is never zero."""

_PLACES: Final = Decimal("0.000001")
_CENT: Final = Decimal("0.01")
_SIGNIFICANT: Final = 2
_GAP: Final = 3
"""Columns between two cells."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take text for a formula."""


def readable(value: int | Decimal | None) -> str:
    """`value` for people: six decimals, more where six would show a cost as nothing; a dash for unknown."""
    if value is None:
        return UNKNOWN
    if isinstance(value, int):
        return f"{value:,}"
    return _rounded(value, _PLACES)


def cents(value: Decimal | None) -> str:
    """`value` for people who compare bills: two decimals, more where two would show an amount as nothing."""
    return UNKNOWN if value is None else _rounded(value, _CENT)


def _rounded(value: Decimal, places: Decimal) -> str:
    rounded = value.quantize(places, ROUND_HALF_EVEN)
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


def grid(
    out: TextIO,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    names: int = 1,
    first_to_go: Sequence[str] = (),
) -> None:
    """Write a table of names (the first columns) and figures. A heading may have two lines.

    A terminal without room for all columns does without `first_to_go`, in this order, which is said below.
    """
    from rich import box  # noqa: PLC0415 - slow to import, and only people need it
    from rich.console import Console  # noqa: PLC0415 - likewise
    from rich.table import Table  # noqa: PLC0415 - likewise
    from rich.text import Text  # noqa: PLC0415 - likewise

    # Not a terminal: a line is as long as it must be, for grep has no use for folded cells.
    console = Console(file=out, highlight=False, width=None if out.isatty() else 10_000)
    widths = [
        max(len(line) for cell in column for line in cell.split("\n")) + _GAP
        for column in zip(headings, *rows, strict=True)
    ]
    shown = list(range(len(headings)))
    for place in map(list(headings).index, first_to_go):
        if sum(widths[each] for each in shown) + 2 > console.width:
            shown.remove(place)
    table = Table(box=box.SIMPLE_HEAD)
    for place in shown:
        table.add_column(
            Text(headings[place]),
            justify="left" if place < names else "right",
            overflow="fold",
            no_wrap=place >= names,
        )
    for row in rows:
        table.add_row(*(Text(row[place]) for place in shown))
    console.print(table)
    if missing := [heading.replace("\n", " ") for place, heading in enumerate(headings) if place not in shown]:
        console.print(f"Not shown, for want of room: {', '.join(missing)}. --json has all.", style="yellow")


def remarks(out: TextIO, texts: Iterable[str]) -> None:
    """Write sentences below a table."""
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    console = Console(file=out, highlight=False, width=None if out.isatty() else 10_000)
    for text in texts:
        console.print(Text(text, style="yellow"))
