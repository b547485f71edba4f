"""Ends connections whose clients do not read, whoever writes to them: aiohttp waits for ever, even to close them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class StallGuard:
    """Watches one connection's transport while it holds bytes that the kernel does not take.

    The transport's limit is set to 0, so that its protocol is told of the first byte that stays behind and of the last
    that leaves: a client that reads costs nothing here. `written` gives how many bytes were written in all, so that
    what is added meanwhile does not hide what was sent.
    """

    __slots__ = ("_handle", "_loop", "_seconds", "_sent", "_transport", "_written", "stalled")

    def __init__(self, transport: asyncio.Transport, seconds: float, written: Callable[[], int]) -> None:
        self.stalled = False
        """Whether the connection was ended because its client did not read."""
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._seconds = seconds
        self._written = written
        self._sent = 0
        self._handle: asyncio.TimerHandle | None = None
        transport.set_write_buffer_limits(high=0)

    def pause(self) -> None:
        """Bytes stay behind."""
        self._sent = self._sent_now()
        self._handle = self._loop.call_later(self._seconds, self._look)

    def resume(self) -> None:
        """None stay behind, or the connection is gone."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _sent_now(self) -> int:
        return self._written() - self._transport.get_write_buffer_size()

    def _look(self) -> None:
        sent = self._sent_now()
        if sent != self._sent:
            self._sent = sent
            self._handle = self._loop.call_later(self._seconds, self._look)
            return
        self._handle = None
        self.stalled = True
        self._transport.abort()  # `close` would wait until the client reads
