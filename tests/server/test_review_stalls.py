"""Clients that do not read: whatever is written to them, they and their upstream are let go after a while."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any, cast

import pytest

from costspan.server import protocol
from costspan.server.protocol import Protocol, Server
from fakes.gateway import Running, running
from fakes.raw import post
from fakes.upstream import Answer, FakeUpstream, Request
from fakes.upstream_answers import openai_reply, openai_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import web

SECONDS = 10.0
STALL = 0.2
LARGE = "x" * (3 * 1024 * 1024)
"""More than the buffers of two sockets."""
CASES: dict[str, tuple[bool, Answer]] = {
    "many events": (True, openai_stream(["y" * 8000] * 400)),
    "one event": (True, openai_stream([LARGE])),
    "the end of a stream": (True, openai_stream(["y" * 40_000] * 6)),
    "a whole answer": (False, openai_reply(LARGE)),
}


def config(url: str) -> str:
    return f"""
providers: {{one: {{kind: openai, base_url: "{url}/v1", api_key: test-key-one}}}}
routes: {{chat: one/m}}
"""


def body(*, stream: bool) -> bytes:
    word = b"true" if stream else b"false"
    return b'{"model":"chat","stream":' + word + b',"messages":[{"role":"user","content":"hi"}]}'


@contextlib.asynccontextmanager
async def narrow(url: str) -> AsyncIterator[socket.socket]:
    """A client socket with little room for what it does not read."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", int(url.rpartition(":")[2])))
        yield client


async def rest(client: socket.socket, idle: float = SECONDS) -> bytes:
    """What comes until the connection ends or is silent for `idle` seconds."""
    seen = b""
    with contextlib.suppress(ConnectionResetError, TimeoutError):
        while data := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 1 << 16), idle):
            seen += data
    return seen


async def exchange_of(gateway: Running) -> dict[str, Any]:
    (record,) = await gateway.written("exchange")
    return record


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "WRITE_STALL_SECONDS", STALL)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(("stream", "answer"), CASES.values(), ids=CASES.keys())
async def test_a_client_that_does_not_read_is_let_go(tmp_path: Path, stream: bool, answer: Answer) -> None:
    async with (
        FakeUpstream(answer) as upstream,
        running(tmp_path, config(upstream.url)) as gateway,
        narrow(gateway.url) as client,
    ):
        await asyncio.get_running_loop().sock_sendall(client, post(body(stream=stream)))
        exchange = await exchange_of(gateway)
        for _ in range(1000):
            if not gateway.gateway.state.in_flight:
                break
            await asyncio.sleep(0.005)
        received = await rest(client)
        assert not gateway.gateway.state.in_flight

    sent = sum(len(part) for part in answer.body if isinstance(part, bytes)) if stream else len(LARGE)
    assert (exchange["outcome"], exchange["http_status"], exchange["error_type"]) == (
        "cancelled",
        499,
        "client_stalled",
    )
    assert len(received) < sent  # what was still to be sent was thrown away, not kept until it is read


@pytest.mark.usefixtures("short")
async def test_wherever_in_a_stream_a_client_stops_to_read_its_record_tells(tmp_path: Path) -> None:
    """Streams of many lengths: some stop in an event, some at the very end, some fit into the sockets."""
    sizes = range(20_000, 400_000, 20_000)

    def answer(request: Request) -> Answer:
        return openai_stream(["y" * 20_000] * (int(request.header("idempotency-key") or "") // 20_000))

    async def ask(gateway: Running, size: int, got: dict[str, bytes]) -> None:
        headers = f"Idempotency-Key: {size}\r\nX-Request-Id: {size}\r\n"
        async with narrow(gateway.url) as client:
            await asyncio.get_running_loop().sock_sendall(client, post(body(stream=True), headers=headers))
            while True:
                if any(record["client_request_id"] == str(size) for record in gateway.records("exchange")):
                    break
                await asyncio.sleep(0.02)
            got[str(size)] = await rest(client, idle=STALL)

    got: dict[str, bytes] = {}
    async with (
        FakeUpstream(answer) as upstream,
        running(tmp_path, config(upstream.url)) as gateway,
        asyncio.timeout(SECONDS),
    ):
        async with asyncio.TaskGroup() as group:
            for size in sizes:
                group.create_task(ask(gateway, size, got))
        records = gateway.records("exchange")

    told = {record["client_request_id"]: record["error_type"] for record in records}
    whole = {name for name, seen in got.items() if seen.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")}
    assert {name for name, error in told.items() if error == "client_stalled"} == got.keys() - whole
    assert {name for name, error in told.items() if error is None} == whole
    assert whole
    assert got.keys() - whole


@pytest.mark.usefixtures("short")
async def test_an_upstream_of_a_client_that_does_not_read_is_cut_off(tmp_path: Path) -> None:
    never = asyncio.Event()
    async with (
        FakeUpstream(openai_stream([LARGE, never, "end"])) as upstream,
        running(tmp_path, config(upstream.url)) as gateway,
        narrow(gateway.url) as client,
    ):
        await asyncio.get_running_loop().sock_sendall(client, post(body(stream=True)))
        async with asyncio.timeout(SECONDS):
            await upstream.requests[0].disconnected.wait() if upstream.requests else await upstream.received(1)
            await upstream.requests[0].disconnected.wait()


@pytest.mark.usefixtures("short")
async def test_a_client_that_reads_slowly_gets_all_of_it(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with (
        FakeUpstream(openai_reply(LARGE)) as upstream,
        running(tmp_path, config(upstream.url)) as gateway,
        narrow(gateway.url) as client,
    ):
        await loop.sock_sendall(client, post(body(stream=False)))
        count, pauses = 0, 0
        async with asyncio.timeout(SECONDS):
            while count < len(LARGE):
                data = await loop.sock_recv(client, 1 << 16)
                assert data, "cut off"
                count += len(data)
                if count >= (pauses + 1) * (1 << 18):
                    pauses += 1
                    await asyncio.sleep(STALL / 3)
        exchange = await exchange_of(gateway)

    assert pauses > 9  # three times the limit
    assert exchange["outcome"] == "ok"


async def test_a_wait_for_the_client_that_was_given_up_does_not_spoil_the_next() -> None:
    """A comment that waits for the client is given up at the stream's end; the end is waited for all the same."""

    async def handler(_: web.BaseRequest) -> web.StreamResponse:
        raise AssertionError

    class Wire(asyncio.Transport):
        aborted = False

        def get_write_buffer_size(self) -> int:
            return 1

        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            assert (high, low) == (0, None)

        def close(self) -> None:
            return

    manager = Server(handler, lambda: "cs_1")
    connection = manager()
    assert isinstance(connection, Protocol)
    connection.connection_made(Wire())
    connection.pause_writing()
    first = asyncio.create_task(connection._drain_helper())
    await asyncio.sleep(0)
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first
    second = asyncio.create_task(connection._drain_helper())
    await asyncio.sleep(0)
    assert not second.done()
    connection.resume_writing()
    await second
    connection.connection_lost(None)
    await cast("Any", manager).shutdown(0.1)
