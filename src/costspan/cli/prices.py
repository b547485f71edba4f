"""`costspan prices`: what is known of prices, and how far it can be trusted."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from costspan.cli import price_book
from costspan.cli.source import EX_CONFIG
from costspan.cli.tables import UNKNOWN, printable
from costspan.errors import ConfigError
from costspan.pricing.age import ages
from costspan.pricing.described import described, plain, summary, words
from costspan.pricing.difference import difference
from costspan.pricing.lint import Finding, lint
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import date

    from costspan.cli.price_book import Pair, Prices, Target
    from costspan.cli.source import Source
    from costspan.pricing.age import Age
    from costspan.pricing.difference import Change
    from costspan.pricing.rates import Row

_SHOWN = ("input", "cache_read", "output")
"""Rates with a column of their own."""
_WARNING = re.compile(
    r"(?:.*/)?(?P<where>[^/]+:\d+):\d+: (?P<reason>(?:prices\.|table\[|providers\.[^:]*\.price_as).*)", re.DOTALL
)
"""A warning of the configuration that is about prices, and where it stands."""


_BASIS = {
    "source": "its source",
    "from": "its first day",
    "unknown": "nothing says",
    "release": "its release",
    "at_least": "its newest price, at least",
}


def run(source: Source, work: Callable[[Prices], int]) -> int:
    """Do `work` with the prices of `source`; 78 when it cannot be read."""
    try:
        prices = price_book.read(source)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n{source.name}: {len(error.problems)} problem(s)\n")
        return EX_CONFIG
    return work(prices)


def today() -> date:
    """The day, UTC."""
    return datetime.now(UTC).date()  # noqa: TID251 - a command's clock is the machine's


def midnight(day: date) -> datetime:
    """When `day` begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def show(targets: Sequence[Target], prices: Prices, out: TextIO, *, as_json: bool) -> int:
    """Write each target with what prices it. Returns 0; 1 when there is nothing to show."""
    discounts = {account.name: account.discount for account in prices.accounts() if account.discount}
    if as_json:
        document = [
            {
                "target": f"{target.provider}/{target.model}",
                "discount": plain(discounts[target.provider]) if target.provider in discounts else "0",
                "price": described(target.row) if target.row else None,
            }
            for target in targets
        ]
        out.write(json.text({"prices": document}) + "\n")
        return 0 if targets else 1
    if not targets:
        sys.stderr.write("costspan prices list: nothing of that name has a price here; --all lists the catalog\n")
        return 1
    head = ["target", "from", "to", *(name.replace("_", " ") for name in _SHOWN), "and", "price from"]
    below = [None if target.row is None else summary(target.row) for target in targets]
    _write_table([head, *map(_cells, targets)], below, out)
    out.write("USD per million tokens; list prices, of which a provider's discount is still to be taken\n")
    out.writelines(f"{name}: discount {plain(discount * 100)} %\n" for name, discount in discounts.items())
    return 0


def _cells(target: Target) -> list[str]:
    name = printable(f"{target.provider}/{target.model}")
    row = target.row
    if row is None:
        return [name, "", "", "no price", "", "", "", ""]
    if row.source == "free":
        return [name, "", "", "0", "0", "0", "", "price_as: free"]
    known = {word: plain(rate) for word, rate in words(row.rates).items()}
    others = ", ".join(f"{word} {text}" for word, text in known.items() if word not in _SHOWN)
    dates = (str(day) if day else "" for day in (row.from_, row.to))
    return [name, *dates, *(known.get(word, UNKNOWN) for word in _SHOWN), others, _where(row)]


def _where(row: Row) -> str:
    stated = f" ({row.stated})" if row.stated else ""
    return printable(row.source.removeprefix("table:") + stated)


