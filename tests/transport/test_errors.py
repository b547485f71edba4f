"""transport.errors: connections that never came about, on both event loops, each named and none of them paid for."""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING

import pytest

from costspan.errors import Category, UpstreamError
from costspan.transport.errors import connect_failed
from costspan.transport.pool import Pool
from costspan.wire.http import Outgoing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fakes.loops import Run


@pytest.fixture
def full() -> Iterator[int]:
    """The port of a listener whose queue is full: a SYN to it is not answered."""
    with socket.socket() as listening, socket.socket() as first, socket.socket() as second:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        yield port


async def failure(pool: Pool, connect_timeout: float = 5) -> UpstreamError:
    outgoing = Outgoing("GET", "/", [], b"")
    with pytest.raises(UpstreamError) as caught:
        await pool.request(outgoing, connect_timeout=connect_timeout, headers_timeout=5)
    await pool.close()
    return caught.value


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


def test_a_refused_connection_is_a_connect_error(run: Run) -> None:
    error = run(failure(Pool("http", "127.0.0.1", closed_port())))

    assert (error.kind, error.category, error.reached) == ("connect_error", Category.CONNECT, False)
    assert str(error) == "connection refused"


def test_an_unknown_name_is_a_dns_error(run: Run) -> None:
    error = run(failure(Pool("http", "nowhere.invalid", 80)))

    assert (error.kind, error.category, error.reached) == ("dns_error", Category.CONNECT, False)


def test_an_impossible_name_is_a_dns_error(run: Run) -> None:
    error = run(failure(Pool("http", "a" * 64 + ".invalid", 80)))

    assert error.kind == "dns_error"


def test_no_answer_to_a_connection_is_a_timeout(run: Run, full: int) -> None:
    started = time.monotonic()
    error = run(failure(Pool("http", "127.0.0.1", full), 0.1))

    assert (error.kind, error.category, error.reached) == ("connect_timeout", Category.CONNECT, False)
    assert time.monotonic() - started < 1


RAISED: dict[str, tuple[Exception, bool, str]] = {
    "unreachable": (OSError(101, "secret"), False, "connect_error"),
    "several addresses": (OSError("Multiple exceptions: secret"), False, "connect_error"),
    "the operating system's timeout": (TimeoutError(110, "secret"), False, "connect_timeout"),
    "reset": (ConnectionResetError(104, "secret"), False, "connect_error"),
    "reset in a handshake": (ConnectionResetError(104, "secret"), True, "upstream_tls"),
    "aborted in a handshake": (ConnectionAbortedError("secret"), True, "upstream_tls"),
    "refused": (ConnectionRefusedError(111, "secret"), False, "connect_error"),
    "broken in a handshake": (OSError(5, "secret"), True, "upstream_tls"),
    "timeout of a handshake": (TimeoutError(), True, "connect_timeout"),
    "TLS": (ssl.SSLError(1, "secret"), True, "upstream_tls"),
    "a name": (socket.gaierror(-2, "secret"), False, "dns_error"),
    "not a name": (UnicodeError("secret"), False, "dns_error"),
}


@pytest.mark.parametrize(("raised", "tls", "kind"), RAISED.values(), ids=RAISED.keys())
def test_each_failure_to_connect_has_a_name(raised: Exception, tls: bool, kind: str) -> None:
    error = connect_failed(raised, tls=tls)

    assert (error.kind, error.category, error.reached) == (kind, Category.CONNECT, False)
    assert "secret" not in str(error)


def test_a_scheme_is_http_or_https() -> None:
    with pytest.raises(ValueError, match="http or https"):
        Pool("ftp", "127.0.0.1", 21)
