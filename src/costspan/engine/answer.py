"""An answer that is committed to the client: whole, or a stream that the relay pulls chunk by chunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from costspan.engine import costing
from costspan.engine.failure import expired, from_event, truncated
from costspan.engine.verbatim import Verbatim
from costspan.errors import Malformed, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.engine.call import Clock
    from costspan.engine.drain import Drains
    from costspan.engine.pipe import Pipe
    from costspan.engine.run import Run
    from costspan.wire.http import Response


@dataclass(slots=True)  # not frozen, as `ledger.records`: made for every request
class Whole:
    """A whole answer. Its attempt has its final record already."""

    run: Run
    status: int
    headers: Mapping[str, str]
    body: bytes


async def chunk_within(response: Response, idle: float, left: float) -> bytes:
    """The next bytes of `response`, waited for up to `idle` seconds and the `left` ones of the exchange.

    Raises as `Response.chunk`, and `deadline_exceeded` when it was the exchange that ran out of time.
    """
    if left <= 0:
        raise expired()
    try:
        return await response.chunk(min(idle, left))
    except UpstreamError as error:
        if left < idle and error.kind == "idle_timeout":
            raise expired() from None
        raise


class Streamed:
    """A stream past its commit point. Pull it with `next` until None; `close` it whatever happens."""

    def __init__(self, run: Run, response: Response, pipe: Pipe, held: bytes, *, clock: Clock, drains: Drains) -> None:
        self.run = run
        self.status = response.status
        self.response = response
        self.pipe = pipe
        self.complete = False
        """Whether the client took the last bytes of a complete answer: whatever happens now, it went well."""
        self._held = held
        self._drains = drains
        self._now = clock.monotonic
        self._idle = run.timeouts.idle
        self._deadline = run.call.deadline
        self._failure: UpstreamError | None = None
        self._finished = False
        self._done = False

    async def next(self) -> bytes | None:
        """The next bytes for the client; None when the stream is complete.

        Raises `UpstreamError`, the attempt's record already written, when the upstream failed, fell silent, was cut
        off before its terminal event, or the deadline has passed.
        """
        if self._held:
            held, self._held = self._held, b""
            return self._with_cost(held)
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
                return self._with_cost(out)
        return None

    def _with_cost(self, out: bytes) -> bytes:
        call = self.run.call
        if not call.cost_in_body or call.raw is not None:
            return out
        return costing.in_events(out, self.run.cost_so_far, call.dialect.USAGE_PATHS)

    @property
    def verbatim(self) -> bool:
        """Whether the provider's bytes pass as they are, whatever they mean."""
        return isinstance(self.pipe, Verbatim)

    @property
    def content_type(self) -> str:
        """Of a verbatim answer, in the provider's word."""
        return self.response.headers.get("content-type", "application/octet-stream")

    async def _pull(self) -> bytes:
        if self.ended:
            self.complete = True
            await self._end()
            return b""
        self.complete = self.pipe.told
        left = self._deadline - self._now()
        if left > self._idle:  # nearly always: no deadline can cut the wait short
            data = await self.response.chunk(self._idle)
        else:
            data = await chunk_within(self.response, self._idle, left)
        out = self.pipe.feed(data) if data else self.pipe.finish()
        self._finished = not data
        if self.pipe.failed is not None:
            self._failure = from_event(self.pipe.failed, self.run.secrets, self.status)
        return out

    @property
    def ended(self) -> bool:
        """Whether the upstream's answer came to its end, and all of it was handed out."""
        return (self._finished or self.pipe.decoder.ended) and self.pipe.failed is None and not self._held

    def end(self, *, at_end: bool = False) -> None:
        """The answer has ended: its books are closed, and its connection let go. `at_end`: so has the body."""
        self._done = True
        refusal = self.run.refusal
        self.run.end("ok" if refusal is None else "failed", refusal)
        if at_end:
            self.response.close()
        else:
            self._drains.let_end(self.response)

    async def _end(self) -> None:
        at_end = False
        try:
            at_end = not await self.response.chunk(0.0)  # mostly the body's end came with the terminal event
        except UpstreamError:
            pass  # complete by its dialect, however the connection ends
        finally:  # the client may leave meanwhile
            self.end(at_end=at_end)

    def _fail(self, error: UpstreamError) -> UpstreamError:
        self._done = True
        self.response.close()
        self.run.end("failed", error)
        return error


Answer: TypeAlias = Whole | Streamed
