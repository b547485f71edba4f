"""One immutable, validated configuration, resolved to objects.

`config` knows names; here they become accounts, routes and prices, and what only shows when all parts are seen together
is checked, with the same line-numbered errors. A request reads the current snapshot once and keeps it to its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING

from costspan.accounts import Accounts
from costspan.config.document import suggestion
from costspan.config.prices import RATES, UNIT_OF
from costspan.errors import ConfigError
from costspan.pricing.book import PriceBook
from costspan.pricing.rates import Hours, Row, ServiceTier, Tier, rates_of
from costspan.providers.hosts import KINDS
from costspan.routing.budget import Budget
from costspan.routing.limits import Limits
from costspan.routing.plan import NO_CEILINGS, Ceilings, Leaf, Nested, Policy, Race, Route, Table, Timeouts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from costspan.config import schema
    from costspan.config.load import Loaded
    from costspan.config.prices import HourBand, PriceRow, PriceTier, Rates
    from costspan.config.prices import ServiceTier as ConfiguredTier
    from costspan.config.providers import Timeouts as ConfiguredTimeouts
    from costspan.config.routes import Route as ConfiguredRoute
    from costspan.config.routes import Target as ConfiguredTarget
    from costspan.errors import Problem
    from costspan.pricing.catalog import Catalog
    from costspan.pricing.rates import Price
    from costspan.pricing.rates import Rates as PlainRates
    from costspan.providers.account import Account

_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)
"""For asking whether the catalog has a model at all: it has a price of some date for every day."""
_WORD_OF = {unit: word for word, unit in reversed(tuple(UNIT_OF.items()))}
"""A unit's own name may stand for the word that buys one of it, which comes first of its words."""


@dataclass(frozen=True, slots=True)
class ClientKey:
    """What a client may present. `digest` is the SHA-256 of the key; empty `routes` allow all."""

    name: str
    digest: bytes
    attributes: Mapping[str, str]
    routes: tuple[str, ...]
    expires: date | None


