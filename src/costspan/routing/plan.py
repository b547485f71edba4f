"""From the model name that a client asks for to the targets that its route lists. `order` puts them in order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

_DOTS = frozenset({".", ".."})
MAX_STEPS = 32
"""A plan is never longer, however routes nest."""
_REMEMBERED = 1024
"""Names that were resolved. They come from clients, so their number is not ours to trust; starting over is cheap."""


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
class Ceilings:
    """What a target may cost and how long it may take. None: no limit."""

    first_token: float | None = None
    """Seconds to the first token; who is slower is asked last."""
    input: Decimal | None = None
    """USD per million tokens; who costs more is not asked."""
    output: Decimal | None = None

    def within(self, outer: Ceilings) -> Ceilings:
        """The lower ones of these and of `outer`: a nested route keeps to both."""
        return Ceilings(
            _lower(self.first_token, outer.first_token),
            _lower(self.input, outer.input),
            _lower(self.output, outer.output),
        )


NO_CEILINGS = Ceilings()


@dataclass(frozen=True, slots=True)
class Race:
    """How the targets of a route race each other."""

    after: float | None = None
    """Seconds until the next target starts; None: the 95th percentile of the first one's time to first token."""
    max_parallel: int = 2
    drain: bool = False
    """Whether losers are read to their end, to learn what they used."""
    max_extra_usd: Decimal | None = None
    """What the further attempts may be expected to cost together."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A target as a route lists it: `provider` and `model`, where `{model}` stands for the name asked for."""

    provider: str
    model: str
    params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    weight: float = 1
    lacks: frozenset[str] | None = None
    """What the model cannot do: `tools`, `images`, `json_schema`. None: as far as it is known; empty: nothing."""
    context_length: int | None = None
    """Tokens of prompt and answer together."""


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
    ceilings: Ceilings = NO_CEILINGS
    race: Race | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One target of a plan, with the policy of the route that lists it."""

    provider: str
    model: str
    params: Mapping[str, Any]
    policy: Policy
    lacks: frozenset[str] | None = None
    context_length: int | None = None
    ceilings: Ceilings = NO_CEILINGS

    @property
    def label(self) -> str:
        """As in configuration and headers: `provider/model`."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class Branch:
    """A route with its targets in it, nested routes as branches of their own, all as the configuration lists them."""

    route: str
    strategy: str
    members: tuple[Step | Branch, ...]
    weights: tuple[float, ...] = ()
    """Of the members, for strategy weighted."""
    race: Race | None = None
    alone: bool = False
    """Whether only the target that comes first is asked."""

    def steps(self) -> Iterator[Step]:
        """All targets in it, as written."""
        for member in self.members:
            if isinstance(member, Step):
                yield member
            else:
                yield from member.steps()

    def targets(self) -> tuple[Step, ...]:
        """All targets in it, as written. One that several routes list is there once."""
        found: dict[str, Step] = {}
        for step in self.steps():
            found.setdefault(step.label, step)
        return tuple(found.values())[:MAX_STEPS]


@dataclass(frozen=True, slots=True)
class Matched:
    """What a model name led to. `policy.timeouts.total` of it bounds the exchange."""

    route: str
    policy: Policy
    tree: Branch
    passes_model: bool = False
    """Whether a step's model is what was given as `asked`: neither in the configuration nor in the name."""
    weighs_cost: bool = False
    """Whether the order may depend on what the request costs, and so on what of it is cached where."""
    goes_beyond: bool = False
    """Whether a request has added models to it: its targets are not those of `route` alone."""

    @classmethod
    def direct(cls, name: str, step: Step) -> Matched:
        """A name that leads to one target."""
        return cls(name, step.policy, Branch(name, DIRECT, (step,)))

    @property
    def strategy(self) -> str:
        """Of the route: `direct` where there is none."""
        return self.tree.strategy

    @property
    def steps(self) -> tuple[Step, ...]:
        """All targets, as written. One that several routes list is there once."""
        return self.tree.targets()


DIRECT = "direct"
"""The strategy of what was asked for as `provider/model`."""


