"""Run a plan: ask its targets in order until one answers.

Until `open_answer` returns, nothing has reached the client, so a failed attempt costs it only time. Afterwards there
is no way back: later failures belong to the relay.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from costspan.engine.failure import expired
from costspan.engine.prepare import prepare
from costspan.engine.recall import Recall
from costspan.errors import Category, ClientError, CostspanError, Untranslatable, UpstreamError
from costspan.routing.retry import RetryBudget, delay, may_retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from costspan.engine.answer import Answer
    from costspan.engine.attempt import Attempts
    from costspan.engine.call import Call
    from costspan.engine.prepare import Prepared
    from costspan.engine.stored import StoredBy
    from costspan.providers.account import Account
    from costspan.routing.plan import Step

_ABOUT_THE_KEY = frozenset({Category.RATE_LIMIT, Category.AUTH})
MIN_ATTEMPT_SECONDS = 0.05
"""With less time than this left before the deadline no attempt is begun."""


class Exhausted(CostspanError):
    """No target answered. `last` is the failure that decides the client's status, None when none could be tried."""

    kind = "exhausted"

    def __init__(self, last: UpstreamError | None) -> None:
        super().__init__("no target answered")
        self.last = last


@dataclass(frozen=True, slots=True)
class Candidate:
    """A step of the plan that may be tried."""

    step: Step
    account: Account
    prepared: Prepared


class Executor:
    """Runs plans. One for the process; the retry budget is shared by all of them."""

    def __init__(self, attempts: Attempts, pick: Callable[[], float], stored: StoredBy) -> None:
        self._attempts = attempts
        self._stored = stored
        self._recall = Recall()
        self._pick = pick
        self._budget = RetryBudget()

    async def open_answer(self, call: Call) -> Answer:
        """Return the first answer that has begun. Raises `Exhausted`, or `ClientError` when no target is eligible."""
        self._budget.deposit(self._attempts.now())
        refusal: ClientError | None = None
        steps = self._in_order(call)
        if call.peek.stored is not None:
            steps = self._where_stored(call, steps)
        for position, step in enumerate(steps):
            call.targets_left = len(steps) - position
            account = call.snapshot.accounts[step.provider]
            if call.must_be_priced and not _has_price(call, step, account):
                refusal = refusal or ClientError(
                    f"{step.label} has no price (prices.on_unpriced)", code="unpriced_model"
                )
                continue
            try:
                candidate = Candidate(step, account, prepare(call, step, account, self._recall))
            except Untranslatable as error:
                refusal = refusal or error
                continue
            answer = await self._try(call, candidate)
            if answer is not None:
                return answer
        if refusal is not None and not call.failures:
            raise refusal
        raise Exhausted(call.failures[-1] if call.failures else None)

    def _in_order(self, call: Call) -> list[Step]:
        """The plan's targets; those whose keys all stand back go last, never away."""
        accounts = call.snapshot.accounts
        return sorted(call.matched.steps, key=lambda step: not self._attempts.has_key(accounts[step.provider]))

    def _where_stored(self, call: Call, steps: list[Step]) -> list[Step]:
        """The targets that can have what the request refers to. Raises `ClientError` where that cannot be told."""
        field, id_ = call.peek.stored or "", call.peek.stored_id
        accounts = call.snapshot.accounts
        owner = self._stored.owner(id_) if id_ is not None else None
        able = [step for step in steps if call.dialect.NAME in accounts[step.provider].dialects_for(step.model)]
        if owner is not None:
            able = [step for step in able if step.provider == owner]
            why = f"{field} was made by {owner}, which is no target of this route"
        elif not able:
            why = (
                f"{field} refers to what a provider has stored, and no target of this route stores anything: send the "
                "conversation itself, as clients do when told not to store (store: false)"
            )
        else:
            why = (
                f"{field} stays with the provider that made it, which this process does not know (it was made before "
                "a restart, or elsewhere): ask for provider/model, or send the conversation itself"
            )
        if not able or len({step.provider for step in able}) > 1:
            raise Untranslatable(why, param=field)
        return able

    async def _try(self, call: Call, candidate: Candidate) -> Answer | None:
        """Ask one target, again where that may help. None: the next target is to be asked."""
        policy = candidate.step.policy
        tries = 0
        stale = 0
        keys_left = max(len(candidate.account.keys) - 1, 0)
        while True:
            if call.deadline - self._attempts.now() < MIN_ATTEMPT_SECONDS:
                self._expire(call)
            try:
                return await self._attempts.open(call, candidate.step, candidate.account, candidate.prepared)
            except UpstreamError as error:
                call.failures.append(error)
                again = not call.spent  # a body that was streamed is nowhere else
                if again and error.stale and stale < 1:
                    stale += 1  # the pool's fault, not the target's: once more on a fresh connection
                    continue
                if (
                    again
                    and error.category in _ABOUT_THE_KEY
                    and keys_left
                    and self._attempts.has_key(candidate.account)
                ):
                    keys_left -= 1  # another key of the pool may do what this one may not
                    continue
                pause = self._pause(call, error, tries) if again and tries < policy.retries else None
                if pause is not None:
                    await asyncio.sleep(pause)
                    tries += 1
                    continue
                if not again or error.category.value not in policy.fallback_on:
                    raise Exhausted(error) from None
                return None

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


def _has_price(call: Call, step: Step, account: Account) -> bool:
    if call.raw is not None and not call.raw.names(step.model) and account.price_as != "free":
        return False
    return call.snapshot.has_price(account, step.model, call.started_ns)
