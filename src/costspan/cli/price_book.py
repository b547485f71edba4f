"""The prices that the commands about prices work on."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from costspan import snapshot as snapshots
from costspan.pricing.lint import Reach
from costspan.routing.plan import Leaf
from costspan.server.catalog import CatalogReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from costspan.cli.source import Source
    from costspan.pricing.catalog import Catalog
    from costspan.pricing.rates import Row
    from costspan.providers.account import Account
    from costspan.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Target:
    """A model at a provider, or a glob of models as a row of the table has it, and what prices it."""

    provider: str
    model: str
    row: Row | None


@dataclass(frozen=True, slots=True)
class Pair:
    """What the table and the catalog say of one target."""

    target: str
    ours: Row
    theirs: Row


@dataclass(frozen=True, slots=True)
class Prices:
    """`catalog` is read also where the configuration does without one; `snapshot.book` then has none."""

    snapshot: Snapshot
    catalog: Catalog | None
    warnings: tuple[str, ...]

    def accounts(self, provider: str | None = None) -> Iterator[Account]:
        """The accounts of that name or kind; all without one."""
        for account in self.snapshot.accounts.values():
            if provider in {None, account.name, account.kind.name}:
                yield account

    def row(self, account: Account, model: str, at: datetime) -> Row | None:
        """What prices `model` at `account`."""
        return self.snapshot.book.row(account.name, account.kind.name, model, price_as=account.catalog, at=at)

    def targets(self, provider: str | None, model: str | None, at: datetime, *, everything: bool) -> list[Target]:
        """What the configuration names, by provider; with `everything` also what the catalog has for it.

        `model` is a name or a glob. A plain name that nothing mentions is looked up all the same.
        """
        found: dict[tuple[str, str], Target] = {}
        for account in self.accounts(provider):
            for name in self._names(account, at, everything=everything):
                if model is None or fnmatchcase(name, model):
                    found.setdefault((account.name, name), Target(account.name, name, self.row(account, name, at)))
        if not found and model is not None:
            asked = (Target(account.name, model, self.row(account, model, at)) for account in self.accounts(provider))
            return [target for target in asked if target.row is not None]
        return list(found.values())

    def _names(self, account: Account, at: datetime, *, everything: bool) -> Iterator[str]:
        yield from (name for name in self.models(account.name) if "{model}" not in name)
        owners = {account.name} if account.catalog == "free" else {account.name, account.kind.name}
        for row in self.snapshot.book.rows:
            if row.provider in owners and row.in_force(at.date()):
                yield row.model
        if everything and self.snapshot.book.catalog is not None and account.catalog is not None:
            yield from self.snapshot.book.catalog.models(account.catalog)

    def pairs(self, provider: str | None, model: str | None, at: datetime) -> Iterator[Pair]:
        """Each model that a row of the table prices and the catalog knows. `model` is a name or a glob."""
        if self.catalog is None:
            return
        for account in self.accounts(provider):
            seller = account.catalog
            if seller is None or seller == "free":
                continue
            named = (target.model for target in self.targets(account.name, None, at, everything=False))
            for name in dict.fromkeys((*named, *self.catalog.models(seller))):
                ours, theirs = self.row(account, name, at), self.catalog.find(seller, name, at)
                if ours and theirs and ours.source.startswith("table:") and fnmatchcase(name, model or "*"):
                    yield Pair(f"{account.name}/{name}", ours, theirs)

    def models(self, provider: str) -> Iterator[str]:
        """The models of `provider` that routes lead to or its entry lists."""
        for route in self.snapshot.table.routes.values():
            for member in route.members:
                if isinstance(member, Leaf) and member.provider == provider:
                    yield member.model
        yield from self.snapshot.models.get(provider, ())

    def reach(self) -> Reach:
        """What requests can get at, for judging rows. `{model}` in a target is the name that was asked for."""
        models: dict[str, list[str]] = {name: list(listed) for name, listed in self.snapshot.models.items()}
        for route in self.snapshot.table.routes.values():
            for member in route.members:
                if isinstance(member, Leaf):
                    models.setdefault(member.provider, []).append(member.model.replace("{model}", route.name))
        kinds = {account.name: account.kind.name for account in self.snapshot.accounts.values()}
        return Reach(kinds, models, direct=self.snapshot.table.direct_targets)


def read(source: Source) -> Prices:
    """Read the configuration and the catalog. Raises `ConfigError`."""
    loaded = source.load_to_look_at()
    prices = loaded.config.prices.model_copy(update={"catalog": "genai-prices"})
    with_catalog = loaded.config.model_copy(update={"prices": prices})
    catalog = CatalogReader().catalog(with_catalog)
    snapshot = snapshots.build(loaded, generation=0, catalog=catalog)
    return Prices(snapshot, catalog, snapshot.warnings)
