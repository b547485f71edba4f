"""engine.decision: how a decision reads, and how many are kept."""

from __future__ import annotations

import gc
from dataclasses import replace
from decimal import Decimal
from types import FunctionType, MappingProxyType, ModuleType
from typing import TYPE_CHECKING

from costspan import snapshot as snapshots
from costspan.config.load import load
from costspan.dialects import CLIENT_DIALECTS
from costspan.engine.call import Call, Passed
from costspan.engine.decision import Decision, Decisions, Ended, told
from costspan.engine.keys import KeyRing
from costspan.engine.outlook import Note, Outlook
from costspan.engine.slots import Slots
from costspan.engine.targets import Targets
from costspan.errors import Untranslatable
from costspan.routing.expectation import Basis, Expected
from costspan.routing.order import Excluded, Plan, Rank, Stage
from costspan.routing.plan import Branch, Matched, Policy, Race, Step
from costspan.wire import json
from fakes.records import ANSWERED, FAILED, ORIGIN, START_NS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROMPT = "what nobody else may know"
ENDED = Ended("ok", 200, None, 1.0, None)
NONE: MappingProxyType[str, object] = MappingProxyType({})
BEDROCK = Step("bedrock-us", "us.claude", NONE, Policy())
ANTHROPIC = Step("anthropic", "claude", NONE, Policy())
SMALL = Step("groq", "small", NONE, Policy(), lacks=frozenset({"tools"}))
OLD = Step("old", "m", NONE, Policy())
FAST = Branch("fast", "race", (ANTHROPIC, SMALL), race=Race(after=None))
TREE = Branch("smart", "weighted", (BEDROCK, FAST, OLD), (3, 1, 0.5))
RACE = Race(after=0.25, max_parallel=3, drain=True, max_extra_usd=Decimal("0.020"))
PLAN = Plan((Stage((BEDROCK, ANTHROPIC), RACE), Stage((OLD,))), (Excluded(SMALL, "it takes no tools"),))
EXPECTED = Expected(
    {"cache_read": 900, "input": 100, "output": 250}, 1000, 250, 900, Basis(300, 2.04, 1.23456, "prefix")
)
NOTES = (
    Note(
        BEDROCK,
        rank=Rank.PROBE,
        why="it failed before",
        due=0.0,
        expected=EXPECTED,
        cost=Decimal("0.0123000"),
        price_source="table:gateway.yaml:9",
        measured=2.123456,
        seconds=1.5,
        explores=True,
    ),
    Note(OLD, rank=Rank.ILL, why="no key of the account may be used now", due=float("inf")),
)
NOT_WORKED_OUT = {
    "rank": None,
    "why": None,
    "due_seconds": None,
    "explores": False,
    "expected_cost_usd": None,
    "price_source": None,
    "expected_usage": None,
    "expected_seconds": None,
    "measured_seconds": None,
}
"""Of a target about which the strategy asked nothing."""


def decision() -> Decision:
    return Decision(
        ORIGIN,
        START_NS,
        Matched("smart", Policy(), TREE),
        PLAN,
        NOTES,
        {"old/m": "nothing like images"},
        [Passed("old/m", "keys", float("inf"))],
        [FAILED, ANSWERED],
        Ended("ok", 200, None, 1234.56, ANSWERED.started.span_id),
    )


def test_it_says_who_asked_and_how_the_route_is_made() -> None:
    shown = told(decision())

    assert {name: shown[name] for name in list(shown)[:10]} == {
        "exchange_id": "cs_1",
        "time": "2026-01-01T00:00:00Z",
        "model_asked": "smart",
        "route": "smart",
        "strategy": "weighted",
        "operation": "chat",
        "dialect": "openai-chat",
        "stream": True,
        "key": "checkout",
        "tree": {
            "route": "smart",
            "strategy": "weighted",
            "members": [
                {"target": "bedrock-us/us.claude", "weight": 3},
                {
                    "route": "fast",
                    "strategy": "race",
                    "members": [{"target": "anthropic/claude"}, {"target": "groq/small"}],
                    "weight": 1,
                },
                {"target": "old/m", "weight": 0.5},
            ],
        },
    }


def test_it_says_the_plan_with_its_races() -> None:
    assert told(decision())["plan"] == [
        {
            "targets": ["bedrock-us/us.claude", "anthropic/claude"],
            "race": {"after": 0.25, "max_parallel": 3, "losers": "drain", "max_extra_usd": "0.02"},
        },
        {"targets": ["old/m"], "race": None},
    ]


def test_it_says_of_each_target_what_was_known() -> None:
    assert told(decision())["candidates"] == [
        {
            "target": "bedrock-us/us.claude",
            "place": 1,
            "excluded": None,
            "untranslatable": None,
            "rank": "probe",
            "why": "it failed before",
            "due_seconds": 0.0,
            "explores": True,
            "expected_cost_usd": "0.0123",
            "price_source": "table:gateway.yaml:9",
            "expected_usage": {
                "tokens": {"cache_read": 900, "input": 100, "output": 250},
                "prompt": 1000,
                "cached": 900,
                "output": 250,
                "basis": {
                    "cache_recognised_by": "prefix",
                    "prompt_ratio": 1.2346,
                    "answers_seen": 2.0,
                    "likely_output": 300,
                },
            },
            "expected_seconds": 1.5,
            "measured_seconds": 2.1235,
        },
        {"target": "anthropic/claude", "place": 2, "excluded": None, "untranslatable": None, **NOT_WORKED_OUT},
        {
            "target": "old/m",
            "place": 3,
            "excluded": None,
            "untranslatable": "nothing like images",
            **NOT_WORKED_OUT,
            "rank": "ill",
            "why": "no key of the account may be used now",
        },
        {
            "target": "groq/small",
            "place": None,
            "excluded": "it takes no tools",
            "untranslatable": None,
            **NOT_WORKED_OUT,
        },
    ]


