"""Comments on a silent stream, so that proxies between us and the client do not close it.

A timer, not a task: a stream that is never silent pays for one timer handle in ten seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from costspan.wire import sse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web


class Beat:
    """Writes a comment whenever nothing was written for `interval` seconds (0: never).

    `begin` sends the response's headers when the first comment is due before there is an answer. Whatever else is
    written to the response has to be whole events.
    """

    def __init__(self, interval: float, begin: Callable[[], Awaitable[web.StreamResponse]]) -> None:
        self._interval = interval
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._handle: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._response: web.StreamResponse | None = None
        self._given = False

    def start(self) -> None:
        """Begin to watch, if that has not begun."""
        if self._interval > 0 and self._handle is None:
            self._handle = self._loop.call_later(self._interval, self._tick)

    def touch(self) -> None:
        """Something was written."""
        self._last = self._loop.time()

    def stop(self) -> None:
        """Stop watching; a comment that is being written is given up."""
        if self._handle is not None:
            self._handle.cancel()
        if self._writing is not None and not self._writing.done():
            self._writing.cancel()
        self._interval = 0

    async def response(self) -> web.StreamResponse | None:
        """The response if its headers went out early, None if they are still to be sent (from now on by the caller)."""
        self._given = True
        if self._writing is not None and not self._writing.done():
            await self._writing
        return self._response

    def adopt(self, response: web.StreamResponse) -> None:
        """Write further comments to `response`."""
        self._response = response

    def _tick(self) -> None:
        due = self._last + self._interval - self._loop.time()
        if due <= 0:
            self._comment()
            due = self._interval
        self._handle = self._loop.call_later(due, self._tick)

    def _comment(self) -> None:
        if self._writing is None or self._writing.done():  # else the client is slow: it has its comment still to read
            self._writing = self._loop.create_task(self._write())  # awaited by `response`, cancelled by `stop`

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionError):  # the client has gone: its handler learns that by itself
            if self._response is None:
                if self._given:
                    return
                self._response = await self._begin()
            await self._response.write(sse.COMMENT)
            self.touch()
