"""How old the facts of a price are: the day on which somebody last read them where they are published."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from costspan.pricing.catalog import Catalog
    from costspan.pricing.rates import Row

Basis = Literal["source", "from", "unknown", "release", "at_least"]
"""Where the day comes from: a date in the row's `source`, its first day, nowhere; the catalog's release, or the newest
change of price in it."""

MOST_DAYS = 90
"""Days after which `costspan check` warns."""

_DAY = re.compile(r"(?<!\d)20\d\d-\d\d-\d\d(?!\d)")


@dataclass(frozen=True, slots=True)
class Age:
    """Of one price. `days` is None where nothing says when its facts were read."""

    where: str
    about: str
    as_of: date | None
    days: int | None
    basis: Basis

    def over(self, most: int) -> bool:
        """Whether it is older than `most` days, or may be."""
        return self.days is None or self.days > most


def ages(rows: Iterable[Row], catalog: Catalog | None, today: date) -> Iterator[Age]:
    """The age of each row that may still be billed after `today`, and of the catalog.

    Rows that have ended are history, and a price of nothing does not get old.
    """
    for row in rows:
        if not (row.to is not None and row.to <= today) and not is_free(row):
            as_of, basis = _read_on(row, today)
            yield _age(row.source.removeprefix("table:"), f"{row.provider}/{row.model}", as_of, today, basis)
    if catalog is not None:
        as_of, released = catalog.as_of(today)
        basis = "unknown" if as_of is None else "release" if released else "at_least"
        yield _age("catalog", catalog.version, as_of, today, basis)


def is_free(row: Row) -> bool:
    """Whether every rate of the row itself is 0."""
    rates = (*row.rates.tokens.values(), *row.rates.units.values())
    return bool(rates) and not any(rates) and not (row.tiers or row.service_tiers or row.hours)


def _read_on(row: Row, today: date) -> tuple[date | None, Basis]:
    """The last day that the row's `source` names, else its first day."""
    if days := [day for text in _DAY.findall(row.stated or "") if (day := _date(text)) and day <= today]:
        return max(days), "source"
    if row.from_ is not None:
        return row.from_, "from"
    return None, "unknown"


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _age(where: str, about: str, as_of: date | None, today: date, basis: Basis) -> Age:
    return Age(where, about, as_of, None if as_of is None else max((today - as_of).days, 0), basis)
