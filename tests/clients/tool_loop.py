"""Client frameworks that know a base URL and a key hold a conversation with tools through `costspan serve`.

Each over models of every other dialect than its own: question, two tool calls at once, their results, answer; whole and
streamed, with reasoning and without. The frameworks are as published (see requirements.lock in their folders), in
processes and virtualenvs of their own; `make clients` installs them and runs this. A plain run of the tests does not
collect this file: its name begins with no `test_`.
"""

from __future__ import annotations

import signal
from contextlib import ExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clients.programs import Program, program
from clients.talk import QUESTION
from costspan.dialects import DIALECTS
from costspan.wire import json
from fakes.conversations import Call, Turn
from fakes.process import GatewayProcess
from fakes.upstream import FakeUpstream
from fakes.wires.asked import Wrong
from matrix.scenes import KEY
from matrix.upstreams import UPSTREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from fakes.upstream import Answer, Request
    from fakes.wires.asked import Asked, Line, Wire
    from matrix.upstreams import Upstream

CONFIG = """
server: {{listen: "127.0.0.1:0"}}
ledger: {{dir: ledger}}
{upstream}
prices:
  catalog: none
  table:
    - {{provider: "{kind}", model: "*", input: 2, cache_read: 0.5, output: 8}}
"""
COSTS = [
    Decimal("0.0025"),  # 800 fresh at 2, 200 cached at 0.5, 100 out at 8 USD per million
    Decimal("0.0013"),  # 200 fresh, 1000 cached, 50 out
]
USAGE = [
    {"prompt": 1000, "cached": 200, "completion": 100},
    {"prompt": 1200, "cached": 1000, "completion": 50},
]
FIRST = Turn(
    "Let me see.",
    (Call("0", "weather", '{"city":"Oslo"}'), Call("1", "weather", '{"city":"Turin"}')),
    prompt=1000,
    cached=200,
    completion=100,
    finish="tool_calls",
)
THOUGHT = "Oslo first, then Turin."
LAST = Turn("Snow in Oslo, sun in Turin.", prompt=1200, cached=1000, completion=50)

MODELS = {
    ("ai_sdk", "@ai-sdk/anthropic"): "anthropic-messages",
    ("ai_sdk", "@ai-sdk/google"): "gemini-generate",
    ("ai_sdk", "@ai-sdk/openai"): "openai-chat",
    ("ai_sdk", "@ai-sdk/openai, responses"): "openai-responses",
    ("ai_sdk", "@ai-sdk/openai-compatible"): "openai-chat",
    ("langchain", "ChatAnthropic"): "anthropic-messages",
    ("langchain", "ChatGoogleGenerativeAI"): "gemini-generate",
    ("langchain", "ChatOpenAI"): "openai-chat",
    ("langchain", "ChatOpenAI, responses"): "openai-responses",
    ("llama_index", "OpenAILike"): "openai-chat",
    ("llama_index", "OpenAIResponses"): "openai-responses",
    ("pydantic_ai", "AnthropicModel"): "anthropic-messages",
    ("pydantic_ai", "GoogleModel"): "gemini-generate",
    ("pydantic_ai", "OpenAIChatModel"): "openai-chat",
    ("pydantic_ai", "OpenAIResponsesModel"): "openai-responses",
}
"""Programs and the framework's classes of models, each with the dialect that it speaks."""

GOOGLES = {
    "@ai-sdk/google": '{"name":"weather","content":"%s"}',
    "GoogleModel": '{"return_value":"%s"}',
}
"""The objects that classes make of a tool's text, since Gemini takes nothing else."""

LOST = {
    "@ai-sdk/anthropic, streamed": {"tools.eager_input_streaming"},  # arguments before Claude has looked at them
    "ChatGoogleGenerativeAI": {"safetySettings"},
    "GoogleModel": {"toolConfig.functionCallingConfig.mode"},  # VALIDATED
}
"""What classes of models always send that no other dialect can express."""

SENDS_TEMPERATURE = {
    "ChatGoogleGenerativeAI": "generationConfig.temperature",
    "OpenAILike": "temperature",
    "OpenAIResponses": "temperature",
}
"""Unasked, and as they call it. Claude takes none while it thinks."""

SUMMARY = {
    "gemini-generate": "generationConfig.thinkingConfig.includeThoughts",
    "openai-responses": "reasoning.summary",
}
"""What of a request asks to see the thinking, which OpenAI's chat never shows."""

READS_NO_THOUGHTS = {"@ai-sdk/openai", "ChatOpenAI"}
"""Classes that know OpenAI's chat alone, which shows none."""


@dataclass(frozen=True)
class Case:
    program: str
    by: str
    dialect: str
    upstream: Upstream
    stream: bool

    def __str__(self) -> str:
        return f"{self.program}, {self.by} to {self.upstream.name}, {'streamed' if self.stream else 'whole'}"


CASES = [
    Case(name, by, dialect, upstream, stream)
    for (name, by), dialect in MODELS.items()
    for upstream in UPSTREAMS
    for stream in (False, True)
    if upstream.name in {"openai: chat", "openai: responses", "anthropic", "gemini"}
    if upstream.dialect != dialect and {upstream.dialect, dialect} <= DIALECTS.keys()
]