@dataclass(frozen=True, slots=True)
class Table:
    """All routes of a snapshot. `providers` are the names that `provider/model` may use."""

    routes: Mapping[str, Route]
    providers: frozenset[str]
    direct_targets: bool
    default_route: str | None
    defaults: Policy
    _known: dict[tuple[str, str | None], Matched] = field(default_factory=dict, compare=False, repr=False)

    def match(self, name: str, asked: str | None = None) -> Matched | None:
        """Resolve `name`; None when nothing matches. `asked` is what `{model}` stands for where that is not `name`.

        In this order: exact route, the glob with the longest literal part, `provider/model`, the default route.
        A name of dots alone is nobody's: where a provider has the model in its path, it would lead to another path.
        """
        key = (name, asked)
        if (known := self._known.get(key)) is not None:
            return known
        found = self._match(name, asked)
        if found is not None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = found
        return found

    def _match(self, name: str, asked: str | None) -> Matched | None:
        if _is_dots(name) or (asked is not None and _is_dots(asked)):
            return None
        route = self._named(name)
        if route is None and self.direct_targets and (direct := self._target(name)) is not None:
            return direct
        if route is None and self.default_route is not None:
            route = self._named(self.default_route)
            if route is None:
                return self._target(self.default_route)
        if route is None:
            return None
        tree = self._branch(route, name if asked is None else asked, NO_CEILINGS, ())
        passes = (
            asked is not None and asked != name and any("{model}" in leaf.model for leaf in self._leaves(route, ()))
        )
        return Matched(route.name, route.policy, tree, passes, weighs_cost(tree))

    def _target(self, name: str) -> Matched | None:
        provider, slash, model = name.partition("/")
        if not (slash and model and provider in self.providers):
            return None
        return Matched.direct(name, Step(provider, model, MappingProxyType({}), self.defaults))

    def _named(self, name: str) -> Route | None:
        """The route of this name, or the glob with the longest literal part that it matches."""
        return self.routes.get(name) or self._glob(name)

    def _leaves(self, route: Route, above: tuple[str, ...]) -> Iterator[Leaf]:
        for member in route.members:
            if isinstance(member, Leaf):
                yield member
            elif (nested := self._nested(member, route, above)) is not None:
                yield from self._leaves(nested, (*above, route.name))

    def _nested(self, member: Nested, route: Route, above: tuple[str, ...]) -> Route | None:
        """The route that `member` names. Cycles of names are refused at load; one that globs make is cut here."""
        found = self._named(member.route)
        return None if found is None or found.name in {route.name, *above} else found

    def _glob(self, model: str) -> Route | None:
        found = [name for name in self.routes if _is_glob(name) and fnmatchcase(model, name)]
        return self.routes[max(found, key=_literal_length)] if found else None

    def _branch(self, route: Route, asked: str, outer: Ceilings, above: tuple[str, ...]) -> Branch:
        ceilings = route.ceilings.within(outer)
        members: list[Step | Branch] = []
        weights: list[float] = []
        for member in route.members:
            if isinstance(member, Leaf):
                model = member.model.replace("{model}", asked)
                members.append(
                    Step(
                        member.provider,
                        model,
                        member.params,
                        route.policy,
                        member.lacks,
                        member.context_length,
                        ceilings,
                    )
                )
            elif (nested := self._nested(member, route, above)) is not None:
                members.append(self._branch(nested, asked, ceilings, (*above, route.name)))
            else:
                continue
            weights.append(member.weight)
        return Branch(route.name, route.strategy, tuple(members), tuple(weights), route.race)


def weighs_cost(branch: Branch) -> bool:
    """Whether strategies that look at the cost have more than one target to choose from."""
    nested = (member for member in branch.members if isinstance(member, Branch))
    own = branch.strategy in {"cheapest", "weighted"} and len(branch.members) > 1
    return own or any(weighs_cost(member) for member in nested)


_Number = TypeVar("_Number", "float", "Decimal")


def _lower(first: _Number | None, second: _Number | None) -> _Number | None:
    given = [value for value in (first, second) if value is not None]
    return min(given, default=None)


def _is_dots(name: str) -> bool:
    return name in _DOTS or name.partition("/")[2] in _DOTS


def _is_glob(name: str) -> bool:
    return any(c in name for c in "*?[")


def _literal_length(name: str) -> int:
    return sum(c not in "*?[]" for c in name)
