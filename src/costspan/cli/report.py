"""`costspan report`: what the ledger says was spent, by whom, on what."""

from __future__ import annotations

import csv
import shutil
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TextIO

from costspan.cli import bars
from costspan.cli.progress import Progress
from costspan.cli.tables import harmless, printable, readable, remarks
from costspan.ledger import report
from costspan.ledger.dimensions import DIMENSIONS, Filter
from costspan.ledger.focus import COLUMNS, Charges
from costspan.ledger.lines import money
from costspan.ledger.read import Reader
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from costspan.ledger.read import Line

_GAP = 3
"""Columns between two cells."""
_FIRST_TO_GO = (
    "failed",
    "tokens_cached",
    "unpriced",
    "cost_estimated_usd",
    "attempts",
    "tokens_in",
    "tokens_out",
    "units",
)
"""What a narrow terminal does without, in this order; exchanges and cost always stay."""
_NOTHING = "The ledger has no records for this time yet.\n"

_HEADINGS: Mapping[str, str] = {
    "exchanges": "exchanges",
    "attempts": "attempts",
    "failed": "failed",
    "unpriced": "unpriced",
    "tokens_in": "tokens in",
    "tokens_cached": "cached",
    "tokens_out": "tokens out",
    "cost_usd": "cost USD",
    "cost_estimated_usd": "estimated USD",
    "units": "units",
}

Output = Literal["table", "csv", "json", "bars", "focus"]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the ledger. `since` and `until` are aware and half-open."""

    by: Sequence[str]
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Wanted values by name, "" for lines that have none."""
    since: datetime | None = None
    until: datetime | None = None


class _UnreadableError(Exception):
    """The ledger cannot be read. That the output cannot be written, which FOCUS is meanwhile, is another matter."""


def run_report(ledger_dir: Path, question: Question, *, output: Output, out: TextIO) -> int:
    """Write the report to `out`, remarks to stderr.

    Returns the exit status: 0, 1 when the ledger cannot be read, 2 when a name in the question means nothing.
    """
    progress = Progress()
    reader = Reader(ledger_dir, question.since, question.until, progress)
    wanted = Filter(question.where)
    try:
        if output == "focus":
            damaged = _write_focus(Charges(_lines(reader), wanted), out)
        else:
            sums = report.aggregate(_lines(reader), question.by, wanted)
            damaged = sums.damaged
    except _UnreadableError as error:
        progress.done()
        _remark(f"cannot read the ledger in {ledger_dir}: {error}")
        return 1
    progress.done()
    if reader.skipped or damaged:
        _remark(f"{reader.skipped + damaged} lines could not be read and are not in the report")
    if wanted.seen and (unknown := wanted.unknown([*question.by, *question.where])):
        known = ", ".join([*DIMENSIONS, *sorted(wanted.attributes)])
        _remark(f"nothing in this ledger is called {', '.join(unknown)}; there are: {known}")
        return 2
    if output != "focus":
        _WRITERS[output](sums, out)
    return 0


def _lines(reader: Reader) -> Iterator[Line]:
    try:
        yield from reader.raw()
    except OSError as error:
        raise _UnreadableError(error.strerror or str(error)) from error


def _write_focus(charges: Charges, out: TextIO) -> int:
    """Write the rows as they come. Returns how many lines were damaged."""
    own = [column.startswith("x_") for column in COLUMNS]
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for row in charges:
        # FOCUS wants its own columns unaltered; those that begin with somebody else's words are ours.
        rows.writerow([harmless(value) if mine else value for mine, value in zip(own, row, strict=True)])
    if charges.without_cost:
        _remark(
            f"{charges.without_cost} rows have no cost, which FOCUS forbids: it is unknown, and x_CostStatus says why"
        )
    return charges.damaged


def _write_csv(sums: report.Report, out: TextIO) -> None:
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow([*sums.by, *sums.figures])
    for group, figures in sums.groups.items():
        rows.writerow([*map(harmless, group), *(_exact(figures, name) for name in sums.figures)])


