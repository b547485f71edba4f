"""The traffic of the ledger under each billing plan, beside what it really cost.

The ledger's costs are after the discounts of the accounts. An account's list price is its cost divided by what the
discount leaves. A figure that the provider itself reported has no discount of ours in it, and is taken for the list
price too. Requests whose price is not known are in no plan's cost; estimates are kept apart: what they add to a bill is
the difference to the bill without them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import add as plus
from typing import TYPE_CHECKING, Final, TypeAlias

from costspan.billing.amounts import add, allocate, divide, read, subtract, total
from costspan.billing.plans import Bill, Spending, bills
from costspan.pricing.rates import ONE, ZERO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from decimal import Decimal

    from costspan.config.billing import BillingPlan
    from costspan.ledger.read import Line

_HOUR: Final = len("2026-01-02T03")
_MONTH: Final = len("2026-01")

Group: TypeAlias = tuple[str | None, ...]


@dataclass(slots=True)
class _Seen:
    """What matters of one line."""

    status: str
    requests: int
    cost: Decimal | None
    estimated: Decimal


@dataclass(slots=True)
class _Paid:
    """What one account was paid."""

    requests: int = 0
    cost: Decimal = ZERO
    estimates: int = 0
    estimated: Decimal = ZERO
    unpriced: int = 0

    def add(self, seen: _Seen) -> None:
        if seen.status == "estimated":
            self.estimates += seen.requests
            self.estimated = add(self.estimated, seen.estimated)
        elif seen.cost is None:
            self.unpriced += 1
        else:
            self.requests += seen.requests if seen.status != "free" else 0
            self.cost = add(self.cost, seen.cost)


@dataclass(frozen=True, slots=True)
class Spent:
    """What was really spent. `unlisted` requests have no list price: a discount of 100 % leaves none to reckon from."""

    known: Spending = field(default_factory=Spending)
    estimated: Spending = field(default_factory=Spending)
    unpriced: int = 0
    unlisted: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.known + other.known,
            self.estimated + other.estimated,
            self.unpriced + other.unpriced,
            self.unlisted + other.unlisted,
        )


class Traffic:
    """Sums over attempts, by the hour and by `dimensions`: bounded by time and groups, not by attempts."""

    def __init__(self, dimensions: Sequence[Callable[[Line], str | None]] = ()) -> None:
        self._dimensions = tuple(dimensions)
        self._hours: dict[tuple[str, str | None], _Paid] = {}
        self._groups: dict[tuple[str, Group, str | None], _Paid] = {}

    def add(self, line: Line) -> None:
        """Count an attempt; exchanges repeat what is in theirs. A damaged line raises what `read.DAMAGED` says."""
        if line["type"] != "attempt":
            return
        hour = line["time"][:_HOUR]
        account = None if line["cost_status"] == "provider" else line["provider"]
        group = tuple(dimension(line) for dimension in self._dimensions)
        seen = _Seen(
            line["cost_status"],
            int(line["units"].get("requests", 1)),
            read(line["cost_usd"]),
            read(line["cost_estimated_usd"]) or ZERO,
        )
        self._hours.setdefault((hour, account), _Paid()).add(seen)
        if group:
            self._groups.setdefault((hour[:_MONTH], group, account), _Paid()).add(seen)

    @property
    def providers(self) -> frozenset[str]:
        """Whose discounts are needed."""
        return frozenset(account for _, account in self._hours if account is not None)

    def hours(self, discounts: Mapping[str, Decimal]) -> dict[str, Spent]:
        """What was spent by the hour (`2026-01-02T03`). Who has no discount in `discounts` has none."""
        found: dict[str, Spent] = {}
        for (hour, account), paid in self._hours.items():
            found[hour] = found.get(hour, Spent()) + _spent(paid, discounts.get(account or "", ZERO))
        return found

    def groups(self, discounts: Mapping[str, Decimal]) -> dict[Group, dict[str, Spent]]:
        """What was spent by each group, by month (`2026-01`)."""
        found: dict[Group, dict[str, Spent]] = {}
        for (month, group, account), paid in self._groups.items():
            months = found.setdefault(group, {})
            months[month] = months.get(month, Spent()) + _spent(paid, discounts.get(account or "", ZERO))
        return found


def _spent(paid: _Paid, discount: Decimal) -> Spent:
    kept = subtract(ONE, discount)
    return Spent(
        known=Spending(paid.requests, paid.cost, divide(paid.cost, kept) if kept else ZERO),
        estimated=Spending(paid.estimates, paid.estimated, divide(paid.estimated, kept) if kept else ZERO),
        unpriced=paid.unpriced,
        unlisted=0 if kept else paid.requests + paid.estimates,
    )


@dataclass(frozen=True, slots=True)
class PlanCost:
    """A plan's bills by month and their sum. None: on some day with spending no version of the plan holds.

    `estimated` is what estimates would add to each.
    """

    months: Mapping[str, Bill | None]
    estimated: Mapping[str, Decimal | None]

    @property
    def total(self) -> Bill | None:
        """The sum of all months."""
        known = [bill for bill in self.months.values() if bill is not None]
        return reduce(plus, known, Bill()) if len(known) == len(self.months) else None

    @property
    def total_estimated(self) -> Decimal | None:
        """The sum of what estimates would add."""
        known = [amount for amount in self.estimated.values() if amount is not None]
        return total(known) if len(known) == len(self.estimated) else None


@dataclass(frozen=True, slots=True)
class GroupCost:
    """What a group really spent, and its share of each plan's cost (without estimates); None where that is unknown."""

    group: Group
    spent: Spent
    plans: Mapping[str, Decimal | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was spent by month, what it would have cost by plan, and both by group (dearest first)."""

    months: Mapping[str, Spent]
    plans: Mapping[str, PlanCost]
    groups: tuple[GroupCost, ...]

    @property
    def spent(self) -> Spent:
        """What was really spent in all."""
        return reduce(plus, self.months.values(), Spent())


def compare(
    traffic: Traffic, discounts: Mapping[str, Decimal], plans: Mapping[str, Sequence[BillingPlan]]
) -> Comparison:
    """Reckon each plan of `plans` over `traffic`. `discounts` are those of the accounts, by their names."""
    hours = traffic.hours(discounts)
    months: dict[str, Spent] = {}
    for hour in sorted(hours):
        months[hour[:_MONTH]] = months.get(hour[:_MONTH], Spent()) + hours[hour]
    costs = {name: _plan_cost(versions, hours) for name, versions in plans.items()}
    groups = traffic.groups(discounts)
    shares = {name: _shares(cost, groups, months) for name, cost in costs.items()}
    rows = [
        GroupCost(group, reduce(plus, spent.values(), Spent()), {name: shares[name][group] for name in costs})
        for group, spent in groups.items()
    ]
    return Comparison(months, costs, tuple(sorted(rows, key=_rank)))


def _rank(row: GroupCost) -> tuple[Decimal, list[str]]:
    return -add(row.spent.known.direct, row.spent.estimated.direct), [value or "" for value in row.group]


def _plan_cost(versions: Sequence[BillingPlan], hours: Mapping[str, Spent]) -> PlanCost:
    known = bills(versions, {hour: spent.known for hour, spent in hours.items()})
    both = bills(versions, {hour: spent.known + spent.estimated for hour, spent in hours.items()})
    return PlanCost(known, {month: _added(bill, known[month]) for month, bill in both.items()})


def _added(bill: Bill | None, without: Bill | None) -> Decimal | None:
    return None if bill is None or without is None else subtract(bill.total, without.total)


def _shares(
    cost: PlanCost, groups: Mapping[Group, Mapping[str, Spent]], months: Iterable[str]
) -> dict[Group, Decimal | None]:
    """Each group's share of a plan's cost: what it spent itself, and of all that is added by its list price."""
    shares: dict[Group, Decimal | None] = dict.fromkeys(groups, ZERO)
    for month in months:
        members = [group for group, spent in groups.items() if month in spent]
        bill = cost.months[month]
        parts = [None] * len(members) if bill is None else _parts(bill, [groups[group][month] for group in members])
        for group, part in zip(members, parts, strict=True):
            before = shares[group]
            shares[group] = None if before is None or part is None else add(before, part)
    return shares


def _parts(bill: Bill, spent: Sequence[Spent]) -> list[Decimal]:
    direct = [each.known.direct for each in spent]
    listed = [each.known.listed for each in spent]
    by_list = subtract(bill.total, bill.direct)
    return [add(*both) for both in zip(allocate(bill.direct, direct), allocate(by_list, listed), strict=True)]
