"""Targets whose true speed is known, requests to them in simulated time, and an oracle to compare with.

No clock and no sockets: events in a heap, an hour passes in a second. `run` sends a route's requests to the targets in
the order that `Timing` and `Explorer` give; the oracle sends each to the target that is the fastest on average at that
moment. Both meet the same luck. `table` says what came of it; benchmarks and docs print it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count
from math import exp, inf
from random import Random
from typing import TYPE_CHECKING

from costspan.routing.explore import Explorer
from costspan.routing.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from costspan.routing.timing import Waiting

ERROR_SECONDS = 0.05
"""How fast a broken target refuses."""


@dataclass(frozen=True, slots=True)
class Phase:
    """From `since` to `until` (seconds) a target is so many times slower, and fails so often (0 to 1)."""

    since: float
    until: float
    slower_start: float = 1.0
    slower_pace: float = 1.0
    fails: float = 0.0


@dataclass(frozen=True, slots=True)
class Target:
    """Seconds to the first content and seconds per token, both on average, and when they were otherwise."""

    name: str
    first: float
    pace: float
    phases: tuple[Phase, ...] = ()

    def phase(self, at: float) -> Phase:
        return next((phase for phase in self.phases if phase.since <= at < phase.until), Phase(0, inf))

    def mean(self, at: float, tokens: float) -> float:
        """Seconds that an answer asked for at `at` takes on average. Endless where it fails as often as not."""
        phase = self.phase(at)
        if phase.fails >= 0.5:
            return inf
        return self.first * phase.slower_start + self.pace * phase.slower_pace * tokens


@dataclass(frozen=True, slots=True)
class Traffic:
    """What clients ask for. Noise is lognormal with a mean of 1; `spread` is its sigma."""

    per_second: float
    seconds: float
    streamed: float = 0.5  # the share of the requests
    tokens: float = 150.0
    tokens_spread: float = 0.6
    spread: float = 0.3
    warm_up: float = 30.0  # not part of the totals


@dataclass(frozen=True, slots=True)
class Request:
    """One request, with its luck: the same on every target."""

    at: float
    streamed: bool
    tokens: int
    first_noise: float
    pace_noise: float
    failure: float

    def fails(self, target: Target, at: float) -> bool:
        return self.failure < target.phase(at).fails

    def first(self, target: Target, at: float) -> float:
        return target.first * target.phase(at).slower_start * self.first_noise

    def total(self, target: Target, at: float) -> float:
        rest = target.pace * self.tokens * target.phase(at).slower_pace * self.pace_noise
        return self.first(target, at) + rest


@dataclass(slots=True)
class Outcome:
    """What came of a run. Times are seconds."""

    chosen: list[tuple[float, str]] = field(default_factory=list)
    """Whom each request asked first, and when."""
    explorations: int = 0
    seconds: float = 0.0
    oracle_seconds: float = 0.0

    @property
    def excess(self) -> float:
        """The part by which all answers together took longer than with the oracle."""
        return self.seconds / self.oracle_seconds - 1

    def share(self, name: str, since: float, until: float) -> float:
        """The part of the requests of that time that asked `name` first."""
        start, end = (bisect_left(self.chosen, (at, "")) for at in (since, until))
        asked = [target for _, target in self.chosen[start:end]]
        return asked.count(name) / len(asked)

    def back_after(self, name: str, recovered: float, window: float = 10.0) -> float:
        """Seconds from its recovery until `name` gets most of the requests of the next `window` seconds."""
        last, _ = self.chosen[-1]
        starts = range(int(last - recovered - window) + 1)
        return next((s for s in starts if self.share(name, recovered + s, recovered + s + window) > 0.5), inf)


def run(targets: Sequence[Target], traffic: Traffic, seed: int) -> Outcome:
    """Send the requests of `traffic` to `targets` and see what comes of it."""
    return _Run(targets, traffic).run(_requests(traffic, Random(seed)))


class _Run:
    """One route and its targets, in simulated time."""

    def __init__(self, targets: Sequence[Target], traffic: Traffic) -> None:
        self.targets = targets
        self.traffic = traffic
        self.timings = [Timing() for _ in targets]
        self.explorer = Explorer()
        self.outcome = Outcome()
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = count()

    def run(self, requests: Iterable[Request]) -> Outcome:
        for request in requests:
            self._pass(request.at)
            self._ask(request)
        self._pass(inf)
        return self.outcome

    def _pass(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            at, _, happen = heappop(self._events)
            happen(at)

    def _later(self, at: float, happen: Callable[[float], None]) -> None:
        heappush(self._events, (at, next(self._numbers), happen))

    def _ask(self, request: Request) -> None:
        expected = self.traffic.tokens
        estimates = [t.estimate(request.at, expected, streamed=request.streamed) for t in self.timings]
        order = self.explorer.order(estimates)
        self.outcome.chosen.append((request.at, self.targets[order.positions[0]].name))
        self.outcome.explorations += order.explores
        if request.at >= self.traffic.warm_up:
            best = min(self.targets, key=lambda target: target.mean(request.at, expected))
            self.outcome.oracle_seconds += request.total(best, request.at)
        self._attempt(request, deque(order.positions), request.at)

    def _attempt(self, request: Request, left: deque[int], now: float) -> None:
        """Ask the next target; when it fails, the one after it. One that has failed everywhere is over."""
        if not left:
            self._done(request, now)
            return
        position = left.popleft()
        target, timing = self.targets[position], self.timings[position]
        waiting = timing.begun(now, self.traffic.tokens, streamed=request.streamed)
        if request.fails(target, now):

            def fail(at: float) -> None:
                timing.failed(at, waiting)
                self._attempt(request, left, at)

            self._later(now + ERROR_SECONDS, fail)
            return
        if request.streamed:
            self._later(now + request.first(target, now), lambda at: timing.content(at, waiting))
        self._later(now + request.total(target, now), lambda at: self._answer(request, timing, waiting, at))

    def _answer(self, request: Request, timing: Timing, waiting: Waiting, at: float) -> None:
        timing.answered(at, waiting, request.tokens)
        self._done(request, at)

    def _done(self, request: Request, at: float) -> None:
        if request.at >= self.traffic.warm_up:
            self.outcome.seconds += at - request.at


def _requests(traffic: Traffic, random: Random) -> Iterable[Request]:
    at = random.expovariate(traffic.per_second)
    while at < traffic.seconds:
        yield Request(
            at=at,
            streamed=random.random() < traffic.streamed,
            tokens=max(1, round(traffic.tokens * _noise(random, traffic.tokens_spread))),
            first_noise=_noise(random, traffic.spread),
            pace_noise=_noise(random, traffic.spread),
            failure=random.random(),
        )
        at += random.expovariate(traffic.per_second)


def _noise(random: Random, spread: float) -> float:
    """Lognormal with a mean of 1."""
    return exp(random.gauss(-spread * spread / 2, spread))


SLOW_FROM, SLOW_UNTIL = 120.0, 240.0
"""When a target of the scenarios below is slow or broken."""

BEST = Target("quick", first=0.3, pace=0.008)
OTHERS = (Target("middling", first=0.5, pace=0.010), Target("sluggish", first=0.8, pace=0.016))


def slower(target: Target, times: float) -> Target:
    """`target`, which turns slow for two minutes and recovers."""
    return _in_trouble(target, Phase(SLOW_FROM, SLOW_UNTIL, slower_start=times, slower_pace=times))


def slower_pace(target: Target, times: float) -> Target:
    """`target`, whose answers begin as usual but come so many times slower for two minutes."""
    return _in_trouble(target, Phase(SLOW_FROM, SLOW_UNTIL, slower_pace=times))


def failing(target: Target, share: float) -> Target:
    """`target`, which fails for two minutes and recovers."""
    return _in_trouble(target, Phase(SLOW_FROM, SLOW_UNTIL, fails=share))


def _in_trouble(target: Target, phase: Phase) -> Target:
    return replace(target, phases=(phase,))


@dataclass(frozen=True, slots=True)
class Scenario:
    targets: tuple[Target, ...]
    traffic: Traffic


SCENARIOS = {
    "10x slower, 20/s": Scenario((slower(BEST, 10), *OTHERS), Traffic(20, 600)),
    "10x slower, 20/s, streams": Scenario((slower(BEST, 10), *OTHERS), Traffic(20, 600, streamed=1)),
    "10x slower, 20/s, whole": Scenario((slower(BEST, 10), *OTHERS), Traffic(20, 600, streamed=0)),
    "10x slower, 200/s": Scenario((slower(BEST, 10), *OTHERS), Traffic(200, 360)),
    "10x slower, 1/s": Scenario((slower(BEST, 10), *OTHERS), Traffic(1, 600)),
    "10x slower, listed last": Scenario((*OTHERS, slower(BEST, 10)), Traffic(20, 600)),
    "10x slower, much noise": Scenario((slower(BEST, 10), *OTHERS), Traffic(20, 600, spread=0.6)),
    "10x slower pace, streams": Scenario((slower_pace(BEST, 10), *OTHERS), Traffic(20, 600, streamed=1)),
    "errors at once, 20/s": Scenario((failing(BEST, 1), *OTHERS), Traffic(20, 600)),
    "one in a hundred fails": Scenario((failing(BEST, 0.01), *OTHERS), Traffic(20, 600)),
    "two almost equal": Scenario((BEST, Target("twin", 0.31, 0.008)), Traffic(20, 600)),
    "all slower at once": Scenario(tuple(slower(t, 10) for t in (BEST, *OTHERS)), Traffic(20, 600)),
    "nothing changes, 20/s": Scenario((BEST, *OTHERS), Traffic(20, 600)),
    "nothing changes, 1/s": Scenario((BEST, *OTHERS), Traffic(1, 600)),
}


def table(seeds: Iterable[int] = (1,)) -> str:
    """What the scenarios come to, one line each: shares of `quick`, and the total against the oracle's."""
    lines = [
        "| scenario | seed | share before | share 30 s into it | back after | explored | longer than the oracle |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, scenario in SCENARIOS.items():
        for seed in seeds:
            outcome = run(scenario.targets, scenario.traffic, seed)
            before = outcome.share(BEST.name, 60, SLOW_FROM)
            during = outcome.share(BEST.name, SLOW_FROM + 30, SLOW_UNTIL)
            back = outcome.back_after(BEST.name, SLOW_UNTIL)
            explored = outcome.explorations / len(outcome.chosen)
            numbers = f"{before:.1%} | {during:.1%} | {back:.0f} s | {explored:.1%} | {outcome.excess:+.1%}"
            lines.append(f"| {name} | {seed} | {numbers} |")
    return "\n".join(lines)