def test_it_says_what_became_of_it() -> None:
    shown = told(decision())

    assert {name: shown[name] for name in list(shown)[12:]} == {
        "attempts": [
            {
                "target": "bedrock-us/us.claude",
                "outcome": "failed",
                "answered": False,
                "error_type": "upstream_503",
                "http_status": 503,
                "began_ms": 1.0,
                "first_token_ms": None,
                "duration_ms": 40.0,
                "cost_usd": None,
                "cost_estimated_usd": "0.01",
                "cost_status": "estimated",
            },
            {
                "target": "anthropic/claude-sonnet-4-5",
                "outcome": "ok",
                "answered": True,
                "error_type": None,
                "http_status": 200,
                "began_ms": 50.0,
                "first_token_ms": 250.0,
                "duration_ms": 900.0,
                "cost_usd": "0.000725",
                "cost_estimated_usd": None,
                "cost_status": "exact",
            },
        ],
        "passed_over": [{"target": "old/m", "why": "keys", "seconds": None}],
        "outcome": "ok",
        "http_status": 200,
        "error_type": None,
        "duration_ms": 1234.6,
        "answered_by": "anthropic/claude-sonnet-4-5",
        "cost_usd": "0.000725",
        "cost_estimated_usd": "0.01",
    }


def test_without_a_plan_the_targets_of_the_route_are_listed_without_a_place() -> None:
    shown = told(replace(decision(), plan=None, notes=(), attempts=(), ended=None, passed=()))

    assert shown["plan"] == []
    assert [(each["target"], each["place"]) for each in shown["candidates"]] == [
        ("bedrock-us/us.claude", None),
        ("anthropic/claude", None),
        ("groq/small", None),
        ("old/m", None),
    ]
    assert (shown["answered_by"], shown["outcome"], shown["cost_usd"]) == (None, None, None)


def test_it_is_written_as_json() -> None:
    assert json.loads_object(json.dumps(told(decision())))["tree"]["members"][1]["route"] == "fast"


def call(folder: Path, exchange_id: str) -> Call:
    path = folder / "gateway.yaml"
    path.write_text("providers: {demo: {kind: mock}}\nroutes: {smart: demo/x}\n")
    snapshot = snapshots.build(load(path, {}), generation=1, catalog=None)
    matched = snapshot.table.match("smart")
    assert matched is not None
    fields = {"model": "smart", "messages": [{"role": "user", "content": PROMPT}]}
    dialect = CLIENT_DIALECTS["openai-chat"]
    return Call(
        snapshot=snapshot,
        origin=replace(ORIGIN, exchange_id=exchange_id),
        matched=matched,
        dialect=dialect,
        peek=dialect.peek(fields),
        body=json.dumps(fields),
        fields=fields,
        forwarded=(),
        started_ns=START_NS,
        started=0.0,
        deadline=600.0,
    )


def test_the_oldest_is_forgotten_first(tmp_path: Path) -> None:
    decisions = Decisions(most=2)
    for name in ("cs_1", "cs_2", "cs_3"):
        decisions.keep(call(tmp_path, name), ENDED)

    assert [name for name in ("cs_1", "cs_2", "cs_3") if decisions.of(name) is not None] == ["cs_2", "cs_3"]


def test_attempts_that_end_after_the_answer_are_told(tmp_path: Path) -> None:
    decisions, asked = Decisions(), call(tmp_path, "cs_1")
    decisions.keep(asked, ENDED)
    asked.attempts.append(FAILED)

    kept = decisions.of("cs_1")
    assert kept is not None
    assert [attempt["target"] for attempt in told(kept)["attempts"]] == ["bedrock-us/us.claude"]


def test_nothing_that_is_kept_leads_to_the_prompt(tmp_path: Path) -> None:
    decisions, asked = Decisions(), call(tmp_path, "cs_1")
    try:
        refuse(asked)
    except Untranslatable as error:
        asked.refusals.append(("demo/x", error))
    asked.outlook = Outlook(asked, Targets(lambda: 0.5), KeyRing(), Slots(), 0.0, owners=None)
    asked.outlook.rank(asked.matched.steps[0])
    decisions.keep(asked, ENDED)

    kept = decisions.of("cs_1")
    assert kept is not None
    assert dict(kept.untranslatable) == {"demo/x": "no such thing"}
    assert [note.rank for note in kept.notes] == [Rank.FINE]
    assert not [each for each in reachable(kept) if isinstance(each, Call) or each == PROMPT]


def refuse(asked: Call) -> None:
    """As whoever translates would: the error's traceback has `asked` in its frames."""
    raise Untranslatable("no such thing", param=asked.peek.model)


def reachable(value: object) -> Iterator[object]:
    """Everything that `value` keeps alive, but for what all of the program shares."""
    seen: dict[int, object] = {}
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, (type, ModuleType, FunctionType)):
            continue
        seen[id(one)] = one
        yield one
        waiting += gc.get_referents(one)
