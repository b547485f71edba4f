r"""aiohttp's server protocol with our manners: errors below the handlers are JSON, and nothing of the input is logged.

aiohttp's own answers to malformed requests are plain text that echoes input bytes, and its log lines hold them too:
`Authorization: Bearer <key>\x07` puts the key into both (measured with aiohttp 3.14.5).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from aiohttp import http_exceptions, web
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from costspan.dialects.types import ErrorAnswer
from costspan.server import errors, paths
from costspan.server.refusals import OTHER, Refusals
from costspan.server.stalls import StallGuard

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.streams import StreamReader


HEADER_SECONDS = 10.0
"""From the connection to the end of the first request's headers."""
KEEPALIVE_SECONDS = 75.0
LINGERING_SECONDS = 2.0
"""For which what still comes of a refused body is read, so that the client gets to see the answer."""
WRITE_STALL_SECONDS = 60.0
"""For which a client may leave unread what was written to it."""
CORS = web.RequestKey("CORS", dict[str, str])
"""Where a request keeps the headers by which the browser lets an allowed page read the answer, streamed or not."""
READ_BUFFER = 16 * 1024
"""aiohttp's default holds 1.25 MiB for each stream whose client does not read (reliability notes, fact 7)."""

_log = logging.getLogger(__name__)
_POST = b"POST /"
MAX_PATH = 512
"""So much of a path is looked at for the dialect of an error."""
_REASONS = (
    ("missing 'host'", 400, "missing_host", "the Host header is missing"),
    ("duplicate 'host'", 400, "duplicate_host", "there are two Host headers"),
    ("too many headers", 431, "headers_too_large", "there are too many headers"),
    ("http version", 400, "http_version", "only HTTP/1.1 is spoken here"),
    ("pause on pri", 400, "http_version", "only HTTP/1.1 is spoken here"),
    ("https traffic", 400, "tls_on_plain_port", "this port speaks HTTP without TLS"),
    ("transfer-encoding", 400, "bad_framing", "the message framing is not valid"),
    ("content-length", 400, "bad_framing", "the message framing is not valid"),
    ("bad status line", 400, "bad_request_line", "the request line is not valid HTTP/1.1"),
    ("header", 400, "bad_header", "a header is not valid"),
)
"""What aiohttp's and llhttp's reasons mean for the client; the first that is found in them, in lower case, holds."""


class Protocol(RequestHandler):
    """One client connection."""

    __slots__ = ("_first", "_guard", "_new_id", "_path", "refusals")

    def __init__(self, manager: Server, **arguments: Any) -> None:  # noqa: ANN401 - aiohttp's own arguments
        super().__init__(manager, **arguments)
        self._new_id = manager.new_id
        self.refusals = manager.refusals
        self._first: asyncio.TimerHandle | None = None
        self._guard: StallGuard | None = None
        self._path = b""

    @property
    def stalled(self) -> bool:
        """Whether the connection was ended because the client did not read."""
        return self._guard is not None and self._guard.stalled

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give a new connection only so long to send its first request."""
        super().connection_made(transport)
        if self.transport is not None:
            self._guard = StallGuard(self.transport, WRITE_STALL_SECONDS, self._written)
        self._first = self._loop.call_later(HEADER_SECONDS, self._too_slow)

    def _written(self) -> int:
        request = self._current_request
        return 0 if request is None else request.writer.output_size

    def pause_writing(self) -> None:
        """Begin to wait for a client that does not read as fast as we write."""
        super().pause_writing()
        if self._guard is not None:
            self._guard.pause()

    def resume_writing(self) -> None:
        """It has read."""
        if self._guard is not None:
            self._guard.resume()
        super().resume_writing()

    async def _drain_helper(self) -> None:
        """Wait until the client has read. aiohttp keeps the future of a wait that was cancelled for the next one."""
        if self._drain_waiter is not None and self._drain_waiter.cancelled():
            self._drain_waiter = None
        await super()._drain_helper()

    def data_received(self, data: bytes) -> None:
        """Note the path, for the dialect of an error; end a body whose framing breaks before it is whole."""
        if data.startswith(_POST):
            self._path = data[len(_POST) - 1 : len(_POST) + MAX_PATH].partition(b" ")[0].partition(b"?")[0]
        super().data_received(data)
        request = self._current_request
        if request is not None and self._messages and isinstance(self._messages[-1][0], _ErrInfo):
            content = request.content
            if not content.is_eof():  # aiohttp would let the handler wait for the rest
                content.set_exception(web.RequestPayloadError("bad framing"))
                content.feed_eof()

    def _too_slow(self) -> None:
        if self._request_count == 0:
            self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the timers."""
        if self._first is not None:
            self._first.cancel()
            self._first = None
        if self._guard is not None:
            self._guard.resume()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it echoes the input
    ) -> web.StreamResponse:
        """Answer what no handler saw: a malformed request, or a fault of ours."""
        self.close()
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        status, code, text = _explain(exc) if status < 500 else (500, "internal_error", "internal error")  # noqa: PLR2004
        request_id = self._new_id()
        if status >= 500:  # noqa: PLR2004 - our fault: the traceback holds code, not input
            _log.error("unhandled %s in %s", type(exc).__name__, request_id, exc_info=traceback_only(exc))
        else:
            self.refusals.note(status, code, OTHER, OTHER, request_id)
        answer = ErrorAnswer(status, code, text, request_id)
        headers = {"allow": "GET, POST"} if status == 405 else {}  # noqa: PLR2004 - method not allowed
        return errors.response(
            answer, paths.client_of(self._path.decode("latin-1")), {**headers, "connection": "close"}
        )

    def log_exception(self, *_args: Any, **kw: Any) -> None:  # noqa: ANN401 - aiohttp's signature
        """Say that something failed, not what was in it."""
        error = kw.get("exc_info")
        _log.error("connection failed: %s", type(error).__name__ if isinstance(error, BaseException) else "error")


