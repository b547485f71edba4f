"""An answer that is committed to the client: whole, or a stream that the relay pulls chunk by chunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from costspan.engine import costing
from costspan.engine.failure import from_event, truncated
from costspan.errors import Category, Malformed, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.engine.call import Clock
    from costspan.engine.pipe import Pipe
    from costspan.engine.run import Run
    from costspan.wire.http import Response

END_GRACE = 1.0
"""Seconds to wait for the end of the body after the terminal event, so that the connection can be used again."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole answer. Its attempt has its final record already."""

    run: Run
    status: int
    headers: Mapping[str, str]
    body: bytes


class Streamed:
    """A stream past its commit point. Pull it with `next` until None; `close` it whatever happens."""

    def __init__(self, run: Run, response: Response, pipe: Pipe, held: bytes, clock: Clock) -> None:
        self.run = run
        self.status = response.status
        self.response = response
        self.pipe = pipe
        self._held = held
        self._now = clock.monotonic
        self._idle = run.timeouts.idle
        self._deadline = run.call.deadline
        self._failure: UpstreamError | None = None
        self._done = False

    async def next(self) -> bytes | None:
        """The next bytes for the client; None when the stream is complete.

        Raises `UpstreamError`, the attempt's record already written, when the upstream failed, fell silent, was cut
        off before its terminal event, or the deadline has passed.
        """
        if self._held:
            held, self._held = self._held, b""
            return costing.in_events(held, self.run.cost_so_far) if self.run.call.cost_in_body else held
        while not self._done:
            if self._failure is not None:
                raise self._fail(self._failure)
            try:
                out = await self._pull()
            except UpstreamError as error:
                raise self._fail(error) from None
            except Malformed:
                raise self._fail(truncated(self.status)) from None
            if out:
                return costing.in_events(out, self.run.cost_so_far) if self.run.call.cost_in_body else out
        return None

    async def _pull(self) -> bytes:
        if self.pipe.decoder.ended:
            await self._await_end()
            return b""
        if self._now() > self._deadline:
            raise UpstreamError(
                "the deadline of the exchange has passed", kind="deadline_exceeded", category=Category.TIMEOUT
            )
        data = await self.response.chunk(self._idle)
        if not data:
            out = self.pipe.finish()
            self._complete()
            return out
        out = self.pipe.feed(data)
        if self.pipe.failed is not None:
            self._failure = from_event(self.pipe.failed, self.run.account, self.status)
        return out

    async def _await_end(self) -> None:
        """The terminal event came. What follows is not the client's; a body that does not end is cut off."""
        try:
            while await self.response.chunk(END_GRACE):
                pass
        except UpstreamError:
            pass  # complete by its dialect, however the connection ended
        self._complete()

    def _complete(self) -> None:
        self._done = True
        self.response.close()
        self.run.end("ok")

    def _fail(self, error: UpstreamError) -> UpstreamError:
        self._done = True
        self.response.close()
        self.run.end("failed", error)
        return error


Answer: TypeAlias = Whole | Streamed
