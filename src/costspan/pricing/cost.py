"""The cost of one attempt: usage times price, exact.

Parts are disjoint because buckets are; the total is their sum. Approximations are flags on the result:

    billed_as:<bucket>:<other>   no own rate, billed at another bucket's, which may be wrong
    unpriced_bucket:<bucket>     tokens without any rate; the cost is incomplete (`settle` makes it unpriced)
    unpriced_unit:<unit>         units without a fee; the rest of the cost is exact
    tier_unpriced:<tier>         served in a tier we have no price for; billed at the base rates (`fast-us`: as `fast`)
    tier_assumed                 the provider did not say which tier served; the requested one was billed
    served_other_model           another model than the requested one answered, and its price is billed
    unmapped:<name>              the source prices something that usage has no bucket for
    usage_inconsistent           a count was negative; it is not billed (`usage.inconsistent` is the caller's to report)
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from costspan.pricing.rates import EXACT, ZERO

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from costspan.ir.usage import Usage
    from costspan.pricing.rates import Plan, Price

BASE_TIERS = frozenset(
    {
        "default",  # OpenAI, Bedrock
        "standard",  # Anthropic, Gemini
        "standard_only",  # Anthropic, as requested
        "auto",  # as requested: the answer says which
        "on_demand",  # Groq; Vertex as trafficType ON_DEMAND
        "unspecified",  # Gemini: "default service tier, which is standard" (google-genai 3.4.0)
        "traffic_type_unspecified",  # Vertex
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

_WITHIN_US = "-us"
"""Anthropic's `fast-us` costs a tenth more than `fast`: where only the latter has a price, that is the nearest one."""

_LONGEST_NAME = 32
"""Characters of an upstream's word that a flag repeats."""

_MEASURES = frozenset({"audio_seconds", "characters", "pages", "searches"})
"""Sizes of the work itself: where tokens measure the same work, a size without a fee is no gap. Images are none: they
are counted only where no tokens measure them, or where a chat model had another model draw them."""


@dataclass(slots=True)  # not frozen, as `ledger.records`: made for every request
class Cost:
    """USD, in total and by bucket and unit. `total` is the exact sum of `parts`."""

    total: Decimal
    parts: Mapping[str, Decimal]
    flags: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether all tokens have a rate, and something has a price at all: else `total` is a lie, 0 most of all."""
        return not self.flags or not any(
            flag.startswith("unpriced_bucket:") or (not self.parts and flag.startswith("unpriced_unit:"))
            for flag in self.flags
        )


def cost(usage: Usage, price: Price, *, service_tier: str | None = None, at: datetime) -> Cost:
    """What `usage` costs at `price`.

    `service_tier` is the tier that was requested; the one that served, `usage.service_tier`, wins. `at` is UTC and
    chooses the hour band. A usage that says nothing of `requests` is of one request.
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
    flags += price.flags
    if price.gaps:
        flags += tuple(f"unmapped:{name}" for name in price.gaps)
    return Cost(total, parts, tuple(dict.fromkeys(flags)) if len(flags) > 1 else flags)


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
            product = EXACT.multiply(fee, max(count, plan.least.get(unit, 0)))
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
    plain = said.lower()
    for name in (said, plain, TIER_ALIASES.get(plain, plain)):
        if name in price.service_tiers:
            return name, () if served else ("tier_assumed",)
    if plain in BASE_TIERS:
        return None, ()
    near = plain.removesuffix(_WITHIN_US)
    unpriced = f"tier_unpriced:{plain[:_LONGEST_NAME]}"
    return near if near in price.service_tiers else None, (unpriced,) if served else (unpriced, "tier_assumed")