def traceback_only(exc: BaseException | None) -> Any:  # noqa: ANN401 - logging's exc_info
    """The traceback without the message, which may hold anything."""
    return (RuntimeError, RuntimeError(type(exc).__name__), exc.__traceback__) if exc is not None else None


def _explain(exc: BaseException | None) -> tuple[int, str, str]:
    """Status, code and our own text for what aiohttp's parser refused."""
    if isinstance(exc, http_exceptions.LineTooLong):
        if isinstance(exc.args[0], bytearray):  # the C parser's buffer for the target; a header comes as bytes
            return 414, "uri_too_long", "the request line is too long"
        return 431, "headers_too_large", "a header is too large"
    if not isinstance(exc, http_exceptions.HttpProcessingError):
        return 400, "bad_framing", "the request is not valid HTTP/1.1"
    reason = exc.message.partition(":\n\n")[0].lower()  # the input follows
    for part, status, code, text in _REASONS:
        if part in reason:
            return status, code, text
    if isinstance(exc, http_exceptions.BadHttpMethod):
        return 405, "method_not_allowed", "the method is not known"
    if isinstance(exc, http_exceptions.InvalidURLError):
        return 400, "bad_request_line", "the request target is not valid"
    return 400, "bad_framing", "the request is not valid HTTP/1.1"


def protocol_of(request: web.BaseRequest) -> Protocol:
    """The connection of a request that our server got."""
    protocol = request.protocol
    assert isinstance(protocol, Protocol), "Server makes no other"  # noqa: S101 - see there
    return protocol


class Request(web.BaseRequest):
    """A request whose answer does not tell our versions, and carries the headers stored at `CORS`."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        response.headers["Server"] = "costspan"
        if cors := self.get(CORS):
            response.headers.update(cors)


class Server(web.Server):
    """Makes our protocol for each connection."""

    def __init__(
        self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], new_id: Callable[[], str]
    ) -> None:
        super().__init__(handler, handler_cancellation=True)
        self.new_id = new_id
        self.refusals = Refusals()

    def _make_request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> Request:
        return Request(message, payload, protocol, writer, task, self._loop)

    def __call__(self) -> Protocol:
        """One protocol, for one connection."""
        return Protocol(
            self,
            loop=self._loop,
            keepalive_timeout=KEEPALIVE_SECONDS,
            access_log=None,
            read_bufsize=READ_BUFFER,
            auto_decompress=False,
            lingering_time=LINGERING_SECONDS,
        )
