"""Simulated requests of nine kinds of applications behind three routes.

An application is drawn at random from the ranges of its kind, its requests at random around its medians: `spread` is
the deviation of the logarithm, of prompts, of words and of effort each; `odds` that of what one target makes of a
request against the others; `forgets` how often a cache has lost what it should hold.

STEADY leaves applications out of which chance decides who is cheapest: where the two cheapest targets for the typical
request are within 12 %, or where of a hundred first requests at one hour not all are cheapest on the same target. With
them even who knows all medians is wrong for one request in thirty, so that no way to choose could be told from another
at 99 %. HARD leaves out nothing and has lengths that vary as much as those of an open chat: one in five is more than
twice the median, one in five less than half of it.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from costspan.routing.asked import Asked
from fakes.simulated_prices import TARGETS, World, price

if TYPE_CHECKING:
    from decimal import Decimal


@dataclass(frozen=True)
class Kind:
    """A kind of application. Ranges of medians, in tokens; `effort` is what its tasks take of thinking.

    `capped` is the limit of the answer as a multiple of words and effort; `marks` says that prompts are marked for
    caches that want that.
    """

    name: str
    route: str
    weight: float
    prompt: tuple[int, int]
    words: tuple[int, int]
    effort: tuple[int, int]
    prefix: tuple[int, int] = (0, 0)
    capped: int = 0
    tools: bool = False
    json_schema: bool = False
    turns: int = 0
    marks: bool = False
    tier: str | None = None


KINDS = (
    Kind("summarise", "assistant", 2, (2000, 12_000), (80, 400), (20, 100), capped=3),
    Kind("write", "assistant", 2, (60, 300), (400, 1500), (50, 600), (60, 60)),
    Kind("chat", "assistant", 0.5, (40, 200), (100, 400), (20, 150), (1500, 5000), turns=16, marks=True),
    Kind("extract", "extract", 2, (600, 4000), (40, 300), (10, 100), (400, 1500), json_schema=True),
    Kind("classify at leisure", "extract", 1, (200, 1500), (4, 20), (10, 80), (200, 800), tier="flex"),
    Kind("agent", "agent", 0.3, (100, 600), (50, 250), (100, 800), (3000, 8000), tools=True, turns=20, marks=True),
    Kind("reason", "agent", 1, (200, 1500), (200, 800), (600, 3000), capped=20),
    Kind("answer at once", "assistant", 0.5, (200, 1500), (80, 300), (20, 100), (300, 300), tier="priority"),
    Kind("read a book", "agent", 0.1, (150_000, 220_000), (300, 1000), (100, 400), capped=4),
)


@dataclass(frozen=True)
class Feature:
    """One application: its medians, in tokens."""

    kind: Kind
    prompt: int
    words: int
    effort: int
    prefix: int
    cap: int | None


@dataclass(frozen=True)
class Request:
    """One request at a time (seconds), with what nobody knows before it is answered.

    `tokens` of its prompt as most count them, `words` and `effort` that it takes, the `odds` of each target, and the
    targets whose cache has `lost` it.
    """

    feature: Feature
    asked: Asked
    at: float
    tokens: int
    words: float
    effort: float
    odds: dict[str, float]
    lost: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Mix:
    """How a day is made."""

    spread: float
    odds: float
    forgets: float
    lead: float


STEADY = Mix(spread=0.1, odds=0.02, forgets=0.0, lead=1.12)
EVEN = Mix(spread=0.0, odds=0.0, forgets=0.0, lead=1.0)
HARD = Mix(spread=0.8, odds=0.2, forgets=0.15, lead=1.0)

HOURS = (0.0, 3600.0)
"""Before the dear hours, and in them."""


def requests(count: int, seed: int, mix: Mix) -> list[Request]:
    """`count` requests in the order of time, conversations interleaved."""
    pick = random.Random(seed)
    applications = [_application(pick, kind, mix) for kind in KINDS]
    weights = [application.kind.weight for application in applications]
    found: list[Request] = []
    at = 0.0
    for conversation in range(count):
        if len(found) >= count * 1.3:  # those that begin late would be cut off
            break
        at += pick.expovariate(1 / 12)
        found += _conversation(pick, pick.choices(applications, weights)[0], b"%d" % conversation, at, mix)
    return sorted(found, key=lambda request: request.at)[:count]


def _conversation(pick: random.Random, feature: Feature, name: bytes, at: float, mix: Mix) -> list[Request]:
    found = [_request(pick, feature, at, mix, name)]
    for _ in range(int(pick.random() * feature.kind.turns)):
        at += pick.uniform(10, 60)
        before = found[-1]
        said = before.tokens + before.words + feature.prompt * _around(pick, mix.spread)
        found.append(_request(pick, feature, at, mix, name, said))
    return found


def _request(
    pick: random.Random, feature: Feature, at: float, mix: Mix, name: bytes = b"", prompt: float = 0
) -> Request:
    prompt = prompt or feature.prefix + feature.prompt * _around(pick, mix.spread)
    return Request(
        feature,
        _asked(feature, prompt, name),
        at,
        int(prompt),
        feature.words * _around(pick, mix.spread),
        feature.effort * _around(pick, mix.spread),
        {target: _around(pick, mix.odds) for target in TARGETS},
        frozenset(target for target in TARGETS if pick.random() < mix.forgets),
    )


def _around(pick: random.Random, spread: float) -> float:
    return math.exp(pick.gauss(0, spread))


def _application(pick: random.Random, kind: Kind, mix: Mix) -> Feature:
    """One of that kind, of which chance does not decide who is cheapest where the mix wants that; tried 500 times."""
    drawn = _draw(pick, kind)
    for _ in range(500):
        if _lead(drawn) >= mix.lead and not _is_left_to_chance(drawn, mix):
            break
        drawn = _draw(pick, kind)
    return drawn


def _draw(pick: random.Random, kind: Kind) -> Feature:
    words, effort = _within(pick, kind.words), _within(pick, kind.effort)
    cap = kind.capped * (words + effort) or None
    return Feature(kind, _within(pick, kind.prompt), words, effort, _within(pick, kind.prefix), cap)


def _within(pick: random.Random, ends: tuple[int, int]) -> int:
    low, high = ends
    return round(math.exp(pick.uniform(math.log(low), math.log(high)))) if low else 0


def _lead(feature: Feature) -> float:
    """By what factor the typical request is the cheapest on one target, at any hour, nothing being cached."""
    factors = []
    for at in HOURS:
        costs = sorted(_costs(_request(random.Random(0), feature, at, EVEN)).values())
        factors.append(costs[1] / costs[0])
    return float(min(factors))


def _is_left_to_chance(feature: Feature, mix: Mix) -> bool:
    """Whether some of its requests are cheapest elsewhere than others at the same hour."""
    pick = random.Random(0)
    for at in HOURS if mix.lead > 1 else ():
        found = [_costs(_request(pick, feature, at, mix)) for _ in range(100)]
        if len({min(costs, key=lambda target: costs[target]) for costs in found}) > 1:
            return True
    return False


def _costs(request: Request) -> dict[str, Decimal]:
    return {target: price(target, request, World().would(target, request)) for target in TARGETS}


def _asked(feature: Feature, prompt: float, conversation: bytes) -> Asked:
    kind = feature.kind
    return Asked(
        prompt_chars=int(prompt * 4),
        max_output_tokens=feature.cap,
        tools=kind.tools,
        json_schema=kind.json_schema,
        conversation=conversation,
        prefix=kind.name.encode() if feature.prefix else None,
        prefix_chars=feature.prefix * 4,
    )
