"""What budgets allow: money that was spent and money that is reserved, by UTC day. Exact; the clock is an argument.

Days are numbered from 1970-01-01. An attempt's money belongs to the day on which it began, so a clock that jumps over
midnight and back finds what it left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Context, Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Per: TypeAlias = Literal["day", "week", "month", "total"]
Match: TypeAlias = tuple[tuple[str, str], ...]
"""Attributes with their values, sorted by name."""

IN_WORDS: Final[Mapping[Per, str]] = MappingProxyType(
    {"day": "a day", "week": "a week", "month": "a month", "total": "in total"}
)
"""As an amount of money is followed by its period."""

DAY_SECONDS: Final = 86_400
_EXACT: Final = Context(prec=60)
"""Enough digits that no sum of costs is rounded."""
_ZERO: Final = Decimal(0)
_EPOCH: Final = date(1970, 1, 1)
_WEEK: Final = 7
_DECEMBER: Final = 12
_FOREVER: Final = 4_000_000
"""A day that never comes."""
MAX_DAYS: Final = 4096
"""Days that are told apart. Only a clock that jumps for years finds more; those longest ago then become one."""

_FOLLOWED: Final = 8
"""Periods of which a tally keeps the sum: four of today, and those of the day before for a while."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `first` to before `end`."""

    first: int
    end: int

    @property
    def resets_at(self) -> int | None:
        """Epoch seconds at which the next one begins; None: never."""
        return None if self.end == _FOREVER else self.end * DAY_SECONDS


@lru_cache(maxsize=256)
def period(per: Per, day: int) -> Period:
    """The period to which `day` belongs. Weeks begin on Monday."""
    if per == "day":
        return Period(day, day + 1)
    if per == "week":
        first = day - (day + 3) % _WEEK  # 1970-01-01 was a Thursday
        return Period(first, first + _WEEK)
    if per == "total":
        return Period(0, _FOREVER)
    first_date = date_of(day).replace(day=1)
    year, month = divmod(first_date.year * _DECEMBER + first_date.month, _DECEMBER)
    return Period(number_of(first_date), number_of(date(year, month + 1, 1)))


def agrees(match: Match, attributes: Mapping[str, str]) -> bool:
    """Whether what has these attributes is meant."""
    return all(attributes.get(name) == value for name, value in match)


def date_of(day: int) -> date:
    """The date of a day's number."""
    return _EPOCH + timedelta(days=day)


def number_of(day: date) -> int:
    """The number of a date."""
    return (day - _EPOCH).days


@dataclass(frozen=True, slots=True)
class Budget:
    """A ceiling for the spending of the requests whose attributes match."""

    name: str
    match: Mapping[str, str]
    """Attributes that a request must have; none: every request."""
    usd: Decimal
    per: Per
    warn_at: Decimal = Decimal("0.8")
    """Share of the ceiling."""
    route: str | None = None
    """Where requests go when it is used up; None: they are refused."""
    shared: str | None = None
    """Base URL of the Prometheus that knows what all gateways spend."""

    @property
    def key(self) -> Match:
        """Budgets that agree in this have the same spending."""
        return tuple(sorted(self.match.items()))


