"""Settlement: what an attempt cost, with a status that says how far that can be trusted.

exact      reported usage times a known price
provider   the provider reported the cost itself, and `price_as: provider` says to trust it
estimated  the upstream took the request but never reported usage: our estimate, never mixed into a cost
unpriced   usage known, price not; or nothing known at all
free       a price of zero was configured, or the attempt never reached the upstream
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Literal, TypeAlias

from costspan.pricing.cost import cost
from costspan.pricing.rates import EXACT, ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from decimal import Decimal

    from costspan.ir.usage import Usage
    from costspan.pricing.cost import Cost
    from costspan.pricing.rates import Price

Status: TypeAlias = Literal["exact", "provider", "estimated", "unpriced", "free"]

STRENGTH: tuple[Status, ...] = ("unpriced", "estimated", "provider", "exact", "free")
"""Statuses, weakest first."""


@dataclass(slots=True)  # not frozen, as `ledger.records`: made for every request
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
    whole = computed is not None and computed.is_whole
    if price_as == "provider" and usage.reported_cost is not None:
        if usage.reported_cost.is_finite() and usage.reported_cost >= 0:
            return _settle_reported(usage.reported_cost, computed, whole=whole)
        computed = computed and replace(computed, flags=(*computed.flags, "reported_cost_invalid"))
    if computed is None or price is None:
        return Settlement(None, None, "unpriced")
    if not whole:
        return Settlement(None, None, "unpriced", computed.parts, computed.flags)
    status: Status = "free" if not computed.total and price.free else "exact"
    return Settlement(computed.total, None, status, computed.parts, computed.flags, computed_usd=computed.total)


def _settle_unreported(price: Price | None, estimate: Decimal | None, basis: str) -> Settlement:
    if price is not None and price.free:
        return Settlement(ZERO, None, "free")
    if price is None or estimate is None:
        return Settlement(None, None, "unpriced")
    return Settlement(None, estimate, "estimated", basis=basis)


def _settle_reported(reported: Decimal, computed: Cost | None, *, whole: bool) -> Settlement:
    """Take the provider's figure. Its parts are unknown; ours are left out because they need not sum to it."""
    flags = computed.flags if computed else ()
    known = computed.total if computed and whole else None
    return Settlement(reported, None, "provider", flags=flags, computed_usd=known)


def weakest(statuses: Iterable[Status]) -> Status:
    """The status of a whole: the weakest of its parts. Nothing at all is free."""
    return min(statuses, key=STRENGTH.index, default="free")


def add(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The exact sum of the amounts that are known; None when none is."""
    known = [amount for amount in amounts if amount is not None]
    if len(known) == 1:  # nearly always
        return known[0]
    return reduce(EXACT.add, known, ZERO) if known else None
