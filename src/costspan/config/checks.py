"""What has to fit together across the file: names that are referred to, numbers that depend on each other.

Each check yields findings with the path they are about. The names of providers and routes come from the file, not
from the validated configuration, so that a mistake inside a provider does not make its targets unknown as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain
from typing import TYPE_CHECKING

from costspan.config.document import suggestion
from costspan.config.labels import RESERVED, label_name
from costspan.config.providers import is_loopback
from costspan.config.values import looks_like_credential
from costspan.config.yaml_loader import Path  # noqa: TC001 - a dataclass field's type stays inspectable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from costspan.config.routes import Route, Target
    from costspan.config.schema import Config, Provider, Timeouts
    from costspan.config.values import Secret

_REFERENCE_ONLY = "a secret must be a reference: ${NAME} or file:/run/secrets/name"
_OF_A_TARGET = ("params", "lacks", "context_length")
"""What a member of a route cannot say of another route."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names that the file gives."""

    providers: tuple[str, ...]
    routes: tuple[str, ...]

    def has_route(self, name: str) -> bool:
        """Whether a request for `name` would find a route."""
        return name in self.routes or any(fnmatchcase(name, route) for route in self.routes)

    def has_target(self, target: str) -> bool:
        """Whether `provider/model` names a provider."""
        provider, slash, model = target.partition("/")
        return bool(slash and model) and provider in self.providers


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake, or a doubt (`warning`), about the value at `path`."""

    path: Path
    reason: str
    warning: bool = False


def findings(config: Config, names: Names) -> Iterator[Finding]:
    """Yield all that does not fit together, prices, keys and budgets excepted."""
    return chain(
        _listeners(config),
        *(_provider(name, provider) for name, provider in config.providers.items()),
        _timeouts(config.defaults.timeouts, ("defaults", "timeouts")),
        *(_route(name, route, names) for name, route in config.routes.items()),
        _cycles(config.routes),
        _default_route(config, names),
        _attribution(config),
    )


def _listeners(config: Config) -> Iterator[Finding]:
    if not config.providers:
        yield Finding(("providers",), "no provider is configured: every request will fail", warning=True)
    if config.admin.listen == config.server.listen and not config.server.listen.endswith(":0"):
        yield Finding(("admin", "listen"), "the same address as server.listen; use null for the main listener")
    if config.admin.token is not None and config.admin.token.literal:
        yield Finding(("admin", "token"), _REFERENCE_ONLY)
    yield from _headers(config.telemetry.otlp.headers, ("telemetry", "otlp", "headers"))


def _headers(headers: Mapping[str, Secret | str], at: Path) -> Iterator[Finding]:
    for name, value in headers.items():
        if isinstance(value, str) and looks_like_credential(name, value):
            yield Finding((*at, name), _REFERENCE_ONLY)


def _provider(name: str, provider: Provider) -> Iterator[Finding]:
    at = ("providers", name)
    if "/" in name or name != name.strip():
        yield Finding(at, "the name of a provider cannot contain / or begin or end with a space")
    given = provider.model_fields_set
    if "api_key" in given and "api_keys" in given and provider.api_key is not None and provider.api_keys:
        yield Finding((*at, "api_keys"), "expected either api_key or api_keys")
    if not is_loopback(provider.base_url):
        for index, key in enumerate(provider.api_keys):
            path = (*at, "api_key") if provider.api_key is not None else (*at, "api_keys", index)
            if key.literal:
                yield Finding(path, _REFERENCE_ONLY)
        yield from _headers(provider.headers, (*at, "headers"))
    if len(set(provider.api_keys)) < len(provider.api_keys):
        yield Finding((*at, "api_keys"), "the same key stands in the pool twice", warning=True)
    if provider.timeouts is not None:
        yield from _timeouts(provider.timeouts, (*at, "timeouts"))


def _timeouts(timeouts: Timeouts, at: Path) -> Iterator[Finding]:
    """Yield phases that are longer than the total beside which they are written."""
    if "total" not in timeouts.model_fields_set or timeouts.total is None:
        return
    for phase in ("connect", "first_token", "idle"):
        limit = getattr(timeouts, phase)
        if phase in timeouts.model_fields_set and limit is not None and limit > timeouts.total:
            yield Finding((*at, phase), "longer than total")


def _route(name: str, route: Route, names: Names) -> Iterator[Finding]:
    at = ("routes", name)
    for index, target in enumerate(route.targets):
        path = (*at, "targets", index)
        if target.target is not None and not names.has_target(target.target):
            provider = target.target.partition("/")[0]
            hint = suggestion(provider, names.providers)
            yield Finding((*path, "target"), f"unknown provider {provider!r}{hint}")
        if target.route is not None and not names.has_route(target.route):
            yield Finding((*path, "route"), f"unknown route {target.route!r}{suggestion(target.route, names.routes)}")
        if "weight" in target.model_fields_set and route.strategy != "weighted":
            yield Finding((*path, "weight"), "has no effect: the strategy is not weighted", warning=True)
        yield from _idle(path, target)
        if route.strategy != "weighted" and _name(target) in map(_name, route.targets[:index]):  # else it is a share
            yield Finding(path, f"has no effect: {_name(target)} stands above, and is asked once", warning=True)
    if route.timeouts is not None:
        yield from _timeouts(route.timeouts, (*at, "timeouts"))
    yield from _strategy(at, route)


def _name(target: Target) -> str:
    return target.target or f"route {target.route}"


def _idle(at: Path, target: Target) -> Iterator[Finding]:
    for name in _OF_A_TARGET:
        if target.route is not None and name in target.model_fields_set:
            yield Finding((*at, name), "has no effect on a route: it belongs to the targets in it", warning=True)


def _strategy(at: Path, route: Route) -> Iterator[Finding]:
    if route.strategy == "weighted" and not any(target.weight for target in route.targets):
        yield Finding((*at, "targets"), "the weights add up to 0")
    if route.strategy == "race" and len(set(map(_name, route.targets))) == 1 and route.targets[0].route is None:
        yield Finding((*at, "targets"), "a race needs two targets")
    if route.strategy != "race" and route.race is not None:
        yield Finding((*at, "race"), "the strategy is not race")


def _cycles(routes: Mapping[str, Route]) -> Iterator[Finding]:
    """Yield each nested route that leads back to the route it stands in."""
    for name, route in routes.items():
        for index, target in enumerate(route.targets):
            if target.route is not None and _leads_to(target.route, name, routes, set()):
                yield Finding(("routes", name, "targets", index, "route"), f"leads back to {name!r}: a cycle")


def _leads_to(start: str, goal: str, routes: Mapping[str, Route], seen: set[str]) -> bool:
    open_ = [start]
    while open_:
        name = open_.pop()
        if name == goal:
            return True
        if name not in seen and name in routes:
            seen.add(name)
            open_ += [target.route for target in routes[name].targets if target.route is not None]
    return False


def _default_route(config: Config, names: Names) -> Iterator[Finding]:
    name = config.default_route
    if name is not None and not names.has_route(name) and not names.has_target(name):
        yield Finding(("default_route",), f"unknown route {name!r}{suggestion(name, names.routes)}")


def _attribution(config: Config) -> Iterator[Finding]:
    """Yield attributes that are used but not listed: they would never be recorded."""
    known = config.attribution.attributes
    used: list[tuple[Path, str]] = [
        *((("headers", header), name) for header, name in config.attribution.headers.items()),
        *((("defaults", name), name) for name in config.attribution.defaults),
        *((("metric_attributes", index), name) for index, name in enumerate(config.attribution.metric_attributes)),
    ]
    for path, name in used:
        if name not in known:
            hint = suggestion(name, known)
            yield Finding(("attribution", *path), f"{name!r} is not one of attribution.attributes{hint}")
    yield from _labels(config.attribution.metric_attributes)


def _labels(attributes: Sequence[str]) -> Iterator[Finding]:
    """Yield attributes that cannot become labels: one label twice costs the whole scrape."""
    seen: dict[str, str] = {}
    for index, name in enumerate(attributes):
        label = label_name(name)
        at = ("attribution", "metric_attributes", index)
        if label in RESERVED:
            yield Finding(at, f"{label} is a label of the gateway's own metrics; choose another name")
        elif label in seen:
            yield Finding(at, f"becomes the metric label {label}, which {seen[label]!r} is already")
        seen.setdefault(label, name)
