"""Reconciliation: the ledger held against the provider's own export, every difference with its cause.

Read the exports into a `Bill`, the ledger into a `Spent`, then `reconcile`. What the causes come to is the difference,
exactly: what no rule explains is a finding too.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from costspan.billing.amounts import subtract, total
from costspan.billing.reconcile_causes import explain
from costspan.billing.reconcile_cells import compare
from costspan.billing.reconcile_findings import Finding, find
from costspan.billing.reconcile_pieces import Cause, Piece
from costspan.billing.reconcile_rates import Rates
from costspan.pricing.rates import ZERO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date
    from decimal import Decimal

    from costspan.billing.reconcile_cells import Cell, Comparison
    from costspan.billing.reconcile_sums import Bill, Spent


class Figures(NamedTuple):
    """The two sides of one day, model and part."""

    export_quantity: Decimal | None
    """None where the export has no quantities."""
    ledger_quantity: Decimal
    export_usd: Decimal | None
    """None where the export has no amounts."""
    ledger_usd: Decimal | None
    """None where none of it has a price."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One day, model and part on which the two sides differ, and why."""

    day: date
    model: str
    part: str
    figures: Figures
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The two sides and all that lies between them."""

    days: Sequence[date]
    export_usd: Decimal | None
    """None where the export has no amounts: only usage was compared then."""
    ledger_usd: Decimal
    estimated_usd: Decimal
    """What the ledger estimates besides, in no figure."""
    findings: tuple[Finding, ...]
    differences: tuple[Difference, ...]

    @property
    def difference_usd(self) -> Decimal | None:
        """What the provider charges more than the ledger says."""
        return None if self.export_usd is None else subtract(self.export_usd, self.ledger_usd)

    @property
    def agrees(self) -> bool:
        """Whether there is nothing to explain but rounding."""
        return all(finding.cause is Cause.ROUNDING for finding in self.findings)

    @property
    def unexplained_usd(self) -> Decimal | None:
        """What nobody knows the cause of, without its sign; None where not even the amount is known."""
        open_ = [finding for finding in self.findings if not finding.settled]
        if any(finding.unknown for finding in open_):
            return None
        pieces = [piece for row in self.differences for piece in row.pieces]
        unsettled = {finding.cause for finding in open_}
        return total(abs(piece.usd or ZERO) for piece in pieces if piece.cause in unsettled)


def reconcile(bill: Bill, spent: Spent, look_up: Callable[[str, str, date], Decimal | None]) -> Reconciliation:
    """Compare and explain. `look_up` gives list prices, USD per token or unit, where the ledger has none."""
    comparison = compare(bill, spent)
    inside = set(comparison.days)
    figures = {
        (day, series.model, series.part): _figures(comparison, cell)
        for series in comparison.series.values()
        for day, cell in series.cells.items()
        if day in inside
    }
    rates = Rates(comparison.series.values(), look_up)
    pieces = [*explain(comparison, rates), *_loose(bill)]
    return Reconciliation(
        days=comparison.days,
        export_usd=total(_amounts(bill)) if comparison.has_money else None,
        ledger_usd=total(each.ledger_usd or ZERO for each in figures.values()),
        estimated_usd=total(attempts.estimated_usd for attempts in comparison.estimates.values()),
        findings=tuple(find(pieces)),
        differences=tuple(_differences(pieces, figures)),
    )


def _figures(comparison: Comparison, cell: Cell) -> Figures:
    own, unpriced = total(cell.own.values()), total(cell.unpriced.values())
    return Figures(
        export_quantity=total(cell.theirs.values()) if comparison.has_usage else None,
        ledger_quantity=own,
        export_usd=(cell.usd or ZERO) if comparison.has_money else None,
        ledger_usd=None if unpriced and unpriced == own and not cell.own_usd else cell.own_usd,
    )


def _amounts(bill: Bill) -> Iterator[Decimal]:
    yield from (cell.usd for cell in bill.cells.values() if cell.usd is not None)
    yield from bill.loose.values()


def _loose(bill: Bill) -> Iterator[Piece]:
    for (kind, label, day), usd in bill.loose.items():
        if usd:
            yield Piece(Cause.OTHER_CHARGE if kind == "other" else Cause.UNRECOGNISED, day, "", "", usd, label=label)


def _differences(pieces: Sequence[Piece], figures: dict[tuple[date, str, str], Figures]) -> Iterator[Difference]:
    grouped: dict[tuple[date, str, str], list[Piece]] = defaultdict(list)
    for piece in pieces:
        grouped[piece.day, piece.model, piece.part].append(piece)
    for key in sorted(grouped):
        found = figures.get(key)
        if found is None:  # no usage of a model: what is charged is the difference
            found = Figures(None, ZERO, total(piece.usd or ZERO for piece in grouped[key]), ZERO)
        yield Difference(*key, found, tuple(grouped[key]))
