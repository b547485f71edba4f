"""What would be done with a call, without doing any of it: no attempt, no statistics, nothing counted or used up."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from costspan.engine.outlook import Outlook
from costspan.engine.prepare import addressed, prepare
from costspan.errors import ClientError, Untranslatable
from costspan.routing.explore import Explorer
from costspan.routing.timing import Timing

if TYPE_CHECKING:
    from costspan.engine.call import Call
    from costspan.engine.planner import Planner
    from costspan.engine.prepare import Prepared
    from costspan.engine.recall import Recall
    from costspan.providers.account import Account, Address
    from costspan.routing.plan import Step
    from costspan.wire.http import Outgoing

MASKED = "***"


class Onlooker(Outlook):
    """Looks at what is known without leaving a trace."""

    def _timing(self, step: Step) -> Timing:
        target = self._targets.known(step.label, self._account(step))
        return Timing() if target is None else target.timing

    def _explorer(self, route: str) -> Explorer:
        known = self._targets.known_route(route)
        return Explorer() if known is None else copy(known.explorer)

    def work_out(self, step: Step) -> None:
        """Everything of one target, whatever the strategy asked for."""
        self.cost(step)
        self.estimate(step)
        self.rank(step)


@dataclass(frozen=True, slots=True)
class Written:
    """The request that would go to a target. Keys, and whatever the configuration adds to its headers, are masked."""

    step: Step
    url: str
    outgoing: Outgoing
    losses: tuple[str, ...]


class Rehearsal:
    """Plays calls through. One for the process."""

    def __init__(self, planner: Planner, recall: Recall) -> None:
        self._planner = planner
        self._recall = recall

    def plan(self, call: Call) -> ClientError | None:
        """Give `call` its plan, if it has none yet. Returns why none can be made."""
        if call.plan is None:
            try:
                self._planner.plan(call, Onlooker)
            except ClientError as error:
                return error
        return None

    @staticmethod
    def work_out(call: Call) -> None:
        """Score all targets of a call that has a plan."""
        if call.plan is None or not isinstance(call.outlook, Onlooker):
            return
        for step in (*call.plan.steps, *(each.step for each in call.plan.excluded)):
            call.outlook.work_out(step)

    def write(self, call: Call, step: Step) -> Written | None:
        """The request for one target of the plan; None where it cannot be expressed, which `call` then knows.

        Raises `ClientError` where it is the request that is wrong.
        """
        account = call.snapshot.accounts[step.provider]
        try:
            prepared = prepare(call, step, account, self._recall)
        except Untranslatable as error:
            call.refusals.append((step.label, error))
            return None
        masked = _masked(call, step, account, prepared)
        return Written(step, _base(account.address) + masked.path, masked, prepared.losses)


def _masked(call: Call, step: Step, account: Account, prepared: Prepared) -> Outgoing:
    masked = replace(account, headers=tuple((name, MASKED) for name, _ in account.headers))
    key = MASKED if account.keys else None
    written = addressed(call, step, masked, prepared, key=key, forwarded=call.forwarded)
    if key is not None or account.kind.credentials is None:
        return written
    signed = [(name, value) for name, value in written.headers if name != "authorization"]
    return replace(written, headers=[*signed, ("authorization", MASKED)])


def _base(address: Address) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    usual = {"http": 80, "https": 443, "mock": 0}.get(address.scheme) == address.port
    return f"{address.scheme}://{host}" if usual else f"{address.scheme}://{host}:{address.port}"
