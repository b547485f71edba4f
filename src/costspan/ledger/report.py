"""Sums over the ledger, grouped. Pure: lines in, figures out.

Costs, tokens and attempts come from `attempt` lines; the number of exchanges from `exchange` lines. So a race's losers
and what ended after the answer are in the sum, and nothing is in it twice.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from costspan.ir.usage import INPUT_BUCKETS, OUTPUT_BUCKETS
from costspan.ledger.dimensions import BUCKET, TIMES, Filter, dimension
from costspan.ledger.read import DAMAGED
from costspan.ledger.split import EXACT, Share, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from costspan.ledger.read import Line

Group = tuple[str | None, ...]
"""The values of what is grouped by, None where a line has none."""

_INPUT: Final = frozenset(INPUT_BUCKETS)
_OUTPUT: Final = frozenset(OUTPUT_BUCKETS)
_CACHED: Final = frozenset({"cache_read", "cache_read_audio"})


@dataclass(slots=True)
class Sums:
    """The figures of one group. `tokens_in` includes `tokens_cached`; `cost_usd` holds no estimate."""

    exchanges: int = 0
    attempts: int = 0
    failed: int = 0
    """Attempts whose outcome is `failed`."""
    unpriced: int = 0
    """Attempts without a price: what they cost is in no sum."""
    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0
    cost_usd: Decimal = Decimal(0)
    cost_estimated_usd: Decimal = Decimal(0)
    units: int | Decimal = 0
    """Of a group of one bucket that is no token's: web searches, images, seconds."""
    priced: int = 0
    """Attempts whose cost is known."""

    def add_attempt(self, line: Line) -> None:
        """Count one attempt. A damaged one raises what `read.DAMAGED` says and leaves the sums as they were."""
        taken, cached, made = _tokens(line["usage"])
        usd, estimated = line["cost_usd"], line["cost_estimated_usd"]
        failed, unpriced = line["outcome"] == "failed", line["cost_status"] == "unpriced"
        cost = None if usd is None else EXACT.add(self.cost_usd, Decimal(usd))
        if estimated is not None:
            self.cost_estimated_usd = EXACT.add(self.cost_estimated_usd, Decimal(estimated))
        if cost is not None:
            self.cost_usd = cost
            self.priced += 1
        self.attempts += 1
        self.failed += failed
        self.unpriced += unpriced
        self.tokens_in += taken
        self.tokens_cached += cached
        self.tokens_out += made

    def add_share(self, share: Share, *, failed: bool) -> None:
        """Count one bucket of an attempt."""
        bucket = share.bucket
        self.attempts += 1
        self.failed += failed
        self.unpriced += share.unpriced
        if bucket in _OUTPUT:
            self.tokens_out += int(share.quantity)
        elif bucket in _INPUT:
            self.tokens_in += int(share.quantity)
            if bucket in _CACHED:
                self.tokens_cached += int(share.quantity)
        elif bucket is not None:
            self.units += share.quantity
        elif share.usage:
            taken, cached, made = _tokens(share.usage)
            self.tokens_in += taken
            self.tokens_cached += cached
            self.tokens_out += made
        if share.usd is not None:
            self.priced += 1
            self.cost_usd = EXACT.add(self.cost_usd, share.usd)
        if share.estimated_usd is not None:
            self.cost_estimated_usd = EXACT.add(self.cost_estimated_usd, share.estimated_usd)

    def add(self, other: Sums) -> None:
        """Count what `other` counted."""
        for figure in fields(Sums):
            mine, more = getattr(self, figure.name), getattr(other, figure.name)
            setattr(self, figure.name, EXACT.add(mine, more) if isinstance(mine, Decimal) else mine + more)

    def known(self, name: str) -> int | Decimal | None:
        """A figure; None for the cost where that of no attempt is known: unknown is not zero."""
        value: int | Decimal = getattr(self, name)
        return None if name == "cost_usd" and self.attempts and not self.priced else value


