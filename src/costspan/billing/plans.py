"""What spending costs under a billing plan. docs/adr/0017 says how what plans leave open is read.

Spending comes by the hour, so that an allowance of requests can be used up in the order of time and a plan can change
on a day. Every UTC calendar month is a bill of its own. A plan that changes within a month has each of its versions
with a whole allowance on the days it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING

from costspan.billing.amounts import add, divide, multiply, subtract, total, whole_times
from costspan.pricing.rates import ONE, ZERO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from costspan.config.billing import BillingPlan, FreeAllowance, Surcharge, TopUp

_DAY = len("2026-01-02")
_MONTH = len("2026-01")


@dataclass(frozen=True, slots=True)
class Spending:
    """Requests and what they cost: `direct`, by the accounts' own prices, and `listed`, before their discounts."""

    requests: int = 0
    direct: Decimal = ZERO
    listed: Decimal = ZERO

    def __add__(self, other: Spending) -> Spending:
        return Spending(self.requests + other.requests, add(self.direct, other.direct), add(self.listed, other.listed))


@dataclass(frozen=True, slots=True)
class Bill:
    """USD. `direct` is what providers bill themselves, `credits` what is paid from credits at list price.

    `fees` are those of buying credits; `surcharge_fees` those of buying credits only to pay the surcharge. `left` are
    the credits that are bought and not spent at the end.
    """

    direct: Decimal = ZERO
    credits: Decimal = ZERO
    surcharge: Decimal = ZERO
    fees: Decimal = ZERO
    surcharge_fees: Decimal = ZERO
    purchases: int = 0
    left: Decimal = ZERO

    @property
    def without_surcharge_fees(self) -> Decimal:
        """The cost, if no fee is taken on credits that pay the surcharge."""
        return total((self.direct, self.credits, self.surcharge, self.fees))

    @property
    def total(self) -> Decimal:
        """The cost. Credits that are left are none yet."""
        return add(self.without_surcharge_fees, self.surcharge_fees)

    def __add__(self, later: Bill) -> Bill:
        return Bill(
            direct=add(self.direct, later.direct),
            credits=add(self.credits, later.credits),
            surcharge=add(self.surcharge, later.surcharge),
            fees=add(self.fees, later.fees),
            surcharge_fees=add(self.surcharge_fees, later.surcharge_fees),
            purchases=self.purchases + later.purchases,
            left=later.left,
        )


def bills(versions: Sequence[BillingPlan], hours: Mapping[str, Spending]) -> dict[str, Bill | None]:
    """The bill of each month (`2026-01`) of `hours` (`2026-01-02T03`), in order.

    None for a month with spending on a day on which no version of the plan holds: what that costs is not known.
    """
    found: dict[str, Bill | None] = {}
    purse, own_purse = _Purse(), _Purse()
    for (month, version), spending in _spans(versions, hours):
        before = found.setdefault(month, Bill())
        if version is None and any(hour != Spending() for hour in spending):
            found[month] = None
        elif version is not None and before is not None:
            found[month] = before + _bill(version, spending, purse, own_purse)
    return found


def _spans(
    versions: Sequence[BillingPlan], hours: Mapping[str, Spending]
) -> Iterator[tuple[tuple[str, BillingPlan | None], list[Spending]]]:
    """Months, cut where another version begins, with the spending of their hours."""
    in_force: dict[str, BillingPlan | None] = {}

    def span(hour: str) -> tuple[str, BillingPlan | None]:
        day = hour[:_DAY]
        if day not in in_force:
            on = date.fromisoformat(day)
            in_force[day] = next((version for version in versions if version.in_force(on)), None)
        return hour[:_MONTH], in_force[day]

    for key, of_span in groupby(sorted(hours), key=span):
        yield key, [hours[hour] for hour in of_span]


def _bill(plan: BillingPlan, hours: Sequence[Spending], purse: _Purse, own_purse: _Purse) -> Bill:
    direct, listed = total(hour.direct for hour in hours), total(hour.listed for hour in hours)
    surcharge = _surcharge(plan.surcharge, hours) if plan.surcharge is not None else ZERO
    own = plan.surcharge.top_up if plan.surcharge is not None else None
    prepaid = plan.top_up is not None
    from_credits = add(listed, surcharge if own is None else ZERO) if prepaid else ZERO
    fees, purchases = purse.pay(plan.top_up, from_credits)
    surcharge_fees, own_purchases = own_purse.pay(own, surcharge)
    return Bill(
        direct=ZERO if prepaid else direct,
        credits=listed if prepaid else ZERO,
        surcharge=surcharge,
        fees=fees,
        surcharge_fees=surcharge_fees,
        purchases=purchases + own_purchases,
        left=add(purse.credits, own_purse.credits),
    )


def _surcharge(surcharge: Surcharge, hours: Sequence[Spending]) -> Decimal:
    listed = total(hour.listed for hour in hours)
    free = surcharge.free
    if free is None:
        base = listed
    elif free.usd is not None:
        base = max(ZERO, subtract(listed, free.usd))
    else:
        base = _beyond(free, free.requests or 0, hours)
    return multiply(base, surcharge.percent)


def _beyond(free: FreeAllowance, requests: int, hours: Sequence[Spending]) -> Decimal:
    """The list price of the requests beyond the free ones. Within an hour, or in all, each costs the same."""
    if free.counted == "evenly":
        hours = [sum(hours, Spending())]
    base = ZERO
    for hour in hours:
        charged = max(0, hour.requests - requests)
        requests = max(0, requests - hour.requests)
        if charged:
            base = add(base, divide(multiply(hour.listed, charged), hour.requests))
    return base


class _Purse:
    """Credits bought and not spent yet."""

    def __init__(self) -> None:
        self.credits = ZERO

    def pay(self, top_up: TopUp | None, needed: Decimal) -> tuple[Decimal, int]:
        """Spend credits, buying what is missing. Returns the fees of the purchases, and their number."""
        if top_up is None:
            return ZERO, 0
        missing = subtract(needed, self.credits)
        if missing <= 0:
            self.credits = subtract(self.credits, needed)
            return ZERO, 0
        fee = _fee(top_up, top_up.amount)
        each = top_up.amount if top_up.fee_is == "on_top" else subtract(top_up.amount, fee)
        purchases, rest = whole_times(missing, each)
        self.credits = ZERO
        fees = multiply(fee, purchases)
        if not rest:
            return fees, purchases
        if top_up.last == "whole":
            self.credits = subtract(each, rest)
            return add(fees, fee), purchases + 1
        return add(fees, _fee_of_rest(top_up, rest)), purchases + 1


def _fee(top_up: TopUp, amount: Decimal) -> Decimal:
    return max(top_up.minimum, multiply(amount, top_up.fee))


def _fee_of_rest(top_up: TopUp, rest: Decimal) -> Decimal:
    """The fee of a purchase that leaves `rest` as credits."""
    if top_up.fee_is == "on_top":
        return _fee(top_up, rest)
    return max(top_up.minimum, subtract(divide(rest, subtract(ONE, top_up.fee)), rest))
