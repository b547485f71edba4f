"""`costspan check`: is the file right, what is routed where, and what has no price."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from costspan import snapshot as snapshots
from costspan.cli.source import EX_CONFIG
from costspan.errors import ConfigError
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
    except ConfigError as error:
        if as_json:
            print(json.text({"valid": False, "problems": [str(problem) for problem in error.problems]}))  # noqa: T201 - the output
        else:
            print(error, file=sys.stderr)  # noqa: T201 - the output
            print(f"{source.name}: {len(error.problems)} problem(s)", file=sys.stderr)  # noqa: T201 - the output
        return EX_CONFIG
    rows = list(_targets(snapshot))
    unpriced = [row["target"] for row in rows if row["price"] is None]
    if as_json:
        print(json.text({"valid": True, "targets": rows, "unpriced": unpriced, "warnings": snapshot.warnings}))  # noqa: T201 - the output
    else:
        _print(source, snapshot, rows, unpriced)
    return 1 if unpriced and snapshot.reject_unpriced else 0


def _targets(snapshot: Snapshot) -> Iterator[json.Object]:
    at = datetime.now(UTC)  # noqa: TID251 - a command's clock is the machine's
    for route in snapshot.table.routes.values():
        for member in route.members:
            if not isinstance(member, Leaf):
                yield {"route": route.name, "strategy": route.strategy, "target": f"route {member.route}", "price": "-"}
                continue
            account = snapshot.accounts[member.provider]
            price = None
            if "{model}" not in member.model:
                price = snapshot.book.find(
                    account.name,
                    account.kind.name,
                    member.model,
                    price_as=account.catalog,
                    discount=account.discount,
                    at=at,
                )
            yield {
                "route": route.name,
                "strategy": route.strategy,
                "target": f"{member.provider}/{member.model}",
                "price": "by model" if "{model}" in member.model else _describe(price),
                "source": price.source if price else None,
            }


def _describe(price: Price | None) -> str | None:
    if price is None:
        return None
    keep = Decimal(1) - price.discount
    parts = [
        f"{name} {(price.rates.tokens[name] * keep).normalize():f}"
        for name in ("input", "output")
        if name in price.rates.tokens
    ]
    return ", ".join(parts) or "per unit"


def _print(source: Source, snapshot: Snapshot, rows: list[json.Object], unpriced: list[str]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only for people
    from rich.table import Table  # noqa: PLC0415

    console = Console()
    table = Table(title=f"{source.name}: valid", title_justify="left", box=None, header_style="bold")
    for name in ("route", "strategy", "target", "USD per million", "price from"):
        table.add_column(name, overflow="fold")
    for row in rows:
        price = row["price"]
        table.add_row(
            row["route"], row["strategy"], row["target"], price or "[red]no price[/red]", row.get("source") or ""
        )
    console.print(table)
    console.print(f"providers: {', '.join(snapshot.accounts) or 'none'}; client keys: {len(snapshot.keys)}")
    for warning in snapshot.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False)
    if unpriced:
        console.print(f"{len(unpriced)} target(s) without a price: their cost will be null, never 0", style="red")
