"""Bodies that are streamed to a provider: cut, dripped, refused early, left behind (found by review)."""

from __future__ import annotations

import asyncio
import gc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from costspan.server import body as bodies
from fakes.gateway import running
from fakes.raw import connected
from fakes.upstream import Answer, FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running
    from fakes.upstream import Script

CONFIG = """
providers:
  one: {{kind: openai, base_url: "{url}/v1", api_key: test-key-one}}
  stops: {{kind: openai, base_url: "{url}/v1", api_key: test-key-two, abort_stops_billing: true}}
"""
PATH = "/providers/one/v1/files"
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\none/whisper-1\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
)

FIELD = b'--x\r\nContent-Disposition: form-data; name="temperature"\r\n\r\n1\r\n--x\r\n'


@asynccontextmanager
async def serving(
    folder: Path, script: Script, *, more: str = "", reads: bool = False
) -> AsyncIterator[tuple[Running, FakeUpstream]]:
    async with (
        FakeUpstream(script, reads=reads) as upstream,
        running(folder, CONFIG.format(url=upstream.url) + more) as gateway,
    ):
        yield gateway, upstream


def put(path: str = PATH, framing: str = "Transfer-Encoding: chunked", kind: str = "application/octet-stream") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n{framing}\r\n\r\n".encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Reluctant(asyncio.Protocol):
    """An upstream that reads only when it is told to, and keeps every byte."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.closed = asyncio.Event()
        self.connected = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.pause_reading()
        self.connected.set()

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.closed.set()


async def test_a_body_that_breaks_while_the_provider_does_not_read_is_not_ended_as_if_it_were_whole(
    tmp_path: Path,
) -> None:
    slow = Reluctant()
    server = await asyncio.get_running_loop().create_server(lambda: slow, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with asyncio.timeout(10), running(tmp_path, CONFIG.format(url=url)) as gateway:
        async with connected(gateway.url) as client:
            await client.write(put())
            await slow.connected.wait()
            await client.write(chunk(b"a" * 8_000_000))
            await client.write(b"this is no chunk\r\n")
            slow.transport.resume_reading()
            reply = await client.reply()
            await slow.closed.wait()

        assert reply.status == 400
        assert not bytes(slow.received).endswith(b"0\r\n\r\n")
        [attempt] = gateway.records("attempt")
        assert attempt["outcome"] == "failed"
    server.close()


async def test_a_body_that_breaks_before_it_is_read_is_no_empty_one(tmp_path: Path) -> None:
    async with asyncio.timeout(10), serving(tmp_path, Answer()) as (gateway, upstream):
        for turns in range(8):  # of the loop: somewhere there the gateway connects to the provider
            async with connected(gateway.url) as client:
                await client.write(put())
                for _ in range(turns):
                    await asyncio.sleep(0)
                await client.write(b"this is no chunk\r\n")

                assert (await client.reply()).status == 400
        assert not any(request.complete.is_set() for request in upstream.requests)


async def test_a_form_is_read_for_so_long_until_it_can_be_routed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "TOTAL_SECONDS", 0.1)
    async with (
        asyncio.timeout(10),
        serving(tmp_path, Answer()) as (gateway, upstream),
        connected(gateway.url) as client,
    ):
        await client.write(put("/v1/audio/transcriptions", kind="multipart/form-data; boundary=x") + chunk(FORM[:20]))

        assert (await client.reply()).status == 408
        assert upstream.connections == 0


async def test_an_early_refusal_reaches_a_client_that_has_paused(tmp_path: Path) -> None:
    refusal = Answer(413, body=b'{"error":{"message":"too much"}}', early=True)
    async with (
        asyncio.timeout(10),
        serving(tmp_path, refusal) as (gateway, upstream),
        connected(gateway.url) as client,
    ):
        await client.write(put() + chunk(b"a" * 1000))  # and then nothing
        reply = await client.reply()

        assert (reply.status, reply.body) == (413, refusal.body)
        await upstream.connections_open(0)  # a connection with half a request is not used again


@pytest.mark.parametrize("provider", ["one", "stops"])
@pytest.mark.parametrize("form", [False, True])
async def test_a_client_that_leaves_while_it_sends_ends_the_upload(
    tmp_path: Path, provider: str, *, form: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = "/v1/audio/transcriptions" if form else f"/providers/{provider}/v1/files"
    kind = "multipart/form-data; boundary=x" if form else "application/octet-stream"
    async with asyncio.timeout(10), serving(tmp_path, Answer()) as (gateway, upstream):
        async with connected(gateway.url) as client:
            await client.write(put(path, kind=kind) + chunk(FORM.replace(b"one/", f"{provider}/".encode())))
            await upstream.connections_open(1)
        await upstream.connections_open(0)
    gc.collect()

    [attempt], [exchange] = gateway.records("attempt"), gateway.records("exchange")
    assert (attempt["outcome"], exchange["error_type"]) == ("cancelled", "client_cancelled")
    assert (attempt["cost_status"], attempt["cost_usd"]) == ("free", "0")  # nobody got a whole request
    assert not any(request.complete.is_set() for request in upstream.requests)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_an_upload_that_drips_ends_at_the_deadline(tmp_path: Path) -> None:
    limited = "defaults: {timeouts: {total: 0.4s}}\n"
    async with (
        asyncio.timeout(10),
        serving(tmp_path, Answer(), more=limited) as (gateway, upstream),
        connected(gateway.url) as client,
    ):
        await client.write(put() + chunk(b"a"))
        reply = await client.reply()

        assert reply.status == 504
        assert b"deadline_exceeded" in reply.body
        await upstream.connections_open(0)
        [attempt] = gateway.records("attempt")
        assert attempt["error_type"] == "deadline_exceeded"


async def test_a_route_s_params_that_a_form_does_not_get_are_named(tmp_path: Path) -> None:
    route = "routes: {ears: {targets: [{target: one/whisper-1, params: {language: de, temperature: 0}}]}}\n"
    body = FORM.replace(b"one/whisper-1", b"ears").replace(b"--x\r\n", FIELD, 1) + b"sound\r\n--x--\r\n"
    async with (
        asyncio.timeout(10),
        serving(tmp_path, Answer(body=b'{"text":"hallo"}'), more=route) as (gateway, upstream),
        connected(gateway.url) as client,
    ):
        path, kind = "/v1/audio/transcriptions", "multipart/form-data; boundary=x"
        await client.write(put(path, kind=kind) + chunk(body) + b"0\r\n\r\n")
        reply = await client.reply()

        assert (reply.status, reply.headers["x-costspan-dropped"]) == (200, "language")
        assert b"language" not in upstream.requests[0].body
