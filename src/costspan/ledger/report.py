"""Sums over the ledger, grouped. Pure: entries in, figures out.

Costs, tokens and attempts come from `attempt` entries, each id once; the number of exchanges from `exchange` entries.
So a race's losers and what ended after the answer are in the sum, and nothing is in it twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import UTC
from decimal import Context, Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from costspan.ir.usage import INPUT_BUCKETS, OUTPUT_BUCKETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from costspan.ledger.read import Entry

_CACHED_BUCKETS = ("cache_read", "cache_read_audio")
_ATTRIBUTES = "attributes."

_EXACT: Final = Context(prec=60)
"""Enough digits that no sum of costs is rounded."""

DIMENSIONS: Mapping[str, Callable[[Entry], str | None]] = MappingProxyType(
    {
        "model": lambda entry: entry.model_served or entry.model_requested,
        "model_requested": lambda entry: entry.model_requested,
        "model_served": lambda entry: entry.model_served,
        "model_asked": lambda entry: entry.model_asked,
        "route": lambda entry: entry.route,
        "key": lambda entry: entry.key,
        "provider": lambda entry: entry.provider,
        "day": lambda entry: entry.time.astimezone(UTC).date().isoformat(),
        "outcome": lambda entry: entry.outcome,
        "status": lambda entry: entry.cost_status,
    }
)
"""What can be grouped by; any other name is an attribute's, with or without `attributes.` before it."""


@dataclass(slots=True)
class Sums:
    """The figures of one group. `tokens_in` includes `tokens_cached`; `cost_usd` holds no estimate."""

    exchanges: int = 0
    attempts: int = 0
    failed: int = 0
    """Attempts whose outcome is `failed`."""
    unpriced: int = 0
    """Attempts that cost an unknown amount, which is in no sum."""
    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0
    cost_usd: Decimal = Decimal(0)
    cost_estimated_usd: Decimal = Decimal(0)

    def add_attempt(self, entry: Entry) -> None:
        """Count one attempt."""
        usage = entry.usage
        self.attempts += 1
        self.failed += entry.outcome == "failed"
        self.unpriced += entry.cost_status == "unpriced"
        self.tokens_in += sum(usage.get(bucket, 0) for bucket in INPUT_BUCKETS)
        self.tokens_cached += sum(usage.get(bucket, 0) for bucket in _CACHED_BUCKETS)
        self.tokens_out += sum(usage.get(bucket, 0) for bucket in OUTPUT_BUCKETS)
        if entry.cost_usd is not None:
            self.cost_usd = _EXACT.add(self.cost_usd, entry.cost_usd)
        if entry.cost_estimated_usd is not None:
            self.cost_estimated_usd = _EXACT.add(self.cost_estimated_usd, entry.cost_estimated_usd)

    def known(self, name: str) -> int | Decimal | None:
        """A figure; None for the cost where no attempt has a price: unknown is not zero."""
        value: int | Decimal = getattr(self, name)
        unpriced = name == "cost_usd" and self.unpriced and self.unpriced == self.attempts
        return None if unpriced else value


FIGURES = tuple(figure.name for figure in fields(Sums))


@dataclass(frozen=True, slots=True)
class Report:
    """Sums by group. A group is the values of `by`, None where an entry has none."""

    by: tuple[str, ...]
    groups: Mapping[tuple[str | None, ...], Sums]
    total: Sums
    attributes: frozenset[str] = field(default_factory=frozenset)
    """The names of all attributes there are."""

    def unknown(self) -> tuple[str, ...]:
        """Names in `by` that neither are a dimension nor occur as an attribute: probably misspelt."""
        return tuple(
            name for name in self.by if name not in DIMENSIONS and name.removeprefix(_ATTRIBUTES) not in self.attributes
        )


def aggregate(entries: Iterable[Entry], by: Sequence[str]) -> Report:
    """Sum `entries` by the dimensions `by`; the groups come out dearest first, days in their order."""
    dimensions = tuple(map(_dimension, by))
    groups: dict[tuple[str | None, ...], Sums] = {}
    total = Sums()
    attributes: set[str] = set()
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        if (entry.type, entry.id) in seen:
            continue
        seen.add((entry.type, entry.id))
        attributes.update(entry.attributes)
        group = groups.setdefault(tuple(dimension(entry) for dimension in dimensions), Sums())
        for sums in (group, total):
            if entry.type == "attempt":
                sums.add_attempt(entry)
            else:
                sums.exchanges += 1
    return Report(tuple(by), _sorted(groups, tuple(by)), total, frozenset(attributes))


def _dimension(name: str) -> Callable[[Entry], str | None]:
    if name in DIMENSIONS:
        return DIMENSIONS[name]
    attribute = name.removeprefix(_ATTRIBUTES)
    return lambda entry: entry.attributes.get(attribute)


def _sorted(groups: Mapping[tuple[str | None, ...], Sums], by: tuple[str, ...]) -> dict[tuple[str | None, ...], Sums]:
    days = [place for place, name in enumerate(by) if name == "day"]

    def rank(item: tuple[tuple[str | None, ...], Sums]) -> tuple[list[str], Decimal, list[str]]:
        group, sums = item
        spent = _EXACT.add(sums.cost_usd, sums.cost_estimated_usd)
        return [group[place] or "" for place in days], -spent, [value or "" for value in group]

    return dict(sorted(groups.items(), key=rank))
