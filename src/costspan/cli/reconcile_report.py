"""How a reconciliation is shown: causes first, then the days that differ; all of it as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Final, TextIO

from costspan.billing.amounts import multiply, plain, subtract, total
from costspan.billing.reconcile_pieces import Cause
from costspan.cli.tables import UNKNOWN, cents, grid, printable, remarks
from costspan.pricing.rates import ONE, ZERO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from decimal import Decimal

    from costspan.billing.reconcile import Difference, Reconciliation
    from costspan.billing.reconcile_findings import Finding
    from costspan.billing.reconcile_pieces import Piece
    from costspan.wire import json

_MOST_LINES: Final = 60
"""Lines of days that a person is shown."""
_MOST_NAMES: Final = 3
_CAUSES: Final = ("cause", "models", "days", "tokens or units", "USD")
_RATES: Final = ("model", "bucket", "charged USD per million", "ledger USD per million")
_DAYS: Final = ("day", "model", "causes", "export USD", "ledger USD", "difference USD")


@dataclass(frozen=True, slots=True)
class Report:
    """A reconciliation and what is to be known with it."""

    found: Reconciliation
    format: str
    providers: tuple[str, ...]
    """Accounts whose attempts were compared."""
    tolerance: Decimal
    discount: Decimal
    """The fraction by which the ledger's prices are below the list already."""

    @property
    def explained(self) -> bool:
        """Whether what nobody knows the cause of is within the tolerance."""
        unexplained = self.found.unexplained_usd
        return unexplained is not None and unexplained <= self.tolerance


def document(report: Report) -> json.Object:
    """All of it, money as decimal strings."""
    found = report.found
    return {
        "agrees": found.agrees,
        "explained": report.explained,
        "format": report.format,
        "providers": list(report.providers),
        "since": found.days[0].isoformat() if found.days else None,
        "until": (found.days[-1] + timedelta(days=1)).isoformat() if found.days else None,
        "totals": {
            "export_usd": _usd(found.export_usd),
            "ledger_usd": _usd(found.ledger_usd),
            "difference_usd": _usd(found.difference_usd),
            "ledger_estimated_usd": _usd(found.estimated_usd),
            "unexplained_usd": _usd(found.unexplained_usd),
            "tolerance_usd": _usd(report.tolerance),
        },
        "causes": [_cause(finding, report.discount) for finding in found.findings],
        "days": [_day(difference) for difference in found.differences],
    }


