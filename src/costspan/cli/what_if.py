"""`costspan what-if`: the ledger's usage on other targets, in other service tiers, without a cache."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TextIO

from costspan import snapshot as snapshots
from costspan.billing.amounts import plain
from costspan.billing.what_if import Figures, Scenario, Seller, WhatIf
from costspan.cli.source import EX_CONFIG
from costspan.cli.tables import UNKNOWN, cents, grid, printable, remarks
from costspan.cli.walk import remark, walk
from costspan.config.document import suggestion
from costspan.config.providers import Provider
from costspan.errors import ConfigError
from costspan.ledger.dimensions import BUCKET, Filter, dimension
from costspan.providers.hosts import KINDS
from costspan.server.catalog import CatalogReader
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from costspan.cli.source import Source
    from costspan.config.load import Loaded
    from costspan.ledger.read import Line
    from costspan.snapshot import Snapshot

_NAME: Final = "what-if"
_CAVEAT: Final = (
    "The counts of tokens are those of the models that answered. Another tokenizer counts the same text otherwise, and "
    "another model may think and write more or less."
)
_HEADINGS: Final = ("attempts", "real USD", "there USD", "difference", "times", "no price")


def run_what_if(  # noqa: PLR0913 - one option each, keyword-only
    source: Source,
    ledger_dir: Path | None,
    *,
    targets: Sequence[str],
    service_tier: str | None,
    cached: bool,
    by: Sequence[str],
    where: Mapping[str, Sequence[str]],
    since: datetime | None,
    until: datetime | None,
    output: Literal["table", "json"],
    out: TextIO,
) -> int:
    """Write the table to `out`, remarks to stderr. `since` and `until` are aware and half-open.

    Returns the exit status: 0, 1 when the ledger cannot be read, 2 when a name means nothing, 78 when the
    configuration, which has the prices, is not valid.
    """
    try:
        loaded = source.load_to_look_at()
        snapshot = _snapshot(loaded, targets)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the person at the terminal
        return EX_CONFIG
    sellers = {
        account.name: Seller(account.name, account.kind.name, account.catalog, account.discount)
        for account in snapshot.accounts.values()
    }
    try:
        scenarios = [_scenario(target, sellers, service_tier, cached=cached) for target in targets or (None,)]
        dimensions = _dimensions(by)
    except ValueError as error:
        remark(_NAME, str(error))
        return 2
    what_if = WhatIf(snapshot.book, sellers, scenarios, dimensions)
    wanted = Filter(where)

    def take(line: Line) -> None:
        if wanted.wants(line):
            what_if.add(line)

    directory = ledger_dir or Path(loaded.config.ledger.dir or "ledger")
    if not walk(directory, since, until, take, command=_NAME):
        return 1
    if wanted.seen and (unknown := wanted.unknown([*by, *where])):
        remark(_NAME, f"nothing in this ledger is called {', '.join(unknown)}")
        return 2
    if output == "json":
        out.write(json.text(_document(what_if, by)) + "\n")
    else:
        _write_table(what_if, by, out)
    return 0


def _snapshot(loaded: Loaded, targets: Sequence[str]) -> Snapshot:
    """The prices of the configuration, and those that the catalog has for the targets."""
    asked = {provider for target in targets if (provider := target.partition("/")[0]) in KINDS}
    others = {name: Provider(kind=name) for name in asked - loaded.config.providers.keys()}
    config = loaded.config.model_copy(update={"providers": {**loaded.config.providers, **others}})
    return snapshots.build(loaded, generation=0, catalog=CatalogReader().catalog(config))


def _scenario(target: str | None, sellers: Mapping[str, Seller], tier: str | None, *, cached: bool) -> Scenario:
    """Raises `ValueError` for a target that nobody sells."""
    changes = [*([f"tier {tier}"] if tier is not None else []), *([] if cached else ["no cache"])]
    if target is None:
        return Scenario(", ".join(changes), service_tier=tier, cached=cached)
    provider, _, model = target.partition("/")
    if not model:
        raise ValueError(f"{target!r} is no target: expected provider/model")
    seller = sellers.get(provider)
    if seller is None and provider in KINDS:
        seller = Seller(provider, provider, KINDS[provider].catalog)
    if seller is None:
        raise ValueError(
            f"{provider!r} is neither a provider of the configuration nor a kind"
            + suggestion(provider, [*sellers, *KINDS])
        )
    return Scenario(", ".join([target, *changes]), seller, model, tier, cached)


def _dimensions(by: Sequence[str]) -> list[Callable[[Line], str | None]]:
    """Raises `ValueError` for what attempts cannot be grouped by."""
    if BUCKET in by:
        raise ValueError(f"what an attempt really cost is not compared by {BUCKET}")
    return [dimension(name) for name in by]


def _document(what_if: WhatIf, by: Sequence[str]) -> json.Object:
    names = [scenario.name for scenario in what_if.scenarios]
    return {
        "by": list(by),
        "total": dict(zip(names, map(_figures, what_if.total), strict=True)),
        "groups": [
            {
                **dict(zip(by, group, strict=True)),
                "scenarios": dict(zip(names, map(_figures, figures), strict=True)),
            }
            for group, figures in _dearest_first(what_if)
        ],
        "unmetered": {
            "attempts": what_if.unmetered.attempts,
            "cost_usd": plain(what_if.unmetered.paid),
            "cost_estimated_usd": plain(what_if.unmetered.estimated),
        },
        "remarks": list(_remarks(what_if)),
    }


def _figures(figures: Figures) -> json.Object:
    known = bool(figures.attempts)
    return {
        "attempts": figures.attempts,
        "real_usd": plain(figures.real) if known else None,
        "hypothetical_usd": plain(figures.hypothetical) if known else None,
        "difference_usd": plain(figures.difference) if known else None,
        "ratio": None if figures.ratio is None else plain(figures.ratio),
        "unpriced": figures.unpriced,
        "unpriced_real_usd": plain(figures.unpriced_real),
        "unpaid": figures.unpaid,
        "without_tier": figures.without_tier,
    }


def _dearest_first(what_if: WhatIf) -> list[tuple[tuple[str | None, ...], tuple[Figures, ...]]]:
    def rank(item: tuple[tuple[str | None, ...], tuple[Figures, ...]]) -> tuple[Decimal, list[str]]:
        group, figures = item
        return -max(each.real + each.unpriced_real for each in figures), [name or "" for name in group]

    return sorted(what_if.groups.items(), key=rank)


def _write_table(what_if: WhatIf, by: Sequence[str], out: TextIO) -> None:
    rows = [
        [", ".join(map(printable, group)), printable(scenario.name), *_cells(each)]
        for group, figures in _dearest_first(what_if)
        for scenario, each in zip(what_if.scenarios, figures, strict=True)
    ]
    total = [
        ["total", printable(scenario.name), *_cells(each)]
        for scenario, each in zip(what_if.scenarios, what_if.total, strict=True)
    ]
    grid(out, [", ".join(by), "what if", *_HEADINGS], [*rows, *total], names=2, first_to_go=("attempts", "no price"))
    remarks(out, _remarks(what_if))


def _cells(figures: Figures) -> Iterator[str]:
    yield f"{figures.attempts:,}"
    if figures.attempts:
        yield from map(cents, (figures.real, figures.hypothetical, figures.difference, figures.ratio))
    else:
        yield from [UNKNOWN] * 4
    yield f"{figures.unpriced:,}"


def _remarks(what_if: WhatIf) -> Iterator[str]:
    yield _CAVEAT
    unmetered = what_if.unmetered
    if unmetered.attempts:
        yield (
            f"Attempts that never reported their usage: {unmetered.attempts:,}. They cannot be priced elsewhere; what "
            f"they cost, {cents(unmetered.paid)} USD and by estimate {cents(unmetered.estimated)} USD, is in no figure."
        )
    for scenario, figures in zip(what_if.scenarios, what_if.total, strict=True):
        yield from _doubts(printable(scenario.name), figures)


def _doubts(name: str, figures: Figures) -> Iterator[str]:
    if figures.unpriced:
        yield (
            f"{name}: attempts without a price there: {figures.unpriced:,}. They are in neither sum; really they cost "
            f"{cents(figures.unpriced_real)} USD, as far as that is known."
        )
    if figures.unpaid:
        yield f"{name}: attempts whose real cost is unknown: {figures.unpaid:,}. They are in neither sum."
    if figures.without_tier:
        yield (
            f"{name}: attempts served in a tier that has no price there: {figures.without_tier:,}. They are taken at "
            "the standard price."
        )
