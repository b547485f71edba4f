"""Faults of ours in the middle of an exchange: they are booked as ours, and the client is told."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from costspan.engine.pipe import Passthrough
from fakes.gateway import running, two_kinds
from fakes.raw import connected, post, send
from fakes.upstream import FakeUpstream
from fakes.upstream_answers import anthropic_stream, openai_reply, openai_stream

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary: what the user wrote"
PATHS = {"openai": ("/v1/chat/completions", "chat"), "anthropic": ("/v1/messages", "claude")}


def body(model: str, *, stream: bool) -> bytes:
    word = "true" if stream else "false"
    return (
        f'{{"model":"{model}","stream":{word},"max_tokens":9,"messages":[{{"role":"user","content":"hi"}}]}}'.encode()
    )


def fault(*_: object, **__: object) -> Any:
    raise KeyError(CANARY)


@pytest.mark.parametrize("dialect", PATHS)
async def test_in_a_stream_the_client_gets_an_error_event(
    tmp_path: Path, dialect: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, model = PATHS[dialect]
    gate = asyncio.Event()
    async with (
        FakeUpstream(lambda _: openai_stream(("a", gate, "b"))) as openai,
        FakeUpstream(lambda _: anthropic_stream(("a", gate, "b"))) as anthropic,
        running(tmp_path, two_kinds(openai.url, anthropic.url)) as gateway,
        connected(gateway.url) as connection,
    ):
        upstream = openai if dialect == "openai" else anthropic
        await connection.write(post(body(model, stream=True), path=path))
        await connection.until(b'"a"')
        monkeypatch.setattr(Passthrough, "feed", fault)
        gate.set()
        seen = await connection.until(b"0\r\n\r\n")
        await upstream.connections_open(0)
        (exchange,), (attempt,) = gateway.records("exchange"), gateway.records("attempt")

    event = seen.rpartition(b"data: ")[2]
    assert b'"code":"internal_error"' in event
    assert (b"event: error\ndata: " in seen) == (dialect == "anthropic")
    assert b"[DONE]" not in seen
    assert b"canary" not in seen
    assert (exchange["outcome"], exchange["http_status"], exchange["error_type"]) == ("failed", 500, "internal_error")
    assert (attempt["outcome"], attempt["cost_status"]) == ("failed", "estimated")
    (line,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert line.getMessage() == f"unhandled KeyError in {exchange['id']}"
    assert line.exc_info is not None
    assert line.exc_info[2] is not None
    assert "canary" not in caplog.text


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("where", ["costspan.engine.attempt.Attempts._send", "costspan.engine.execute.prepare"])
async def test_before_the_answer_the_client_gets_a_500(
    tmp_path: Path, dialect: str, where: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, model = PATHS[dialect]
    monkeypatch.setattr(where, fault)
    async with running(tmp_path, two_kinds("http://127.0.0.1:9", "http://127.0.0.1:9")) as gateway:
        reply = await send(gateway.url, post(body(model, stream=stream), path=path))
        (exchange,) = gateway.records("exchange")

    assert reply.status == 500
    assert b'"code":"internal_error"' in reply.body
    assert reply.headers["x-request-id"] == exchange["id"]
    assert b"canary" not in reply.raw
    assert (exchange["outcome"], exchange["http_status"], exchange["error_type"]) == ("failed", 500, "internal_error")


async def test_after_early_headers_the_client_gets_an_error_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    async def late(*_: object) -> None:
        begun.set()
        await gate.wait()
        fault()

    monkeypatch.setattr("costspan.engine.attempt.Attempts._send", late)
    config = two_kinds("http://127.0.0.1:9", "http://127.0.0.1:9")
    async with running(tmp_path, config, more=", keepalive_comment: 10ms") as gateway, connected(gateway.url) as client:
        await client.write(post(body("chat", stream=True)))
        await client.until(b": costspan\n\n")
        gate.set()
        seen = await client.until(b"0\r\n\r\n")
        (exchange,) = gateway.records("exchange")

    assert b'"code":"internal_error"' in seen
    assert (exchange["outcome"], exchange["error_type"]) == ("failed", "internal_error")


async def test_in_a_whole_answer_nothing_is_sent_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        FakeUpstream(lambda _: openai_reply()) as upstream,
        running(tmp_path, two_kinds(upstream.url, upstream.url)) as gateway,
        connected(gateway.url) as client,
    ):
        monkeypatch.setattr(gateway.gateway.state.engine, "finish", fault)
        await client.write(post(body("chat", stream=False)))
        seen = await client.rest()

    assert seen.count(b"HTTP/1.1 ") == 1
    assert b"canary" not in seen
