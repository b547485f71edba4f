"""Answers left or broken off at each place, in every dialect: the ledger has the cost, or an estimate, never 0.

Before the first event, before the first content, in the middle, after the usage, before the end: C-14, C-15, C-16.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.wire import json
from fakes.gateway import running
from fakes.providers import ACCOUNTS, accounts, golden_events, golden_reply, streamed, whole
from fakes.upstream import Answer, Cut, FakeUpstream, Step

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fakes.gateway import Running
    from fakes.upstream import Request

KINDS = sorted({kind for kind, _ in ACCOUNTS.values()})
PRICES = "prices:\n  catalog: none\n  table:\n" + "".join(
    f'    - {{provider: {kind}, model: "*", input: 2, output: 8}}\n' for kind in KINDS
)
COST = Decimal("0.00006")
"""Of the golden text: 10 tokens at 2 USD, 5 at 8 USD per million."""
MARKS = {
    "anthropic-messages": b"message_delta",
    "bedrock-converse": b'"inputTokens"',
    "cohere-chat": b"message-end",
    "gemini-generate": b'"finishReason"',
    "mistral-chat": b'"usage"',
    "openai-chat": b'"prompt_tokens"',
    "openai-responses": b"response.completed",
}
"""What the event has that tells the whole usage."""
TALK = [{"role": "user", "content": "Say hello to me, please."}]


class Gate(asyncio.Event):
    """Tells when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()

    async def wait(self) -> bool:  # type: ignore[override] # - True, as the standard library's
        self.reached.set()
        return await super().wait()


class Gated:
    """An upstream whose answers stop at the gate of the moment."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.make: Callable[[Gate], Answer] = lambda _: Answer()

    def __call__(self, request: Request) -> Answer:
        del request
        return self.make(self.gate)

    def next(self, make: Callable[[Gate], Answer]) -> None:
        self.gate, self.make = Gate(), make


def stream_with_gate(dialect: str, position: int, gate: Gate) -> Answer:
    answer = streamed(dialect, golden_events(dialect))
    steps: list[Step] = list(answer.body)  # type: ignore[arg-type] # - not bytes
    steps.insert(position, gate)
    return Answer(headers=answer.headers, body=steps, framing="chunked")


def whole_with_gate(dialect: str, place: str, gate: Gate) -> Answer:
    answer = whole(golden_reply(dialect))
    body = bytes(answer.body)  # type: ignore[arg-type] # - bytes
    if place == "before the headers":
        return Answer(headers=answer.headers, body=body, before=[gate])
    half = len(body) // 2
    return Answer(headers=answer.headers, body=[body[:half], gate, body[half:]])


def asked(dialect: str, *, stream: bool) -> tuple[str, dict[str, Any]]:
    """Path and body of a client of the dialect, or of chat completions where there is none."""
    model = f"to-{dialect}"
    match dialect:
        case "gemini-generate":
            method = "streamGenerateContent?alt=sse" if stream else "generateContent"
            return f"/v1beta/models/{model}:{method}", {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
        case "openai-responses":
            return "/v1/responses", {"model": model, "stream": stream, "input": "hello"}
        case "anthropic-messages":
            return "/v1/messages", {"model": model, "stream": stream, "max_tokens": 50, "messages": TALK}
        case _:
            return "/v1/chat/completions", {"model": model, "stream": stream, "max_tokens": 50, "messages": TALK}


async def ask_and_leave(gateway: Running, dialect: str, upstream: Gated, *, stream: bool) -> None:
    """Leave once the answer has stopped at the gate, then open it."""
    path, body = asked(dialect, stream=stream)
    async with aiohttp.ClientSession() as client:
        task = asyncio.create_task(_read(client, gateway.url + path, body))
        await upstream.gate.reached.wait()
        for _ in range(20):
            await asyncio.sleep(0)  # what was sent is read
        task.cancel()
        await asyncio.wait({task})
    upstream.gate.set()


async def _read(client: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> None:
    async with client.post(url, json=body) as response:
        await response.read()


async def recorded(gateway: Running, count: int) -> dict[str, Any]:
    """The last of so many attempts."""
    return (await gateway.written("attempt", count))[-1]


def is_exact(attempt: dict[str, Any]) -> bool:
    """Exact and right; else it has to be an estimate, with its basis, and no cost."""
    if attempt["cost_status"] == "exact":
        assert Decimal(attempt["cost_usd"]) == COST
        assert attempt["cost_estimated_usd"] is None
        return True
    assert (attempt["cost_status"], attempt["cost_usd"]) == ("estimated", None)
    assert Decimal(attempt["cost_estimated_usd"]) > 0
    assert attempt["estimate_basis"].startswith("prompt ")
    return False


def config(url: str, *, stops: bool) -> str:
    return accounts(url).replace("{kind:", f"{{abort_stops_billing: {str(stops).lower()}, kind:")


def _where_told(dialect: str) -> int:
    """The event that tells the usage."""
    events = golden_events(dialect)
    return next(at for at, (name, data) in enumerate(events) if MARKS[dialect] in name.encode() + data)


all_dialects = pytest.mark.parametrize("dialect", ACCOUNTS)


@all_dialects
@pytest.mark.parametrize("stops", [True, False], ids=["cut off", "read on"])
async def test_wherever_a_client_leaves_a_stream_its_cost_is_known_or_estimated(
    tmp_path: Path, dialect: str, stops: bool
) -> None:
    events = golden_events(dialect)
    told = _where_told(dialect)
    script = Gated()
    async with (
        FakeUpstream(script) as upstream,
        running(tmp_path, config(upstream.url, stops=stops), prices=PRICES) as gateway,
    ):
        for position in range(len(events) + 1):
            script.next(lambda gate, at=position: stream_with_gate(dialect, at, gate))  # type: ignore[misc] # - bound
            await ask_and_leave(gateway, dialect, script, stream=True)
            exact = is_exact(await recorded(gateway, position + 1))
            if not stops:
                assert exact, f"at event {position}: it was read to its end"
            elif position <= told:
                assert not exact, f"at event {position}: nobody told the usage"


@all_dialects
@pytest.mark.parametrize("place", ["before the headers", "in the body"])
@pytest.mark.parametrize("stops", [True, False], ids=["cut off", "read on"])
async def test_wherever_a_client_leaves_a_whole_answer_its_cost_is_known_or_estimated(
    tmp_path: Path, dialect: str, stops: bool, place: str
) -> None:
    script = Gated()
    script.next(lambda gate: whole_with_gate(dialect, place, gate))
    async with (
        FakeUpstream(script) as upstream,
        running(tmp_path, config(upstream.url, stops=stops), prices=PRICES) as gateway,
    ):
        await ask_and_leave(gateway, dialect, script, stream=False)
        assert is_exact(await recorded(gateway, 1)) is not stops


@all_dialects
@pytest.mark.parametrize("leaves", [True, False], ids=["left", "taken"])
async def test_a_whole_answer_without_usage_is_estimated_with_its_text(
    tmp_path: Path, dialect: str, leaves: bool
) -> None:
    reply = golden_reply(dialect)
    for name in ("usage", "usageMetadata"):
        reply.pop(name, None)
    script = Gated()
    script.next(lambda gate: Answer(body=json.dumps(reply), before=[gate]))
    async with (
        FakeUpstream(script) as upstream,
        running(tmp_path, config(upstream.url, stops=False), prices=PRICES) as gateway,
    ):
        if leaves:
            await ask_and_leave(gateway, dialect, script, stream=False)
        else:
            script.gate.set()
            path, body = asked(dialect, stream=False)
            async with aiohttp.ClientSession() as client:
                await _read(client, gateway.url + path, body)
        attempt = await recorded(gateway, 1)

    assert not is_exact(attempt)
    assert attempt["estimate_basis"].endswith("output 4 tokens seen")  # "Hello to you.", 13 characters


async def test_a_whole_answer_is_read_on_where_only_streams_stop_the_bill(tmp_path: Path) -> None:
    """OpenAI's, as is known of the kind: a request that does not stream is billed in full."""
    script = Gated()
    script.next(lambda gate: whole_with_gate("openai-chat", "before the headers", gate))
    async with (
        FakeUpstream(script) as upstream,
        running(tmp_path, accounts(upstream.url), prices=PRICES) as gateway,
    ):
        await ask_and_leave(gateway, "openai-chat", script, stream=False)
        assert is_exact(await recorded(gateway, 1))

        script.next(lambda gate: stream_with_gate("openai-chat", 1, gate))
        await ask_and_leave(gateway, "openai-chat", script, stream=True)
        assert not is_exact(await recorded(gateway, 2))


