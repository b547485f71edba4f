"""The cost of one attempt: usage times price, exact, with a status that says how far it can be trusted.

The order in which a rate is made, once per combination and then remembered by the price:

    rates  →  size tier  →  service tier  →  hour band  →  discount

Parts are disjoint because buckets are; the total is their sum. Approximations are flags on the result:

    billed_as:<bucket>:<other>   no own rate, billed at another bucket's, which may be wrong
    unpriced_bucket:<bucket>     tokens without any rate; the cost is incomplete (`settle` makes it unpriced)
    unpriced_unit:<unit>         units without a fee; the rest of the cost is exact
    tier_unpriced:<tier>         served in a tier we have no price for; billed at the base rates
    tier_assumed                 the provider did not say which tier served; the requested one was billed
    unmapped:<name>              the source prices something that usage has no bucket for
    usage_inconsistent           the usage report contradicted itself, or a count was negative
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from costspan.ir.usage import BUCKETS
from costspan.pricing.rates import CERTAIN, EXACT, ONE, ZERO, Hours, Rates, ServiceTier, Tier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from decimal import Decimal

    from costspan.ir.usage import Usage

Status: TypeAlias = Literal["exact", "provider", "estimated", "unpriced", "free"]

STRENGTH: tuple[Status, ...] = ("unpriced", "estimated", "provider", "exact", "free")
"""Statuses, weakest first."""

BASE_TIERS = frozenset(
    {
        "default",  # OpenAI, Bedrock
        "standard",  # Anthropic, Gemini
        "standard_only",  # Anthropic, as requested
        "auto",  # as requested: the answer says which
        "on_demand",  # Groq; Vertex as trafficType ON_DEMAND
    }
)
"""Words of providers for being served at the list price. A price that lists such a name itself wins."""

TIER_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        # Vertex usageMetadata.trafficType; LiteLLM#37724 (2026) billed it twice over.
        "on_demand_flex": "flex",
        "on_demand_priority": "priority",
    }
)

_MEASURES = frozenset({"images", "audio_seconds", "characters", "pages", "searches"})
"""Sizes of the work itself: where tokens measure the same work, a size without a fee is no gap."""


@dataclass(frozen=True, slots=True)
class Cost:
    """USD, in total and by bucket and unit. `total` is the exact sum of `parts`."""

    total: Decimal
    parts: Mapping[str, Decimal]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Rates with everything multiplied in: USD per token, USD per `per` units. `doubtful` buckets carry their flag."""

    tokens: Mapping[str, Decimal]
    units: Mapping[str, tuple[Decimal, int]]
    doubtful: Mapping[str, str]


_PlanKey: TypeAlias = tuple[int, str | None, int, int]
"""Threshold of the size tier, service tier, threshold of its own size tier, first minute of the hour band."""

