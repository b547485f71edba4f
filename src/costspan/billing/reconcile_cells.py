"""The two sides next to each other: for every model and part of the bill a series of days.

How finely is settled by what the export tells apart: by model and bucket where it has amounts for each, by model where
it has one amount for all buckets (or the ledger does: costs that the provider reported), by day where it names no
models.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from costspan.billing.amounts import total
from costspan.billing.reconcile_names import Identity, align
from costspan.billing.reconcile_sums import Attempts
from costspan.ir.usage import UNITS
from costspan.pricing.rates import EXACT, ZERO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from decimal import Decimal

    from costspan.billing.reconcile_sums import Bill, Billed, Bucket, Spent

ALL_BUCKETS: Final = "all"
ALL_MODELS: Final = "all models"
NO_MODEL: Final = ""
"""Of units that the provider bills apart from models."""


@dataclass(slots=True)
class Cell:
    """One day of a series. Quantities go by bucket."""

    own: dict[str, Decimal] = field(default_factory=dict)
    unpriced: dict[str, Decimal] = field(default_factory=dict)
    late: dict[str, Decimal] = field(default_factory=dict)
    parts: dict[str, Decimal] = field(default_factory=dict)
    """What the ledger says it cost, by bucket."""
    whole_usd: Decimal = ZERO
    """The same of attempts whose cost is one figure."""
    theirs: dict[str, Decimal] = field(default_factory=dict)
    usd: Decimal | None = None
    rows: int = 0

    @property
    def own_usd(self) -> Decimal:
        """What the ledger says it cost."""
        return total([self.whole_usd, *self.parts.values()])

    def priced(self, bucket: str) -> Decimal:
        """The ledger's quantity that has a price."""
        return self.own.get(bucket, ZERO) - self.unpriced.get(bucket, ZERO)


@dataclass(slots=True)
class Series:
    """What is compared on its own: a bucket of a model, or all of it (`ALL_BUCKETS`)."""

    model: str
    part: str
    cells: dict[date, Cell] = field(default_factory=dict)

    def cell(self, day: date) -> Cell:
        """The cell of `day`, made where there is none."""
        return self.cells.setdefault(day, Cell())


@dataclass(slots=True)
class Comparison:
    """Everything to be explained."""

    days: Sequence[date]
    series: Mapping[tuple[str, str], Series]
    estimates: Mapping[tuple[date, str], Attempts]
    has_money: bool
    """The export has amounts."""
    has_usage: bool
    """The export has quantities."""
    places: int


def compare(bill: Bill, spent: Spent) -> Comparison:
    """Lay `spent` beside `bill`, on the days of the window: what was asked for, else those of the bill."""
    days = _days(bill)
    layout = _Layout(bill, spent)
    inside = set(days)
    kept = inside | {days[0] - timedelta(days=1)} if days else inside
    series: dict[tuple[str, str], Series] = {}
    for (day, model, bucket), billed in bill.cells.items():
        if day in inside:
            key = layout.billed(model, bucket)
            _add_billed(series.setdefault(key, Series(*key)).cell(day), bucket, billed)
    for (day, identity, bucket), own in spent.buckets.items():
        if day in kept and not layout.ignores(bucket, own):
            key = layout.own(identity, bucket)
            quantities = layout.has_quantity(bucket, key[1])
            _add_own(series.setdefault(key, Series(*key)).cell(day), bucket, own, quantities=quantities)
    estimates: dict[tuple[date, str], Attempts] = {}
    for (day, identity), attempts in spent.attempts.items():
        if day in inside:
            key = layout.own(identity, "")
            if attempts.whole_usd:
                cell = series.setdefault(key, Series(*key)).cell(day)
                cell.whole_usd = EXACT.add(cell.whole_usd, attempts.whole_usd)
            _merge(estimates.setdefault((day, key[0]), Attempts()), attempts)
    return Comparison(days, series, estimates, layout.has_money, layout.has_usage, bill.places)


