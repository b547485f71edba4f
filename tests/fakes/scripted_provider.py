"""A provider without sockets, moved step by step: what it was asked, what it sends, and what of that was taken."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from costspan.transport import errors
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any

    from costspan.errors import UpstreamError
    from costspan.providers.account import Account
    from costspan.wire.http import Outgoing, Response


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the provider says it counted so far. `final`: and that is all."""

    input: int
    output: int
    final: bool = True


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of an answer, and what whoever has them knows."""

    data: bytes
    tokens: Tokens | None = None


class Asked:
    """One call as the provider sees it: it is the truth that the books are held against."""

    def __init__(self, account: Account, outgoing: Outgoing) -> None:
        self.account = account
        headers = dict(outgoing.headers)
        self.span_id = headers["traceparent"].split("-")[2]
        assert isinstance(outgoing.body, bytes)
        self.stream = ":stream" in outgoing.path or json.loads_object(outgoing.body).get("stream") is True
        self.sent = False
        """A byte of the request went out."""
        self.stale = False
        """It went out on a connection that had died before."""
        self.status: int | None = None
        """As the caller knows it."""
        self.closed = False
        """The caller let go of it."""
        self.told: Tokens | None = None
        """What the caller was told of the usage."""
        self.begun = self.ended = False
        """What the script has sent."""
        self.headers: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.pieces: deque[Piece | UpstreamError] = deque()
        self.news = asyncio.Event()

    @property
    def can_send(self) -> bool:
        return not self.closed and not self.ended

    @property
    def waits(self) -> bool:
        """For its headers."""
        return self.can_send and not self.headers.done()

    def answer(self, status: int = 200, *, body: bytes | None = None) -> None:
        """Send the headers."""
        kind = "text/event-stream" if self.stream and status < 400 else "application/json"
        self.headers.set_result(Answer(self, status, {"content-type": kind}))
        if body is not None:
            self.send(Piece(body))
            self.end()

    def fail(self, error: UpstreamError) -> None:
        """Break off, in the headers or the body."""
        if not self.headers.done():
            self.headers.set_exception(error)
        else:
            self.pieces.append(error)
            self.news.set()
        self.ended = True

    def send(self, *pieces: Piece) -> None:
        self.pieces.extend(pieces)
        self.news.set()

    def end(self) -> None:
        """The end of the body, wherever the answer is."""
        self.send(Piece(b""))
        self.ended = True


class Answer:
    """The answer as the engine sees it."""

    def __init__(self, asked: Asked, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        self.headers = headers
        self._asked = asked
        self._at_end = False

    async def chunk(self, idle_timeout: float) -> bytes:
        if self._at_end:
            return b""
        await self._wait(idle_timeout)
        piece = self._asked.pieces.popleft()
        if not isinstance(piece, Piece):
            raise piece
        if piece.tokens is not None:  # the last word counts, and an end stays one
            final = piece.tokens.final or (self._asked.told is not None and self._asked.told.final)
            self._asked.told = replace(piece.tokens, final=final)
        self._at_end = not piece.data
        return piece.data

    async def _wait(self, seconds: float) -> None:
        while not self._asked.pieces:
            self._asked.news.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._asked.news.wait()
            except TimeoutError:
                raise errors.idle_timeout() from None

    async def read(self, limit: int, idle_timeout: float, *, deadline: float | None = None) -> bytes:
        body = b""
        try:
            async with asyncio.timeout_at(deadline):
                while data := await self.chunk(idle_timeout):
                    body += data
        except TimeoutError:
            raise errors.deadline_exceeded() from None
        assert len(body) <= limit
        return body

    def close(self) -> None:
        self._asked.closed = True


@dataclass
class Provider:
    """All accounts' connections. `refusals` are what the next connections run into; `on_sent` sees first bytes."""

    on_sent: Callable[[Asked], None]
    calls: list[Asked] = field(default_factory=list)
    refusals: deque[UpstreamError] = field(default_factory=deque)

    def connect(self) -> None:
        if self.refusals:
            raise self.refusals.popleft()

    def of(self, account: Account) -> _Connector:
        return _Connector(self, account)


class _Connector:
    def __init__(self, provider: Provider, account: Account) -> None:
        self._provider = provider
        self._account = account

    async def request(
        self,
        outgoing: Outgoing,
        *,
        connect_timeout: float,
        headers_timeout: float,
        on_sending: Callable[[], None] | None = None,
        on_left: Callable[[Coroutine[Any, Any, Response]], bool] | None = None,
    ) -> Response:
        assert connect_timeout > 0
        asked = Asked(self._account, outgoing)
        self._provider.calls.append(asked)
        try:
            await asyncio.sleep(0)
            self._provider.connect()
            assert on_sending is not None
            on_sending()
            asked.sent = True
            self._provider.on_sent(asked)
        except BaseException:
            asked.closed = True
            raise
        return await self._answer(asked, headers_timeout, on_left)

    async def _answer(
        self,
        asked: Asked,
        headers_timeout: float,
        on_left: Callable[[Coroutine[Any, Any, Response]], bool] | None = None,
    ) -> Response:
        try:
            async with asyncio.timeout(headers_timeout):
                response = await asyncio.shield(asked.headers)
            asked.status = response.status
        except TimeoutError:
            asked.closed = True
            raise errors.headers_timeout() from None
        except BaseException as error:
            if on_left is not None and isinstance(error, asyncio.CancelledError):
                rest = self._answer(asked, headers_timeout)
                if on_left(rest):
                    raise
                rest.close()
            asked.closed = True
            raise
        return response

    async def close(self) -> None:
        """Nothing is open."""
