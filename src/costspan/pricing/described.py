"""Rows in the words of gateway.yaml, for people and programs."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from costspan.ir.usage import BUCKETS, UNITS
from costspan.pricing.rates import EXACT, ONE, UNIT_WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from costspan.pricing.rates import Hours, Rates, Row, ServiceTier, Tier

_WORDS: Mapping[tuple[str, int], str] = MappingProxyType(
    {place: word for word, place in reversed(tuple(UNIT_WORDS.items())) if word not in UNITS}
)
"""The word of gateway.yaml for a fee, by unit and how many of it the fee buys."""


def plain(amount: Decimal) -> str:
    """`amount` to its last digit, without an exponent and without zeros that say nothing."""
    return format(amount.normalize(EXACT), "f")


def words(rates: Rates) -> dict[str, Decimal]:
    """What `rates` says, by the words of gateway.yaml and in their order.

    A fee for a number of units that has no word (the catalog's for a thousand) becomes the fee for one.
    """
    found = {bucket: rates.tokens[bucket] for bucket in BUCKETS if bucket in rates.tokens}
    for unit, fee in rates.units.items():
        size = rates.per.get(unit, 1)
        word = _WORDS.get((unit, size))
        found[word or _WORDS[unit, 1]] = fee if word else EXACT.divide(fee, size)
    return found


def described(row: Row) -> dict[str, Any]:
    """Everything that `row` says, as JSON; amounts are decimal strings."""
    return {
        "provider": row.provider,
        "model": row.model,
        "from": row.from_.isoformat() if row.from_ else None,
        "to": row.to.isoformat() if row.to else None,
        "rates": _texts(row.rates),
        "tiers": _sizes(row.tiers),
        "service_tiers": {name: _service_tier(tier) for name, tier in row.service_tiers.items()},
        "hours": [_hours(band) for band in row.hours],
        "least": dict(row.least),
        "unmapped": list(row.gaps),
        "price_source": row.source,
        "stated_source": row.stated,
    }


def clock(band: Hours) -> str:
    """The band as the file writes it: `16:30-00:30`."""
    begin, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in (band.start_minute, band.end_minute))
    return f"{begin}-{end}" if band.start_minute != band.end_minute else f"{begin}-24:00"


def _texts(rates: Rates | None) -> dict[str, str]:
    return {word: plain(amount) for word, amount in words(rates).items()} if rates else {}


def _sizes(tiers: tuple[Tier, ...]) -> list[dict[str, Any]]:
    return [{"above": tier.above, "rates": _texts(tier.rates)} for tier in tiers]


def _service_tier(tier: ServiceTier) -> dict[str, Any]:
    return {"multiplier": plain(tier.multiplier), "rates": _texts(tier.rates), "tiers": _sizes(tier.tiers)}


def _hours(band: Hours) -> dict[str, Any]:
    return {"utc": clock(band), "multiplier": plain(band.multiplier), "rates": _texts(band.rates)}


def summary(row: Row) -> list[str]:
    """What changes the row's rates, a line each, for people."""
    lines = [f"above {tier.above}: {_listed(tier.rates)}" for tier in row.tiers]
    for name, service in row.service_tiers.items():
        lines.append(f"{name}: {_changed(service.multiplier, service.rates)}")
        lines += [f"{name}, above {tier.above}: {_listed(tier.rates)}" for tier in service.tiers]
    lines += [f"{clock(band)} UTC: {_changed(band.multiplier, band.rates)}" for band in row.hours]
    lines += [f"at least {count} {unit}" for unit, count in row.least.items()]
    return lines


def _changed(multiplier: Decimal, rates: Rates | None) -> str:
    listed = _listed(rates) if rates else ""
    return listed if multiplier == ONE and listed else " ".join(filter(None, (f"x {plain(multiplier)}", listed)))


def _listed(rates: Rates) -> str:
    return ", ".join(f"{word} {text}" for word, text in _texts(rates).items())
