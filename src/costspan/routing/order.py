"""Strategies: from the targets that a route lists, and what is known of each, to the order in which to ask them.

Pure functions. The facts are given: what a request would cost on a target, how long it would take, whether the target
can serve it at all and is well. A nested route is ordered by its own strategy first, and then takes its place in the
outer one by the target that it would ask first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from costspan.routing.plan import MAX_STEPS, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from decimal import Decimal

    from costspan.routing.plan import Branch, Race


class Rank(IntEnum):
    """How a target stands. Within one rank the strategy decides."""

    FINE = 0
    PROBE = 1
    """It was ill and may be well again: the next request finds out. Asked where the strategy puts it."""
    BEHIND = 2
    """Slower than the route allows, busy, or short of its rate limit: asked after the others."""
    ILL = 3
    """Its breaker is open or its keys stand back: asked when there is nobody else, least bad first."""


class Facts(Protocol):
    """What is known of the targets for one request. Asked only for what the strategy needs."""

    def excluded(self, step: Step) -> str | None:
        """Why the target cannot serve this request, None when it can."""

    def rank(self, step: Step) -> Rank:
        """How it stands."""

    def due(self, step: Step) -> float:
        """Of one that is ill: when it may be asked again, in monotonic seconds. The smallest is the least bad."""

    def cost(self, step: Step) -> Decimal | None:
        """USD that this request is expected to cost there; None where that cannot be told."""

    def by_speed(self, route: str, steps: Sequence[Step]) -> Sequence[int]:
        """Positions in `steps`, the one that is expected to be through first coming first."""

    def stays(self, steps: Sequence[Step]) -> int | None:
        """Position of the one that holds this conversation's prompt cache, None where nobody does."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Targets to ask together: one, or several that race. A race asks the first at once, further ones later."""

    steps: tuple[Step, ...]
    race: Race | None = None