def _write_json(sums: report.Report, out: TextIO) -> None:
    document = {
        "by": sums.by,
        "groups": [
            {**dict(zip(sums.by, group, strict=True)), **_figures(figures, sums.figures)}
            for group, figures in sums.groups.items()
        ],
        "total": _figures(sums.total, report.FIGURES),
    }
    out.write(json.text(document) + "\n")


def _figures(sums: report.Sums, names: Iterable[str]) -> json.Object:
    return {name: _exact(sums, name) for name in names}


def _exact(sums: report.Sums, name: str) -> int | str | None:
    value = sums.known(name)
    return money(value) if isinstance(value, Decimal) else value


def _write_table(sums: report.Report, out: TextIO) -> None:
    if not sums.groups:
        out.write(_NOTHING)
        return
    from rich import box  # noqa: PLC0415 - slow to import, and only people need it
    from rich.console import Console  # noqa: PLC0415 - likewise
    from rich.table import Table  # noqa: PLC0415 - likewise
    from rich.text import Text  # noqa: PLC0415 - likewise

    # Not a terminal: a line is as long as it must be, for grep has no use for folded cells.
    console = Console(file=out, highlight=False, width=None if out.isatty() else 10_000)
    table = Table(show_footer=True, box=box.SIMPLE_HEAD)
    for place, name in enumerate(sums.by):
        table.add_column(name, footer="total" if place == 0 else "", overflow="fold")
    shown = _fitting(sums, console.width)
    for name in shown:
        footer = readable(sums.total.known(name)) if name in report.FIGURES else ""
        table.add_column(_HEADINGS[name], footer=footer, justify="right", no_wrap=True)
    for group, figures in sums.groups.items():
        cells = [Text(printable(value)) for value in group]
        table.add_row(*cells, *(readable(figures.known(name)) for name in shown))
    console.print(table)
    remarks(out, [*_uncertain(sums.total), *_left_out(sums, shown)])


def _write_bars(sums: report.Report, out: TextIO) -> None:
    if not sums.groups:
        out.write(_NOTHING)
        return
    out.writelines(line + "\n" for line in bars.draw(sums, shutil.get_terminal_size().columns))
    out.write("\n")
    remarks(out, _uncertain(sums.total))


def _fitting(sums: report.Report, width: int) -> list[str]:
    """The figures that a table of `width` has room for beside the whole names of the groups."""
    names = [max(len(printable(value)) for value in column) for column in zip(*sums.groups, strict=True)]
    room = width - 2 - sum(max(size, len(name)) + _GAP for name, size in zip(sums.by, names, strict=True))
    columns = {
        name: _GAP
        + max(map(len, (_HEADINGS[name], *(readable(s.known(name)) for s in (sums.total, *sums.groups.values())))))
        for name in sums.figures
    }
    for name in _FIRST_TO_GO:
        if name in columns and sum(columns.values()) > room:
            del columns[name]
    return list(columns)


def _left_out(sums: report.Report, shown: Sequence[str]) -> list[str]:
    missing = [_HEADINGS[name] for name in sums.figures if name not in shown]
    return [f"Not shown, for want of room: {', '.join(missing)}. --csv and --json have all."] if missing else []


def _uncertain(total: report.Sums) -> list[str]:
    remarks: list[str] = []
    if total.cost_estimated_usd:
        remarks.append(
            f"{readable(total.cost_estimated_usd)} USD of estimates (usage never reported) are not in the cost."
        )
    if total.unpriced:
        attempts = "1 attempt has" if total.unpriced == 1 else f"{total.unpriced} attempts have"
        remarks.append(f"{attempts} no price; what was spent there is unknown and in no figure.")
    return remarks


def _remark(text: str) -> None:
    sys.stderr.write(f"costspan report: {text}\n")


_WRITERS: Mapping[str, Callable[[report.Report, TextIO], None]] = {
    "table": _write_table,
    "csv": _write_csv,
    "json": _write_json,
    "bars": _write_bars,
}
