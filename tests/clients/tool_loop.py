"""Client frameworks that know a base URL and a key hold a conversation with tools through `costspan serve`.

Each over models of another dialect than its own: question, two tool calls at once, their results, answer. The
frameworks are as published (see *.lock), in processes and virtualenvs of their own; `make clients` installs them and
runs this. A plain run of the tests does not collect this file: its name begins with no `test_`.
"""

from __future__ import annotations

import hashlib
import signal
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clients.programs import Program, program
from costspan.wire import json
from fakes.conversations import Call, Turn, answer
from fakes.gateway import PRICES
from fakes.process import GatewayProcess
from fakes.upstream import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fakes.upstream import Answer, Request

KEY = "cs-client-key-of-the-application"
CONFIG = """
server: {{listen: "127.0.0.1:0"}}
ledger: {{dir: ledger}}
defaults: {{retries: 0}}
keys: [{{name: application, hash: "sha256:{hash}"}}]
providers:
  openai-chat: {{kind: openai, base_url: "{url}/v1", api_key: test-key-of-openai}}
  anthropic-messages: {{kind: anthropic, base_url: "{url}/v1", api_key: test-key-of-anthropic}}
routes: {{smart: {upstream}/upstream-model}}
{prices}
"""

CALLS = (Call("call_1", "weather", '{"city": "Oslo"}'), Call("call_2", "weather", '{"city": "Turin"}'))
RESULTS = [("call_1", "snow"), ("call_2", "sun")]
TURNS = (
    Turn("Let me see.", CALLS, prompt=1000, cached=200, completion=100, finish="tool_calls"),
    Turn("Snow in Oslo, sun in Turin.", prompt=1200, cached=1000, completion=50),
)
USAGE = [
    {"prompt": 1000, "cached": 200, "completion": 100},
    {"prompt": 1200, "cached": 1000, "completion": 50},
]
COSTS = {
    # Fresh input at 2, cached at 0.5, output at 8 USD per million:
    # 800 · 2 + 200 · 0.5 + 100 · 8 = 2500, then 200 · 2 + 1000 · 0.5 + 50 · 8 = 1300
    "openai-chat": [Decimal("0.0025"), Decimal("0.0013")],
    # Fresh input at 3, cached at 0.3, output at 15 USD per million:
    # 800 · 3 + 200 · 0.3 + 100 · 15 = 3960, then 200 · 3 + 1000 · 0.3 + 50 · 15 = 1650
    "anthropic-messages": [Decimal("0.00396"), Decimal("0.00165")],
}

MODELS = {
    ("ai_sdk", "@ai-sdk/anthropic"): "anthropic-messages",
    ("ai_sdk", "@ai-sdk/openai"): "openai-chat",
    ("ai_sdk", "@ai-sdk/openai-compatible"): "openai-chat",
    ("langchain", "ChatAnthropic"): "anthropic-messages",
    ("langchain", "ChatOpenAI"): "openai-chat",
    ("llama_index", "OpenAILike"): "openai-chat",
    ("pydantic_ai", "AnthropicModel"): "anthropic-messages",
    ("pydantic_ai", "OpenAIChatModel"): "openai-chat",
}
"""Programs and the framework's classes of models, each with the dialect that it speaks."""

DROPPED = {
    # Asks Anthropic to send arguments before it has looked at them; others have no such choice.
    ("@ai-sdk/anthropic", True): ["tools.eager_input_streaming"],
}
"""What a class of models sends, when it streams or not, that the upstream's dialect cannot express."""


@dataclass(frozen=True)
class Case:
    program: str
    by: str
    dialect: str
    upstream: str
    stream: bool

    def __str__(self) -> str:
        return f"{self.program} {self.by} to {self.upstream}, {'streamed' if self.stream else 'whole'}"


CASES = [
    Case(name, by, dialect, upstream, stream)
    for (name, by), dialect in MODELS.items()
    for upstream in COSTS
    for stream in (False, True)
    if upstream != dialect
]


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


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_conversation_with_tools(tmp_path: Path, programs: Callable[[str], Program], case: Case) -> None:
    def model(request: Request) -> Answer:
        body = json.loads_object(request.body)
        turn = TURNS[1] if results(case.upstream, body) else TURNS[0]
        return answer(turn, chat=case.upstream == "openai-chat", stream=body.get("stream", False))

    async with FakeUpstream(model, reads=True) as upstream:
        digest = hashlib.sha256(KEY.encode()).hexdigest()
        config = CONFIG.format(hash=digest, url=upstream.url, upstream=case.upstream, prices=PRICES)
        (tmp_path / "gateway.yaml").write_text(config)
        async with GatewayProcess(["serve", "-c", "gateway.yaml"], cwd=tmp_path) as gateway:
            talk = {"by": case.by, "base_url": gateway.url, "key": KEY, "model": "smart", "stream": case.stream}
            told = await programs(case.program).hold(talk)
            gateway.send(signal.SIGTERM)
            assert await gateway.exit_code() == 0
        bodies = [json.loads_object(request.body) for request in upstream.requests]

    assert "error" not in told, told["error"]
    assert told["text"] == "Snow in Oslo, sun in Turin."
    assert sorted(told["asked"]) == ["Oslo", "Turin"]  # some run the tool twice at once
    assert told["usage"] == USAGE
    assert "".join(told["streamed"]) == ("Let me see.Snow in Oslo, sun in Turin." if case.stream else "")
    assert not case.stream or len(told["streamed"]) > 4
    assert told["complaints"] == []
    assert [body.get("stream", False) for body in bodies] == [case.stream] * 2
    assert [sorted(results(case.upstream, body)) for body in bodies] == [[], RESULTS]
    check_books(tmp_path, case)


def results(upstream: str, body: dict[str, Any]) -> list[tuple[str, str]]:
    """The tool results in a request, each with its call."""
    if upstream == "openai-chat":
        told = [message for message in body["messages"] if message["role"] == "tool"]
        return [(message["tool_call_id"], message["content"]) for message in told]
    blocks = [block for message in body["messages"] for block in message["content"] if isinstance(block, dict)]
    return [(block["tool_use_id"], block["content"]) for block in blocks if block["type"] == "tool_result"]


def check_books(folder: Path, case: Case) -> None:
    """One exchange for each turn, its cost exact, its losses told."""
    lines = [line for file in (folder / "ledger").glob("*.jsonl") for line in file.read_bytes().splitlines()]
    exchanges = [record for line in lines if (record := json.loads_object(line))["type"] == "exchange"]
    assert [Decimal(record["cost_usd"]) for record in exchanges] == COSTS[case.upstream]
    assert {record["cost_status"] for record in exchanges} == {"exact"}
    assert {(record["dialect_in"], record["dialect_out"]) for record in exchanges} == {(case.dialect, case.upstream)}
    assert {(record["outcome"], record["key"], record["stream"]) for record in exchanges} == {
        ("ok", "application", case.stream)
    }
    assert [record["dropped"] for record in exchanges] == [DROPPED.get((case.by, case.stream), [])] * 2
