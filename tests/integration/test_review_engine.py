"""What a review of the engine found, over real sockets: each was wrong once."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from costspan.engine import attempt as attempts
from costspan.engine import drain
from costspan.transport.pool import Pool
from costspan.wire import json
from fakes.gateway import PRICES, Running, running
from fakes.raw import connected, post, send
from fakes.upstream import Answer, Cut, FakeUpstream
from fakes.upstream_answers import openai_reply, openai_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.upstream import Request, Step

SECONDS = 10.0
SSE = (("content-type", "text/event-stream"),)
COSTED = "x-costspan-cost: true\r\n"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}


def body(*, stream: bool = False, **more: Any) -> bytes:
    asked = {"model": "chat", "stream": stream, "messages": [{"role": "user", "content": "hello"}], **more}
    return json.dumps(asked)


def provider(url: str, more: str = "", *, name: str = "one", kind: str = "openai") -> str:
    return f'  {name}: {{kind: {kind}, base_url: "{url}/v1", api_key: test-key{more}}}\n'


def config(*providers: str, timeouts: str = "", targets: str = "one/m") -> str:
    return (
        f"defaults: {{retries: 0, timeouts: {{{timeouts}}}}}\n"
        f"providers:\n{''.join(providers)}routes:\n  chat: {{targets: [{targets}]}}\n"
    )


async def under_way(gateway: Running, count: int) -> None:
    """Until the gateway answers `count` requests at the same time."""
    for _ in range(1000):
        if gateway.gateway.state.in_flight >= count:
            return
        await asyncio.sleep(0.005)
    pytest.fail(f"not {count} requests under way")


def usages(data: bytes) -> list[dict[str, Any]]:
    lines = [line[6:] for line in data.replace(b"\r\n", b"\n").split(b"\n") if line.startswith(b"data: {")]
    return [event["usage"] for line in lines if (event := json.loads_object(line)).get("usage")]


def bytes_of(answer: Answer) -> bytes:
    steps: Any = answer.body
    return b"".join(steps)


STREAM = bytes_of(openai_stream())
ENDINGS = {
    "LF": STREAM,
    "CRLF": STREAM.replace(b"\n", b"\r\n"),
    "CR": STREAM.replace(b"\n", b"\r"),
    "no last blank line": STREAM.removesuffix(b"\n\n"),
}


@pytest.mark.parametrize("data", ENDINGS.values(), ids=ENDINGS.keys())
async def test_the_cost_is_put_into_streams_of_any_line_end(tmp_path: Path, data: bytes) -> None:
    async with (
        FakeUpstream(Answer(headers=SSE, body=[data], framing="chunked")) as up,
        running(tmp_path, config(provider(up.url))) as gateway,
    ):
        reply = await send(gateway.url, post(body(stream=True), headers=COSTED))

    # 9 at 2 USD, 3 at 8 USD per million
    assert b'"usage":{"cost":0.000042,"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}' in reply.body
    assert b"Hel" in reply.body
    assert b"lo!" in reply.body
    assert reply.body.rstrip().endswith(b"data: [DONE]")


TIERED = """
prices:
  catalog: none
  table:
    - {provider: openai, model: m, input: 2, output: 8, service_tiers: {flex: {multiplier: 0.5}}}
