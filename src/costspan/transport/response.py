"""An answer whose headers have come, over a pooled connection. Implements `costspan.wire.http.Response`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from costspan.errors import UpstreamError
from costspan.transport import errors
from costspan.transport.decode import Decoder
from costspan.transport.parser import read_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from aiohttp.http_parser import RawResponseMessage
    from aiohttp.streams import StreamReader

    from costspan.transport.connection import Connection

_CODINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}


class PooledResponse:
    """One answer. `release` is called once with the connection, when the answer is closed."""

    __slots__ = (
        "_connection",
        "_decoder",
        "_payload",
        "_pieces",
        "_release",
        "_taken",
        "_unreadable",
        "headers",
        "status",
    )

    def __init__(
        self, connection: Connection, message: RawResponseMessage, release: Callable[[Connection], None]
    ) -> None:
        """Raises `upstream_protocol_error` for headers that are not valid."""
        headers = read_headers(message)
        self._decoder: Decoder | None = None
        self._unreadable = False
        coding = headers.get("content-encoding", "identity").strip().lower()
        if coding not in {"identity", ""}:
            self._unreadable = coding not in _CODINGS
            if not self._unreadable:  # whoever copies the headers copies the decoded body with them
                self._decoder = Decoder(_CODINGS[coding])
                headers.pop("content-encoding")
                headers.pop("content-length", None)
        self.status: int = message.code
        self.headers: Mapping[str, str] = headers
        self._connection: Connection | None = connection
        self._payload: StreamReader | None = connection.payload
        self._pieces: list[bytes] = []
        self._taken = 0
        """Bytes of the body that were read: less than have come where some wait to be."""
        self._release = release

    def chunk(self, idle_timeout: float) -> Coroutine[None, None, bytes]:
        """See the protocol. A body in gzip or deflate is decoded; in any other coding it is a protocol error."""
        plain = self._decoder is None and not self._unreadable
        return self._bytes(idle_timeout) if plain else self._decoded(idle_timeout)

    async def _decoded(self, idle_timeout: float) -> bytes:
        decoder = self._decoder
        if decoder is None:
            if await self._bytes(idle_timeout):
                raise errors.protocol_error("content coding that was not asked for")
            return b""
        while not (data := decoder.take()):
            raw = await self._bytes(idle_timeout)
            if not raw:
                decoder.finish()
                return b""
            decoder.feed(raw)
        return data

    async def read(self, limit: int, idle_timeout: float, *, deadline: float | None = None) -> bytes:
        """See the protocol."""
        length = self.headers.get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            raise errors.too_large(limit)
        pieces = self._pieces
        total = sum(map(len, pieces))
        if self._is_here(deadline) and self._payload is not None:
            data = self._payload.read_nowait()
            self._taken += len(data)
            pieces.append(data)
            total += len(data)
        else:
            while data := await self._chunk_by(deadline, idle_timeout):
                total += len(data)
                if total > limit:
                    raise errors.too_large(limit)
                pieces.append(data)
        if total > limit:
            raise errors.too_large(limit)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _is_here(self, deadline: float | None) -> bool:
        """Whether all of the body has come, in time, and needs no decoding: then there is nothing to wait for."""
        payload = self._payload
        return (
            payload is not None
            and payload.is_eof()
            and self._decoder is None
            and not self._unreadable
            and (deadline is None or asyncio.get_running_loop().time() < deadline)
        )

    async def _chunk_by(self, deadline: float | None, idle_timeout: float) -> bytes:
        """As `chunk`, at most until `deadline`."""
        left = idle_timeout if deadline is None else deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise errors.deadline_exceeded()
        try:
            return await self.chunk(min(idle_timeout, left))
        except UpstreamError as error:
            if left < idle_timeout and error.kind == "idle_timeout":
                raise errors.deadline_exceeded() from None
            raise

    def close(self) -> None:
        """See the protocol. A second call does nothing."""
        connection, self._connection, self._payload = self._connection, None, None
        if connection is not None:
            self._release(connection)

    async def _bytes(self, idle_timeout: float) -> bytes:
        """What has come of the body, as it came; waits when that is nothing."""
        connection, payload = self._connection, self._payload
        if connection is None or payload is None:
            raise RuntimeError("the response is closed")
        while payload.total_bytes == self._taken:
            if payload.is_eof():
                return b""
            if connection.error is not None:
                raise connection.error
            try:
                await connection.wait_until(connection.after(idle_timeout))
            except TimeoutError:
                raise errors.idle_timeout() from None
        data = payload.read_nowait()
        self._taken += len(data)
        return data
