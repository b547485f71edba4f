"""`costspan reconcile`: the ledger held against the provider's own export of usage and costs."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, TextIO

from costspan.billing.exports import Export
from costspan.billing.reconcile import reconcile
from costspan.billing.reconcile_sums import Bill, Spent
from costspan.cli.exports import opened
from costspan.cli.progress import Progress
from costspan.cli.reconcile_report import Report, document, write_tables
from costspan.cli.walk import remark, walk
from costspan.errors import Malformed
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from costspan.billing.exports.charge import Format
    from costspan.billing.reconcile import Reconciliation
    from costspan.cli.list_prices import ListPrices

_NAME: Final = "reconcile"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. Without `format` each file's is found by its columns, without days those of the export count."""

    exports: Sequence[Path]
    provider: str | None = None
    format: str | None = None
    since: date | None = None
    until: date | None = None
    tolerance: Decimal = Decimal(0)


def run_reconcile(
    question: Question, ledger_dir: Path, prices: ListPrices, *, output: Literal["table", "json"], out: TextIO
) -> int:
    """Write what was found to `out`, remarks to stderr.

    Returns the exit status: 0 when all is explained but for `tolerance`, 1 when not or when the ledger cannot be read,
    2 when an export cannot be.
    """
    try:
        bill, format_, foreign = _read(question)
    except _Unreadable as error:
        remark(_NAME, str(error))
        return 2
    window = _window(bill)
    if window is None:
        remark(_NAME, "the export has nothing in it; --since and --until say which days are meant")
        return 2
    spent = Spent(format_.FOLDED, format_.KINDS, question.provider)
    if not walk(ledger_dir, *window, spent.add, command=_NAME):
        return 1
    prices.provider = question.provider or next(iter(sorted(spent.providers)), None)
    prices.kinds = format_.KINDS
    found = reconcile(bill, spent, prices.rate)
    report = Report(found, format_.NAME, tuple(sorted(spent.providers)), question.tolerance, _discount(found, prices))
    for text in _remarks(bill, spent, foreign):
        remark(_NAME, text)
    if output == "json":
        out.write(json.text(document(report)) + "\n")
    else:
        write_tables(report, out)
    return 0 if report.explained else 1


def _discount(found: Reconciliation, prices: ListPrices) -> Decimal:
    """What the ledger's prices are below the list already; asked for only where a price differs."""
    return prices.discount() if any(finding.ratio is not None for finding in found.findings) else Decimal(0)


class _Unreadable(Exception):
    """An export that cannot be read; the message names it."""


def _read(question: Question) -> tuple[Bill, Format, int]:
    """All exports in one bill, their format, and the number of rows that are of other services."""
    bill: Bill | None = None
    format_: Format | None = None
    foreign = 0
    progress = Progress()
    for path in question.exports:
        try:
            with opened(path, progress) as lines:
                export = Export(lines, question.format)
                if format_ is not None and export.format.NAME != format_.NAME:
                    raise _Unreadable(f"{path} is of {export.format.NAME}, the files before of {format_.NAME}")
                format_ = export.format
                bill = bill or Bill(format_.FOLDED, question.since, question.until)
                for charge in export:
                    bill.add(charge)
                foreign += export.foreign
        except (Malformed, OSError, EOFError, zlib.error) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise _Unreadable(f"cannot read {path}: {reason}") from None
        finally:
            progress.done()
    if bill is None or format_ is None:
        raise _Unreadable("no export is given")
    return bill, format_, foreign


def _window(bill: Bill) -> tuple[datetime, datetime] | None:
    """What to read of the ledger: the days compared, and the one before, whose attempts may be booked on the first."""
    days = bill.days
    since = bill.since or (days and days[0])
    until = bill.until or (days and days[1] + timedelta(days=1))
    if not since or not until:
        return None
    begin, end = (datetime.combine(day, time(), UTC) for day in (since, until))
    return begin - timedelta(days=1), end


def _remarks(bill: Bill, spent: Spent, foreign: int) -> list[str]:
    texts = []
    if foreign:
        texts.append(f"{foreign:,} rows are of services that a gateway does not call; they are not looked at")
    if bill.outside:
        texts.append(f"{bill.outside:,} charges are of other days than asked for")
    if not spent.providers:
        meant = (
            f"the provider {spent.name}" if spent.name else f"providers of the kind {', '.join(sorted(spent.kinds))}"
        )
        texts.append(f"the ledger has no attempts of {meant} on these days")
    elif len(spent.providers) > 1:
        texts.append(f"counted together: {', '.join(sorted(spent.providers))}; --provider takes one")
    return texts
