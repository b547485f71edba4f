"""The two sides of a reconciliation, summed by UTC day, model and bucket as they are read.

Memory grows with days x models x buckets, never with lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from costspan.billing.reconcile_names import Identity
from costspan.pricing.rates import EXACT, ZERO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.billing.exports.charge import Charge
    from costspan.ledger.read import Line

_DAY_MS: Final = 86_400_000
_LEAST_PLACES: Final = 2
"""A file whose amounts are all in whole dollars is not taken for one that rounds to them."""


@dataclass(slots=True)
class Billed:
    """What the provider says of one day, model and bucket."""

    metered: Decimal | None = None
    """From reports of usage: counts in place of `counted`."""
    counted: Decimal | None = None
    usd: Decimal | None = None
    rows: int = 0
    """With an amount, which may have been rounded each."""

    @property
    def quantity(self) -> Decimal | None:
        """Tokens or units."""
        return self.counted if self.metered is None else self.metered


@dataclass(slots=True)
class Loose:
    """Charges of one label that are no usage."""

    usd: Decimal = ZERO
    days: set[date] = field(default_factory=set)


@dataclass(slots=True)
class Bill:
    """What the exports say. `since` and `until` are days, half-open; None is open."""

    folded: Mapping[str, str]
    since: date | None = None
    until: date | None = None
    cells: dict[tuple[date, str | None, str | None], Billed] = field(default_factory=dict)
    loose: dict[tuple[str, str, date], Decimal] = field(default_factory=dict)
    """By kind, label and day."""
    places: int = _LEAST_PLACES
    """Decimals to which the amounts are given."""
    outside: int = 0
    """Charges of other days."""

    def add(self, charge: Charge) -> None:
        """Count one charge."""
        if (self.since and charge.day < self.since) or (self.until and charge.day >= self.until):
            self.outside += 1
            return
        if charge.usd is not None:
            exponent = charge.usd.as_tuple().exponent
            self.places = max(self.places, -exponent if isinstance(exponent, int) else 0)
        if charge.kind != "usage":
            key = (charge.kind, charge.label, charge.day)
            self.loose[key] = EXACT.add(self.loose.get(key, ZERO), charge.usd or ZERO)
            return
        bucket = self.folded.get(charge.bucket, charge.bucket) if charge.bucket else None
        cell = self.cells.setdefault((charge.day, charge.model, bucket), Billed())
        if charge.usd is not None:
            cell.usd = EXACT.add(cell.usd or ZERO, charge.usd)
            cell.rows += 1
        if charge.quantity is not None and charge.metered:
            cell.metered = EXACT.add(cell.metered or ZERO, charge.quantity)
        elif charge.quantity is not None:
            cell.counted = EXACT.add(cell.counted or ZERO, charge.quantity)

    @property
    def days(self) -> tuple[date, date] | None:
        """The first and the last day of which there is anything."""
        days = [day for day, _, _ in self.cells] + [day for _, _, day in self.loose]
        return (min(days), max(days)) if days else None


@dataclass(slots=True)
class Bucket:
    """What the ledger has of one day, model and bucket."""

    quantity: Decimal = ZERO
    unpriced: Decimal = ZERO
    """The part of `quantity` whose attempts have no price."""
    usd: Decimal = ZERO
    late: Decimal = ZERO
    """The part of `quantity` whose attempts ended on the next day."""


@dataclass(slots=True)
class Attempts:
    """What the ledger has of one day and model besides buckets."""

    whole_usd: Decimal = ZERO
    """Cost that the provider reported in one figure."""
    whole: int = 0
    estimated_usd: Decimal = ZERO
    estimated: int = 0
    unpriced: int = 0


@dataclass(slots=True)
class Spent:
    """What the ledger says: attempts of the provider `name`, or of any of `kinds` where no name is given."""

    folded: Mapping[str, str]
    kinds: frozenset[str]
    name: str | None = None
    buckets: dict[tuple[date, Identity, str], Bucket] = field(default_factory=dict)
    attempts: dict[tuple[date, Identity], Attempts] = field(default_factory=dict)
    providers: set[str] = field(default_factory=set)
    """Names of the accounts whose attempts were counted."""

    def add(self, line: Line) -> None:
        """Count one record. Raises one of `ledger.read.DAMAGED`, and has then counted none of its figures."""
        if line["type"] != "attempt" or not self._wanted(line):
            return
        day = date.fromisoformat(line["time"][:10])
        identity = Identity(line["model_requested"], line["model_served"])
        status = line["cost_status"]
        usd, estimate = _money(line["cost_usd"]), _money(line["cost_estimated_usd"])
        parts = {bucket: Decimal(part) for bucket, part in line["cost_parts"].items()}
        used = {**line["usage"], **line["units"]}
        counts = {bucket: Decimal(str(count)) for bucket, count in used.items() if count}
        late = _is_late(line)
        self.providers.add(line["provider"] or "")
        cells = {bucket: self._bucket(day, identity, bucket) for bucket in (*counts, *parts)}
        for bucket, count in counts.items():
            cell = cells[bucket]
            cell.quantity += count
            if late:
                cell.late += count
            if status == "unpriced":
                cell.unpriced += count
        attempts = self.attempts.setdefault((day, identity), Attempts())
        attempts.unpriced += status == "unpriced"
        if estimate is not None:
            attempts.estimated += 1
            attempts.estimated_usd = EXACT.add(attempts.estimated_usd, estimate)
        if usd is not None:
            self._spend(attempts, usd, parts, cells)

    @staticmethod
    def _spend(attempts: Attempts, usd: Decimal, parts: Mapping[str, Decimal], cells: Mapping[str, Bucket]) -> None:
        if usd and not parts:
            attempts.whole += 1
            attempts.whole_usd = EXACT.add(attempts.whole_usd, usd)
        for bucket, part in parts.items():
            cells[bucket].usd = EXACT.add(cells[bucket].usd, part)

    def _wanted(self, line: Line) -> bool:
        return line["provider"] == self.name if self.name else (line["provider_kind"] in self.kinds)

    def _bucket(self, day: date, identity: Identity, bucket: str) -> Bucket:
        return self.buckets.setdefault((day, identity, self.folded.get(bucket, bucket)), Bucket())


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _is_late(line: Line) -> bool:
    """Whether an attempt that began before midnight ended after it: a provider may book it there."""
    duration = line.get("duration_ms")
    if not isinstance(duration, int | float):
        return False
    hour, minute, second = line["time"][11:13], line["time"][14:16], line["time"][17:23]
    return (int(hour) * 3600 + int(minute) * 60 + float(second)) * 1000 + duration >= _DAY_MS