@dataclass(frozen=True, slots=True)
class Attribution:
    """Where attributes of a request come from."""

    attributes: frozenset[str]
    headers: Mapping[str, str]
    baggage: bool
    defaults: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a request needs to know of the configuration."""

    generation: int
    digest: str
    table: Table
    accounts: Mapping[str, Account]
    models: Mapping[str, tuple[str, ...]]
    """By provider: the model ids that its entry names."""
    book: PriceBook
    reject_unpriced: bool
    keys: tuple[ClientKey, ...]
    attribution: Attribution
    server: schema.Server
    admin_token: str | None
    warnings: tuple[str, ...]
    budgets: tuple[Budget, ...]
    limits: Mapping[str, Limits]
    """By the name of a client key, of those that have any."""

    def price(self, account: Account, model: str, at: datetime, served: str | None = None) -> Price | None:
        """What `model` costs there; `served` is what the answer says it was, None before there is one."""
        return self.book.find(
            account.name,
            account.kind.name,
            model,
            served=served,
            price_as=account.catalog,
            discount=account.discount,
            at=at,
        )


def build(loaded: Loaded, *, generation: int, catalog: Catalog | None) -> Snapshot:
    """Resolve a loaded file. Raises `ConfigError` with every problem found."""
    entries = Accounts(loaded)
    accounts = entries.build()
    builder = _Builder(loaded)
    table = builder.table(accounts)
    builder.warn_of_what_comes_later()
    builder.warn_of_dead_ends(table)
    used = catalog if loaded.config.prices.catalog != "none" else None
    book = builder.book(used)
    builder.warn_of_idle_prices(used)
    if problems := (*entries.problems, *builder.problems):
        raise ConfigError(problems)
    config = loaded.config
    return Snapshot(
        generation=generation,
        digest=loaded.digest,
        table=table,
        accounts=MappingProxyType(accounts),
        models=MappingProxyType({name: provider.models for name, provider in config.providers.items()}),
        book=book,
        reject_unpriced=config.prices.on_unpriced == "reject",
        keys=tuple(_client_keys(config)),
        attribution=_attribution(config),
        server=config.server,
        admin_token=config.admin.token.reveal() if config.admin.token else None,
        warnings=(*loaded.warnings, *entries.warnings, *builder.warnings),
        budgets=tuple(map(_budget, config.budgets)),
        limits=MappingProxyType(dict(_limits(config.keys))),
    )


class _Builder:
    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._config = loaded.config
        self.problems: list[Problem] = []
        self.warnings: list[str] = []

    def table(self, accounts: Mapping[str, Account]) -> Table:
        """Routes, with targets of providers that cannot be used left out (and said)."""
        config = self._config
        defaults = _policy(None, config)
        routes = {name: self._route(name, route, accounts) for name, route in config.routes.items()}
        return Table(
            routes=MappingProxyType(routes),
            providers=frozenset(accounts),
            direct_targets=config.direct_targets,
            default_route=config.default_route,
            defaults=defaults,
        )

    def _route(self, name: str, route: ConfiguredRoute, accounts: Mapping[str, Account]) -> Route:
        members: list[Leaf | Nested] = []
        for target in route.targets:
            if target.route is not None:
                members.append(Nested(target.route, float(target.weight)))
                continue
            provider, _, model = (target.target or "").partition("/")
            if provider in accounts:
                members.append(_leaf(provider, model, target))
        policy = _policy(route, self._config)
        return Route(name, route.strategy, tuple(members), policy, _ceilings(route), _race(route))

    def book(self, catalog: Catalog | None) -> PriceBook:
        """The price table, in the order of the file."""
        rows = []
        for index, row in enumerate(self._config.prices.table):
            try:
                rows.append(_row(row))
            except ValueError as error:
                self._problem(("prices", "table", index), str(error))
        return PriceBook(rows, catalog, self._loaded.digest[:12])

    def warn_of_idle_prices(self, catalog: Catalog | None) -> None:
        """Say of each price that no request can ever find, as far as the file shows it."""
        owners = {*self._config.providers, *KINDS}
        for index, row in enumerate(self._config.prices.table):
            at = ("prices", "table", index)
            if row.provider not in owners:
                reason = "neither a provider of this file nor a kind: the price is not used"
                self._warn((*at, "provider"), reason + suggestion(row.provider, owners))
            elif self._has_own_prefix(row, catalog):
                model = row.model.removeprefix(f"{row.provider}/")
                self._warn((*at, "model"), f"begins with the provider's own name: for {row.model} write {model}")
        words = {"free", "provider", *(kind.catalog for kind in KINDS.values() if kind.catalog is not None)}
        for name, provider in self._config.providers.items():
            wanted = provider.price_as
            if wanted is not None and wanted not in words and not (catalog and catalog.models(wanted)):
                reason = f"{wanted!r} is no provider of the price catalog: nothing is priced by it"
                self._warn(("providers", name, "price_as"), reason + suggestion(wanted, words))

    def _has_own_prefix(self, row: PriceRow, catalog: Catalog | None) -> bool:
        """Whether the row says `provider/model`. Some models are really called so, such as Groq's groq/compound."""
        if not row.model.startswith(f"{row.provider}/"):
            return False
        provider = self._config.providers.get(row.provider)
        kind = KINDS.get((provider.kind if provider else None) or row.provider)
        seller = (provider.price_as if provider else None) or (kind.catalog if kind else None)
        if catalog is not None and seller is not None and catalog.find(seller, row.model, _ANY_DAY):
            return False
        targets = (target.target or "" for route in self._config.routes.values() for target in route.targets)
        named = [model for owner, _, model in (target.partition("/") for target in targets) if owner == row.provider]
        named += provider.models if provider else ()
        return not any(fnmatchcase(model, row.model) for model in named)

    def warn_of_dead_ends(self, table: Table) -> None:
        """Say of each route that has no target left that every request for it will fail."""
        for name in table.routes:
            matched = table.match(name)
            if matched is None or not matched.steps:
                self.warnings.append(
                    f"routes.{name}: no usable target is left; every request for it is answered with 503"
                )

    def warn_of_what_comes_later(self) -> None:
        """Say of each setting that this version accepts and does not act on yet, that it does not."""
        config = self._config
        later = {
            "telemetry.capture_content": config.telemetry.capture_content,
            "server.workers": config.server.workers != 1,
        }
        self.warnings += [
            f"{name}: accepted, but this version does not act on it yet" for name, on in later.items() if on
        ]

    def _problem(self, path: tuple[str | int, ...], reason: str) -> None:
        self.problems.append(self._loaded.problem(path, reason))

    def _warn(self, path: tuple[str | int, ...], reason: str) -> None:
        self.warnings.append(str(self._loaded.problem(path, reason)))


