"""Clients that leave: the upstream is cut off where that stops the bill, else read to its end for the true usage."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from fakes.gateway import Running, running
from fakes.upstream import Answer, Cut, FakeUpstream, Step
from fakes.upstream_answers import anthropic_stream, openai_reply, openai_stream

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 10.0
USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
PATHS = {"openai-chat": "/v1/chat/completions", "anthropic-messages": "/v1/messages"}
PROMPT_TOKENS = {"openai-chat": 2, "anthropic-messages": 5}
"""Of "hello" by its length; Anthropic's dialect counts the words of the structure too."""


def one(url: str, *, stops: bool) -> str:
    return f"""
defaults: {{retries: 0}}
providers:
  one: {{kind: openai, base_url: "{url}/v1", api_key: test-key, abort_stops_billing: {str(stops).lower()}}}
routes: {{chat: one/m}}
"""


def body(*, stream: bool) -> dict[str, Any]:
    return {"model": "chat", "stream": stream, "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}


async def recorded(gateway: Running, kind: str) -> dict[str, Any]:
    """The one record of `kind`, once it is there."""
    (record,) = await gateway.written(kind)
    return record


async def leave_after_text(gateway: Running, dialect: str) -> None:
    """Ask for a stream and close the connection once its first text came."""
    url = gateway.url + PATHS[dialect]
    async with aiohttp.ClientSession() as client, client.post(url, json=body(stream=True)) as response:
        seen = b""
        while b"Hel" not in seen:
            seen += await response.content.readany()
        response.close()


async def leave_before_anything(gateway: Running, upstream: FakeUpstream, dialect: str, *, stream: bool) -> None:
    """Ask, and close the connection once the upstream has the request."""
    url = gateway.url + PATHS[dialect]
    async with aiohttp.ClientSession() as client:
        asking = asyncio.create_task(client.post(url, json=body(stream=stream)))
        await upstream.received(1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking


both_dialects = pytest.mark.parametrize("dialect", PATHS)


@both_dialects
async def test_in_mid_stream_the_upstream_is_cut_off_and_an_estimate_written(tmp_path: Path, dialect: str) -> None:
    never = asyncio.Event()
    async with (
        FakeUpstream(openai_stream(("Hel", never, "lo"), usage=USAGE)) as upstream,
        running(tmp_path, one(upstream.url, stops=True)) as gateway,
    ):
        await leave_after_text(gateway, dialect)
        async with asyncio.timeout(SECONDS):
            await upstream.requests[0].disconnected.wait()
        attempt = await recorded(gateway, "attempt")
        exchange = await recorded(gateway, "exchange")

    assert (attempt["outcome"], attempt["cost_status"], attempt["cost_usd"]) == ("cancelled", "estimated", None)
    # the prompt at 2 USD, "Hel" (1 token by its length) at 8 USD per million
    estimate = {"openai-chat": Decimal("0.000012"), "anthropic-messages": Decimal("0.000018")}[dialect]
    assert Decimal(attempt["cost_estimated_usd"]) == estimate
    assert (exchange["outcome"], exchange["cost_status"]) == ("cancelled", "estimated")
    assert (exchange["http_status"], exchange["error_type"]) == (499, "client_cancelled")
    assert Decimal(exchange["cost_estimated_usd"]) == estimate


@both_dialects
async def test_in_mid_stream_an_upstream_that_bills_on_is_read_to_its_end(tmp_path: Path, dialect: str) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(openai_stream(("Hel", gate, "lo"), usage=USAGE)) as upstream,
        running(tmp_path, one(upstream.url, stops=False)) as gateway,
    ):
        await leave_after_text(gateway, dialect)
        gate.set()
        attempt = await recorded(gateway, "attempt")
        exchange = await recorded(gateway, "exchange")
        assert not upstream.requests[0].disconnected.is_set()

    assert attempt["usage"] == {"input": 1000, "output": 500}
    # 1000 at 2 USD and 500 at 8 USD per million: 0.002 + 0.004
    assert (attempt["outcome"], attempt["cost_status"]) == ("cancelled", "exact")
    assert Decimal(attempt["cost_usd"]) == Decimal("0.006")
    assert (exchange["outcome"], exchange["cost_status"]) == ("cancelled", "exact")
    assert Decimal(exchange["cost_usd"]) == Decimal("0.006")


@both_dialects
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_before_the_answer_the_upstream_is_cut_off(tmp_path: Path, stream: bool, dialect: str) -> None:
    never = asyncio.Event()
    async with (
        FakeUpstream(Answer(before=[never])) as upstream,
        running(tmp_path, one(upstream.url, stops=True)) as gateway,
    ):
        await leave_before_anything(gateway, upstream, dialect, stream=stream)
        async with asyncio.timeout(SECONDS):
            await upstream.requests[0].disconnected.wait()
        attempt = await recorded(gateway, "attempt")
        exchange = await recorded(gateway, "exchange")

    assert (attempt["outcome"], attempt["cost_status"]) == ("cancelled", "estimated")
    # nothing but the prompt, at 2 USD per million
    assert Decimal(attempt["cost_estimated_usd"]) == Decimal(PROMPT_TOKENS[dialect]) * 2 / 1_000_000
    assert (exchange["outcome"], exchange["cost_status"]) == ("cancelled", "estimated")


ANSWERS = {
    "stream": (True, openai_stream(usage=USAGE)),
    "whole": (False, openai_reply(usage=USAGE)),
}


@both_dialects
@pytest.mark.parametrize(("stream", "answer"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_before_the_answer_an_upstream_that_bills_on_is_read_to_its_end(
    tmp_path: Path, stream: bool, answer: Answer, dialect: str
) -> None:
    gate = asyncio.Event()
    late = Answer(headers=answer.headers, body=answer.body, framing=answer.framing, before=[gate])
    async with (
        FakeUpstream(late) as upstream,
        running(tmp_path, one(upstream.url, stops=False)) as gateway,
    ):
        await leave_before_anything(gateway, upstream, dialect, stream=stream)
        gate.set()
        attempt = await recorded(gateway, "attempt")
        exchange = await recorded(gateway, "exchange")

    assert (attempt["outcome"], attempt["cost_status"], attempt["usage"]) == (
        "cancelled",
        "exact",
        {"input": 1000, "output": 500},
    )
    assert Decimal(exchange["cost_usd"]) == Decimal("0.006")
    assert exchange["outcome"] == "cancelled"


@both_dialects
@pytest.mark.parametrize("stops", [True, False], ids=["cut off", "read on"])
async def test_in_the_middle_of_a_whole_answer(tmp_path: Path, stops: bool, dialect: str) -> None:
    """Headers and half of the body are here when the client leaves."""
    gate, reply = asyncio.Event(), openai_reply(usage=USAGE)
    assert isinstance(reply.body, bytes)
    halves: list[Step] = [reply.body[:40], gate, reply.body[40:]]
    async with (
        FakeUpstream(Answer(headers=reply.headers, body=halves)) as upstream,
        running(tmp_path, one(upstream.url, stops=stops)) as gateway,
    ):
        await leave_before_anything(gateway, upstream, dialect, stream=False)
        if stops:
            async with asyncio.timeout(SECONDS):
                await upstream.requests[0].disconnected.wait()
        gate.set()
        attempt = await recorded(gateway, "attempt")

    assert attempt["outcome"] == "cancelled"
    assert attempt["cost_status"] == ("estimated" if stops else "exact")
    assert attempt["usage"] == ({} if stops else {"input": 1000, "output": 500})


@both_dialects
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("stops", [True, False], ids=["cut off", "read on"])
async def test_a_refusal_after_the_client_left_is_free(tmp_path: Path, stops: bool, stream: bool, dialect: str) -> None:
    """The error status came; its body comes when the client has gone."""
    gate = asyncio.Event()
    async with (
        FakeUpstream(Answer(status=429, body=[b'{"error":', gate, b"{}}"])) as upstream,
        running(tmp_path, one(upstream.url, stops=stops)) as gateway,
    ):
        await leave_before_anything(gateway, upstream, dialect, stream=stream)
        gate.set()
        attempt = await recorded(gateway, "attempt")
        exchange = await recorded(gateway, "exchange")
        await upstream.connections_open(0)  # none is forgotten

    assert (attempt["http_status"], attempt["cost_status"], attempt["cost_usd"]) == (429, "free", "0")
    assert exchange["outcome"] == "cancelled"


@pytest.mark.parametrize("cut", [Cut.RESET, Cut.FIN], ids=["reset", "early end"])
async def test_an_upstream_that_fails_while_it_is_read_on_leaves_an_estimate(tmp_path: Path, cut: Cut) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(openai_stream(("Hel", gate, "lo", cut), usage=USAGE)) as upstream,
        running(tmp_path, one(upstream.url, stops=False)) as gateway,
    ):
        await leave_after_text(gateway, "openai-chat")
        gate.set()
        attempt = await recorded(gateway, "attempt")
        exchange = await recorded(gateway, "exchange")

    # "hello" 2 tokens, "Hello" 2 tokens by length: 2 at 2 USD, 2 at 8 USD per million
    assert (attempt["outcome"], attempt["cost_status"]) == ("cancelled", "estimated")
    assert Decimal(attempt["cost_estimated_usd"]) == Decimal(exchange["cost_estimated_usd"]) == Decimal("0.00002")


async def test_what_anthropic_said_at_the_start_is_kept_when_the_client_leaves(tmp_path: Path) -> None:
    """Anthropic reports the prompt first: the estimate takes it, and adds the output that was seen."""
    never = asyncio.Event()
    config = """
providers: {{two: {{kind: anthropic, base_url: "{url}/v1", api_key: test-key}}}}
routes: {{chat: two/m}}
"""
    async with (
        FakeUpstream(anthropic_stream(("Hel", never, "lo"), usage={"input_tokens": 1000, "output_tokens": 9})) as up,
        running(tmp_path, config.format(url=up.url)) as gateway,
    ):
        await leave_after_text(gateway, "anthropic-messages")
        attempt = await recorded(gateway, "attempt")

    # 1000 at 3 USD, 1 at 15 USD per million: 0.003 + 0.000015
    assert (attempt["cost_usd"], attempt["cost_estimated_usd"]) == (None, "0.003015")
    assert "usage_partial" in attempt["flags"]


COMMENT = b": costspan\n\n"
QUICK = ", keepalive_comment: 20ms"


async def test_a_silent_stream_is_kept_alive_before_and_after_its_first_content(tmp_path: Path) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    answer = openai_stream((first, "Hel", second, "lo"), usage=USAGE)
    async with (
        FakeUpstream(answer) as upstream,
        running(tmp_path, one(upstream.url, stops=True), more=QUICK) as gateway,
        aiohttp.ClientSession() as client,
        client.post(f"{gateway.url}/v1/chat/completions", json=body(stream=True)) as response,
    ):
        seen = b""
        async with asyncio.timeout(SECONDS):
            while seen.count(COMMENT) < 2:
                seen += await response.content.readany()
            assert seen.replace(COMMENT, b"") == b""
            first.set()
            while not seen.endswith(COMMENT) or b"Hel" not in seen:
                seen += await response.content.readany()
            second.set()
            seen += await response.content.read()
        (exchange,) = gateway.records("exchange")

    assert response.status == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["x-request-id"] == exchange["id"]
    assert seen.endswith(b"data: [DONE]\n\n")
    assert exchange["outcome"] == "ok"


@both_dialects
async def test_an_error_after_an_early_start_is_an_event_of_the_dialect(tmp_path: Path, dialect: str) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(Answer(status=500, body=b"{}", before=[gate])) as upstream,
        running(tmp_path, one(upstream.url, stops=True), more=QUICK) as gateway,
        aiohttp.ClientSession() as client,
        client.post(gateway.url + PATHS[dialect], json=body(stream=True)) as response,
    ):
        async with asyncio.timeout(SECONDS):
            seen = await response.content.readuntil(COMMENT)
            gate.set()
            seen += await response.content.read()
        (exchange,) = gateway.records("exchange")

    rest = seen.replace(COMMENT, b"")
    head = b"event: error\ndata: " if dialect == "anthropic-messages" else b"data: "
    assert response.status == 200
    assert rest.startswith(head + b"{")
    assert rest.count(b"\n\n") == 1
    assert b'"error":{' in rest
    assert (exchange["outcome"], exchange["error_type"]) == ("failed", "upstream_error")


async def test_a_fallback_after_an_early_start_still_answers(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(Answer(status=500, body=b"{}", before=[gate])) as a,
        FakeUpstream(openai_stream()) as b,
        running(
            tmp_path,
            f"""
defaults: {{retries: 0}}
providers:
  a: {{kind: openai, base_url: "{a.url}/v1", api_key: test-key}}
  b: {{kind: openai, base_url: "{b.url}/v1", api_key: test-key}}
routes: {{chat: {{strategy: fallback, targets: [a/m, b/m]}}}}
""",
            more=QUICK,
        ) as gateway,
        aiohttp.ClientSession() as client,
        client.post(f"{gateway.url}/v1/chat/completions", json=body(stream=True)) as response,
    ):
        async with asyncio.timeout(SECONDS):
            seen = await response.content.readuntil(COMMENT)
            gate.set()
            seen += await response.content.read()

    assert b'"Hel"' in seen
    assert seen.endswith(b"data: [DONE]\n\n")


async def test_a_whole_answer_gets_no_comments(tmp_path: Path) -> None:
    gate = asyncio.Event()
    reply = openai_reply()
    async with (
        FakeUpstream(Answer(headers=reply.headers, body=reply.body, before=[gate])) as upstream,
        running(tmp_path, one(upstream.url, stops=True), more=", keepalive_comment: 1ms") as gateway,
        aiohttp.ClientSession() as client,
    ):
        asking = asyncio.create_task(client.post(f"{gateway.url}/v1/chat/completions", json=body(stream=False)))
        await upstream.received(1)
        await asyncio.sleep(0.02)  # many times the interval
        gate.set()
        async with await asking as response:
            assert await response.read() == reply.body