def _write_table(rows: list[list[str]], below: Sequence[list[str] | None], out: TextIO) -> None:
    """Write `rows`, the first of which are the headings, and below each of the others its further lines."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = [
            f"{cell:>{width}}" if 3 <= place < 3 + len(_SHOWN) else f"{cell:<{width}}"  # noqa: PLR2004 - after the dates
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        out.write("  ".join(cells).rstrip() + "\n")
        out.writelines(f"    {printable(line)}\n" for line in ((below[number - 1] or ()) if number else ()))


def check(prices: Prices, out: TextIO, *, as_json: bool) -> int:
    """Write what is doubtful. Returns 1 when something cannot be meant."""
    findings = [*_said_at_load(prices.warnings), *lint(prices.snapshot.book.rows, prices.reach())]
    errors = sum(finding.severity == "error" for finding in findings)
    if as_json:
        listed = [
            {"severity": each.severity, "where": each.where, "about": each.about, "reason": each.reason}
            for each in findings
        ]
        out.write(json.text({"findings": listed, "errors": errors, "warnings": len(findings) - errors}) + "\n")
    else:
        for each in findings:
            about = f"{printable(each.about)}: " if each.about else ""
            out.write(f"{printable(each.where)}: {each.severity}: {about}{printable(each.reason)}\n")
        rows = len(prices.snapshot.book.rows)
        out.write(f"{rows} row(s), {errors} error(s), {len(findings) - errors} warning(s)\n")
    return 1 if errors else 0


def _said_at_load(warnings: Sequence[str]) -> Iterator[Finding]:
    for warning in warnings:
        if match := _WARNING.fullmatch(warning):
            yield Finding("warning", match["where"], "", match["reason"])


def compare(pairs: Iterable[Pair], prices: Prices, out: TextIO, *, everything: bool, as_json: bool) -> int:
    """Write where the table and the catalog differ. Returns 0; 1 when there is no catalog."""
    if prices.catalog is None:
        sys.stderr.write("costspan prices diff: there is no catalog for the providers of this configuration\n")
        return 1
    pairs = list(pairs)
    found = [(pair, change) for pair in pairs for change in difference(pair.ours, pair.theirs, everything=everything)]
    if as_json:
        out.write(json.text({"compared": len(pairs), "changes": [_change(*each) for each in found]}) + "\n")
        return 0
    if found:
        head = ["target", "when", "rate", "table", "catalog", "ratio", "row", "catalog's model"]
        _write_table([head, *(_change_cells(*each) for each in found)], [None] * len(found), out)
    out.write(f"{len(pairs)} model(s) of the table are in the catalog ({prices.catalog.version}); ")
    out.write(f"{len(found)} rate(s)\n" if everything else f"{len(found)} rate(s) differ\n")
    return 0


def _change(pair: Pair, change: Change) -> json.Object:
    return {
        "target": pair.target,
        "case": change.case,
        "rate": change.name,
        "table": plain(change.ours) if change.ours is not None else None,
        "catalog": plain(change.theirs) if change.theirs is not None else None,
        "ratio": plain(change.ratio) if change.ratio is not None else None,
        "table_source": pair.ours.source,
        "catalog_source": pair.theirs.source,
    }


def _change_cells(pair: Pair, change: Change) -> list[str]:
    amounts = (UNKNOWN if each is None else plain(each) for each in (change.ours, change.theirs, change.ratio))
    where = printable(pair.ours.source.removeprefix("table:"))
    theirs = pair.theirs.source.removeprefix("catalog:")
    return [printable(pair.target), printable(change.case), change.name, *amounts, where, theirs]


def tell_age(prices: Prices, out: TextIO, *, most: int, day: date, strict: bool, as_json: bool) -> int:
    """Write how old the facts are. Returns 1 when `strict` and something is older than `most` days, or may be."""
    found = list(ages(prices.snapshot.book.rows, prices.snapshot.book.catalog, day))
    old = sum(age.over(most) for age in found)
    if as_json:
        out.write(json.text({"prices": [_age(age, most) for age in found], "max_age_days": most, "over": old}) + "\n")
    else:
        lines = [["", "price", "as of", "days", "by", "row"], *(_age_cells(age, most) for age in found)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = (f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
            out.write("  ".join(cells).rstrip() + "\n")
        out.write(f"{old} of {len(found)} older than {most} days, or of unknown age\n")
    return 1 if strict and old else 0


def _age(age: Age, most: int) -> json.Object:
    return {
        "where": age.where,
        "about": age.about,
        "as_of": age.as_of.isoformat() if age.as_of else None,
        "days": age.days,
        "basis": age.basis,
        "over": age.over(most),
    }


def _age_cells(age: Age, most: int) -> list[str]:
    days = UNKNOWN if age.days is None else str(age.days)
    mark = "old" if age.over(most) else ""
    return [mark, printable(age.about), str(age.as_of or UNKNOWN), days, _BASIS[age.basis], printable(age.where)]
