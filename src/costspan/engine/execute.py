"""Run a plan: ask its targets in order until one answers.

Until `open_answer` returns, nothing has reached the client, so a failed attempt costs it only time. Afterwards there
is no way back: later failures belong to the relay.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from costspan.engine.failure import expired
from costspan.engine.prepare import prepare
from costspan.engine.race import Contest, Runners
from costspan.engine.recall import Recall
from costspan.errors import Category, CostspanError, Untranslatable, UpstreamError
from costspan.routing.retry import RetryBudget, delay, may_retry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from costspan.engine.answer import Answer
    from costspan.engine.attempt import Attempts
    from costspan.engine.call import Call, Passed
    from costspan.engine.permits import Permits
    from costspan.engine.planner import Planner
    from costspan.engine.prepare import Prepared
    from costspan.engine.targets import Route
    from costspan.providers.account import Account
    from costspan.routing.order import Stage
    from costspan.routing.plan import Race, Step

_ABOUT_THE_KEY = frozenset({Category.RATE_LIMIT, Category.AUTH})
MIN_ATTEMPT_SECONDS = 0.05
"""With less time than this left before the deadline no attempt is begun."""
VERY_LATE = 10.0
"""Times the usual wait."""
UNKNOWN_P95 = 1.0
"""Seconds until a further target is asked, where too little is known of the first one to say what is slow for it."""


class Exhausted(CostspanError):
    """No target answered. `last` is the failure that decides the client's status, None when none could be tried."""

    kind = "exhausted"

    def __init__(self, last: UpstreamError | None, retry_after: float | None = None) -> None:
        """`retry_after`: seconds after which a target may be asked again, where that is known."""
        super().__init__("no target answered")
        self.last = last
        self.retry_after = retry_after if last is None else last.retry_after


@dataclass(frozen=True, slots=True)
class Candidate:
    """A step of the plan that may be tried."""

    step: Step
    account: Account
    prepared: Prepared


@dataclass(slots=True)
class _Tries:
    """What was tried at one target. `keys_left`: further keys of its account that may be used in their turn."""

    keys_left: int
    made: int = 0
    stale: bool = False


