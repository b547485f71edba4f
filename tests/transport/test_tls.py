"""transport.tls: certificates are verified. They are made on the fly with the openssl command."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import subprocess
from typing import TYPE_CHECKING, cast

import pytest

from costspan.errors import Category, UpstreamError
from costspan.transport.pool import Pool
from costspan.transport.tls import default_context
from costspan.wire.http import Outgoing
from fakes.upstream import Answer, Cut, FakeUpstream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fakes.loops import Run

GET = Outgoing("GET", "/", [], b"")


def make_certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate for `name` with its key, in one file."""
    both = folder / f"{name.removeprefix('IP:').removeprefix('DNS:')}.pem"
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
        "-subj", "/CN=costspan test", "-addext", f"subjectAltName={name}", "-keyout", str(both), "-out", "-",
    ]  # fmt: skip
    made = subprocess.run(command, check=True, capture_output=True)
    both.write_bytes(both.read_bytes() + made.stdout)
    return both


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"), "IP:127.0.0.1")


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"), "DNS:other.example")


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate)


async def fetch(pool: Pool) -> bytes:
    response = await pool.request(GET, connect_timeout=5, headers_timeout=5)
    try:
        return await response.read(1 << 21, 5)
    finally:
        response.close()


async def failure(pool: Pool) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await fetch(pool)
    await pool.close()
    return caught.value


def test_a_trusted_certificate_is_accepted_and_the_connection_reused(run: Run, right: Path) -> None:
    async def scenario() -> tuple[list[bytes], int]:
        async with FakeUpstream(Answer(body=b"x" * 1_000_000), ssl_context=server_context(right)) as upstream:
            pool = Pool("https", "127.0.0.1", upstream.port, ssl_context=trusting(right))
            bodies = [await fetch(pool), await fetch(pool)]
            await pool.close()
            return bodies, upstream.connections

    assert run(scenario()) == ([b"x" * 1_000_000] * 2, 1)


def test_an_answer_closed_early_is_aborted_at_once(run: Run, right: Path) -> None:
    async def scenario() -> None:
        answer = Answer(body=[b"a", Cut.SILENCE], length=9)
        async with FakeUpstream(answer, ssl_context=server_context(right)) as upstream:
            pool = Pool("https", "127.0.0.1", upstream.port, ssl_context=trusting(right))
            response = await pool.request(GET, connect_timeout=5, headers_timeout=5)
            await response.chunk(5)
            response.close()
            async with asyncio.timeout(0.25):
                await upstream.requests[0].disconnected.wait()

    run(scenario())


def test_a_self_signed_certificate_is_refused(run: Run, right: Path) -> None:
    async def scenario() -> tuple[UpstreamError, int]:
        async with FakeUpstream(ssl_context=server_context(right)) as upstream:
            return await failure(Pool("https", "127.0.0.1", upstream.port)), len(upstream.requests)

    error, requests = run(scenario())

    assert (error.kind, error.category, error.reached) == ("upstream_tls", Category.CONNECT, False)
    assert str(error) == "certificate not accepted: self-signed certificate"
    assert requests == 0


def test_a_certificate_for_another_host_is_refused(run: Run, wrong: Path) -> None:
    async def scenario() -> UpstreamError:
        async with FakeUpstream(ssl_context=server_context(wrong)) as upstream:
            return await failure(Pool("https", "127.0.0.1", upstream.port, ssl_context=trusting(wrong)))

    error = run(scenario())

    assert (error.kind, error.reached) == ("upstream_tls", False)
    assert "mismatch" in str(error)


class Cutting(asyncio.Protocol):
    """Answers the first bytes of a handshake by closing, or a connection with plain HTTP."""

    def __init__(self, *, reset: bool = False, greeting: bytes = b"") -> None:
        self._reset = reset
        self._greeting = greeting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._greeting)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - asyncio's signature
        if self._reset:
            accepted = self._transport.get_extra_info("socket")
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        else:
            self._transport.close()


SERVERS: dict[str, Callable[[], Cutting]] = {
    "ends": Cutting,
    "resets": lambda: Cutting(reset=True),
    "speaks plain HTTP": lambda: Cutting(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n"),
}


@pytest.mark.parametrize("protocol", SERVERS.values(), ids=SERVERS.keys())
def test_a_broken_handshake_is_a_tls_error(run: Run, protocol: Callable[[], Cutting]) -> None:
    async def scenario() -> UpstreamError:
        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
        error = await failure(Pool("https", "127.0.0.1", server.sockets[0].getsockname()[1]))
        server.close()
        await server.wait_closed()
        return error

    error = run(scenario())

    assert (error.kind, error.category, error.reached) == ("upstream_tls", Category.CONNECT, False)


def test_the_shared_context_verifies_and_is_made_once() -> None:
    context = default_context()

    assert context is default_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
