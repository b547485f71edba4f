"""Why an exchange went where it went: what was known of its targets, their order, and what then happened.

Kept in memory for the last exchanges of the process, as references to what routing had made anyway; put into words only
when somebody asks. Nothing of prompt, answer or keys is in it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from costspan.pricing.rates import EXACT
from costspan.pricing.settle import add
from costspan.routing.bounded import put
from costspan.routing.plan import Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from costspan.engine.call import Call, Passed
    from costspan.engine.outlook import Note
    from costspan.ledger.records import Attempt, Origin, Outcome
    from costspan.routing.expectation import Expected
    from costspan.routing.order import Plan, Stage
    from costspan.routing.plan import Branch, Matched, Race
    from costspan.wire import json

MAX_DECISIONS: Final = 1000
_RANKS: Final = ("fine", "probe", "behind", "ill")
_PLACES: Final = 4
"""Decimals of seconds: what is measured is no more exact than that."""


@dataclass(slots=True)
class Ended:
    """How an exchange ended, as its client saw it. `span_id` is that of the attempt that answered."""

    outcome: Outcome
    status: int
    error_type: str | None
    duration_ms: float
    span_id: str | None


@dataclass(slots=True)
class Decision:
    """One exchange's. Not frozen, for it is made for each of them: see `ledger.records`."""

    origin: Origin
    started_ns: int
    matched: Matched
    plan: Plan | None
    """None where none could be made."""
    notes: Sequence[Note]
    untranslatable: Mapping[str, str]
    """By target: what of the request its dialect cannot express."""
    passed: Sequence[Passed]
    attempts: Sequence[Attempt]
    ended: Ended | None = None


_NOTHING: Final[Mapping[str, str]] = {}


def decided(call: Call, ended: Ended | None = None) -> Decision:
    """What was decided of `call`. It holds nothing of its body: errors would, by where they were raised."""
    outlook = call.outlook
    return Decision(
        call.origin,
        call.started_ns,
        call.matched,
        call.plan,
        () if outlook is None else outlook.notes,
        {label: error.message for label, error in call.refusals} if call.refusals else _NOTHING,
        call.passed,
        call.attempts,
        ended,
    )


class Decisions:
    """Those of the last exchanges, by id. One for the process."""

    def __init__(self, most: int = MAX_DECISIONS) -> None:
        self.most = most
        self._kept: OrderedDict[str, Decision] = OrderedDict()

    def keep(self, call: Call, ended: Ended) -> None:
        """The exchange has its answer; attempts that still go on for it are told in what is kept, when they end."""
        put(self._kept, call.origin.exchange_id, decided(call, ended), self.most)

    def of(self, exchange_id: str) -> Decision | None:
        """That of one exchange; None where it is not, or no longer, known."""
        return self._kept.get(exchange_id)


def told(decision: Decision) -> json.Object:
    """All of it, in JSON. Money as decimal strings in USD, times in seconds unless their name says ms."""
    return {"exchange_id": decision.origin.exchange_id, **asked(decision), **routed(decision), **happened(decision)}


