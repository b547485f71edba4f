"""One connection to an upstream: an `asyncio.Protocol` that sends a request and parses the answer.

    idle ── send ──> waiting for headers ── headers ──> body ── its end ──> idle
                            └──────────── error ──────────┘──> aborted

At most one task waits on a connection, on one future: bytes, the end, or the timer wake it and it looks what there is.
The timer is armed once and moves itself on (asyncio.timeout for each chunk would cost as much as the rest of it).
"""

from __future__ import annotations

import asyncio
import math
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from aiohttp.http_exceptions import HttpProcessingError

from costspan.transport import errors
from costspan.transport.parser import new_parser

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.http_parser import RawResponseMessage
    from aiohttp.streams import StreamReader

    from costspan.errors import UpstreamError
    from costspan.transport.parser import AnswerParser
    from costspan.wire.http import Upload

MAX_INTERIM = 10
"""1xx answers that are skipped before one request's answer."""
WRITE_SIZE = 128 * 1024
"""A body up to this goes out with the head in one write; a longer one in pieces as the socket takes them."""
CLOCK_STEP = 0.002
"""Loops round their clocks to milliseconds: a timer this early is on time."""

_FIRST_FINAL_STATUS = 200


class Connection(asyncio.Protocol):
    """Mutable state of one socket. `on_lost` is called once, when it is closed."""

    __slots__ = (
        "_began",
        "_deadline",
        "_end_pending",
        "_extra",
        "_interim",
        "_loop",
        "_lost",
        "_on_lost",
        "_parser",
        "_parser_paused",
        "_reading_paused",
        "_timer",
        "_timer_at",
        "_transport",
        "_unsent",
        "_uploading",
        "_used",
        "_waiter",
        "_writable",
        "_writing_paused",
        "connected",
        "error",
        "message",
        "payload",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, on_lost: Callable[[Connection], None]) -> None:
        self.connected = False
        self.error: UpstreamError | None = None
        """Why the current exchange failed. What came before it is still in `payload`."""
        self.message: RawResponseMessage | None = None
        self.payload: StreamReader | None = None
        self._loop = loop
        self._on_lost = on_lost
        self._lost: asyncio.Future[None] = loop.create_future()
        self._parser: AnswerParser | None = None  # only while an answer is expected
        self._parser_paused = False  # ever, in this exchange: see _parse
        self._used = self._began = self._extra = False
        self._interim = 0
        self._reading_paused = False
        self._end_pending: tuple[Exception | None] | None = None
        self._unsent: memoryview | None = None
        self._writing_paused = False
        self._writable: asyncio.Future[None] | None = None
        self._uploading = False
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    # What the pool and the response call

    @property
    def usable(self) -> bool:
        """Whether a request can be sent."""
        return self.connected and self._parser is None and not self._extra and not self._transport.is_closing()

    @property
    def reusable(self) -> bool:
        """Whether the last exchange ended so cleanly that another one may follow."""
        return (
            self.usable
            and self.error is None
            and self.message is not None
            and not self.message.should_close
            and self._unsent is None
            and not self._uploading
        )

    def send(self, head: bytes, body: bytes, *, has_body: bool = True) -> None:
        """Begin an exchange. `has_body` is false where the answer has none whatever its headers say (HEAD).

        Raises `upstream_reset` when the peer has closed meanwhile.
        """
        if not self.usable:
            raise errors.reset_before_answer(stale=self._used)
        self._parser = new_parser(self, self._loop, has_body=has_body)
        self.message = self.payload = None
        self._began = self._parser_paused = False
        self._interim = 0
        if len(body) <= WRITE_SIZE:
            self._transport.write(head + body)
            return
        view = memoryview(body)
        self._transport.write(b"".join((head, view[:WRITE_SIZE])))
        self._unsent = view[WRITE_SIZE:]
        self._write_more()

    async def upload(self, body: Upload, timeout: float) -> None:
        """Send `body` as it comes, as fast as the socket takes it. An answer or an error ends it early.

        Raises what `body` raises, and `upstream_write_timeout` when the socket takes nothing for `timeout` seconds.
        """
        self._uploading = True
        sending = self._loop.create_task(self._send_all(body, timeout))  # ended below, whatever happens
        sending.add_done_callback(lambda _: self._wake())
        try:
            while not sending.done() and self.message is None and self.error is None:
                await self.wait_until(math.inf)  # a client that pauses must not keep an answer from being seen
        finally:
            sending.cancel()
            await asyncio.wait((sending,))
            failure = None if sending.cancelled() else sending.exception()
        if failure is not None and self.message is None:
            raise failure

    async def _send_all(self, body: Upload, timeout: float) -> None:
        left = body.length
        while not self._transport.is_closing():
            data = await body.chunk()
            if left is not None:
                left -= len(data)
                if left < 0 or (left and not data):  # or what follows on the connection would be read as its body
                    raise RuntimeError("a body is not as long as was announced")
            if not data:
                if left is None:
                    self._transport.write(b"0\r\n\r\n")
                self._uploading = False
                return
            self._transport.write(b"%x\r\n%s\r\n" % (len(data), data) if left is None else data)
            await self._drained(timeout)

    async def _drained(self, timeout: float) -> None:
        if not self._writing_paused or not self.connected:
            return
        self._writable = self._loop.create_future()
        try:
            async with asyncio.timeout(timeout):
                await self._writable
        except TimeoutError:
            raise errors.write_timeout() from None
        finally:
            self._writable = None

    async def headers(self, deadline: float) -> RawResponseMessage:
        """Wait for the answer's headers, up to a time of the loop's clock. Raises `UpstreamError`."""
        while self.message is None:
            if self.error is not None:
                raise self.error
            try:
                await self.wait_until(deadline)
            except TimeoutError:
                raise errors.headers_timeout() from None
        self._used = True
        return self.message

    def after(self, seconds: float) -> float:
        """The time of the loop's clock in so many seconds."""
        return self._loop.time() + seconds

    async def wait_until(self, deadline: float) -> None:
        """Wait until something happens. Raises `TimeoutError` at `deadline`, a time of the loop's clock, without."""
        self._deadline = deadline
        if self._timer is None or self._timer_at > deadline:
            self._arm(deadline)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        if self.connected:
            self._transport.abort()

    def forget(self) -> None:
        """Drop what the last exchange left: it refers back here, and would keep this alive until a collection."""
        self.message = self.payload = self.error = None

    async def lost(self) -> None:
        """Wait until the socket is closed."""
        await asyncio.shield(self._lost)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: connected, TLS included."""
        self._transport = cast("asyncio.Transport", transport)
        self.connected = True
        connected = transport.get_extra_info("socket")
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # loops do so only for sockets of their own
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # long thinking looks idle to a NAT

    def data_received(self, data: bytes) -> None:
        """Asyncio: bytes came. `b""` comes from `resume_reading`, to parse what was kept back."""
        parser = self._parser
        if parser is None:
            if data:  # nobody asked: whatever follows could be taken for the next answer
                self._extra = True
                self.abort()
            return
        self._began = True
        try:
            messages = self._parse(parser, data)
        except HttpProcessingError:  # its message quotes the upstream
            self._fail(errors.protocol_error("malformed status line, header or chunk"))
            return
        for message, payload in messages:
            self._take(message, payload)
            if self.error is not None:
                return
        if self.payload is not None and self.payload.is_eof():
            self._finish(parser)
        self._wake()

    def eof_received(self) -> bool:
        """Asyncio: the peer has sent all it will."""
        self._end(None)
        if self._unsent is not None or self._uploading:
            self.abort()  # close() would go on sending to a peer that has finished
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio: the socket is closed; `exc` for a reset, None for an orderly end or our own abort."""
        self.connected = False
        self._unsent = None
        self._go_on_writing()
        self._end(exc)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._lost.done():
            self._lost.set_result(None)
        self._on_lost(self)

    def pause_writing(self) -> None:
        """Asyncio: the socket takes no more for now."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """Asyncio: it does again."""
        self._writing_paused = False
        self._go_on_writing()
        self._write_more()

    def _go_on_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    # What the answer's body calls

    def pause_reading(self) -> None:
        """aiohttp: the body holds enough."""
        self._reading_paused = True
        if self._parser is not None:
            self._parser_paused = True
            self._parser.pause_reading()
        if self.connected:
            self._transport.pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - aiohttp's signature
        """aiohttp: the body was read."""
        if not self._reading_paused:
            return
        self._reading_paused = False
        if resume_parser:
            self.data_received(b"")
        if self._reading_paused:  # again: it is set by what data_received parsed
            return
        if self.connected:
            self._transport.resume_reading()
        if self._end_pending is not None:
            (exc,), self._end_pending = self._end_pending, None
            self._end(exc)

    # Inside

    def _parse(self, parser: AnswerParser, data: bytes) -> list[tuple[RawResponseMessage, StreamReader]]:
        """Parse `data` to its end, or to where reading is paused. Raises `HttpProcessingError`.

        aiohttp's parser stops at the first piece of body after `pause_reading`, and cannot be told otherwise (3.14.5).
        Many small chunks pause it at the end of one: if they are read before that piece comes, nobody lets it go on.
        """
        messages, _, _ = parser.feed_data(data)
        if self._parser_paused and not self._reading_paused:
            messages = [*messages, *parser.feed_data(b"")[0]]
        return messages

    def _take(self, message: RawResponseMessage, payload: StreamReader) -> None:
        """One message's headers are complete."""
        if self.message is not None:
            self._extra = True
        elif message.code >= _FIRST_FINAL_STATUS:
            self.message, self.payload = message, payload
        else:
            self._interim += 1
            if message.upgrade or message.code == HTTPStatus.SWITCHING_PROTOCOLS or self._interim > MAX_INTERIM:
                self._fail(errors.protocol_error("unexpected or too many interim answers"))

    def _finish(self, parser: AnswerParser) -> None:
        """The answer is here to its last byte."""
        self._parser = None
        try:
            self._extra = self._extra or parser.feed_eof() is not None
        except HttpProcessingError:
            self._extra = True

    def _end(self, exc: Exception | None) -> None:
        """Nothing more will come. The length of the body decides whether that was its end."""
        parser = self._parser
        if parser is None:
            return
        if self._reading_paused:  # bytes that came before the end are still to be parsed
            self._end_pending = (exc,)
            return
        self._parser = None
        if self.message is None:
            self.error = errors.reset_before_answer(stale=self._used and not self._began)
        elif exc is not None:
            self.error = errors.reset_inside_answer()
        else:
            try:
                parser.feed_eof()
            except HttpProcessingError:
                self.error = errors.reset_inside_answer()
        self._wake()

    def _fail(self, error: UpstreamError) -> None:
        self._parser = None
        self.error = error
        self.abort()
        self._wake()

    def _write_more(self) -> None:
        """Write the rest of the body as long as the socket takes it."""
        while self._unsent is not None and not self._writing_paused and not self._transport.is_closing():
            piece, rest = self._unsent[:WRITE_SIZE], self._unsent[WRITE_SIZE:]
            self._unsent = rest if len(rest) else None
            self._transport.write(piece)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _arm(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        """The deadline that was the first when the timer was armed has come; a later one may hold now."""
        self._timer = None
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if self._deadline - self._loop.time() > CLOCK_STEP:
            self._arm(self._deadline)
        else:
            waiter.set_exception(TimeoutError())