"""
COSTS: dict[str, tuple[str, dict[str, Any], dict[str, Any], Decimal | None]] = {
    # 1000 at 2 USD, 100 at 8 USD per million
    "list price": ("", {}, USAGE, Decimal("0.0028")),
    "requested tier": ("", {"service_tier": "flex"}, USAGE, Decimal("0.0014")),
    "the provider's own": (", price_as: provider", {}, {**USAGE, "cost": 0.5}, Decimal("0.5")),
    "nothing known": (", price_as: provider", {"model": "other"}, USAGE, None),
}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(("more", "asked", "usage", "cost"), COSTS.values(), ids=COSTS.keys())
async def test_the_cost_that_the_client_is_told_is_the_ledgers(
    tmp_path: Path, stream: bool, more: str, asked: dict[str, Any], usage: dict[str, Any], cost: Decimal | None
) -> None:
    answer = openai_stream(usage=usage) if stream else openai_reply(usage=usage)
    async with (
        FakeUpstream(answer) as up,
        running(tmp_path, config(provider(up.url, more)) + "  other: one/unpriced\n", prices=TIERED) as gateway,
    ):
        reply = await send(gateway.url, post(body(stream=stream, **asked), headers=COSTED))
        (exchange,) = await gateway.written("exchange")

    told = usages(reply.body)[-1]["cost"] if stream else json.loads_object(reply.body)["usage"]["cost"]
    assert told == (None if cost is None else float(cost))
    assert cost == (None if exchange["cost_usd"] is None else Decimal(exchange["cost_usd"]))


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_the_client_is_told_no_cost_when_an_earlier_attempts_is_not_known(tmp_path: Path, stream: bool) -> None:
    async with (
        FakeUpstream(openai_stream((Cut.RESET,)) if stream else Answer(before=[Cut.RESET])) as up,
        FakeUpstream(openai_stream() if stream else openai_reply()) as good,
        running(tmp_path, config(provider(up.url), provider(good.url, name="two"), targets="one/m, two/m")) as gateway,
    ):
        reply = await send(gateway.url, post(body(stream=stream), headers=COSTED))
        (exchange,) = await gateway.written("exchange")

    told = usages(reply.body)[-1] if stream else json.loads_object(reply.body)["usage"]
    assert exchange["cost_status"] == "estimated"
    assert told == {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12, "cost": None}


async def test_the_client_is_told_the_cost_after_an_attempt_that_cost_nothing(tmp_path: Path) -> None:
    async with (
        FakeUpstream(Answer(status=500, body=b"{}")) as up,
        FakeUpstream(openai_stream()) as good,
        running(tmp_path, config(provider(up.url), provider(good.url, name="two"), targets="one/m, two/m")) as gateway,
    ):
        reply = await send(gateway.url, post(body(stream=True), headers=COSTED))

    assert usages(reply.body)[-1]["cost"] == 0.000042


SHORT = "total: 300ms, idle: 300ms, first_token: 250ms, connect: 250ms"
LATE: dict[str, tuple[bool, Answer]] = {
    "whole": (False, Answer(body=[b"{", Cut.SILENCE], framing="chunked")),
    "stream": (True, openai_stream(("Hel", Cut.SILENCE))),
}


@pytest.mark.parametrize(("stream", "answer"), LATE.values(), ids=LATE.keys())
async def test_the_total_timeout_ends_a_silent_body(tmp_path: Path, stream: bool, answer: Answer) -> None:
    async with (
        FakeUpstream(answer) as up,
        running(tmp_path, config(provider(up.url), timeouts=SHORT)) as gateway,
    ):
        reply = await send(gateway.url, post(body(stream=stream)))
        (attempt,) = await gateway.written("attempt")
        (exchange,) = await gateway.written("exchange")

    assert reply.status == (200 if stream else 504)
    assert (attempt["outcome"], attempt["error_type"]) == ("failed", "deadline_exceeded")
    assert exchange["error_type"] == "deadline_exceeded"


async def test_the_total_timeout_ends_a_body_that_trickles(tmp_path: Path) -> None:
    def steps() -> list[Step]:
        loop = asyncio.get_running_loop()
        found: list[Step] = []
        for number in range(400):
            gate = asyncio.Event()
            loop.call_later(0.05 * number, gate.set)
            found += [gate, b" "]
        return found

    async with (
        FakeUpstream(lambda _: Answer(body=steps(), framing="chunked")) as up,
        running(tmp_path, config(provider(up.url), timeouts=SHORT)) as gateway,
    ):
        async with asyncio.timeout(SECONDS):
            reply = await send(gateway.url, post(body()))
        (attempt,) = await gateway.written("attempt")

    assert (reply.status, attempt["error_type"]) == (504, "deadline_exceeded")


async def test_a_refusal_whose_body_never_comes_falls_back_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "ERROR_BODY_SECONDS", 0.05)
    async with (
        FakeUpstream(Answer(status=500, body=[b"{", Cut.SILENCE], framing="chunked")) as up,
        FakeUpstream(openai_reply()) as good,
        running(tmp_path, config(provider(up.url), provider(good.url, name="two"), targets="one/m, two/m")) as gateway,
    ):
        async with asyncio.timeout(SECONDS):
            reply = await send(gateway.url, post(body()))
        first, _ = await gateway.written("attempt", 2)

    assert reply.status == 200
    assert (first["http_status"], first["error_type"], first["cost_status"]) == (500, "upstream_error", "free")


async def test_after_a_stale_connection_a_fresh_one_is_used_and_nothing_is_billed(tmp_path: Path) -> None:
    """Several idle connections are dead at once, as after a pause of the host."""
    gate = asyncio.Event()
    seen: set[int] = set()

    def script(request: Request) -> Answer:
        if request.connection in seen:
            return Answer(before=[Cut.FIN])
        seen.add(request.connection)
        reply = openai_reply()
        return Answer(headers=reply.headers, body=reply.body, before=[gate])

    async with FakeUpstream(script) as up, running(tmp_path, config(provider(up.url))) as gateway:
        async with asyncio.TaskGroup() as together:
            for _ in range(4):
                together.create_task(send(gateway.url, post(body())))
            await up.received(4)
            gate.set()
        reply = await send(gateway.url, post(body()))
        *_, stale, fresh = await gateway.written("attempt", 6)
        *_, exchange = await gateway.written("exchange", 5)

    assert reply.status == 200
    assert (stale["error_type"], stale["cost_status"], stale["cost_usd"]) == ("upstream_reset", "free", "0")
    assert (fresh["outcome"], fresh["cost_usd"]) == ("ok", "0.000042")
    assert (exchange["cost_status"], exchange["cost_estimated_usd"]) == ("exact", None)


stops_or_not = pytest.mark.parametrize("stops", ["true", "false"], ids=["cut off", "read on"])


async def test_a_client_that_leaves_while_it_waits_for_a_place_has_made_no_attempt(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(lambda _: openai_stream(("Hel", gate, "lo!"))) as up,
        running(tmp_path, config(provider(up.url, ", max_concurrency: 1"))) as gateway,
        connected(gateway.url) as first,
    ):
        await first.write(post(body(stream=True)))
        await up.received(1)
        async with connected(gateway.url) as second:
            await second.write(post(body()))
            await under_way(gateway, 2)
        (exchange,) = await gateway.written("exchange")
        gate.set()
        assert (await first.reply()).status == 200
        (attempt,) = await gateway.written("attempt")

    assert (exchange["outcome"], exchange["cost_status"]) == ("cancelled", "free")
    assert attempt["outcome"] == "ok"
    assert len(up.requests) == 1  # nothing is sent for a client that has left


@pytest.fixture
async def mute() -> AsyncIterator[str]:
    """A server that accepts connections and never shakes hands."""

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    server = await asyncio.start_server(read, "127.0.0.1", 0)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@stops_or_not
async def test_an_attempt_that_was_connecting_when_its_client_left_is_free(
    tmp_path: Path, mute: str, stops: str
) -> None:
    more = f", abort_stops_billing: {stops}"
    async with running(tmp_path, config(provider(mute, more), timeouts="connect: 30s")) as gateway:
        async with connected(gateway.url) as client:
            await client.write(post(body()))
            await gateway.written("attempt_started")
        (attempt,) = await gateway.written("attempt")
        (exchange,) = await gateway.written("exchange")

    assert (attempt["outcome"], attempt["cost_status"]) == ("cancelled", "free")
    assert (exchange["outcome"], exchange["cost_status"], exchange["cost_usd"]) == ("cancelled", "free", "0")


@stops_or_not
async def test_a_client_that_leaves_after_the_terminal_event_had_a_complete_answer(tmp_path: Path, stops: str) -> None:
    """The upstream has not ended its body by then, as many do not at once."""
    gate = asyncio.Event()
    steps: Any = openai_stream().body
    async with (
        FakeUpstream(lambda _: Answer(headers=SSE, body=[*steps, gate], framing="chunked")) as up,
        running(tmp_path, config(provider(up.url, f", abort_stops_billing: {stops}"))) as gateway,
    ):
        async with connected(gateway.url) as client:
            await client.write(post(body(stream=True)))
            await client.until(b"[DONE]")
        (attempt,) = await gateway.written("attempt")
        (exchange,) = await gateway.written("exchange")
        gate.set()

    assert (attempt["outcome"], attempt["cost_status"], attempt["cost_usd"]) == ("ok", "exact", "0.000042")
    assert (exchange["outcome"], exchange["http_status"], exchange["error_type"]) == ("ok", 200, None)


async def test_comments_after_the_terminal_event_keep_neither_the_client_nor_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "END_GRACE", 0.15)
    steps: Any = openai_stream().body

    def endless() -> list[Step]:
        loop = asyncio.get_running_loop()
        pings: list[Step] = []
        for number in range(200):
            gate = asyncio.Event()
            loop.call_later(0.1 * number, gate.set)
            pings += [gate, b": ping\n\n"]
        return [*steps, *pings]

    async with (
        FakeUpstream(lambda _: Answer(headers=SSE, body=endless(), framing="chunked")) as up,
        running(tmp_path, config(provider(up.url))) as gateway,
    ):
        async with asyncio.timeout(SECONDS):
            reply = await send(gateway.url, post(body(stream=True)))
        async with asyncio.timeout(SECONDS):
            await up.connections_open(0)

    assert reply.body.endswith(b"data: [DONE]\n\n")


async def test_the_connection_of_a_body_that_ends_after_its_terminal_event_is_used_again(tmp_path: Path) -> None:
    gate = asyncio.Event()
    steps: Any = openai_stream().body
    async with (
        FakeUpstream(lambda _: Answer(headers=SSE, body=[*steps, gate], framing="chunked")) as up,
        running(tmp_path, config(provider(up.url))) as gateway,
    ):
        await send(gateway.url, post(body(stream=True)))
        gate.set()
        (pool,) = gateway.gateway._connections._pools.values()
        assert isinstance(pool, Pool)
        for _ in range(1000):
            if pool.idle:
                break
            await asyncio.sleep(0.005)
        await send(gateway.url, post(body(stream=True)))

        assert up.connections == 1


async def test_the_last_event_of_a_host_without_terminal_event_is_given_once(tmp_path: Path) -> None:
    """Perplexity ends without [DONE]; here its only event lacks its blank line too."""
    choice = {"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}
    event = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    data = b"data: " + json.dumps({**event, "usage": USAGE}) + b"\n"
    async with (
        FakeUpstream(Answer(headers=SSE, body=[data], framing="chunked")) as up,
        running(tmp_path, config(provider(up.url, ", dialects: [openai-chat]", kind="perplexity"))) as gateway,
    ):
        asked = body(stream=True, stream_options={"include_usage": True})
        plain = await send(gateway.url, post(asked))
        costed = await send(gateway.url, post(asked, headers=COSTED))

    assert plain.body.count(b"Hello") == 1
    assert costed.body.count(b"Hello") == 1


async def test_output_in_one_giant_event_is_estimated_by_its_bytes(tmp_path: Path) -> None:
    never = asyncio.Event()
    async with (
        FakeUpstream(openai_stream(("x" * 300_000, never))) as up,
        running(tmp_path, config(provider(up.url)), prices=PRICES) as gateway,
    ):
        port = int(gateway.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(post(body(stream=True)))
        await reader.readexactly(300_000)
        writer.transport.abort()
        (attempt,) = await gateway.written("attempt")

    # 300 000 characters are 75 000 tokens by length, at 8 USD per million: 0.6; frames count a little
    assert Decimal("0.595") < Decimal(attempt["cost_estimated_usd"]) < Decimal("0.605")
    assert attempt["estimate_basis"].endswith("tokens seen, by bytes")
