"""What is doubtful about a price table: contradictions, slips of the unit, rows that nothing can reach.

What makes a file unreadable (a rate above 1000 USD per million, two rows of the same dates) is refused when it is
loaded and never comes here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Literal

from costspan.pricing.lint_rates import rate_doubts
from costspan.pricing.rates import in_force

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from costspan.pricing.rates import Row

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """An error says that something cannot be meant, a warning that it may be a mistake."""

    severity: Severity
    where: str
    about: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reach:
    """What requests can get at.

    `kinds` gives each configured provider's kind, `models` the names or globs of models that routes and entries lead
    to. With `direct`, clients may name any model themselves.
    """

    kinds: Mapping[str, str]
    models: Mapping[str, Sequence[str]]
    direct: bool

    def reaches(self, row: Row) -> bool:
        """Whether some request can be billed by the row."""
        for provider, kind in self.kinds.items():
            if row.provider in {provider, kind} and (self.direct or self._leads_to(provider, row.model)):
                return True
        return False

    def _leads_to(self, provider: str, model: str) -> bool:
        return any(fnmatchcase(name, model) or fnmatchcase(model, name) for name in self.models.get(provider, ()))


def lint(rows: Iterable[Row], reach: Reach) -> Iterator[Finding]:
    """Yield all doubts, row by row, in the order of the file."""
    rows = tuple(rows)
    doubts = {index: list(_row(row, reach)) for index, row in enumerate(rows)}
    order = sorted(range(len(rows)), key=lambda index: (rows[index].provider, rows[index].model))
    for _, group in groupby(order, key=lambda index: (rows[index].provider, rows[index].model)):
        indices = list(group)
        for place, severity, reason in _dates([rows[index] for index in indices]):
            doubts[indices[place]].append((severity, reason))
    for index, row in enumerate(rows):
        for severity, reason in doubts[index]:
            yield Finding(severity, row.source.removeprefix("table:"), f"{row.provider}/{row.model}", reason)


def _row(row: Row, reach: Reach) -> Iterator[tuple[Severity, str]]:
    if row.provider in {*reach.kinds, *reach.kinds.values()} and not reach.reaches(row):
        yield "warning", "no route or listed model leads to it, and direct_targets is off"
    if not row.stated:
        yield "warning", "no source: nobody can tell where the price was read, and when"
    yield from rate_doubts(row)


def _dates(rows: Sequence[Row]) -> Iterator[tuple[int, Severity, str]]:
    """Yield what contradicts among the rows of one model, by the place of the row in `rows`."""
    used = {id(chosen) for day in _changes(rows) if (chosen := in_force(tuple(rows), day))}
    order = sorted(range(len(rows)), key=lambda place: rows[place].from_ or date.min)
    for place in order:
        if id(rows[place]) not in used:
            yield place, "error", "never holds: on each of its days another row of the same name began later"
    kept = [place for place in order if id(rows[place]) in used]
    for before, after in pairwise(kept):
        end, begin = rows[before].to, rows[after].from_
        if end is None or begin is None:
            continue
        if begin < end:
            yield after, "error", f"overlaps with the row of {_place(rows[before])}, which ends on {end}"
        covered = max((row.to or date.max for row in rows if (row.from_ or date.min) < begin), default=begin)
        if covered < begin:
            reason = f"from {covered} to {begin} no row of this name holds"
            yield after, "warning", reason


def _changes(rows: Iterable[Row]) -> set[date]:
    """One day of each stretch in which the same rows hold."""
    edges = {day for row in rows for day in (row.from_, row.to) if day is not None}
    return {date.min, *edges, *(day - timedelta(days=1) for day in edges if day > date.min)}


def _place(row: Row) -> str:
    return row.source.removeprefix("table:")