class _Layout:
    """Under which key each side's figures are compared."""

    def __init__(self, bill: Bill, spent: Spent) -> None:
        cells = bill.cells
        self.has_money = any(cell.usd is not None for cell in cells.values())
        self.has_usage = any(cell.quantity is not None for cell in cells.values())
        self._shown = frozenset(bucket for _, _, bucket in cells if bucket)
        self._by_day = any(model is None and bucket not in UNITS for _, model, bucket in cells)
        self._loose = frozenset(
            bucket for (_, model, bucket), cell in cells.items() if model is None and cell.usd is not None and bucket
        )
        self._names = align(_billed_names(bill), set(_telling(spent)))
        self._whole = {self._of_bill(model) for (_, model, bucket) in cells if bucket is None}
        self._whole |= {self._of_own(identity) for (_, identity), each in spent.attempts.items() if each.whole}

    def _of_bill(self, model: str | None) -> str:
        if self._by_day:
            return ALL_MODELS
        return NO_MODEL if model is None else self._names.billed[model]

    def _of_own(self, identity: Identity) -> str:
        return ALL_MODELS if self._by_day else self._names.own.get(identity, identity.name)

    def billed(self, model: str | None, bucket: str | None) -> tuple[str, str]:
        """The key of a charge."""
        if bucket in self._loose and not self._by_day:
            return NO_MODEL, bucket or ALL_BUCKETS
        label = self._of_bill(model)
        return label, ALL_BUCKETS if label in self._whole else bucket or ALL_BUCKETS

    def own(self, identity: Identity, bucket: str) -> tuple[str, str]:
        """The key of a bucket of the ledger."""
        if bucket in self._loose and not self._by_day:
            return NO_MODEL, bucket
        label = self._of_own(identity)
        return label, ALL_BUCKETS if label in self._whole or not bucket else bucket

    def ignores(self, bucket: str, own: Bucket) -> bool:
        """Whether the export would not show it: a unit that it has nowhere and that cost nothing."""
        return bucket in UNITS and bucket not in self._shown and (not own.usd or not self.has_money)

    def has_quantity(self, bucket: str, part: str) -> bool:
        """Whether quantities can be compared, not only amounts."""
        return bucket not in UNITS or bucket in self._shown or part != ALL_BUCKETS


def _billed_names(bill: Bill) -> dict[str, bool]:
    """The models of the bill, and whether it has usage and amounts under that name, as far as it has them at all."""
    named = [(model, cell) for (_, model, _), cell in bill.cells.items() if model]
    used = {model for model, cell in named if cell.quantity is not None}
    charged = {model for model, cell in named if cell.usd is not None}
    both = bool(used) and bool(charged)
    return {model: not both or (model in used and model in charged) for model in used | charged}


def _telling(spent: Spent) -> Iterator[Identity]:
    """Models of the ledger that have anything to compare."""
    yield from (identity for _, identity, _ in spent.buckets)
    yield from (identity for (_, identity), each in spent.attempts.items() if each.whole or each.estimated)


def _days(bill: Bill) -> list[date]:
    """All days from the first to the last, without a gap."""
    found = bill.days
    since = bill.since or (found[0] if found else None)
    until = bill.until or (found[1] + timedelta(days=1) if found else None)
    if since is None or until is None:
        return []
    return [since + timedelta(days=number) for number in range((until - since).days)]


def _add_billed(cell: Cell, bucket: str | None, billed: Billed) -> None:
    if billed.usd is not None:
        cell.usd = EXACT.add(cell.usd or ZERO, billed.usd)
    cell.rows += billed.rows
    if bucket and billed.quantity:
        cell.theirs[bucket] = cell.theirs.get(bucket, ZERO) + billed.quantity


def _add_own(cell: Cell, bucket: str, own: Bucket, *, quantities: bool) -> None:
    if own.usd:
        cell.parts[bucket] = EXACT.add(cell.parts.get(bucket, ZERO), own.usd)
    if not quantities:
        return
    for sums, figure in ((cell.own, own.quantity), (cell.unpriced, own.unpriced), (cell.late, own.late)):
        if figure:
            sums[bucket] = sums.get(bucket, ZERO) + figure


def _merge(into: Attempts, attempts: Attempts) -> None:
    into.estimated += attempts.estimated
    into.unpriced += attempts.unpriced
    into.estimated_usd = EXACT.add(into.estimated_usd, attempts.estimated_usd)
