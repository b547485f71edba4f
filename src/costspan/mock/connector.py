"""The mock provider inside the process: no socket. Implements `costspan.wire.http.Connector` for `kind: mock`."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

from costspan.errors import Category, UpstreamError
from costspan.mock.answers import Request, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any

    from costspan.mock.answers import Answer
    from costspan.wire.http import Outgoing, Response, Upload


class MockResponse:
    """An answer from memory. Implements `costspan.wire.http.Response`."""

    def __init__(self, made: Answer, pace: float) -> None:
        self.status: int = made.status
        self.headers: Mapping[str, str] = dict(made.headers)
        self._chunks = list(reversed(made.chunks))
        self._pace = pace
        self._closed = False

    async def chunk(self, idle_timeout: float) -> bytes:
        """See the protocol."""
        if self._closed:
            raise RuntimeError("the response is closed")
        if not self._chunks:
            return b""
        await asyncio.sleep(min(self._pace, idle_timeout))  # 0 lets others run, as a socket would
        if self._pace > idle_timeout:
            raise UpstreamError("the answer fell silent", kind="idle_timeout", category=Category.TIMEOUT)
        return self._chunks.pop()

    async def read(self, limit: int, idle_timeout: float, *, deadline: float | None = None) -> bytes:
        """See the protocol."""
        body = b""
        while data := await self._chunk_by(deadline, idle_timeout):
            body += data
            if len(body) > limit:
                raise UpstreamError(
                    f"answer larger than {limit} bytes", kind="upstream_too_large", category=Category.SERVER_ERROR
                )
        return body

    async def _chunk_by(self, deadline: float | None, idle_timeout: float) -> bytes:
        left = math.inf if deadline is None else max(deadline - asyncio.get_running_loop().time(), 0.0)
        if self._chunks and min(self._pace, idle_timeout) > left:
            await asyncio.sleep(left)
            raise UpstreamError("the answer did not end in time", kind="deadline_exceeded", category=Category.TIMEOUT)
        return await self.chunk(idle_timeout)

    def close(self) -> None:
        """See the protocol."""
        self._closed = True


class MockConnector:
    """A provider account that needs no key. `pace` is in seconds between the chunks of a stream."""

    def __init__(self, *, pace: float = 0.0, clock: Callable[[], float] = time.time) -> None:
        self._pace = pace
        self._clock = clock

    async def request(
        self,
        outgoing: Outgoing,
        *,
        connect_timeout: float,  # noqa: ARG002 - there is nothing to connect to
        headers_timeout: float,
        on_sending: Callable[[], None] | None = None,
        on_left: Callable[[Coroutine[Any, Any, Response]], bool] | None = None,
    ) -> MockResponse:
        """See the protocol. Raises only `headers_timeout`, for a model that is named slow."""
        if on_sending is not None:
            on_sending()
        headers = {name.lower(): value for name, value in outgoing.headers}
        body = outgoing.body if isinstance(outgoing.body, bytes) else await _whole(outgoing.body)
        made = answer(Request(outgoing.method, outgoing.path, headers, body), now=int(self._clock()))
        try:
            return await self._wait(made, headers_timeout)
        except asyncio.CancelledError:
            rest = self._wait(made, headers_timeout)
            if on_left is None or not on_left(rest):
                rest.close()
            raise

    async def _wait(self, made: Answer, headers_timeout: float) -> MockResponse:
        await asyncio.sleep(min(made.delay, headers_timeout))
        if made.delay > headers_timeout:
            raise UpstreamError("no answer in time", kind="headers_timeout", category=Category.TIMEOUT)
        return MockResponse(made, self._pace)

    async def close(self) -> None:
        """See the protocol."""


async def _whole(body: Upload) -> bytes:
    pieces = []
    while piece := await body.chunk():
        pieces.append(piece)
    return b"".join(pieces)
