"""Whether a target may be asked now: its breaker, its account's keys, a place among the attempts under way.

A target that is ill is asked only when its breaker lets a probe through, or as the last resort of an exchange that has
nobody else: one at a time and once a second, so that no route is a dead end and nobody who is down is hammered.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from costspan.engine.call import Passed
from costspan.engine.watch import Watch
from costspan.ir.usage import CHARS_PER_TOKEN
from costspan.pricing.estimate import TYPICAL_OUTPUT
from costspan.providers.rate_limits import Need

if TYPE_CHECKING:
    from collections.abc import Callable

    from costspan.engine.call import Call
    from costspan.engine.keys import KeyRing
    from costspan.engine.slots import Slots
    from costspan.engine.targets import Target, Targets
    from costspan.providers.account import Account
    from costspan.routing.breaker import Ticket
    from costspan.routing.plan import Step


class Permits:
    """Lets attempts through. One for the process."""

    def __init__(self, targets: Targets, keys: KeyRing, slots: Slots, now: Callable[[], float]) -> None:
        self.targets = targets
        self.keys = keys
        self._slots = slots
        self._now = now

    async def grant(self, call: Call, step: Step, account: Account) -> Watch | None:
        """What watches the attempt that may begin now; None where none may, and `call` has a note of why."""
        remembered = self.targets.of if call.raw is None else self.targets.apart  # a path says nothing of models
        target = remembered(step.label, account)
        if not self._slots.try_acquire(account):
            if self._is_ill(call, step, target):  # nobody waits in line to be told so
                return None
            others_run = call.contest is not None and call.under_way > 0  # then another target is asked sooner
            patience = 0.0 if others_run else call.deadline - self._now()
            if not await self._slots.acquire(account, patience):
                call.passed.append(Passed(step.label, "busy", 1.0))
                return None
        ticket = self._ticket(call, step, target, account)
        if ticket is None:
            self._slots.release(account)
            return None
        return self._watch(call, step, account, target, ticket)

    def _is_ill(self, call: Call, step: Step, target: Target) -> bool:
        now = self._now()
        if call.raw is not None or target.breaker.state(now) != "open":
            return False
        call.passed.append(Passed(step.label, "ill", target.breaker.due(now) - now))
        return True

    def _ticket(self, call: Call, step: Step, target: Target, account: Account) -> Ticket | None:
        """The right to an attempt at `target`. Without one, `call` is told when to come back."""
        if call.raw is not None:  # a path of the provider's and its models say nothing of each other
            return target.unjudged
        now = self._now()
        ready = self.keys.ready_at(account, now)
        if ready > now and not (self._is_last(call, step) and self.targets.last_resort(account.name, now)):
            call.passed.append(Passed(step.label, "keys", None if math.isinf(ready) else ready - now))
            return None
        state = target.breaker.state(now)
        ticket = target.breaker.admit(now, last_resort=state == "open" and self._is_last(call, step))
        if ticket is None:
            call.passed.append(Passed(step.label, "ill", target.breaker.due(now) - now))
            return None
        call.probed = call.probed or ready > now or state == "open"
        return ticket

    def _is_last(self, call: Call, step: Step) -> bool:
        """Whether an ill target may be asked: `call` asked none before, and none that comes after it is well."""
        if call.probed:
            return False
        now, steps = self._now(), () if call.plan is None else call.plan.steps
        later = steps[[each.label for each in steps].index(step.label) + 1 :] if steps else ()
        return not any(self._is_well(each, call.snapshot.accounts[each.provider], now) for each in later)

    def _is_well(self, step: Step, account: Account, now: float) -> bool:
        target = self.targets.known(step.label, account)
        return self.keys.any_ready(account, now) and (target is None or target.breaker.state(now) == "closed")

    def _watch(self, call: Call, step: Step, account: Account, target: Target, ticket: Ticket) -> Watch:
        now, peek = self._now(), call.peek
        known = None if call.outlook is None else call.outlook.known(step)
        if known is None:  # nothing hangs on it: a rough guess costs a tenth
            prompt = peek.prompt_chars // CHARS_PER_TOKEN
            output = min(peek.max_output_tokens or TYPICAL_OUTPUT, TYPICAL_OUTPUT)
        else:
            prompt, output = known.prompt, known.output
        return Watch(
            call,
            step,
            target,
            ticket,
            target.timing.begun(now, output, streamed=peek.stream),
            now=self._now,
            lease=self.keys.take(account, now, Need(step.model, prompt, output)),
            free=self._slots.release,
            expectations=self.targets.expectations,
        )
