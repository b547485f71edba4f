"""The usage of the ledger's attempts at other prices: of other targets, other service tiers, without a cache.

Every attempt is priced as it would have been on its day. A price that is not known stays unknown: the attempt is
counted and in neither sum, so that both sums are of the same attempts. Attempts that never reported their usage have
nothing to be priced by, and are counted apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from costspan.billing.amounts import add, divide, read, subtract
from costspan.ir.usage import Usage
from costspan.pricing.rates import ZERO
from costspan.pricing.settle import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from costspan.ledger.read import Line
    from costspan.pricing.book import PriceBook

Group: TypeAlias = tuple[str | None, ...]

_UNCACHED = {
    "cache_read": "input",
    "cache_write": "input",
    "cache_write_1h": "input",
    "cache_read_audio": "input_audio",
}
"""What the tokens of these buckets are without a cache."""


@dataclass(frozen=True, slots=True)
class Seller:
    """Whose prices hold: an account of the configuration, or a kind of provider that has none, at its list price."""

    name: str
    kind: str
    price_as: str | None
    discount: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Scenario:
    """What would be otherwise. `seller` and `model` None: nothing, it goes where it went.

    `service_tier` None: the tier that served, where the target has one of that name.
    """

    name: str
    seller: Seller | None = None
    model: str | None = None
    service_tier: str | None = None
    cached: bool = True


@dataclass(slots=True)
class Figures:
    """One scenario over one group. `real` and `hypothetical` are USD of the same `attempts`."""

    attempts: int = 0
    real: Decimal = ZERO
    hypothetical: Decimal = ZERO
    unpriced: int = 0
    """Attempts that have no price there."""
    unpriced_real: Decimal = ZERO
    """What those really cost, as far as that is known."""
    unpaid: int = 0
    """Attempts that have a price there, and whose real cost is not known."""
    without_tier: int = 0
    """Of `attempts`, those served in a tier that has no price there: taken at the standard price."""

    @property
    def difference(self) -> Decimal:
        """What would be paid more."""
        return subtract(self.hypothetical, self.real)

    @property
    def ratio(self) -> Decimal | None:
        """How many times the real cost would be paid; None where that is nothing."""
        return divide(self.hypothetical, self.real) if self.real else None


@dataclass(slots=True)
class Unmetered:
    """Attempts without usage, which nothing can be said about."""

    attempts: int = 0
    paid: Decimal = ZERO
    estimated: Decimal = ZERO


@dataclass(slots=True)
class _Priced:
    cost: Decimal | None
    without_tier: bool = False


_NO_PRICE = _Priced(None)


@dataclass(slots=True)
class WhatIf:
    """Prices lines under `scenarios`. `sellers` are the accounts by name; memory grows with the groups only."""

    book: PriceBook
    sellers: Mapping[str, Seller]
    scenarios: Sequence[Scenario]
    dimensions: Sequence[Callable[[Line], str | None]] = ()
    unmetered: Unmetered = field(default_factory=Unmetered)
    total: tuple[Figures, ...] = field(init=False)
    """By scenario."""
    groups: dict[Group, tuple[Figures, ...]] = field(default_factory=dict, init=False)
    """By scenario, for each group."""

    def __post_init__(self) -> None:
        self.total = self._empty()

    def add(self, line: Line) -> None:
        """Count an attempt; exchanges repeat what is in theirs. A damaged line raises what `read.DAMAGED` says."""
        if line["type"] != "attempt":
            return
        paid = read(line["cost_usd"])
        if line["cost_status"] == "estimated" or not (line["usage"] or line["units"]):
            self._add_unmetered(line, paid)
            return
        group = tuple(dimension(line) for dimension in self.dimensions)
        used = _Used(line)
        priced = [self._price(used, scenario) for scenario in self.scenarios]
        _count(self.total, priced, paid)
        if group:
            _count(self.groups.setdefault(group, self._empty()), priced, paid)

    def _empty(self) -> tuple[Figures, ...]:
        return tuple(Figures() for _ in self.scenarios)

    def _add_unmetered(self, line: Line, paid: Decimal | None) -> None:
        estimated = read(line["cost_estimated_usd"])
        if line["cost_status"] == "free":
            return
        self.unmetered.attempts += 1
        self.unmetered.paid = add(self.unmetered.paid, paid or ZERO)
        self.unmetered.estimated = add(self.unmetered.estimated, estimated or ZERO)

    def _price(self, used: _Used, scenario: Scenario) -> _Priced:
        seller = scenario.seller or self.sellers.get(used.line["provider"] or "")
        model = scenario.model or used.line["model_requested"]
        if seller is None or model is None:
            return _NO_PRICE
        price = self.book.find(
            seller.name,
            seller.kind,
            model,
            served=used.line["model_served"] if scenario.model is None else None,
            price_as=seller.price_as,
            discount=seller.discount,
            at=used.at,
        )
        asked = scenario.service_tier
        settled = settle(
            used.as_in(scenario),
            price,
            price_as=None,
            reached=True,
            estimate=None,
            estimate_basis="",
            service_tier=asked,
            at=used.at,
        )
        without_tier = _has(settled.flags, "tier_unpriced:")
        unknown = _has(settled.flags, "unpriced_unit:") or (without_tier and asked is not None)
        return _Priced(None if unknown else settled.cost_usd, without_tier)


class _Used:
    """What an attempt used, and when."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.at = datetime.fromisoformat(line["time"])
        self._units = {
            unit: count if isinstance(count, int) else Decimal(str(count)) for unit, count in line["units"].items()
        }

    def as_in(self, scenario: Scenario) -> Usage:
        """The usage, with or without a cache, and the tier that served where no other is asked for."""
        tokens: Mapping[str, int] = self.line["usage"]
        if not scenario.cached:
            tokens = _uncached(tokens)
        return Usage(
            tokens, self._units, service_tier=self.line["service_tier"] if scenario.service_tier is None else None
        )


def _uncached(tokens: Mapping[str, int]) -> dict[str, int]:
    moved: dict[str, int] = {}
    for bucket, count in tokens.items():
        name = _UNCACHED.get(bucket, bucket)
        moved[name] = moved.get(name, 0) + count
    return moved


def _has(flags: Iterable[str], prefix: str) -> bool:
    return any(flag.startswith(prefix) for flag in flags)


def _count(figures: Iterable[Figures], priced: Iterable[_Priced], paid: Decimal | None) -> None:
    for each, there in zip(figures, priced, strict=True):
        if there.cost is None:
            each.unpriced += 1
            each.unpriced_real = add(each.unpriced_real, paid or ZERO)
        elif paid is None:
            each.unpaid += 1
        else:
            each.attempts += 1
            each.real = add(each.real, paid)
            each.hypothetical = add(each.hypothetical, there.cost)
            each.without_tier += there.without_tier