FIGURES: Final = (
    "exchanges",
    "attempts",
    "failed",
    "unpriced",
    "tokens_in",
    "tokens_cached",
    "tokens_out",
    "cost_usd",
    "cost_estimated_usd",
)


@dataclass(frozen=True, slots=True)
class Report:
    """Sums by group, in the order in which to show them."""

    by: tuple[str, ...]
    groups: Mapping[Group, Sums]
    total: Sums
    damaged: int = 0
    """Lines with a field that could not be read; they are in no figure."""

    @property
    def figures(self) -> tuple[str, ...]:
        """The figures that a group has. An exchange is in no bucket, and units of all kinds have no sum."""
        return (*FIGURES[1:], "units") if BUCKET in self.by else FIGURES


def aggregate(lines: Iterable[Line], by: Sequence[str], wanted: Filter | None = None) -> Report:
    """Sum the `wanted` of `lines` by the dimensions `by`.

    The groups come out dearest first; months, days and hours in their order.
    """
    chosen = wanted or Filter()
    gathering = _Gathering(by)
    damaged = 0
    for line in lines:
        try:
            if chosen.wants(line):
                gathering.take(line)
        except DAMAGED:
            damaged += 1
    return Report(tuple(by), _sorted(gathering.groups, tuple(by)), gathering.total(), damaged)


class _Gathering:
    """The groups as they grow."""

    def __init__(self, by: Sequence[str]) -> None:
        self.groups: dict[Group, Sums] = {}
        self._dimensions: Final = [dimension(name) for name in by]
        self._buckets: Final = [place for place, name in enumerate(by) if name == BUCKET]
        self._whole: Final = Sums()
        """The total where groups are of buckets: an attempt is in several."""

    def take(self, line: Line) -> None:
        """Count one line."""
        group = tuple([value_of(line) for value_of in self._dimensions])
        if self._buckets:
            self._take_apart(line, group)
            return
        sums = self.groups.get(group) or Sums()
        if line["type"] == "attempt":
            sums.add_attempt(line)
        else:
            sums.exchanges += 1
        self.groups[group] = sums  # not before: a damaged line makes no group

    def total(self) -> Sums:
        """The sums of everything."""
        if self._buckets:
            return self._whole
        whole = Sums()
        for sums in self.groups.values():
            whole.add(sums)
        return whole

    def _take_apart(self, line: Line, group: Group) -> None:
        if line["type"] == "exchange":
            self._whole.exchanges += 1
            return
        shares = split(line)
        self._whole.add_attempt(line)
        failed = line["outcome"] == "failed"
        for share in shares:
            of_bucket = self._of(group, share.bucket)
            sums = self.groups.get(of_bucket)
            if sums is None:
                sums = self.groups[of_bucket] = Sums()
            sums.add_share(share, failed=failed)

    def _of(self, group: Group, bucket: str | None) -> Group:
        parts = list(group)
        for place in self._buckets:
            parts[place] = bucket
        return tuple(parts)


def _tokens(usage: Mapping[str, int]) -> tuple[int, int, int]:
    """Tokens in, those of them from a cache, and tokens out."""
    taken = cached = made = 0
    for bucket, count in usage.items():
        if bucket in _OUTPUT:
            made += count
        elif bucket in _INPUT:
            taken += count
            if bucket in _CACHED:
                cached += count
    return taken, cached, made


def _sorted(groups: Mapping[Group, Sums], by: tuple[str, ...]) -> dict[Group, Sums]:
    times = [place for place, name in enumerate(by) if name in TIMES]

    def rank(item: tuple[Group, Sums]) -> tuple[list[str], Decimal, list[str]]:
        group, sums = item
        spent = EXACT.add(sums.cost_usd, sums.cost_estimated_usd)
        return [group[place] or "" for place in times], -spent, [value or "" for value in group]

    return dict(sorted(groups.items(), key=rank))