def _policy(route: ConfiguredRoute | None, config: schema.Config) -> Policy:
    defaults = config.defaults
    retries = defaults.retries if route is None or route.retries is None else route.retries
    fallback_on = defaults.fallback_on if route is None or route.fallback_on is None else route.fallback_on
    timeouts = _timeouts(defaults.timeouts, route.timeouts if route is not None else None)
    return Policy(retries, frozenset(fallback_on), timeouts)


def _leaf(provider: str, model: str, target: ConfiguredTarget) -> Leaf:
    return Leaf(
        provider,
        model,
        MappingProxyType(target.params),
        float(target.weight),
        None if target.lacks is None else frozenset(target.lacks),
        target.context_length,
    )


def _ceilings(route: ConfiguredRoute) -> Ceilings:
    told = route.constraints
    if told is None:
        return NO_CEILINGS
    price = told.max_price
    return Ceilings(
        None if told.max_first_token is None else float(told.max_first_token),
        None if price is None else price.input,
        None if price is None else price.output,
    )


def _race(route: ConfiguredRoute) -> Race | None:
    told = route.race
    if told is None:
        return None
    after = None if told.after == "p95" else float(told.after)
    return Race(after, told.max_parallel, told.losers == "drain", told.max_extra_usd)


def _timeouts(below: ConfiguredTimeouts, above: ConfiguredTimeouts | None) -> Timeouts:
    def phase(name: str) -> float:
        own = getattr(above, name) if above is not None else None
        value = own if own is not None else getattr(below, name)
        return float(value) if value is not None else float(getattr(Timeouts(), name))

    return Timeouts(phase("connect"), phase("first_token"), phase("idle"), phase("total"))


def _words(rates: Rates) -> dict[str, Decimal]:
    return {_WORD_OF.get(word, word): value for word in RATES if (value := getattr(rates, word)) is not None}


def _row(row: PriceRow) -> Row:
    return Row(
        provider=row.provider,
        model=row.model,
        rates=rates_of(_words(row)),
        source=f"table:{row.source_line}",
        from_=row.from_,
        to=row.to,
        tiers=_sizes(row.tiers),
        service_tiers={name: _service_tier(tier) for name, tier in row.service_tiers.items()},
        hours=tuple(Hours(*band.minutes, _factor(band), _own(band)) for band in row.hours),
        stated=row.source,
        least={"audio_seconds": row.least_audio_seconds} if row.least_audio_seconds else {},
    )


def _service_tier(tier: ConfiguredTier) -> ServiceTier:
    return ServiceTier(_factor(tier), _own(tier), _sizes(tier.tiers))


def _factor(part: ConfiguredTier | HourBand) -> Decimal:
    return Decimal(1) if part.multiplier is None else part.multiplier


def _own(part: Rates) -> PlainRates | None:
    words = _words(part)
    return rates_of(words) if words else None


def _sizes(tiers: tuple[PriceTier, ...]) -> tuple[Tier, ...]:
    return tuple(Tier(tier.above, rates_of(_words(tier))) for tier in tiers)


def _client_keys(config: schema.Config) -> Iterator[ClientKey]:
    for key in config.keys:
        yield ClientKey(
            key.name,
            bytes.fromhex(key.hash.removeprefix("sha256:")),
            MappingProxyType(key.attributes),
            key.routes,
            key.expires,
        )


def _limits(keys: Iterable[schema.Key]) -> Iterator[tuple[str, Limits]]:
    for key in keys:
        given = key.limits
        limits = Limits(given.requests_per_minute, given.tokens_per_minute, given.concurrency)
        if limits != Limits():
            yield key.name, limits


def _budget(budget: schema.Budget) -> Budget:
    return Budget(
        budget.name,
        MappingProxyType(budget.match),
        budget.usd,
        budget.per,
        budget.warn_at,
        None if isinstance(budget.on_exceed, str) else budget.on_exceed.route,
        budget.shared,
    )


def _attribution(config: schema.Config) -> Attribution:
    attribution = config.attribution
    return Attribution(
        frozenset(attribution.attributes),
        MappingProxyType({header.lower(): name for header, name in attribution.headers.items()}),
        attribution.baggage,
        MappingProxyType(attribution.defaults),
    )
