"""The price book: which price holds for a model at a provider on a day.

The order, first hit wins:

    1. rows that name the provider, for the requested model, then rows that name its kind (not with `price_as: free`)
    2. the same for the served model
    3. `price_as: free`: a price of zero
    4. the catalog, for the served model, then for the requested one

A served model whose name is the requested one with a date is no other model: the requested one's price holds. Where a
really different one answered and its price is billed in place of a known one, the price says `served_other_model`.

Among rows: an exact model name before globs, longer globs before shorter ones, and of several rows for the same name
the one that came into force last. A row that is not in force on the day is not there.
"""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from costspan.ir.usage import BUCKETS, UNITS
from costspan.pricing.rates import ZERO, Price, Rates, Row, in_force

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime
    from decimal import Decimal

    from costspan.pricing.catalog import Catalog

FREE = Price(
    # Without a fee for requests, which every usage has: a part of 0 would be noise.
    Rates(dict.fromkeys(BUCKETS, ZERO), {unit: ZERO for unit in UNITS if unit != "requests"}),
    source="free",
)
"""The price of a provider that is configured as free."""

_REMEMBERED = 4096
"""Answers kept. Model names come from clients, so their number is not ours to trust; starting over is cheap."""

OTHER_MODEL = "served_other_model"
"""Flag: another model than the requested one answered, and its price is billed."""

_DATED = re.compile(r"(-latest)?([-@]?(20\d\d-?\d\d-?\d\d|\d{3,4}))?")
"""What a served name may have after the requested one and still mean the same: `-2025-08-07`, `@20250929`, `-0709`."""

_GLOB = re.compile(r"[*?\[]")


class PriceBook:
    """Finds prices. Immutable but for a bounded memory of answers, each good for one UTC day."""

    def __init__(self, rows: Sequence[Row], catalog: Catalog | None, version: str) -> None:
        """`version` names the table's state; the catalog brings its own."""
        self.rows = tuple(rows)
        self.catalog = catalog
        self.version = version
        self._owners = {owner: _Shelf([row for row in rows if row.provider == owner]) for owner in _owners(rows)}
        self._answers: dict[tuple[str, str, str, str | None, str | None, Decimal], tuple[int, Price | None]] = {}
        self._windows: dict[tuple[str, str], int | None] = {}

    def find(  # noqa: PLR0913 - one fact each, keyword-only
        self,
        provider: str,
        kind: str,
        model: str,
        *,
        served: str | None = None,
        price_as: str | None = None,
        discount: Decimal = ZERO,
        at: datetime,
    ) -> Price | None:
        """The price in force at `at` (UTC), None when there is none.

        `provider` is its name in the configuration, `model` the requested and `served` the answering model,
        `price_as` a catalog's provider id, `free`, or `provider` or None for the kind's own id. `discount` is a
        fraction of 1.
        """
        key = (provider, kind, model, served, price_as, discount)
        day = at.toordinal()
        answer = self._answers.get(key)
        if answer is not None and answer[0] == day:
            return answer[1]
        price = self._look_up(key, at)
        if len(self._answers) >= _REMEMBERED:
            self._answers.clear()
        self._answers[key] = (day, price)
        return price

    def row(self, provider: str, kind: str, model: str, *, price_as: str | None = None, at: datetime) -> Row | None:
        """The row that `find` would take for `model`, before anything has been served; None when there is none."""
        owners = (provider,) if price_as == "free" or kind == provider else (provider, kind)
        if row := self._in_table(owners, model, at):
            return row
        if price_as == "free":
            return Row(provider, model, FREE.rates, FREE.source)
        return self._in_catalog(kind, price_as, model, at)

    def context_window(self, catalog_provider: str | None, model: str) -> int | None:
        """Tokens that `model` takes as the catalog has it; None where it does not say."""
        if self.catalog is None or catalog_provider is None:
            return None
        key = (catalog_provider, model)
        if key not in self._windows:
            if len(self._windows) >= _REMEMBERED:
                self._windows.clear()
            self._windows[key] = self.catalog.context_window(catalog_provider, model)
        return self._windows[key]

    def _look_up(self, key: tuple[str, str, str, str | None, str | None, Decimal], at: datetime) -> Price | None:
        provider, kind, model, served, price_as, discount = key
        owners = (provider,) if price_as == "free" or kind == provider else (provider, kind)
        if row := self._in_table(owners, model, at):
            return _price(row, discount, self.version)
        asked = None if price_as == "free" else self._in_catalog(kind, price_as, model, at)
        flags = (OTHER_MODEL,) if asked and not _same_model(model, served) else ()
        if row := self._in_table(owners, served, at):
            return _price(row, discount, self.version, flags)
        if price_as == "free":
            return FREE
        found = self._in_catalog(kind, price_as, served, at)
        if asked and (not found or not flags or found.source == asked.source):
            found, flags = asked, ()
        return _price(found, discount, self.catalog.version, flags) if found and self.catalog else None

    def _in_table(self, owners: tuple[str, ...], model: str | None, at: datetime) -> Row | None:
        shelves = [self._owners[owner] for owner in owners if owner in self._owners] if model is not None else []
        return next((row for shelf in shelves if (row := shelf.find(model or "", at.date()))), None)

    def _in_catalog(self, kind: str, price_as: str | None, model: str | None, at: datetime) -> Row | None:
        if self.catalog is None or model is None:
            return None
        return self.catalog.find(kind if price_as in {None, "provider"} else price_as or kind, model, at)


class _Shelf:
    """The rows of one owner, ordered for look-up."""

    def __init__(self, rows: Sequence[Row]) -> None:
        names = {row.model: tuple(other for other in rows if other.model == row.model) for row in rows}
        self._exact: Mapping[str, tuple[Row, ...]] = names
        globs = sorted((name for name in names if _GLOB.search(name)), key=len, reverse=True)
        self._globs = [(re.compile(fnmatch.translate(name)), names[name]) for name in globs]

    def find(self, model: str, day: date) -> Row | None:
        return next(filter(None, (in_force(rows, day) for rows in self._matches(model))), None)

    def _matches(self, model: str) -> Iterator[tuple[Row, ...]]:
        if model in self._exact:
            yield self._exact[model]
        for pattern, rows in self._globs:
            if pattern.match(model):
                yield rows


def _owners(rows: Sequence[Row]) -> frozenset[str]:
    return frozenset(row.provider for row in rows)


def _same_model(asked: str, served: str | None) -> bool:
    """Whether `served` is another spelling of `asked`, or not known."""
    if served is None:
        return True
    plain, other = (name.lower().partition(":")[0] for name in (asked, served))  # OpenRouter's `:free`, `:nitro`
    plain = plain.removesuffix("-latest")
    return other.startswith(plain) and _DATED.fullmatch(other[len(plain) :]) is not None


def _price(row: Row, discount: Decimal, version: str, flags: tuple[str, ...] = ()) -> Price:
    return Price(
        rates=row.rates,
        tiers=row.tiers,
        service_tiers=row.service_tiers,
        hours=row.hours,
        discount=discount,
        source=row.source,
        version=version,
        gaps=row.gaps,
        flags=flags,
        least=row.least,
    )
