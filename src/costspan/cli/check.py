"""`costspan check`: is the file right, what is routed where, and what has no price."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from costspan import snapshot as snapshots
from costspan.cli.choices import budget_lines, budget_objects, doubts, limit_lines, limit_objects
from costspan.cli.exposure import check_exposure
from costspan.cli.source import EX_CONFIG
from costspan.errors import ConfigError
from costspan.pricing.age import MOST_DAYS, ages
from costspan.routing.plan import Leaf
from costspan.server.catalog import CatalogReader
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.cli.source import Source
    from costspan.pricing.rates import Price
    from costspan.snapshot import Snapshot


def check(source: Source, *, as_json: bool) -> int:
    """Print what was found. 0: valid; 1: valid, but a target has no price and on_unpriced is reject; 78: not valid."""
    try:
        loaded = source.load()
        snapshot = snapshots.build(loaded, generation=0, catalog=CatalogReader().catalog(loaded.config))
        exposure = check_exposure(snapshot, None)
    except ConfigError as error:
        if as_json:
            print(json.text({"valid": False, "problems": [str(problem) for problem in error.problems]}))  # noqa: T201 - the output
        else:
            print(error, file=sys.stderr)  # noqa: T201 - the output
            print(f"{source.name}: {len(error.problems)} problem(s)", file=sys.stderr)  # noqa: T201 - the output
        return EX_CONFIG
    now = datetime.now(UTC)  # noqa: TID251 - a command's clock is the machine's
    warnings = [*snapshot.warnings, *([exposure] if exposure else [])]
    warnings += [*doubts(snapshot, now), *_old_prices(snapshot, now)]
    rows = list(_targets(snapshot, now))
    unpriced = [row["target"] for row in rows if row["price"] is None]
    if as_json:
        people = {
            "limits": limit_objects(tuple(snapshot.limits.items())),
            "budgets": budget_objects(snapshot.budgets),
        }
        found = {"valid": True, "targets": rows, "unpriced": unpriced, **people, "warnings": warnings}
        print(json.text(found))  # noqa: T201 - the output
    else:
        _print(source, snapshot, rows, warnings)
    return 1 if unpriced and snapshot.reject_unpriced else 0


def _old_prices(snapshot: Snapshot, now: datetime) -> Iterator[str]:
    """One line for all prices whose facts are old, or of unknown age."""
    found = list(ages(snapshot.book.rows, snapshot.book.catalog, now.date()))
    old = [age for age in found if age.over(MOST_DAYS)]
    known = [age for age in old if age.days is not None]
    if old:
        oldest = max(known, key=lambda age: age.days or 0, default=None)
        told = f", the oldest {oldest.days} days ({oldest.where})" if oldest else ""
        yield f"{len(old)} price(s) older than {MOST_DAYS} days, or of unknown age{told}: see costspan prices age"


def _targets(snapshot: Snapshot, now: datetime) -> Iterator[json.Object]:
    for route in snapshot.table.routes.values():
        for member in route.members:
            if not isinstance(member, Leaf):
                yield {"route": route.name, "strategy": route.strategy, "target": f"route {member.route}", "price": "-"}
                continue
            account = snapshot.accounts[member.provider]
            price = None
            if "{model}" not in member.model:
                price = snapshot.price(account, member.model, now)
            rates = _rates(price)
            yield {
                "route": route.name,
                "strategy": route.strategy,
                "target": f"{member.provider}/{member.model}",
                "price": "by model" if "{model}" in member.model else _describe(price, rates),
                "usd_per_million": rates,
                "source": price.source if price else None,
            }


def _rates(price: Price | None) -> dict[str, str]:
    """Return what a million tokens cost, the discount taken off."""
    if price is None:
        return {}
    keep = Decimal(1) - price.discount
    rates = price.rates.tokens
    return {name: f"{(rates[name] * keep).normalize():f}" for name in ("input", "output") if name in rates}


def _describe(price: Price | None, rates: dict[str, str]) -> str | None:
    if price is None:
        return None
    return ", ".join(f"{name} {rate}" for name, rate in rates.items()) or "per unit"


def _print(source: Source, snapshot: Snapshot, rows: list[json.Object], warnings: list[str]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only for people

    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(f"{source.name}: valid")
    for number, line in enumerate(_lines(rows) if rows else ()):
        console.print(line, style="bold" if number == 0 else "red" if rows[number - 1]["price"] is None else "")
    console.print("prices: USD per million tokens" if rows else "no routes", style="dim")
    console.print(f"providers: {', '.join(snapshot.accounts) or 'none'}; client keys: {len(snapshot.keys)}")
    for line in (*limit_lines(tuple(snapshot.limits.items())), *budget_lines(snapshot.budgets)):
        console.print(line)
    for warning in warnings:
        console.print(f"warning: {warning}", style="yellow")
    if unpriced := sum(row["price"] is None for row in rows):
        uncounted = ", and no budget counts it" if snapshot.budgets else ""
        console.print(f"{unpriced} target(s) without a price: their cost will be null, never 0{uncounted}", style="red")


def _lines(rows: list[json.Object]) -> Iterator[str]:
    """Write the table: a line that is too long for the terminal is better than a model's name cut in two."""
    table = [("route", "target", "input", "output", "price from")]
    before = None
    for row in rows:
        table.append(("" if row["route"] == before else _heading(row), row["target"], *_cells(row)))
        before = row["route"]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for *words, first, second, place in table:
        left = [f"{word:<{width}}" for word, width in zip(words, widths, strict=False)]
        yield "  ".join([*left, f"{first:>{widths[2]}}", f"{second:>{widths[3]}}", place]).rstrip()


def _heading(row: json.Object) -> str:
    """Name a route, and how it chooses where that is not the usual way."""
    return str(row["route"]) if row["strategy"] == "fallback" else f"{row['route']} ({row['strategy']})"


def _cells(row: json.Object) -> tuple[str, str, str]:
    """Write what input and output cost, and where the price stands; the catalog's name of the model if another."""
    if row["price"] is None:
        return "no price", "", ""
    rates = row.get("usd_per_million") or {}
    kind, _, place = (row.get("source") or "").partition(":")
    if kind == "catalog":
        name = place.partition("/")[2]
        place = kind if row["target"].endswith(f"/{name}") else f"{kind}: {name}"
    first = rates.get("input", "-") if rates else row["price"]
    return first, rates.get("output", "-") if rates else "", place or kind
