"""A scripted HTTP/1.1 upstream on 127.0.0.1: raw sockets, every byte and every cut under the test's control.

    async with FakeUpstream([Answer(body=b"{}"), Answer(status=429)]) as upstream:
        ... talk to upstream.url ...
        assert upstream.requests[0].path == "/v1/chat/completions"

Answers are one `Answer` for every request, a list (one each, in order; a request beyond it gets a 599), or a callable
(asked when the headers are here, with `reads` when the body is too).
A body is bytes or steps: bytes are written, an `asyncio.Event` is waited for, a `Cut` ends the connection. Nothing
sleeps: a test steps a stream by setting events, and learns what happened by `await upstream.received(n)`,
`request.disconnected.wait()`.
"""

from __future__ import annotations

import asyncio
import enum
import socket
import struct
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self, cast

if TYPE_CHECKING:
    import ssl


class Cut(enum.Enum):
    """Ways for an answer to stop early."""

    RESET = enum.auto()
    """Close with RST (SO_LINGER 0)."""
    FIN = enum.auto()
    """Close politely, whatever was promised."""
    SILENCE = enum.auto()
    """Send nothing more and keep the connection, until the peer or the test closes it."""


Step = bytes | asyncio.Event | Cut
Header = tuple[str, str]


@dataclass(slots=True)
class Request:
    """What came in. `headers` are as sent: order, case and repetition kept."""

    method: str
    path: str
    headers: list[Header]
    connection: int
    """Which connection, counted from 0."""
    time: float
    """`time.monotonic()` when the headers were complete."""
    body: bytes = b""
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the whole body is here."""
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the peer closed the connection before the answer was finished."""
    disconnected_at: float | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the answer's script has run to its end."""

    def header(self, name: str) -> str | None:
        """The first value of `name`, in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """One scripted answer."""

    status: int = 200
    headers: Sequence[Header] = (("content-type", "application/json"),)
    body: bytes | Iterable[Step] = b""
    framing: Literal["length", "chunked", "close"] = "length"
    length: int | None = None
    """Announce this Content-Length instead of the true one."""
    before: Sequence[Step] = ()
    """Steps before the status line: gates, interim (1xx) answers as bytes, cuts."""
    raw: bool = False
    """`body` is all there is: no status line, no headers, no framing."""
    early: bool = False
    """Answer when the headers have come, without waiting for the request's body."""
    close: bool = False
    """Close the connection after the answer, without announcing it."""


Script = Answer | Sequence[Answer] | Callable[[Request], Answer]