def asked(decision: Decision) -> json.Object:
    """Who asked for what."""
    origin = decision.origin
    return {
        "time": datetime.fromtimestamp(decision.started_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "model_asked": origin.model_asked,
        "route": decision.matched.route,
        "strategy": decision.matched.strategy,
        "operation": origin.operation,
        "dialect": origin.dialect_in,
        "stream": origin.stream,
        "key": origin.key,
    }


def routed(decision: Decision) -> json.Object:
    """The route as the configuration has it, the plan that was made of it, and each target with what was known."""
    return {
        "tree": _tree(decision.matched.tree),
        "plan": [] if decision.plan is None else [_stage(stage) for stage in decision.plan.stages],
        "candidates": _candidates(decision),
    }


def happened(decision: Decision) -> json.Object:
    """What became of the plan."""
    attempts, last = decision.attempts, decision.ended
    answered = None if last is None else last.span_id
    return {
        "attempts": [_attempt(attempt, decision.started_ns, answered) for attempt in attempts],
        "passed_over": [
            {"target": each.target, "why": each.why, "seconds": seconds(each.seconds)} for each in decision.passed
        ],
        "outcome": None if last is None else last.outcome,
        "http_status": None if last is None else last.status,
        "error_type": None if last is None else last.error_type,
        "duration_ms": None if last is None else round(last.duration_ms, 1),
        "answered_by": next((_label(each) for each in attempts if each.started.span_id == answered), None),
        "cost_usd": usd(add(attempt.cost_usd for attempt in attempts)),
        "cost_estimated_usd": usd(add(attempt.cost_estimated_usd for attempt in attempts)),
    }


def usd(amount: Decimal | None) -> str | None:
    """All digits of an amount and no more; None for what is not known."""
    return None if amount is None else format(EXACT.normalize(amount), "f")


def _tree(branch: Branch) -> json.Object:
    members: list[json.Object] = []
    for position, member in enumerate(branch.members):
        shown: json.Object = {"target": member.label} if isinstance(member, Step) else _tree(member)
        if branch.strategy == "weighted" and branch.weights:
            shown["weight"] = branch.weights[position]
        members.append(shown)
    return {"route": branch.route, "strategy": branch.strategy, "members": members}


def _stage(stage: Stage) -> json.Object:
    targets = [step.label for step in stage.steps]
    return {"targets": targets, "race": None if stage.race is None else _race(stage.race)}


def _race(race: Race) -> json.Object:
    return {
        "after": "p95" if race.after is None else race.after,
        "max_parallel": race.max_parallel,
        "losers": "drain" if race.drain else "cancel",
        "max_extra_usd": usd(race.max_extra_usd),
    }


def _candidates(decision: Decision) -> list[json.Object]:
    """Those of the plan in its order, then those that are not asked."""
    notes = {note.step.label: note for note in decision.notes}
    steps = decision.matched.steps if decision.plan is None else decision.plan.steps
    excluded = {} if decision.plan is None else {each.step.label: each.why for each in decision.plan.excluded}
    labels = [step.label for step in steps]
    places: dict[str, int] = {} if decision.plan is None else {label: n for n, label in enumerate(labels, start=1)}
    return [
        {
            "target": label,
            "place": places.get(label),
            "excluded": excluded.get(label) if label not in places else None,
            "untranslatable": decision.untranslatable.get(label),
            **_known(notes.get(label)),
        }
        for label in dict.fromkeys((*labels, *excluded))
    ]


def _known(note: Note | None) -> json.Object:
    """Of one target. None is what was not worked out, because the strategy had no use for it, or is not known."""
    return {
        "rank": None if note is None or note.rank is None else _RANKS[note.rank],
        "why": None if note is None else note.why or None,
        "due_seconds": None if note is None else seconds(note.due),
        "explores": note is not None and note.explores,
        "expected_cost_usd": None if note is None else usd(note.cost),
        "price_source": None if note is None else note.price_source,
        "expected_usage": None if note is None or note.expected is None else _usage(note.expected),
        "expected_seconds": None if note is None or note.measured is None else seconds(note.seconds),
        "measured_seconds": None if note is None else seconds(note.measured),
    }


def _usage(expected: Expected) -> json.Object:
    basis = expected.basis
    return {
        "tokens": expected.tokens,
        "prompt": expected.prompt,
        "cached": expected.cached,
        "output": expected.output,
        "basis": {
            "cache_recognised_by": basis.cache,
            "prompt_ratio": round(basis.ratio, _PLACES),
            "answers_seen": round(basis.answers, 1),
            "likely_output": basis.likely,
        },
    }


def _attempt(attempt: Attempt, exchange_ns: int, answered: str | None) -> json.Object:
    started = attempt.started
    return {
        "target": _label(attempt),
        "outcome": attempt.outcome,
        "answered": started.span_id == answered,
        "error_type": attempt.error_type,
        "http_status": attempt.http_status,
        "began_ms": round((started.time_ns - exchange_ns) / 1e6, 1),
        "first_token_ms": None if attempt.first_token_ms is None else round(attempt.first_token_ms, 1),
        "duration_ms": round(attempt.duration_ms, 1),
        "cost_usd": usd(attempt.cost_usd),
        "cost_estimated_usd": usd(attempt.cost_estimated_usd),
        "cost_status": attempt.cost_status,
    }


def _label(attempt: Attempt) -> str:
    return f"{attempt.started.provider}/{attempt.started.model_requested}"


def seconds(value: float | None) -> float | None:
    """As they are told, no more exact than they are measured. None, too, for what never comes."""
    return None if value is None or value == float("inf") else round(value, _PLACES)
