"""mock.connector: the mock behind the same seam as the sockets."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from costspan.errors import Category, UpstreamError
from costspan.mock.connector import MockConnector
from costspan.wire import json
from costspan.wire.http import Outgoing

if TYPE_CHECKING:
    from costspan.wire.http import Connector, Response


def outgoing(model: str = "m", *, stream: bool = False) -> Outgoing:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    return Outgoing("POST", "/v1/chat/completions", [("Content-Type", "application/json")], json.dumps(body))


async def ask(model: str = "m", *, stream: bool = False, headers_timeout: float = 5, pace: float = 0) -> Response:
    connector: Connector = MockConnector(pace=pace, clock=lambda: 1_700_000_000.9)
    return await connector.request(outgoing(model, stream=stream), connect_timeout=5, headers_timeout=headers_timeout)


async def test_a_whole_answer_is_read() -> None:
    response = await ask()
    reply = json.loads_object(await response.read(10_000, 5))
    response.close()

    assert (response.status, response.headers["content-type"]) == (200, "application/json")
    assert reply["created"] == 1_700_000_000


async def test_a_stream_comes_event_by_event_and_ends() -> None:
    response = await ask(stream=True)
    events = []
    while event := await response.chunk(5):
        events.append(event)

    assert events[-1] == b"data: [DONE]\n\n"
    assert len(events) == 19
    assert await response.chunk(5) == b""


async def test_a_slow_model_meets_the_timeout_of_the_headers() -> None:
    started = time.monotonic()
    with pytest.raises(UpstreamError) as caught:
        await ask("slow-60000", headers_timeout=0.01)

    assert (caught.value.kind, caught.value.category) == ("headers_timeout", Category.TIMEOUT)
    assert time.monotonic() - started < 1


async def test_a_slow_pace_meets_the_timeout_between_chunks() -> None:
    response = await ask(stream=True, pace=60)
    with pytest.raises(UpstreamError) as caught:
        await response.chunk(0.01)

    assert caught.value.kind == "idle_timeout"


async def test_a_slow_pace_meets_the_deadline_of_the_whole_body() -> None:
    response = await ask(pace=60)
    with pytest.raises(UpstreamError) as caught:
        await response.read(10_000, 70, deadline=asyncio.get_running_loop().time() + 0.01)

    assert caught.value.kind == "deadline_exceeded"


async def test_silence_before_the_deadline_is_silence() -> None:
    response = await ask(pace=60)
    with pytest.raises(UpstreamError) as caught:
        await response.read(10_000, 0.01, deadline=asyncio.get_running_loop().time() + 70)

    assert caught.value.kind == "idle_timeout"


async def test_the_caller_is_told_that_the_request_goes_out() -> None:
    told: list[bool] = []
    await MockConnector().request(
        outgoing(), connect_timeout=5, headers_timeout=5, on_sending=lambda: told.append(True)
    )

    assert told == [True]


async def test_read_stops_at_its_limit() -> None:
    response = await ask()
    with pytest.raises(UpstreamError) as caught:
        await response.read(10, 5)

    assert caught.value.kind == "upstream_too_large"


async def test_a_closed_answer_is_not_read() -> None:
    response = await ask()
    response.close()
    with pytest.raises(RuntimeError):
        await response.chunk(5)