_LIST_PRICE = ServiceTier()
_NO_TIER = Tier(-1, Rates())
_NO_BAND = Hours(-1, -1)
_BASE: _PlanKey = (-1, None, -1, -1)


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs at a provider: rates and all that modifies them, with where they come from.

    `discount` is a fraction: 0.12 takes 12 % off everything. Immutable, but for the plans it remembers: at most one
    for each combination of size tier, service tier and hour band.
    """

    rates: Rates
    tiers: tuple[Tier, ...] = ()
    service_tiers: Mapping[str, ServiceTier] = field(default_factory=dict)
    hours: tuple[Hours, ...] = ()
    discount: Decimal = ZERO
    source: str = ""
    version: str = ""
    gaps: tuple[str, ...] = ()
    _plans: dict[_PlanKey, Plan] = field(default_factory=dict, init=False, repr=False, compare=False)

    def plan(self, usage: Usage, service_tier: str | None, at: datetime) -> Plan:
        """The rates that bill `usage` at `at`; `service_tier` is a key of `service_tiers` or None."""
        if not self.tiers and not self.hours and service_tier is None:
            return self._plans.get(_BASE) or self._remember(_BASE, self.rates, ONE)
        service = self.service_tiers[service_tier] if service_tier is not None else _LIST_PRICE
        tier = _exceeded(self.tiers, usage)
        own = _exceeded(service.tiers, usage)
        band = _band(self.hours, at)
        key = (tier.above, service_tier, own.above, band.start_minute)
        if plan := self._plans.get(key):
            return plan
        replacements = (tier.rates, service.rates or Rates(), own.rates, band.rates or Rates())
        rates = reduce(Rates.overlaid, replacements, self.rates)
        return self._remember(key, rates, EXACT.multiply(service.multiplier, band.multiplier))

    def _remember(self, key: _PlanKey, rates: Rates, multiplier: Decimal) -> Plan:
        factor = EXACT.multiply(multiplier, EXACT.subtract(ONE, self.discount))
        self._plans[key] = plan = _make_plan(rates, factor)
        return plan

    @property
    def free(self) -> bool:
        """Whether a price of zero was configured: there are rates, and every one of them is 0."""
        rates = [rate for each in self._all_rates() for rate in (*each.tokens.values(), *each.units.values())]
        return bool(rates) and not any(rates)

    def _all_rates(self) -> Iterable[Rates]:
        yield self.rates
        for tier in self.tiers:
            yield tier.rates
        for service in self.service_tiers.values():
            yield service.rates or Rates()
            for tier in service.tiers:
                yield tier.rates
        for band in self.hours:
            yield band.rates or Rates()


def _exceeded(tiers: tuple[Tier, ...], usage: Usage) -> Tier:
    """The highest tier whose threshold lies strictly below the prompt."""
    if not tiers:
        return _NO_TIER
    prompt = usage.prompt_tokens
    return max((tier for tier in tiers if prompt > tier.above), key=lambda tier: tier.above, default=_NO_TIER)


def _band(hours: tuple[Hours, ...], at: datetime) -> Hours:
    minute = at.hour * 60 + at.minute
    return next((band for band in hours if band.covers(minute)), _NO_BAND)


def _make_plan(rates: Rates, factor: Decimal) -> Plan:
    """Multiply `factor` into `rates` and settle which rate bills which bucket."""
    tokens: dict[str, Decimal] = {}
    doubtful: dict[str, str] = {}
    for bucket in BUCKETS:
        if resolved := rates.resolve(bucket):
            rate, owner = resolved
            tokens[bucket] = EXACT.multiply(rate, factor).scaleb(-6, EXACT)
            if owner != bucket and bucket not in CERTAIN:
                doubtful[bucket] = f"billed_as:{bucket}:{owner}"
    units = {unit: (EXACT.multiply(fee, factor), rates.per.get(unit, 1)) for unit, fee in rates.units.items()}
    return Plan(tokens, units, doubtful)


def cost(usage: Usage, price: Price, *, service_tier: str | None = None, at: datetime) -> Cost:
    """What `usage` costs at `price`.

    `service_tier` is the tier that was requested; the one that served, `usage.service_tier`, wins. `at` is UTC and
    chooses the hour band. A usage that says nothing of `requests` is of one request. Never raises.
    """
    name, flags = _service_tier(usage.service_tier, service_tier, price)
    plan = price.plan(usage, name, at)
    parts: dict[str, Decimal] = {}
    total = ZERO
    rates = plan.tokens
    doubtful = plan.doubtful
    for bucket, count in usage.tokens.items():
        if count > 0 and bucket in rates:
            parts[bucket] = part = EXACT.multiply(rates[bucket], count)
            total = EXACT.add(total, part)
            if bucket in doubtful:
                flags += (doubtful[bucket],)
        elif count:
            flags += ("usage_inconsistent" if count < 0 else f"unpriced_bucket:{bucket}",)
    if usage.units or "requests" in plan.units:
        total, flags = _add_units(usage, plan, parts, total, flags)
    if usage.inconsistent or price.gaps:
        flags += _notes(usage, price)
    return Cost(total, parts, tuple(dict.fromkeys(flags)) if len(flags) > 1 else flags)


def _notes(usage: Usage, price: Price) -> tuple[str, ...]:
    inconsistent = ("usage_inconsistent",) if usage.inconsistent else ()
    return (*inconsistent, *(f"unmapped:{name}" for name in price.gaps))


def _add_units(
    usage: Usage, plan: Plan, parts: dict[str, Decimal], total: Decimal, flags: tuple[str, ...]
) -> tuple[Decimal, tuple[str, ...]]:
    """Add the fees of `usage` to `parts`; the new total and flags."""
    measured = bool(parts)
    for unit, count in {"requests": 1, **usage.units}.items():
        if count < 0:
            flags += ("usage_inconsistent",)
        elif count and unit in plan.units:
            fee, size = plan.units[unit]
            product = EXACT.multiply(fee, count)
            parts[unit] = part = product if size == 1 else EXACT.divide(product, size)
            total = EXACT.add(total, part)
        elif count and unit != "requests" and not (measured and unit in _MEASURES):
            flags += (f"unpriced_unit:{unit}",)
    return total, flags


def _service_tier(served: str | None, requested: str | None, price: Price) -> tuple[str | None, tuple[str, ...]]:
    """The name of the service tier to bill, None for the base rates, and what is doubtful about it."""
    said = served or requested
    if not said:
        return None, ()
    name = said.lower()
    name = name if name in price.service_tiers else TIER_ALIASES.get(name, name)
    if name in price.service_tiers:
        return name, () if served else ("tier_assumed",)
    if name in BASE_TIERS:
        return None, ()
    return None, (f"tier_unpriced:{name}",) if served else (f"tier_unpriced:{name}", "tier_assumed")


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an attempt cost, as its record states it.

    `cost_usd` is set for the statuses exact, provider and free, `cost_estimated_usd` for estimated, `basis` with it.
    `computed_usd` is usage times price where both are known, also where the provider's own figure was taken: the
    difference to `usage.reported_cost` is the drift.
    """

    cost_usd: Decimal | None
    cost_estimated_usd: Decimal | None
    status: Status
    parts: Mapping[str, Decimal] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    basis: str | None = None
    computed_usd: Decimal | None = None