@dataclass(frozen=True, slots=True)
class Excluded:
    """A target that is not asked, and why."""

    step: Step
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Stages in order: the next is asked when all of the one before it failed."""

    stages: tuple[Stage, ...]
    excluded: tuple[Excluded, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """All targets, in order."""
        return tuple(chain.from_iterable(stage.steps for stage in self.stages))


def plan(tree: Branch, facts: Facts, pick: Callable[[], float]) -> Plan:
    """The order in which to ask the targets of `tree`. `pick` gives random numbers in [0, 1)."""
    if len(tree.members) == 1 and isinstance(step := tree.members[0], Step):  # most requests
        why = facts.excluded(step)
        return Plan((Stage((step,)),)) if why is None else Plan((), (Excluded(step, why),))
    planner = _Planner(facts, pick)
    stages = planner.stages(tree)
    return Plan(tuple(_once(stages)), tuple(planner.excluded.values()))


class _Planner:
    def __init__(self, facts: Facts, pick: Callable[[], float]) -> None:
        self._facts = facts
        self._pick = pick
        self.excluded: dict[str, Excluded] = {}

    def stages(self, branch: Branch) -> list[Stage]:
        """The stages of one route, those of nested ones in their places; who is not well comes last."""
        parts: list[list[Stage]] = []
        weights: list[float] = []
        for position, member in enumerate(branch.members):
            part = self._single(member) if isinstance(member, Step) else self.stages(member)
            if part:
                parts.append(part)
                weights.append(branch.weights[position] if branch.weights else 1.0)
        if branch.strategy == "race":
            stages = self._race(branch, parts)
        else:
            if len(parts) > 1:
                parts = self._in_order(branch, parts, weights)
            stages = self._by_rank(chain.from_iterable(parts))
        return [Stage(stages[0].steps[:1])] if branch.alone and stages else stages

    def _single(self, step: Step) -> list[Stage]:
        why = self._facts.excluded(step)
        if why is None:
            return [Stage((step,))]
        self.excluded.setdefault(step.label, Excluded(step, why))
        return []

    def _in_order(self, branch: Branch, parts: list[list[Stage]], weights: list[float]) -> list[list[Stage]]:
        match branch.strategy:
            case "cheapest":
                return self._cheapest(parts)
            case "fastest":
                order = self._facts.by_speed(branch.route, [part[0].steps[0] for part in parts])
                return [parts[position] for position in order]
            case "weighted":
                return self._drawn(parts, weights)
        return parts

    def _cheapest(self, parts: list[list[Stage]]) -> list[list[Stage]]:
        """By expected cost, as written where that is equal; who has no price comes last."""
        costs = [self._facts.cost(part[0].steps[0]) for part in parts]
        known = [position for position, cost in enumerate(costs) if cost is not None]
        known.sort(key=lambda position: costs[position] or 0)
        unknown = (position for position, cost in enumerate(costs) if cost is None)
        return [parts[position] for position in (*known, *unknown)]

    def _drawn(self, parts: list[list[Stage]], weights: list[float]) -> list[list[Stage]]:
        """Drawn by weight without putting back: the rest is the fallback.

        Who holds the conversation's prompt cache goes on with it where that is cheaper than who was drawn.
        """
        left = list(range(len(parts)))
        order: list[int] = []
        while left:
            drawn = _draw(left, weights, self._pick()) if len(left) > 1 else left[0]
            left.remove(drawn)
            order.append(drawn)
        heads = [part[0].steps[0] for part in parts]
        holder = self._facts.stays(heads)
        if holder is not None and holder != order[0] and self._is_cheaper(heads[holder], heads[order[0]]):
            order.remove(holder)
            order.insert(0, holder)
        return [parts[position] for position in order]

    def _is_cheaper(self, holder: Step, drawn: Step) -> bool:
        if self._facts.rank(holder) > Rank.PROBE:
            return False
        held, fresh = self._facts.cost(holder), self._facts.cost(drawn)
        return held is not None and fresh is not None and held < fresh

    def _race(self, branch: Branch, parts: list[list[Stage]]) -> list[Stage]:
        """The first of each member, then the rest of them, race; who is not well is asked when the race is lost."""
        listed = [list(chain.from_iterable(stage.steps for stage in part)) for part in parts]
        steps = list(
            {step.label: step for step in (*(s[0] for s in listed), *chain(*(s[1:] for s in listed)))}.values()
        )
        ranks = [self._facts.rank(step) for step in steps]
        fine = [step for step, rank in zip(steps, ranks, strict=True) if rank is Rank.FINE]
        probes = [step for step, rank in zip(steps, ranks, strict=True) if rank is Rank.PROBE]
        # One whose health is in doubt starts alone: as a further attempt it would be a load, not a help.
        contenders = probes[:1] + fine
        others = [step for step in steps if step not in contenders]
        race = self._affordable(branch.race, contenders) if branch.race is not None and len(contenders) > 1 else None
        if race is None:
            return self._by_rank(Stage((step,)) for step in (*contenders, *others))
        return [Stage(tuple(contenders), race), *self._by_rank(Stage((step,)) for step in others)]

    def _affordable(self, race: Race, contenders: Sequence[Step]) -> Race | None:
        """`race` with as many attempts at one time as its `max_extra_usd` allows; None when it allows no second."""
        if race.max_extra_usd is None:
            return race
        left = race.max_extra_usd
        for parallel, step in enumerate(contenders[1 : race.max_parallel], start=1):
            cost = self._facts.cost(step)
            if cost is None or cost > left:
                return replace(race, max_parallel=parallel) if parallel > 1 else None
            left -= cost
        return race

    def _by_rank(self, stages: Iterable[Stage]) -> list[Stage]:
        """`stages` with those behind after the others, and the ill ones last, least bad first."""
        listed = list(stages)
        if len(listed) < 2:  # noqa: PLR2004 - nothing to put in order
            return listed
        ranks = [self._facts.rank(stage.steps[0]) for stage in listed]
        if max(ranks) <= Rank.PROBE:
            return listed
        well = [stage for stage, rank in zip(listed, ranks, strict=True) if rank <= Rank.PROBE]
        behind = [stage for stage, rank in zip(listed, ranks, strict=True) if rank is Rank.BEHIND]
        ill = [stage for stage, rank in zip(listed, ranks, strict=True) if rank is Rank.ILL]
        ill.sort(key=lambda stage: self._facts.due(stage.steps[0]))
        return [*well, *behind, *ill]


def _draw(left: Sequence[int], weights: Sequence[float], pick: float) -> int:
    point = pick * sum(weights[position] for position in left)
    for position in left:
        point -= weights[position]
        if point < 0:
            return position
    return left[-1]


def _once(stages: Iterable[Stage]) -> list[Stage]:
    """`stages` with each target only where it stands first, and no more than a plan may have."""
    seen: set[str] = set()
    kept: list[Stage] = []
    for stage in stages:
        steps = tuple({step.label: step for step in stage.steps if step.label not in seen}.values())
        steps = steps[: MAX_STEPS - len(seen)]
        seen.update(step.label for step in steps)
        if steps:
            kept.append(stage if steps == stage.steps else Stage(steps, stage.race if len(steps) > 1 else None))
    return kept