CUTS = {"reset": Cut.RESET, "early end": Cut.FIN, "silence": Cut.SILENCE}


@all_dialects
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
async def test_wherever_an_upstream_breaks_off_a_stream_its_cost_is_known_or_estimated(
    tmp_path: Path, dialect: str, cut: Cut
) -> None:
    events = golden_events(dialect)
    told = _where_told(dialect)
    script = Gated()
    quick = "defaults: {retries: 0, timeouts: {idle: 60ms, first_token: 60ms}}"
    async with (
        FakeUpstream(script) as upstream,
        running(tmp_path, accounts(upstream.url).replace("defaults: {retries: 0}", quick), prices=PRICES) as gateway,
    ):
        for position in range(len(events)):
            script.next(lambda _, at=position: _cut_stream(dialect, at, cut))  # type: ignore[misc] # - bound
            path, body = asked(dialect, stream=True)
            async with aiohttp.ClientSession() as client:
                await _read(client, gateway.url + path, body)
            attempt = await recorded(gateway, position + 1)
            exact = is_exact(attempt)
            assert not (exact and position <= told), f"before event {position}: nobody told the usage"
            if cut is Cut.FIN:  # a reset takes with it what was not read yet, and a busy machine is silent, too
                assert exact is (position > told)


def _cut_stream(dialect: str, position: int, cut: Cut) -> Answer:
    answer = streamed(dialect, golden_events(dialect))
    steps: list[Step] = list(answer.body)  # type: ignore[arg-type] # - not bytes
    return Answer(headers=answer.headers, body=[*steps[:position], cut], framing="chunked")