class FakeUpstream:
    """The server. Use it as an async context manager."""

    def __init__(
        self, answers: Script = Answer(), *, ssl_context: ssl.SSLContext | None = None, reads: bool = False
    ) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        """How many were ever accepted."""
        self.unexpected: list[Request] = []
        """Requests for which the list of answers had none."""
        self.reads = reads
        """Whether the script wants to see the whole request."""
        self._answers = answers
        self._ssl_context = ssl_context
        self._open: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", 0, ssl=self._ssl_context, backlog=1024
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in list(self._open):
            connection.stop()
        await self.connections_open(0)
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def port(self) -> int:
        assert self._server is not None
        return cast("int", self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._ssl_context else 'http'}://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        return len(self._open)

    async def received(self, count: int) -> Request:
        """Wait until `count` requests have come; the newest of them."""
        while len(self.requests) < count:
            await self._changed.wait()
        return self.requests[count - 1]

    async def connections_open(self, count: int) -> None:
        """Wait until exactly `count` connections are open."""
        while len(self._open) != count:
            await self._changed.wait()

    def close_connections(self, cut: Cut = Cut.FIN) -> None:
        """Close every open connection from this side, as an upstream does to idle ones."""
        for connection in list(self._open):
            connection.cut(cut)

    def answer_to(self, request: Request) -> Answer:
        if isinstance(self._answers, Answer):
            return self._answers
        if callable(self._answers):
            return self._answers(request)
        index = len(self.requests) - 1
        if index < len(self._answers):
            return self._answers[index]
        self.unexpected.append(request)
        return Answer(status=599, body=b"the script has no answer for this request")

    def note_change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def opened(self, connection: _Connection) -> int:
        self._open.add(connection)
        self.connections += 1
        self.note_change()
        return self.connections - 1

    def run(self, serving: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(serving)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def closed(self, connection: _Connection) -> None:
        self._open.discard(connection)
        self.note_change()


class _Connection(asyncio.Protocol):
    """One accepted connection: a buffer that `data_received` fills and a task that works through it."""

    def __init__(self, upstream: FakeUpstream) -> None:
        self._upstream = upstream
        self._buffer = bytearray()
        self._news = asyncio.Event()  # bytes came, or the peer went
        self._writable = asyncio.Event()
        self._writable.set()
        self._gone = asyncio.Event()  # the peer closed, or we did
        self._current: Request | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._index = self._upstream.opened(self)
        self._task = self._upstream.run(self._serve())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._news.set()

    def eof_received(self) -> bool:
        self._peer_left()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._peer_left()
        self._writable.set()
        self._upstream.closed(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def cut(self, cut: Cut) -> None:
        if cut is Cut.RESET:
            accepted = self._transport.get_extra_info("socket")
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        elif cut is Cut.FIN:
            self._transport.close()

    def stop(self) -> None:
        self._transport.abort()
        self._task.cancel()

    def _peer_left(self) -> None:
        self._gone.set()
        self._news.set()
        if self._current is not None and not self._current.answered.is_set():
            self._current.disconnected_at = self._current.disconnected_at or time.monotonic()
            self._current.disconnected.set()

    async def _serve(self) -> None:
        try:
            while (request := await self._read_head()) is not None:
                self._current = request
                await self._exchange(request)
                self._current = None
        finally:
            self._transport.close()

    async def _exchange(self, request: Request) -> None:
        self._upstream.requests.append(request)
        if self._upstream.reads and not await self._read_body(request):
            return
        answer = self._upstream.answer_to(request)
        if not answer.early and not request.complete.is_set() and not await self._read_body(request):
            return
        self._upstream.note_change()
        finished = await self._send(answer)
        request.answered.set()
        if not finished or answer.close or answer.framing == "close":
            self._transport.close()
        elif not request.complete.is_set():
            await self._read_body(request)

    async def _more(self) -> bool:
        """Wait for bytes; False when the peer has gone."""
        self._news.clear()
        if not self._gone.is_set():
            await self._news.wait()
        return not self._gone.is_set()

    async def _read_until(self, mark: bytes) -> bytes | None:
        while (end := self._buffer.find(mark)) < 0:
            if not await self._more():
                return None
        found = bytes(self._buffer[:end])
        del self._buffer[: end + len(mark)]
        return found

    async def _read_exactly(self, count: int) -> bytes | None:
        while len(self._buffer) < count:
            if not await self._more():
                return None
        found = bytes(self._buffer[:count])
        del self._buffer[:count]
        return found

    async def _read_head(self) -> Request | None:
        head = await self._read_until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        pairs = [line.partition(":") for line in lines]
        headers = [(name, value.strip()) for name, _, value in pairs]
        return Request(method, path, headers, self._index, time.monotonic())

    async def _read_body(self, request: Request) -> bool:
        if request.header("transfer-encoding") == "chunked":
            body = await self._read_chunked()
        else:
            body = await self._read_exactly(int(request.header("content-length") or 0))
        if body is None:
            self._buffer.clear()  # what is left is a part of it, and no next request
            return False
        request.body = body
        request.complete.set()
        return True

    async def _read_chunked(self) -> bytes | None:
        body = bytearray()
        while (size := await self._read_until(b"\r\n")) is not None:
            chunk = await self._read_exactly(int(size, 16) + 2)
            if chunk is None:
                return None
            if len(chunk) == 2:
                return bytes(body)
            body += chunk[:-2]
        return None

    async def _send(self, answer: Answer) -> bool:
        """Play the script; False when it ended the connection."""
        for step in answer.before:
            if not await self._play(step):
                return False
        steps: Iterable[Step] = [answer.body] if isinstance(answer.body, bytes) else answer.body
        if answer.raw:
            framing: str = "close"
        else:
            framing = answer.framing
            if framing == "length":
                steps = list(steps)
            self._write(_head(answer, steps))
        for step in steps:
            framed = b"%x\r\n%s\r\n" % (len(step), step) if framing == "chunked" and isinstance(step, bytes) else step
            if not await self._play(framed):
                return False
        if framing == "chunked":
            self._write(b"0\r\n\r\n")
        return True

    def _write(self, data: bytes) -> None:
        if not self._gone.is_set():  # uvloop raises
            self._transport.write(data)

    async def _play(self, step: Step) -> bool:
        if isinstance(step, asyncio.Event):
            await self._until(step)
        elif isinstance(step, bytes):
            await self._writable.wait()
            self._write(step)
        elif step is Cut.SILENCE:
            await self._gone.wait()
            return False
        else:
            self.cut(step)
            return False
        return not self._gone.is_set()

    async def _until(self, gate: asyncio.Event) -> None:
        """Wait for the gate, or for the peer to leave."""
        async with asyncio.TaskGroup() as group:
            waits = [group.create_task(gate.wait()), group.create_task(self._gone.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()


def _head(answer: Answer, steps: Iterable[Step]) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} Scripted", *(f"{name}: {value}" for name, value in answer.headers)]
    if answer.framing == "chunked":
        lines.append("transfer-encoding: chunked")
    elif answer.framing == "length":
        total = sum(len(step) for step in steps if isinstance(step, bytes))
        lines.append(f"content-length: {total if answer.length is None else answer.length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