class Executor:
    """Runs plans. One for the process; the retry budget is shared by all of them."""

    def __init__(self, attempts: Attempts, planner: Planner, permits: Permits, pick: Callable[[], float]) -> None:
        self._attempts = attempts
        self._planner = planner
        self._targets = permits.targets
        self._permits = permits
        self.recall = Recall()
        """What providers sealed for clients that do not send it back."""
        self._pick = pick
        self._budget = RetryBudget()

    def plan(self, call: Call) -> None:
        """Give `call` its plan, if it has none yet. Raises `ClientError` where none can be made."""
        if call.plan is None:
            self._planner.plan(call)

    async def open_answer(self, call: Call) -> Answer:
        """Return the first answer that has begun. Raises `Exhausted`, or `ClientError` when no target is eligible."""
        self._budget.deposit(self._attempts.now())
        self.plan(call)
        stages = call.plan.stages if call.plan is not None else ()
        call.turns_left = sum(_turns(call, stage) for stage in stages)
        for stage in stages:
            if stage.race is not None and not call.is_streamed_up:
                answer = await self._race(call, stage.steps, stage.race)
                call.turns_left -= _turns(call, stage)
            else:
                answer = await self._each(call, stage.steps)
            if answer is not None:
                return answer
        raise self._nobody(call)

    def _nobody(self, call: Call) -> CostspanError:
        """Why no target answered."""
        if call.failures:
            return Exhausted(call.failures[-1])
        if call.refusal is not None:
            return call.refusal
        return _passed_over(call.passed)

    async def _each(self, call: Call, steps: tuple[Step, ...]) -> Answer | None:
        for step in steps:
            answer = await self._ask(call, step)
            call.turns_left -= 1
            if answer is not None:
                return answer
        return None

    async def _race(self, call: Call, steps: tuple[Step, ...], race: Race) -> Answer | None:
        route = self._targets.route(call.matched.route)
        if race.after is None:
            route.raced()
        contest = call.contest = Contest(drain=race.drain)
        began = self._attempts.now()
        after = self._patience(call, steps[0]) if race.after is None else race.after
        runners = Runners(
            race,
            ask=lambda step: self._ask(call, step),
            may_hedge=lambda: self._may_hedge(call, race, route, self._attempts.now() - began > VERY_LATE * after),
            abandon=self._attempts.abandon,
            now=self._attempts.now,
        )
        try:
            answer = await runners.run(steps, after)
        finally:  # what was waited for: the race, or what went before the attempt that won
            until = self._attempts.now() if contest.winner is None else contest.winner.began
            call.upstream_seconds += until - began
        if answer is None:
            call.contest = None
        return answer

    def _may_hedge(self, call: Call, race: Race, route: Route, very_late: bool) -> bool:  # noqa: FBT001 - a fact
        """Attempts beside another need room in the client's budgets, and share the retries' budget.

        The latter not where all are to be asked at once. `very_late`: what the route has saved up is for those who are
        a little late; who waits for a target that hangs is helped, and the route saves up longer.
        """
        entered, usual = call.entered, race.after is None
        if entered is not None and not entered.allows_another():
            return False
        if race.after != 0:
            if (usual and not very_late and not route.may_hedge) or not self._budget.withdraw(self._attempts.now()):
                return False
            if usual:
                route.hedged()
        if entered is not None:
            entered.expect_another()  # before anybody else asks
        return True

    def _patience(self, call: Call, first: Step) -> float:
        """Seconds after which the first target is slower than 95 % of its answers."""
        target = self._targets.known(first.label, call.snapshot.accounts[first.provider])
        usual = None
        if target is not None:
            usual = target.timing.p95(self._attempts.now(), streamed=call.peek.stream)
        return UNKNOWN_P95 if usual is None else usual

    async def _ask(self, call: Call, step: Step) -> Answer | None:
        """Ask one target, again where that may help. None: the next target is to be asked."""
        account = call.snapshot.accounts[step.provider]
        try:
            candidate = Candidate(step, account, prepare(call, step, account, self.recall))
        except Untranslatable as error:
            call.refusals.append((step.label, error))
            return None
        return await self._try(call, candidate)

    async def _try(self, call: Call, candidate: Candidate) -> Answer | None:
        tries = _Tries(keys_left=max(len(candidate.account.keys) - 1, 0))
        while True:
            if call.deadline - self._attempts.now() < MIN_ATTEMPT_SECONDS:
                self._expire(call)
            watch = await self._permits.grant(call, candidate.step, candidate.account)
            if watch is None:
                return None
            try:
                return await self._attempts.open(call, candidate.step, candidate.account, candidate.prepared, watch)
            except UpstreamError as error:
                call.failures.append(error)
                pause = None if call.spent else self._again(call, candidate, tries, error)
                if pause is not None:
                    if pause:
                        await asyncio.sleep(pause)
                    continue
                if call.spent or error.category.value not in candidate.step.policy.fallback_on:
                    raise Exhausted(error) from None
                return None

    def _again(self, call: Call, candidate: Candidate, tries: _Tries, error: UpstreamError) -> float | None:
        """Seconds to wait before the same target is asked again; None when it should not be."""
        if error.stale and not tries.stale:
            tries.stale = True  # the pool's fault, not the target's: once more on a fresh connection
            return 0.0
        if error.category in _ABOUT_THE_KEY and tries.keys_left and self._attempts.has_key(candidate.account):
            tries.keys_left -= 1  # another key of the pool may do what this one may not
            return 0.0
        if tries.made >= candidate.step.policy.retries or self._is_left_alone(candidate):
            return None
        pause = self._pause(call, error, tries.made)
        tries.made += pause is not None
        return pause

    def _is_left_alone(self, candidate: Candidate) -> bool:
        """Whether the target's breaker has just opened: there is nothing to wait for."""
        target = self._targets.known(candidate.step.label, candidate.account)
        return target is not None and target.breaker.state(self._attempts.now()) == "open"

    def _pause(self, call: Call, error: UpstreamError, tries: int) -> float | None:
        """Seconds to wait before the same target is asked again; None when it should not, or there is no time."""
        if not may_retry(error):
            return None
        seconds = delay(error, tries, self._pick())
        if seconds + MIN_ATTEMPT_SECONDS > call.deadline - self._attempts.now():
            return None
        return seconds if self._budget.withdraw(self._attempts.now()) else None

    @staticmethod
    def _expire(call: Call) -> None:
        raise Exhausted(expired(reached=bool(call.begun)))


def _turns(call: Call, stage: Stage) -> int:
    """How many targets of `stage` are asked one after the other, if all fail: those of a race go side by side."""
    together = 1 if stage.race is None or call.is_streamed_up else stage.race.max_parallel
    return ceil(len(stage.steps) / together)


def _passed_over(passed: Sequence[Passed]) -> Exhausted:
    """Why no target was even asked, and when one may be."""
    seconds = min((each.seconds for each in passed if each.seconds is not None), default=None)
    reasons = {each.why for each in passed}
    if "busy" in reasons:
        last = UpstreamError(
            "as many attempts as the provider may have are under way (max_concurrency)",
            kind="overloaded",
            category=Category.OVERLOADED,
            retry_after=1.0,
            reached=False,
        )
        return Exhausted(last)
    if reasons == {"keys"} and seconds is None:
        last = UpstreamError(
            "the provider accepts no key of the account: it is asked again when the key has changed",
            kind="upstream_auth",
            category=Category.AUTH,
            reached=False,
        )
        return Exhausted(last)
    if reasons == {"keys"}:
        last = UpstreamError(
            "every target of this route waits for its rate limit",
            kind="rate_limit",
            category=Category.RATE_LIMIT,
            retry_after=seconds,
            reached=False,
        )
        return Exhausted(last)
    return Exhausted(None, seconds)
