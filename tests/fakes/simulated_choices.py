"""Ways to choose a target, each tried on the same simulated requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, Protocol

from costspan.routing.expectation import Expectations
from costspan.routing.order import Rank, plan
from costspan.routing.plan import Branch, Policy, Step
from fakes.simulated_prices import TARGETS, World, price
from fakes.simulated_requests import requests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fakes.simulated_requests import Mix, Request


class Question(NamedTuple):
    """What will this request use on that target? Only the oracle and its like look at the world and what it hides."""

    target: str
    request: Request
    world: World


class Way(Protocol):
    """A way to choose."""

    def usage(self, question: Question, /) -> Mapping[str, int]:
        """What to price."""

    def learn(self, target: str, request: Request, usage: Mapping[str, int]) -> None:
        """What came of it."""


class Fixed:
    """Learns nothing."""

    def learn(self, target: str, request: Request, usage: Mapping[str, int]) -> None:
        pass


class Oracle(Fixed):
    """Knows the answers and the caches."""

    def usage(self, question: Question) -> Mapping[str, int]:
        return question.world.would(question.target, question.request)


class Informed(Fixed):
    """Knows the targets, the caches and every application's medians, but not how this request will turn out.

    No estimate can be expected to do better.
    """

    def usage(self, question: Question) -> Mapping[str, int]:
        feature, even = question.request.feature, dict.fromkeys(TARGETS, 1.0)
        typical = replace(question.request, words=feature.words, effort=feature.effort, odds=even)
        return question.world.would(question.target, typical)


class Expecting:
    """What the gateway does."""

    def __init__(self) -> None:
        self._expectations = Expectations()

    def usage(self, question: Question) -> Mapping[str, int]:
        target, request, _ = question
        return self._expectations.usage(request.feature.kind.route, target, request.asked, request.at).tokens

    def learn(self, target: str, request: Request, usage: Mapping[str, int]) -> None:
        self._expectations.learn(request.feature.kind.route, target, request.asked, usage, request.at)


class ByDefault(Fixed):
    """A token for four characters, a usual answer, no caches: what can be said without learning."""

    def usage(self, question: Question) -> Mapping[str, int]:
        asked = question.request.asked
        return {"input": asked.prompt_chars // 4, "output": min(512, asked.max_output_tokens or 512)}


class ByInput(Fixed):
    """A sort by the price of input."""

    def usage(self, _: Question) -> Mapping[str, int]:
        return {"input": 1}


class ByList(Fixed):
    """A sort by the prices of input and output together."""

    def usage(self, _: Question) -> Mapping[str, int]:
        return {"input": 1, "output": 1}


WAYS: Mapping[str, type[Way]] = {
    "oracle: knows the answer and the caches": Oracle,
    "knows all medians and the caches": Informed,
    "expected cost of this request": Expecting,
    "default lengths, no caches": ByDefault,
    "input price": ByInput,
    "input + output price": ByList,
}


@dataclass(frozen=True)
class Choice:
    """The target that was chosen, what it cost, and what the cheapest would have: caches being as they were."""

    target: str
    cheapest: str
    cost: Decimal
    least: Decimal


class _Costs:
    """The facts that the strategy `cheapest` asks for: all targets are well."""

    def __init__(self, costs: Mapping[str, Decimal]) -> None:
        self._costs = costs

    def excluded(self, _: Step) -> str | None:
        return None

    def rank(self, _: Step) -> Rank:
        return Rank.FINE

    def due(self, _: Step) -> float:
        return 0.0

    def cost(self, step: Step) -> Decimal | None:
        return self._costs[step.model]

    def by_speed(self, _: str, steps: Sequence[Step]) -> Sequence[int]:
        return range(len(steps))

    def stays(self, _: Sequence[Step]) -> int | None:
        return None


_ROUTE = Branch("simulated", "cheapest", tuple(Step("any", target, {}, Policy()) for target in TARGETS))


def choices(way: Way, asked: Sequence[Request]) -> list[Choice]:
    """What came of asking all of `asked`, one after another."""
    world = World()
    found = []
    for request in asked:
        costs = {target: price(target, request, world.would(target, request)) for target in TARGETS}
        expected = {target: price(target, request, way.usage(Question(target, request, world))) for target in TARGETS}
        target = plan(_ROUTE, _Costs(expected), lambda: 0.0).steps[0].model
        cheapest = min(costs, key=lambda label: costs[label])
        found.append(Choice(target, cheapest, costs[target], costs[cheapest]))
        way.learn(target, request, world.ask(target, request))
    return found


@dataclass(frozen=True)
class Score:
    """How good choices were: the share of them that were the cheapest, and what all cost above those, in shares."""

    right: float
    above: float
    total: Decimal


def score(made: Sequence[Choice]) -> Score:
    """Of some choices."""
    total, least = sum((each.cost for each in made), Decimal(0)), sum((each.least for each in made), Decimal(0))
    return Score(sum(each.cost == each.least for each in made) / len(made), float(total / least) - 1, total)


COUNTED = 1000
WARM_UP = 200


@dataclass(frozen=True)
class Row:
    """A way over several days: the mean of the share that was right, and what all cost above the cheapest."""

    way: str
    right: float
    above: float
    total: Decimal


def rows(mix: Mix, seeds: Sequence[int], warm_up: int = WARM_UP) -> list[Row]:
    """The table: each way on the same days, of which the first `warm_up` requests are not counted."""
    days = [requests(warm_up + COUNTED, seed, mix) for seed in seeds]
    found = []
    for name, way in WAYS.items():
        scores = [score(choices(way(), day)[warm_up:]) for day in days]
        right, above = (sum(values) / len(days) for values in zip(*((s.right, s.above) for s in scores), strict=True))
        found.append(Row(name, right, above, sum((s.total for s in scores), Decimal(0))))
    return found