def settle(  # noqa: PLR0913 - one fact each, keyword-only
    usage: Usage | None,
    price: Price | None,
    *,
    price_as: str | None,
    reached: bool,
    estimate: Decimal | None,
    estimate_basis: str,
    service_tier: str | None,
    at: datetime,
) -> Settlement:
    """Decide what an attempt cost and how far that can be trusted.

    `usage` is what the provider reported, None when nothing. `reached` says whether the upstream got the request: one
    that it never got is free. `estimate` is our guess for when usage stays unknown, `estimate_basis` how it was made.
    `service_tier` is the requested one. A guess never becomes `cost_usd`, and unknown is never 0.
    """
    if not reached:
        return Settlement(ZERO, None, "free")
    if usage is None:
        return _settle_unreported(price, estimate, estimate_basis)
    computed = cost(usage, price, service_tier=service_tier, at=at) if price else None
    if price_as == "provider" and usage.reported_cost is not None:
        if usage.reported_cost.is_finite() and usage.reported_cost >= 0:
            return _settle_reported(usage.reported_cost, computed)
        computed = computed and replace(computed, flags=(*computed.flags, "reported_cost_invalid"))
    if computed is None or price is None:
        return Settlement(None, None, "unpriced", flags=("usage_inconsistent",) if usage.inconsistent else ())
    if any(flag.startswith("unpriced_bucket:") for flag in computed.flags) or _nothing_priced(computed):
        return Settlement(None, None, "unpriced", computed.parts, computed.flags)
    status: Status = "free" if price.free else "exact"
    return Settlement(computed.total, None, status, computed.parts, computed.flags, computed_usd=computed.total)


def _nothing_priced(computed: Cost) -> bool:
    """Whether units were used and no price took any notice: a cost of 0 would be a lie."""
    return not computed.parts and any(flag.startswith("unpriced_unit:") for flag in computed.flags)


def _settle_unreported(price: Price | None, estimate: Decimal | None, basis: str) -> Settlement:
    if price is not None and price.free:
        return Settlement(ZERO, None, "free")
    if price is None or estimate is None:
        return Settlement(None, None, "unpriced")
    return Settlement(None, estimate, "estimated", basis=basis)


def _settle_reported(reported: Decimal, computed: Cost | None) -> Settlement:
    """Take the provider's figure. Its parts are unknown; ours are left out because they need not sum to it."""
    flags = computed.flags if computed else ()
    return Settlement(reported, None, "provider", flags=flags, computed_usd=computed.total if computed else None)


def weakest(statuses: Iterable[Status]) -> Status:
    """The status of a whole: the weakest of its parts. Nothing at all is free."""
    return min(statuses, key=STRENGTH.index, default="free")


def add(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The exact sum of the amounts that are known; None when none is."""
    known = [amount for amount in amounts if amount is not None]
    return reduce(EXACT.add, known, ZERO) if known else None
