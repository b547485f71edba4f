"""From the model name that a client asks for to an ordered list of targets. Facts in, plan out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_DOTS = frozenset({".", ".."})
MAX_STEPS = 32
"""A plan is never longer, however routes nest."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, by phase. `total` bounds all attempts of an exchange together."""

    connect: float = 5.0
    first_token: float = 60.0
    idle: float = 60.0
    total: float = 600.0

    def replaced(self, phases: Mapping[str, float]) -> Timeouts:
        """These, with the phases that `phases` names in its way."""
        return replace(self, **phases) if phases else self


@dataclass(frozen=True, slots=True)
class Policy:
    """How attempts of one route are made."""

    retries: int = 1
    fallback_on: frozenset[str] = frozenset({"connect", "timeout", "rate_limit", "server_error", "auth", "overloaded"})
    timeouts: Timeouts = Timeouts()


@dataclass(frozen=True, slots=True)
class Leaf:
    """A target as a route lists it: `provider` and `model`, where `{model}` stands for the name asked for."""

    provider: str
    model: str
    params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    weight: float = 1


@dataclass(frozen=True, slots=True)
class Nested:
    """Another route as a target."""

    route: str
    weight: float = 1


@dataclass(frozen=True, slots=True)
class Route:
    """A public model name (or a glob of such names) with a strategy over targets."""

    name: str
    strategy: str
    members: tuple[Leaf | Nested, ...]
    policy: Policy


@dataclass(frozen=True, slots=True)
class Step:
    """One target of a plan, with the policy of the route that lists it."""

    provider: str
    model: str
    params: Mapping[str, Any]
    policy: Policy

    @property
    def label(self) -> str:
        """As in configuration and headers: `provider/model`."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class Matched:
    """What a model name led to. `policy.timeouts.total` of it bounds the exchange."""

    route: str
    strategy: str
    policy: Policy
    steps: tuple[Step, ...]
    passes_model: bool = False
    """Whether a step's model is what was given as `asked`: neither in the configuration nor in the name."""


@dataclass(frozen=True, slots=True)
class Table:
    """All routes of a snapshot. `providers` are the names that `provider/model` may use."""

    routes: Mapping[str, Route]
    providers: frozenset[str]
    direct_targets: bool
    default_route: str | None
    defaults: Policy

    def match(self, name: str, pick: Callable[[], float], asked: str | None = None) -> Matched | None:
        """Resolve `name`; None when nothing matches. `asked` is what `{model}` stands for where that is not `name`.

        In this order: exact route, the glob with the longest literal part, `provider/model`, the default route.
        `pick` gives random numbers in [0, 1) for weighted routes. A name of dots alone is nobody's: where a provider
        has the model in its path, it would lead to another path.
        """
        if _is_dots(name) or (asked is not None and _is_dots(asked)):
            return None
        route = self.routes.get(name) or self._glob(name)
        if route is None and self.direct_targets:
            provider, slash, model = name.partition("/")
            if slash and model and provider in self.providers:
                step = Step(provider, model, MappingProxyType({}), self.defaults)
                return Matched(name, "direct", self.defaults, (step,))
        if route is None and self.default_route is not None:
            route = self.routes[self.default_route]
        if route is None:
            return None
        steps: dict[str, Step] = {}
        for step in self._steps(route, name if asked is None else asked, pick, depth=0):
            steps.setdefault(step.label, step)  # a target that several routes list is tried once
        passes = asked is not None and asked != name and self._passes(route, depth=0)
        return Matched(route.name, route.strategy, route.policy, tuple(steps.values())[:MAX_STEPS], passes)

    def _passes(self, route: Route, depth: int) -> bool:
        return depth <= MAX_STEPS and any(
            "{model}" in member.model
            if isinstance(member, Leaf)
            else self._passes(self.routes[member.route], depth + 1)
            for member in route.members
        )

    def _glob(self, model: str) -> Route | None:
        found = [name for name in self.routes if _is_glob(name) and fnmatchcase(model, name)]
        return self.routes[max(found, key=_literal_length)] if found else None

    def _steps(self, route: Route, asked: str, pick: Callable[[], float], depth: int) -> Iterator[Step]:
        if depth > MAX_STEPS:  # cycles are refused at load; this bounds what slipped through
            return
        for member in _order(route, pick):
            if isinstance(member, Leaf):
                model = member.model.replace("{model}", asked)
                yield Step(member.provider, model, member.params, route.policy)
            else:
                nested = self.routes[member.route]
                yield from self._steps(nested, asked, pick, depth + 1)


def _order(route: Route, pick: Callable[[], float]) -> Iterator[Leaf | Nested]:
    """Members in the order to try them. Weighted: drawn by weight without putting back, so the rest is the fallback."""
    left = list(route.members)
    while route.strategy == "weighted" and len(left) > 1:
        drawn = _draw(left, pick())
        left.remove(drawn)
        yield drawn
    yield from left


def _draw(members: Sequence[Leaf | Nested], pick: float) -> Leaf | Nested:
    point = pick * sum(member.weight for member in members)
    for member in members:
        point -= member.weight
        if point < 0:
            return member
    return members[-1]


def _is_dots(name: str) -> bool:
    return name in _DOTS or name.partition("/")[2] in _DOTS


def _is_glob(name: str) -> bool:
    return any(c in name for c in "*?[")


def _literal_length(name: str) -> int:
    return sum(c not in "*?[]" for c in name)
