"""From an entry of `providers:` to an account, with everything checked that takes the table of kinds to see."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from costspan import credentials
from costspan.dialects import METERED
from costspan.providers.account import Account, Cloud
from costspan.providers.address import address_of, place_of
from costspan.providers.hosts import KINDS
from costspan.providers.kind import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.config.load import Loaded
    from costspan.config.providers import Provider
    from costspan.config.providers import Timeouts as ConfiguredTimeouts
    from costspan.errors import Problem
    from costspan.providers.account import Address
    from costspan.providers.kind import Kind

_SETTINGS = ("project", "location", "region", "api_version")
_PLACE = re.compile(r"[a-z0-9-]{1,64}")
"""A location or region becomes part of a host name."""
_VERSION = re.compile(r"\d{4}-\d\d-\d\d(?:-preview)?|preview|latest|v1")
"""Of Azure's interface, as `providers.ways.azure` writes it."""


class Accounts:
    """Builds the accounts of one file. `problems` and `warnings` fill on the way."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self.problems: list[Problem] = []
        self.warnings: list[str] = []

    def build(self) -> dict[str, Account]:
        """Every provider that can be used."""
        resolved = ((name, self._account(name, p)) for name, p in self._loaded.config.providers.items())
        return {name: account for name, account in resolved if account is not None}

    def _account(self, name: str, provider: Provider) -> Account | None:
        path = ("providers", name)
        kind = KINDS.get(provider.kind or name)
        if kind is None:
            self._no_kind(name, provider)
            return None
        if not METERED.keys() & set(kind.all_dialects) and not provider.dialects:
            self.warnings.append(
                f"providers.{name}: kind {kind.name} is not served by this version yet; its targets are left out"
            )
            return None
        cloud = Cloud(provider.project, provider.location, provider.region, provider.api_version)
        self._check_cloud(path, provider, kind)
        self._check_key(path, provider, kind)
        self._check_dialects(path, provider)
        address = address_of(kind, provider.base_url, cloud)
        if address is None:
            if not kind.needs:
                self._problem(path, f"kind {kind.name} needs base_url")
            return None
        self._check_place(path, provider, kind, address)
        stops = provider.abort_stops_billing
        return Account(
            name=name,
            kind=kind,
            address=address,
            keys=(provider.api_key,) if provider.api_key is not None else tuple(provider.api_keys),
            headers=tuple((header.lower(), value) for header, value in provider.headers.items()),
            discount=provider.discount,
            price_as=provider.price_as,
            dialects=_overridden(kind.dialects, provider.dialects),
            abort_stops_billing=kind.abort_stops_billing if stops is None else stops,
            abort_stops_whole=kind.abort_stops_whole if stops is None else stops,
            propagate_trace=provider.propagate_trace,
            max_concurrency=provider.max_concurrency,
            timeouts=tuple(_own_timeouts(provider.timeouts)),
            cloud=cloud,
            rules=tuple(Rule(rule.globs, _overridden(rule.dialects, provider.dialects)) for rule in kind.rules),
        )

    def _no_kind(self, name: str, provider: Provider) -> None:
        kind = provider.kind or name
        path = ("providers", name, "kind") if provider.kind else ("providers", name)
        if provider.kind is None:
            self._problem(path, f"{name} is no well-known provider: say its kind, such as openai-compatible")
            return
        near = difflib.get_close_matches(kind, KINDS, n=1)
        self._problem(path, "unknown kind" + (f", did you mean {near[0]}?" if near else f"; known: {', '.join(KINDS)}"))

    def _check_cloud(self, path: tuple[str, str], provider: Provider, kind: Kind) -> None:
        signed = kind.credentials == "aws" and not provider.api_keys
        for name in _SETTINGS:
            value = getattr(provider, name)
            if value is None and name in kind.needs and (provider.base_url is None or signed):
                self._problem(path, f"kind {kind.name} needs {name}")
            elif value is not None and name not in {*kind.needs, *kind.takes}:
                self._warn((*path, name), f"has no effect: kind {kind.name} does not use it")
            elif value is not None and name in {"location", "region"} and not _PLACE.fullmatch(value):
                self._problem((*path, name), "expected a name such as europe-west1 or us-east-1")
            elif value is not None and name == "api_version" and not _VERSION.fullmatch(value):
                self._problem((*path, name), "expected a date such as 2024-10-21, preview, latest or v1")

    def _check_place(self, path: tuple[str, str], provider: Provider, kind: Kind, address: Address) -> None:
        """A request that is signed for one region, or names one location, is refused in another."""
        there = place_of(address.host)
        for name in {"location", "region"} & {*kind.needs}:
            told = getattr(provider, name)
            if provider.base_url is not None and there is not None and told not in {None, there}:
                self._problem((*path, "base_url"), f"is in {there}, while {name} says {told}")

    def _check_key(self, path: tuple[str, str], provider: Provider, kind: Kind) -> None:
        if provider.api_keys:
            return
        if kind.credentials is not None:
            if (missing := credentials.missing(kind.credentials)) is not None:
                self._problem(path, f"without api_key, kind {kind.name} needs {missing}")
        elif kind.key_variable is not None and provider.base_url is None:
            self._problem(path, f"needs api_key, for instance ${{{kind.key_variable}}}")

    def _check_dialects(self, path: tuple[str, str], provider: Provider) -> None:
        for index, dialect in enumerate(provider.dialects or ()):
            if dialect not in METERED:
                near = difflib.get_close_matches(dialect, METERED, n=1)
                hint = f", did you mean {near[0]}?" if near else ""
                reason = f"not a dialect that this version speaks to providers{hint}"
                self._problem((*path, "dialects", index), reason)

    def _problem(self, path: tuple[str | int, ...], reason: str) -> None:
        self.problems.append(self._loaded.problem(path, reason))

    def _warn(self, path: tuple[str | int, ...], reason: str) -> None:
        self.warnings.append(str(self._loaded.problem(path, reason)))


def _overridden(own: tuple[str, ...], told: tuple[str, ...] | None) -> tuple[str, ...]:
    """The dialects that the file tells, and the kind's own of operations of which it tells none."""
    if not told:
        return own
    operations = {METERED[name].OPERATION for name in told if name in METERED}
    kept = (name for name in own if name not in METERED or METERED[name].OPERATION not in operations)
    return (*told, *(name for name in kept if name not in told))


def _own_timeouts(timeouts: ConfiguredTimeouts | None) -> Iterator[tuple[str, float]]:
    """The phases that a provider sets itself. `total` is the exchange's, not one provider's."""
    for phase in ("connect", "first_token", "idle"):
        if timeouts is not None and (value := getattr(timeouts, phase)) is not None:
            yield phase, float(value)