def _usd(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def _quantities(quantities: Mapping[str, Decimal]) -> dict[str, str]:
    return {bucket: plain(count) for bucket, count in sorted(quantities.items()) if count}


def _cause(finding: Finding, discount: Decimal) -> json.Object:
    return {
        "cause": finding.cause.value,
        "title": finding.title,
        "usd": _usd(finding.usd),
        "amount_unknown": finding.unknown,
        "models": list(finding.models),
        "buckets": list(finding.parts),
        "first_day": finding.days[0].isoformat(),
        "last_day": finding.days[-1].isoformat(),
        "days": len(finding.days),
        "quantities": _quantities(finding.quantities),
        "moved_usd": _usd(finding.moved_usd),
        "estimate_usd": _usd(finding.estimate_usd),
        "percent_below_ledger": _tenths(finding.below_ledger),
        "percent_below_list": _tenths(_below_list(finding, discount)),
        "rates": [
            {
                "model": rate.model,
                "bucket": rate.bucket,
                "charged_usd": plain(rate.charged_usd),
                "ledger_usd": plain(rate.ledger_usd),
            }
            for rate in finding.rates
        ],
    }


def _tenths(percent: Decimal | None) -> str | None:
    return None if percent is None else str(percent)


def _below_list(finding: Finding, discount: Decimal) -> Decimal | None:
    if finding.ratio is None:
        return None
    kept = multiply(finding.ratio, subtract(ONE, discount))
    return multiply(subtract(ONE, kept), 100).quantize(ONE.scaleb(-1))


def _day(difference: Difference) -> json.Object:
    figures = difference.figures
    return {
        "day": difference.day.isoformat(),
        "model": difference.model or None,
        "bucket": difference.part or None,
        "export_quantity": _usd(figures.export_quantity),
        "ledger_quantity": _usd(figures.ledger_quantity),
        "export_usd": _usd(figures.export_usd),
        "ledger_usd": _usd(figures.ledger_usd),
        "difference_usd": _usd(_difference([difference])),
        "causes": [
            {"cause": piece.cause.value, "usd": _usd(piece.usd), "quantities": _quantities(piece.quantities)}
            for piece in difference.pieces
        ],
    }


def _difference(rows: Sequence[Difference]) -> Decimal | None:
    if any(row.figures.export_usd is None for row in rows):
        return None
    return total(subtract(row.figures.export_usd or ZERO, row.figures.ledger_usd or ZERO) for row in rows)


def write_tables(report: Report, out: TextIO) -> None:
    """For people."""
    found = report.found
    out.write(f"{_headline(report)}\n")
    if found.findings:
        rows = [_cause_row(finding) for finding in found.findings]
        if len(rows) > 1:
            rows.append(["together", "", "", "", _signed(total(finding.usd or ZERO for finding in found.findings))])
        grid(out, _CAUSES, rows, names=3, first_to_go=_CAUSES[3:4])
        rates = [rate for finding in found.findings for rate in finding.rates]
        if rates:
            cells = [[printable(r.model), r.bucket, cents(r.charged_usd), cents(r.ledger_usd)] for r in rates]
            grid(out, _RATES, cells, names=2)
        _write_days(found.differences, out)
    remarks(out, _remarks(report))


def _headline(report: Report) -> str:
    found = report.found
    days = f"{found.days[0]} to {found.days[-1]}, UTC"
    who = ", ".join(map(printable, report.providers)) or report.format
    if found.export_usd is None:
        return f"{who}, {days}: the export has no amounts; usage was compared."
    figures = f"the export says {cents(found.export_usd)} USD, the ledger {cents(found.ledger_usd)} USD"
    return f"{who}, {days}: {figures}; difference {_signed(found.difference_usd)} USD."


def _remarks(report: Report) -> Iterator[str]:
    found = report.found
    if found.agrees:
        rounding = total(finding.usd or ZERO for finding in found.findings)
        yield f"everything agrees, but for {_signed(rounding)} USD of rounding" if rounding else "everything agrees"
    for finding in found.findings:
        yield from _explanation(finding, report.discount)
    if found.estimated_usd:
        yield f"{cents(found.estimated_usd)} USD of estimates are in no figure of the ledger here."
    if not report.explained:
        unknown = found.unexplained_usd
        amount = "An amount that is not known" if unknown is None else f"{cents(unknown)} USD"
        yield f"{amount} remains unexplained; {cents(report.tolerance)} USD would be tolerated."


def _explanation(finding: Finding, discount: Decimal) -> Iterator[str]:
    if finding.moved_usd:
        yield (
            f"{cents(finding.moved_usd)} USD of {_names(finding.models)} are booked on another day than the ledger's, "
            f"{_span(finding.days)}."
        )
    if finding.estimate_usd is not None:
        yield (
            f"Attempts of {_names(finding.models)} whose usage was never reported were estimated at "
            f"{cents(finding.estimate_usd)} USD; the export has {cents(finding.usd)} USD for them, between 0 and that."
        )
    below = _below_list(finding, discount)
    if below is not None and discount:
        yield f"{_names(finding.models)}: {below} % below the list price; the configuration takes off a part already."


def _cause_row(finding: Finding) -> list[str]:
    unknown = f"{UNKNOWN} " if finding.unknown and finding.usd else ""
    return [
        printable(finding.title),
        _names(finding.models),
        _span(finding.days),
        "" if finding.cause is Cause.PRICE else _usage(finding.quantities),
        unknown + _signed(finding.usd),
    ]


def _usage(quantities: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{_grouped(count)} {bucket}" for bucket, count in sorted(quantities.items()) if count)


def _grouped(count: Decimal) -> str:
    return f"{int(count):,}" if count == int(count) else f"{count:,f}"


def _names(models: Sequence[str]) -> str:
    shown = ", ".join(map(printable, models[:_MOST_NAMES]))
    return f"{shown} and {len(models) - _MOST_NAMES} more" if len(models) > _MOST_NAMES else shown


def _span(days: Sequence[date]) -> str:
    if len(days) == 1:
        return days[0].isoformat()
    last = f"{days[-1]:%m-%d}" if days[0].year == days[-1].year else days[-1].isoformat()
    return f"{days[0]} to {last} ({len(days)} days)"


def _signed(usd: Decimal | None) -> str:
    if usd is None:
        return UNKNOWN
    return f"+{cents(usd)}" if usd > 0 else cents(usd)


def _write_days(differences: Sequence[Difference], out: TextIO) -> None:
    """The days that differ by more than a price, which the causes say once for all days."""
    rows, priced = [], 0
    for (day, model), group in groupby(differences, key=lambda each: (each.day, each.model)):
        lines = list(group)
        if all(piece.cause is Cause.PRICE for line in lines for piece in line.pieces):
            priced += 1
        else:
            rows.append(_day_row(day, model, lines))
    if rows:
        grid(out, _DAYS, rows[:_MOST_LINES], names=3, first_to_go=_DAYS[3:5])
    left_out = []
    if len(rows) > _MOST_LINES:
        left_out.append(f"{len(rows) - _MOST_LINES:,} more")
    if priced:
        left_out.append(f"{priced:,} on which nothing but the price differs")
    if left_out:
        remarks(out, [f"Days and models left out: {', '.join(left_out)}. --json has all."])


def _day_row(day: date, model: str, rows: Sequence[Difference]) -> list[str]:
    pieces = [piece for row in rows for piece in row.pieces]
    theirs = [row.figures.export_usd for row in rows]
    ours = [row.figures.ledger_usd for row in rows]
    return [
        day.isoformat(),
        printable(model) if model else UNKNOWN,
        ", ".join(dict.fromkeys(map(_word, pieces))),
        UNKNOWN if None in theirs else cents(total(usd or ZERO for usd in theirs)),
        UNKNOWN if all(usd is None for usd in ours) else cents(total(usd or ZERO for usd in ours)),
        _signed(_difference(rows)),
    ]


def _word(piece: Piece) -> str:
    return piece.cause.value.replace("_", " ")
