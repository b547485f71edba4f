"""What has to fit together among keys, budgets and prices."""

from __future__ import annotations

import re
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import chain
from typing import TYPE_CHECKING

from costspan.config.checks import Finding, Names
from costspan.config.document import suggestion
from costspan.config.labels import labelled
from costspan.config.prices import RATES, UNIT_OF, PriceRow, Rates
from costspan.ir.usage import BUCKETS, INPUT_BUCKETS, OUTPUT_BUCKETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from costspan.config.prices import PriceTier
    from costspan.config.schema import Budget, Config, Key
    from costspan.config.yaml_loader import Path

LEAST_PER_MILLION = Decimal("0.0005")
"""The cheapest tokens sold cost some 0.005 USD per million (embeddings, 2026-01): below, it may be per token."""

_ONE_OF_TWO = "expected either a multiplier or rates"
"""Both at once would leave open whether the factor is on those rates too."""

_ONLY_INPUT = re.compile(r"embed|moderation|rerank", re.IGNORECASE)
"""Models whose answers have no output tokens."""


def findings(config: Config, names: Names) -> Iterator[Finding]:
    """Yield all that does not fit together."""
    return chain(_keys(config, names), _budgets(config, names), _prices(config))


def _keys(config: Config, names: Names) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for index, key in enumerate(config.keys):
        at = ("keys", index)
        if f"name {key.name}" in seen:
            yield Finding((*at, "name"), "another key has this name")
        if key.hash in seen:
            yield Finding((*at, "hash"), f"the same key as {seen[key.hash]!r}")
        seen |= {f"name {key.name}": key.name, key.hash: key.name}
        yield from _key_routes(at, key, names)


def _key_routes(at: Path, key: Key, names: Names) -> Iterator[Finding]:
    for index, pattern in enumerate(key.routes):
        if not _matches_something(pattern, names):
            yield Finding((*at, "routes", index), f"{pattern!r} matches no route and no provider", warning=True)


def _matches_something(pattern: str, names: Names) -> bool:
    provider = pattern.partition("/")[0]
    return (
        names.has_route(pattern)
        or any(fnmatchcase(route, pattern) for route in names.routes)
        or any(fnmatchcase(name, provider) for name in names.providers)
    )


def _budgets(config: Config, names: Names) -> Iterator[Finding]:
    known = set(config.attribution.attributes).union(*(key.attributes for key in config.keys))
    if config.budgets and config.ledger.dir is None:
        yield Finding(("ledger", "dir"), "without a ledger, budgets begin at nothing with each start", warning=True)
    seen: set[str] = set()
    for index, budget in enumerate(config.budgets):
        at = ("budgets", index)
        if budget.name in seen:
            yield Finding((*at, "name"), "another budget has this name")
        seen.add(budget.name)
        for attribute in budget.match:
            if attribute not in known:
                reason = f"no request has the attribute {attribute!r}{suggestion(attribute, known)}"
                yield Finding((*at, "match", attribute), reason)
        yield from _shared(at, budget, config.attribution.metric_attributes)
        route = None if isinstance(budget.on_exceed, str) else budget.on_exceed.route
        if route is not None and not names.has_route(route):
            yield Finding((*at, "on_exceed", "route"), f"unknown route {route!r}{suggestion(route, names.routes)}")


def _shared(at: Path, budget: Budget, metric_attributes: Sequence[str]) -> Iterator[Finding]:
    """Yield attributes by which Prometheus cannot tell what a budget counts."""
    if budget.shared is None:
        return
    told = labelled(metric_attributes)
    for attribute in budget.match:
        if attribute not in told:
            reason = f"no label of costspan_cost_usd_total tells {attribute!r}: add it to attribution.metric_attributes"
            yield Finding((*at, "shared"), reason)


def _prices(config: Config) -> Iterator[Finding]:
    seen: dict[tuple[object, ...], PriceRow] = {}
    for index, row in enumerate(config.prices.table):
        at = ("prices", "table", index)
        key = (row.provider, row.model, row.from_, row.to)
        if key in seen:
            yield Finding(at, f"the same provider, model and dates as {seen[key].source_line}")
        seen.setdefault(key, row)
        if row.from_ is not None and row.to is not None and row.to <= row.from_:
            yield Finding((*at, "to"), "not after `from`: the row never holds")
        if not _given(row):
            yield Finding(at, "a price without any rate: expected input, output, per_request or another")
        if missing := _missing_side(row):
            reason = (
                f"no rate for {missing}: requests that use it are unpriced, and the catalog is not asked (0 is a rate)"
            )
            yield Finding(at, reason, warning=True)
        yield from _all_rates(at, row)
        yield from _tiers(at, row)


def _missing_side(row: PriceRow) -> str | None:
    """Return which of input and output has no rate, where the other has one and no fee stands for it."""
    given = set(_given(row))
    sides = {"input": given.intersection(INPUT_BUCKETS), "output": given.intersection(OUTPUT_BUCKETS)}
    if given.difference(BUCKETS) or not given or _ONLY_INPUT.search(row.model):
        return None
    return next((side for side, rates in sides.items() if not rates), None)


def _given(rates: Rates) -> list[str]:
    return [name for name in RATES if getattr(rates, name) is not None]


def _all_rates(at: Path, row: PriceRow) -> Iterator[Finding]:
    yield from _rates(at, row)
    for index, tier in enumerate(row.tiers):
        yield from _rates((*at, "tiers", index), tier)
    for name, service in row.service_tiers.items():
        yield from _rates((*at, "service_tiers", name), service)
        for index, tier in enumerate(service.tiers):
            yield from _rates((*at, "service_tiers", name, "tiers", index), tier)
    for index, band in enumerate(row.hours):
        yield from _rates((*at, "hours", index), band)


def _rates(at: Path, rates: Rates) -> Iterator[Finding]:
    units: dict[str, str] = {}
    for name in _given(rates):
        unit = UNIT_OF.get(name, name)
        if unit in units:
            yield Finding((*at, name), f"another word for {units[unit]}, which is there too")
        units[unit] = name
        if name in BUCKETS and 0 < getattr(rates, name) < LEAST_PER_MILLION:
            reason = "very cheap: prices here are USD per million tokens, not per token"
            yield Finding((*at, name), reason, warning=True)


def _tiers(at: Path, row: PriceRow) -> Iterator[Finding]:
    yield from _sizes(at, row.tiers)
    for name, service in row.service_tiers.items():
        where = (*at, "service_tiers", name)
        if (service.multiplier is None) == (not (_given(service) or service.tiers)):
            yield Finding(where, _ONE_OF_TWO)
        yield from _sizes(where, service.tiers)
    for index, band in enumerate(row.hours):
        if (band.multiplier is None) == (not _given(band)):
            yield Finding((*at, "hours", index), _ONE_OF_TWO)


def _sizes(at: Path, tiers: Sequence[PriceTier]) -> Iterator[Finding]:
    thresholds: set[int] = set()
    for index, tier in enumerate(tiers):
        if tier.above in thresholds:
            yield Finding((*at, "tiers", index, "above"), "another tier has this threshold")
        thresholds.add(tier.above)
        if not _given(tier):
            yield Finding((*at, "tiers", index), "a tier without any rate")
