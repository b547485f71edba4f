"""What two rows for the same model say differently: one of the table, and the catalog's."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import reduce
from itertools import product
from typing import TYPE_CHECKING

from costspan.ir.usage import BUCKETS, UNITS
from costspan.pricing.described import clock
from costspan.pricing.rates import EXACT, Hours, Rates, ServiceTier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from costspan.pricing.rates import Row, Tier

_PLACES = Decimal("0.0001")
_LONG = Context(prec=28)
"""For fees by the hour, which have no last digit by the second."""
_ALL_DAY = Hours(0, 0)


@dataclass(frozen=True, slots=True)
class Case:
    """One way in which a row is billed: above so many prompt tokens, in a service tier, from a minute of the day on."""

    above: int = -1
    service_tier: str | None = None
    band: str | None = None

    @property
    def label(self) -> str:
        """For people; empty for the list price."""
        size = f"above {self.above}" if self.above >= 0 else None
        return ", ".join(filter(None, (self.service_tier, size, self.band)))


@dataclass(frozen=True, slots=True)
class Change:
    """What one unit costs in `ours` and in `theirs`; None is no price. Tokens are per million, units per one."""

    case: str
    name: str
    ours: Decimal | None
    theirs: Decimal | None

    @property
    def ratio(self) -> Decimal | None:
        """Ours for theirs, to four places; None where one is missing or theirs is 0."""
        if self.ours is None or not self.theirs:
            return None
        return EXACT.divide(self.ours, self.theirs).quantize(_PLACES, ROUND_HALF_EVEN)


def difference(ours: Row, theirs: Row, *, everything: bool = False) -> Iterator[Change]:
    """Each rate that is billed differently; with `everything` also those that are not.

    A bucket counts where either row has a rate of its own for it, with what it is really billed at in the other. What
    differs at the list price is not said again for each tier that it differs by as much in.
    """
    named = _named(ours) | _named(theirs)
    names = [name for name in (*BUCKETS, *UNITS) if name in named]
    base = {change.name: change for change in _changes(Case(), names, ours, theirs)}
    for case in _cases(ours, theirs):
        for change in _changes(case, names, ours, theirs):
            same = change.ours == change.theirs or (change.case and _as_much(change, base[change.name]))
            if everything or not same:
                yield change


def _changes(case: Case, names: Iterable[str], ours: Row, theirs: Row) -> Iterator[Change]:
    mine, other = _effective(ours, case), _effective(theirs, case)
    return (Change(case.label, name, mine.get(name), other.get(name)) for name in names)


def _as_much(change: Change, base: Change) -> bool:
    match (change.ours, change.theirs, base.ours, base.theirs):
        case (Decimal() as ours, Decimal() as theirs, Decimal() as before, Decimal() as after):
            return EXACT.multiply(ours, after) == EXACT.multiply(theirs, before)
    return (change.ours, change.theirs) == (base.ours, base.theirs)


def _cases(*rows: Row) -> Iterator[Case]:
    """The list price, and each combination of what either row makes a difference of."""
    services = [None, *dict.fromkeys(name for row in rows for name in row.service_tiers)]
    sizes = sorted({tier.above for row in rows for tier in (*row.tiers, *_own_tiers(row))})
    bands = [None, *dict.fromkeys(clock(band) for row in rows for band in row.hours)]
    for band, service, above in product(bands, services, (-1, *sizes)):
        yield Case(above, service, band)


def _own_tiers(row: Row) -> Iterator[Tier]:
    for service in row.service_tiers.values():
        yield from service.tiers


def _effective(row: Row, case: Case) -> dict[str, Decimal]:
    service = row.service_tiers.get(case.service_tier or "") or ServiceTier()
    band = _band(row, case.band)
    own = (_size(service.tiers, case.above), band.rates or Rates())
    rates = reduce(Rates.overlaid, (_size(row.tiers, case.above), service.rates or Rates(), *own), row.rates)
    factor = EXACT.multiply(service.multiplier, band.multiplier)
    found = {bucket: EXACT.multiply(rate[0], factor) for bucket in BUCKETS if (rate := rates.resolve(bucket))}
    for unit, fee in rates.units.items():
        found[unit] = _LONG.divide(EXACT.multiply(fee, factor), rates.per.get(unit, 1))
    return found


def _size(tiers: tuple[Tier, ...], above: int) -> Rates:
    """The rates that hold for a prompt just above `above` tokens."""
    exceeded = [tier for tier in tiers if tier.above <= above]
    return max(exceeded, key=lambda tier: tier.above).rates if exceeded else Rates()


def _band(row: Row, wanted: str | None) -> Hours:
    minute = int(wanted[:2]) * 60 + int(wanted[3:5]) if wanted else 0
    return next((band for band in row.hours if wanted and band.covers(minute)), _ALL_DAY)


def _named(row: Row) -> set[str]:
    parts = [row.rates, *(tier.rates for tier in (*row.tiers, *_own_tiers(row)))]
    parts += [service.rates or Rates() for service in row.service_tiers.values()]
    parts += [band.rates or Rates() for band in row.hours]
    return {name for part in parts for name in (*part.tokens, *part.units)}