class Model:
    """What answers at the upstream, and what it was asked. Refuses what the real one refuses."""

    def __init__(self, wire: Wire, *, thinks: bool) -> None:
        calls = tuple(replace(call, id=wire.ids[int(call.id)]) for call in FIRST.calls)
        first = replace(FIRST, thinking=THOUGHT, reasoned=40) if thinks else FIRST
        self.turns = (replace(first, calls=calls), LAST)
        self.wire = wire
        self.asked: list[Asked] = []
        self.problems: list[str] = []

    def answer(self, request: Request) -> Answer:
        try:
            asked = self.wire.read(request)
        except (Wrong, KeyError, TypeError, AttributeError) as problem:
            self.problems.append(f"{type(problem).__name__}: {problem} in {request.body.decode()}")
            return self.wire.refuse(str(problem))
        self.asked.append(asked)
        return self.wire.answer(self.turns[len(self.asked) - 1], asked)

    def remembered(self) -> list[Line]:
        """The first turn, as it has to come back."""
        return self.wire.remembered(self.turns[0])


@pytest.fixture(scope="module")
def programs() -> Iterator[Callable[[str], Program]]:
    """A program by its name, started when it is first asked for."""
    started: dict[str, Program] = {}
    with ExitStack() as stack:

        def get(name: str) -> Program:
            if name not in started:
                started[name] = stack.enter_context(program(name))
            return started[name]

        yield get


async def hold(folder: Path, program: Program, case: Case, *, thinks: bool) -> tuple[dict[str, Any], Model]:
    """The conversation: what the framework told, and what the model was asked."""
    model = Model(case.upstream.wire, thinks=thinks)
    async with FakeUpstream(model.answer, reads=True) as upstream:
        config = CONFIG.format(upstream=case.upstream.config(upstream.url), kind=case.upstream.kind)
        (folder / "gateway.yaml").write_text(config)
        async with GatewayProcess(["serve", "-c", "gateway.yaml"], cwd=folder) as gateway:
            talk = {"by": case.by, "base_url": gateway.url, "key": KEY, "model": "smart"}
            told = await program.hold(talk | {"stream": case.stream, "think": thinks})
            gateway.send(signal.SIGTERM)
            assert await gateway.exit_code() == 0
    assert model.problems == []
    assert "error" not in told, told["error"]
    return told, model


def check(case: Case, told: dict[str, Any]) -> None:
    """What every conversation has to come to."""
    assert told["text"] == LAST.text
    assert sorted(told["asked"]) == ["Oslo", "Turin"]  # some run the tool twice at once
    assert told["usage"] == USAGE
    assert "".join(told["streamed"]) == (FIRST.text + LAST.text if case.stream else "")
    assert not case.stream or len(told["streamed"]) > 4
    assert told["complaints"] == []


def check_books(folder: Path, case: Case) -> set[str]:
    """One exchange for each turn, its cost exact. What they lost."""
    lines = [line for file in (folder / "ledger").glob("*.jsonl") for line in file.read_bytes().splitlines()]
    exchanges = [record for line in lines if (record := json.loads_object(line))["type"] == "exchange"]
    assert [Decimal(record["cost_usd"]) for record in exchanges] == COSTS
    assert {
        (record["outcome"], record["cost_status"], record["stream"], record["dialect_in"]) for record in exchanges
    } == {("ok", "exact", case.stream, case.dialect)}
    assert {record["dialect_out"] for record in exchanges} == {case.upstream.dialect}
    return {name for record in exchanges for name in record["dropped"]}


def expected(case: Case, model: Model) -> list[Line]:
    """What the second request has to hold, sealed reasoning and all."""
    result = GOOGLES.get(case.by, "%s")
    shown = model.asked[0].shows
    said = [(kind, *rest) if shown or kind != "thinking" else (kind, "") for kind, *rest in model.remembered()]
    results = [("result", id_, result % text) for id_, text in zip(model.wire.ids, ("snow", "sun"), strict=True)]
    return [("user", QUESTION), *said, *results]


def named(talk: Iterable[Line]) -> list[Line]:
    """`talk` with its calls numbered: LangChain forgets the ids that Gemini's answers give them."""
    ids: dict[str, str] = {}
    numbered: list[Line] = []
    for kind, first, *rest in talk:
        name = ids.setdefault(first, str(len(ids))) if kind in {"call", "result"} else first
        numbered.append((kind, name, *rest))
    return numbered


def thought(case: Case, model: Model) -> str:
    """The reasoning that the framework has to tell."""
    told = model.wire.tells_reasoning and model.asked[0].shows and case.by not in READS_NO_THOUGHTS
    return THOUGHT if told else ""


def lost(case: Case, *, thinks: bool) -> set[str]:
    """What may be left out on the way."""
    names = LOST.get(case.by, set()) | (LOST.get(f"{case.by}, streamed", set()) if case.stream else set())
    if thinks and case.dialect in SUMMARY and case.upstream.name == "openai: chat":
        names = names | {SUMMARY[case.dialect]}
    if thinks and case.upstream.name == "anthropic" and case.by in SENDS_TEMPERATURE:
        names = names | {SENDS_TEMPERATURE[case.by]}
    return names


@pytest.mark.parametrize("thinks", [False, True], ids=["plain", "thinking"])
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_conversation_with_tools(
    tmp_path: Path, programs: Callable[[str], Program], case: Case, *, thinks: bool
) -> None:
    told, model = await hold(tmp_path, programs(case.program), case, thinks=thinks)

    check(case, told)
    assert told["thought"] == (thought(case, model) if thinks else "")
    assert [(asked.stream, asked.thinks) for asked in model.asked] == [(case.stream, thinks)] * 2
    assert named(model.asked[1].talk) == named(expected(case, model))
    assert case.by == "ChatGoogleGenerativeAI" or list(model.asked[1].talk) == expected(case, model)
    assert check_books(tmp_path, case) == lost(case, thinks=thinks)