class Tally:
    """What requests of some attributes have spent and may still spend. `since`: what is before that day is unknown."""

    __slots__ = ("_followed", "_reserved", "_spent", "match", "since")

    def __init__(self, match: Match, since: int = 0, spent: Mapping[int, Decimal] | None = None) -> None:
        self.match = match
        self.since = since
        self._spent: dict[int, Decimal] = dict(spent or {})
        self._reserved: dict[int, Decimal] = {}
        self._followed: dict[Period, Decimal] = {}

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Whether a request of these attributes spends here."""
        return agrees(self.match, attributes)

    def reserve(self, day: int, usd: Decimal) -> None:
        """Set `usd` aside, to be released on the same `day`."""
        self._reserved[day] = _EXACT.add(self._reserved.get(day, _ZERO), usd)

    def release(self, day: int, usd: Decimal) -> None:
        """Give back what was reserved on `day`."""
        left = _EXACT.subtract(self._reserved.get(day, _ZERO), usd)
        if left:
            self._reserved[day] = left
        else:
            self._reserved.pop(day, None)

    def take_reserved(self, other: Tally) -> None:
        """Take the place of `other`, which has the same attributes: what was reserved there is released here too."""
        self._reserved = other._reserved

    def spend(self, day: int, usd: Decimal) -> None:
        """An attempt that began on `day` has cost `usd`."""
        if day not in self._spent and len(self._spent) >= MAX_DAYS:
            oldest, second = sorted(self._spent)[:2]
            self._spent[second] = _EXACT.add(self._spent[second], self._spent.pop(oldest))
        self._spent[day] = _EXACT.add(self._spent.get(day, _ZERO), usd)
        for within, total in self._followed.items():
            if within.first <= day < within.end:
                self._followed[within] = _EXACT.add(total, usd)

    def follow(self, within: Period) -> None:
        """Keep the sum of a period from now on, so that `spent` need not add up days."""
        if within not in self._followed:
            if len(self._followed) >= _FOLLOWED:
                self._followed.clear()
            self._followed[within] = self.spent(within)

    def add(self, spent: Mapping[int, Decimal]) -> None:
        """Count what was spent before, by day."""
        for day, usd in spent.items():
            self.spend(day, usd)

    def spent(self, within: Period) -> Decimal:
        """What the attempts that began in a period have cost. May be called on any thread."""
        total = self._followed.get(within)
        if total is not None:
            return total
        days = list(self._spent.items())  # at once, whoever adds to it meanwhile
        return _sum([usd for day, usd in days if within.first <= day < within.end])

    def reserved(self, within: Period) -> Decimal:
        """What is set aside for attempts that began in a period. May be called on any thread."""
        days = list(self._reserved.items())
        return _sum([usd for day, usd in days if within.first <= day < within.end])

    def by_day(self) -> dict[int, Decimal]:
        """What was spent, by day."""
        return dict(self._spent)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stands on one day."""

    budget: Budget
    period: Period
    spent: Decimal
    """By all gateways, as far as is known here."""
    reserved: Decimal
    """By this process alone."""
    shared_up: bool | None = None
    """Whether what others spend was known when last asked for; None: it was not asked for."""

    @property
    def remaining(self) -> Decimal:
        """What is neither spent nor reserved; below zero where more was spent than was allowed."""
        return _EXACT.subtract(self.budget.usd, _EXACT.add(self.spent, self.reserved))

    @property
    def used_up(self) -> bool:
        """Whether nothing more is let in."""
        return self.remaining <= 0

    @property
    def ratio(self) -> Decimal:
        """The share that is spent; 1 of a budget of nothing."""
        return self.spent / self.budget.usd if self.budget.usd else Decimal(1)

    @property
    def warns(self) -> bool:
        """Whether as much is spent as is to be warned about."""
        return self.spent >= _EXACT.multiply(self.budget.usd, self.budget.warn_at)


@dataclass(frozen=True, slots=True)
class Shared:
    """What all gateways together had spent in a period, when it was asked for."""

    period: Period
    usd: Decimal
    own: Decimal
    """What this process had spent by then."""


@dataclass(slots=True)
class Fund:
    """A budget with what is known of its spending. Budgets of the same attributes have one tally."""

    budget: Budget
    tally: Tally
    shared: Shared | None = None
    shared_up: bool | None = None
    """Whether `shared` could be had when last asked for; None: it was not asked for."""
    warned: Period | None = None
    """The period for which it was warned."""
    told: Period | None = None
    """The period for which it was told that it is used up."""

    def period(self, day: int) -> Period:
        """The budget's period to which `day` belongs."""
        return period(self.budget.per, day)

    def standing(self, day: int) -> Standing:
        """How it stands. With shared figures: theirs, and what was spent here since; never less than was spent here."""
        within = self.period(day)
        spent = self.tally.spent(within)
        shared = self.shared
        if shared is not None and shared.period == within:
            spent = max(spent, _EXACT.add(shared.usd, _EXACT.subtract(spent, shared.own)))
        return Standing(self.budget, within, spent, self.tally.reserved(within), self.shared_up)

    def runs_out(self, standing: Standing) -> bool:
        """Whether it is news that it is used up: it was not told in this period."""
        if not standing.used_up or self.told == standing.period:
            return False
        self.told = standing.period
        return True

    def crosses(self, day: int) -> Standing | None:
        """How it stands, if that is to be warned about and was not yet in this period."""
        standing = self.standing(day)
        if self.warned == standing.period or not standing.warns:
            return None
        self.warned = standing.period
        return standing


def _sum(amounts: list[Decimal]) -> Decimal:
    total = _ZERO
    for usd in amounts:
        total = _EXACT.add(total, usd)
    return total
