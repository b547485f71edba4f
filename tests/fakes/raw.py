"""A client of raw bytes: what no HTTP library would send, and what came back, whole."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

SECONDS = 10.0
"""After which a wait has failed."""


@dataclass(frozen=True)
class Reply:
    """One answer. Header names are in lower case; `raw` is every byte of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    raw: bytes


class Connection:
    """One connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    def half_close(self) -> None:
        self._writer.write_eof()

    async def reply(self) -> Reply:
        """The next answer. Raises `asyncio.IncompleteReadError` when the connection ends before it."""
        async with asyncio.timeout(SECONDS):
            head = await self._reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
            pairs = [line.partition(":") for line in lines]
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            status = int(first.split(" ")[1])
            body = await self._body(status, headers)
        return Reply(status, headers, body, head + body)

    async def _body(self, status: int, headers: Mapping[str, str]) -> bytes:
        if status < 200 or status == 204:
            return b""
        if headers.get("transfer-encoding") != "chunked":
            return await self._reader.readexactly(int(headers["content-length"]))
        chunks = b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            chunks += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)
        return chunks

    async def until(self, mark: bytes) -> bytes:
        """What comes until `mark`, with it."""
        async with asyncio.timeout(SECONDS):
            return await self._reader.readuntil(mark)

    async def rest(self) -> bytes:
        """What comes until the gateway closes the connection."""
        async with asyncio.timeout(SECONDS):
            try:
                return await self._reader.read()
            except ConnectionResetError:
                return b""


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """A connection to the server at `url`."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def post(body: bytes = b"", *, path: str = "/v1/chat/completions", headers: str = "", host: str = "127.0.0.1") -> bytes:
    """A well-formed POST of JSON. `headers` are whole lines, each with its end."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"{headers}Content-Length: {len(body)}\r\n\r\n"
    ).encode("latin-1") + body


async def send(url: str, data: bytes) -> Reply:
    """Send `data`; the answer. An answer that says so must close the connection."""
    async with connected(url) as connection:
        await connection.write(data)
        reply = await connection.reply()
        if reply.headers.get("connection") == "close":
            assert await connection.rest() == b"", "bytes after an answer that said it was the last"
        return reply
