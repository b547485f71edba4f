"""Connections to one provider account. Implements `costspan.wire.http.Connector`.

The most recently used idle connection is taken first, so that surplus ones grow old and are closed. Redirects are not
followed: what an upstream says about another address stays an answer like any other.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from aiohappyeyeballs import start_connection

from costspan.errors import UpstreamError
from costspan.transport.connection import Connection
from costspan.transport.errors import connect_failed
from costspan.transport.head import encode_head, host_field
from costspan.transport.resolve import Resolver
from costspan.transport.response import PooledResponse
from costspan.transport.tls import default_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine
    from typing import Any

    from costspan.wire.http import Outgoing, Response

ADDRESS_DELAY = 0.25
"""Seconds before the next address family is tried beside the first (RFC 8305, section 5)."""
CLOSE_WAIT = 1.0
WRITE_TIMEOUT = 60.0
"""Seconds for which an upstream may take nothing of a body that is streamed to it."""


class Pool:
    """A pool of connections to `scheme://host:port`. Use it from one event loop.

    `max_connections` bounds the exchanges under way; further ones wait, as part of their connect timeout.
    None, the default, is no bound: limits on concurrency are the router's.
    """

    def __init__(  # noqa: PLR0913 - keyword-only settings
        self,
        scheme: str,
        host: str,
        port: int,
        *,
        ssl_context: ssl.SSLContext | None = None,
        max_idle: int = 100,
        idle_timeout: float = 30.0,
        max_connections: int | None = None,
    ) -> None:
        if scheme not in {"http", "https"}:
            raise ValueError("the scheme of an upstream is http or https")
        self._host = host
        self._port = port
        self._resolver = Resolver(host, port)
        self._tls = scheme == "https"
        self._ssl_context = ssl_context
        self._host_field = host_field(scheme, host, port)
        self._max_idle = max_idle
        self._idle_timeout = idle_timeout
        self._idle: list[tuple[Connection, float]] = []  # oldest first; the float is the loop's time of release
        self._slots = None if max_connections is None else asyncio.Semaphore(max_connections)
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def idle(self) -> int:
        """How many connections wait for a request."""
        return len(self._idle)

    async def request(
        self,
        outgoing: Outgoing,
        *,
        connect_timeout: float,
        headers_timeout: float,
        on_sending: Callable[[], None] | None = None,
        on_left: Callable[[Coroutine[Any, Any, Response]], bool] | None = None,
    ) -> PooledResponse:
        """See the protocol. Also raises `invalid_request_head` (not reached).

        When a connection turns out stale, so may be all that are idle: they are closed, and a repeat gets a new one.
        """
        head = encode_head(outgoing, self._host_field)
        connection = await self._acquire(connect_timeout)
        try:
            if on_sending is not None:
                on_sending()
            body = outgoing.body
            connection.send(head, body if isinstance(body, bytes) else b"", has_body=outgoing.method != "HEAD")
            if not isinstance(body, bytes):
                await connection.upload(body, WRITE_TIMEOUT)
        except BaseException as error:
            self._drop(connection, error)
            raise
        return await self._answer(connection, connection.after(headers_timeout), on_left)

    async def _answer(
        self,
        connection: Connection,
        deadline: float,
        on_left: Callable[[Coroutine[Any, Any, Response]], bool] | None = None,
    ) -> PooledResponse:
        """Wait for the headers, up to a time of the loop's clock."""
        try:
            message = await connection.headers(deadline)
            return PooledResponse(connection, message, self._release)
        except BaseException as error:
            if on_left is not None and isinstance(error, asyncio.CancelledError):
                rest = self._answer(connection, deadline)
                if on_left(rest):
                    raise
                rest.close()
            self._drop(connection, error)
            raise

    def _drop(self, connection: Connection, error: BaseException) -> None:
        """The exchange has failed: its connection is of no more use."""
        connection.forget()
        connection.abort()
        self._free_slot()
        if isinstance(error, UpstreamError) and error.stale:
            self._flush()

    async def close(self) -> None:
        """See the protocol. A later request gets a connection of its own that is closed after it."""
        self._closed = True
        idle = self._flush()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WAIT):
                for connection in idle:
                    await connection.lost()

    def _flush(self) -> list[Connection]:
        """Close the idle connections; those that are being closed."""
        idle, self._idle = [connection for connection, _ in self._idle], []
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connection in idle:
            connection.abort()
        return idle

    async def _acquire(self, timeout: float) -> Connection:
        """An idle connection or a new one. Raises `UpstreamError`, not reached."""
        if self._slots is None:
            return self._take_idle() or await self._connect(timeout)
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            async with asyncio.timeout(timeout):
                await self._slots.acquire()
        except TimeoutError as error:
            raise connect_failed(error, tls=False) from None
        try:
            return self._take_idle() or await self._connect(deadline - asyncio.get_running_loop().time())
        except BaseException:
            self._slots.release()
            raise

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection, _ = self._idle.pop()
            if connection.usable:
                return connection
        return None

    async def _connect(self, timeout: float) -> Connection:
        """Resolve, connect and shake hands, all within `timeout` seconds."""
        loop = asyncio.get_running_loop()
        handshaking = False
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolver.addresses()
                connected = await start_connection(addresses, happy_eyeballs_delay=ADDRESS_DELAY)
                handshaking = self._tls
                _, connection = await loop.create_connection(
                    lambda: Connection(loop, self._forget),
                    sock=connected,
                    ssl=(self._ssl_context or default_context()) if self._tls else None,
                    server_hostname=self._host if self._tls else None,
                )
        except (OSError, UnicodeError) as error:
            raise connect_failed(error, tls=handshaking) from None
        return connection

    def _release(self, connection: Connection) -> None:
        """An answer was closed: keep its connection if another request may follow, else abort it."""
        self._free_slot()
        keep = connection.reusable and not self._closed and len(self._idle) < self._max_idle
        connection.forget()
        if not keep:
            connection.abort()
            return
        loop = asyncio.get_running_loop()
        self._idle.append((connection, loop.time()))
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._idle_timeout, self._sweep)

    def _sweep(self) -> None:
        """Close what has been idle for too long; come back when the next is due."""
        loop = asyncio.get_running_loop()
        self._sweeper = None
        now = loop.time()
        due = [connection for connection, since in self._idle if since + self._idle_timeout <= now]
        del self._idle[: len(due)]
        for connection in due:
            connection.abort()
        if self._idle:
            self._sweeper = loop.call_at(self._idle[0][1] + self._idle_timeout, self._sweep)

    def _forget(self, connection: Connection) -> None:
        """A connection was closed, by either side."""
        self._idle = [entry for entry in self._idle if entry[0] is not connection]

    def _free_slot(self) -> None:
        if self._slots is not None:
            self._slots.release()
