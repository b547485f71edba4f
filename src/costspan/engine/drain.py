"""Answers whose client has left.

A provider that stops billing when the connection closes is cut off at once. Any other goes on generating and billing:
its answer is read to the end in the background, within bounds, to learn the true usage. Hardly any stops for a whole
answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from costspan.dialects import PASSED, STREAMING
from costspan.engine.answer import Streamed
from costspan.engine.pipe import Passthrough
from costspan.engine.verbatim import Verbatim, looking_on
from costspan.errors import CostspanError, UpstreamError
from costspan.wire import json

if TYPE_CHECKING:
    from costspan.engine.answer import Answer
    from costspan.engine.pipe import Pipe
    from costspan.engine.run import Run
    from costspan.wire.http import Response

MAX_SECONDS = 60.0
MAX_AT_ONCE = 64
MAX_BYTES = 64 * 1024 * 1024
END_GRACE = 1.0
"""Seconds in all to wait for the end of a body after its terminal event, so that the connection can be used again."""


class Drains:
    """Reads abandoned answers to their end. One for the process."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._endings: set[asyncio.Task[None]] = set()

    def adopt(self, run: Run, response: Awaitable[Response] | Response) -> bool:
        """Take over an answer, or refuse when too many are being read already."""
        if len(self._tasks) >= MAX_AT_ONCE:
            return False
        run.call.pending += 1
        coroutine = self._read(run, response)
        task = asyncio.get_running_loop().create_task(coroutine)  # kept in the set below and awaited by close
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def abandon(self, answer: Answer) -> None:
        """The client left while it was given `answer`."""
        run = answer.run
        if run.attempt is not None or not isinstance(answer, Streamed):
            return
        if answer.ended or answer.complete:
            answer.end()
            return
        if run.is_read_on(answer.response) and self.adopt(run, answer.response):
            return
        answer.response.close()
        run.end("cancelled")

    def let_end(self, response: Response) -> None:
        """Take over the rest of a body whose answer is complete: read to its end, or cut off."""
        if len(self._endings) >= MAX_AT_ONCE:
            response.close()
            return
        task = asyncio.get_running_loop().create_task(_end(response))  # kept in the set below and awaited by close
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def close(self, seconds: float) -> None:
        """Wait for what is being read, at most so long; the rest ends with an estimate."""
        tasks = self._tasks | self._endings
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    @staticmethod
    async def _read(run: Run, pending: Awaitable[Response] | Response) -> None:
        response: Response | None = None
        failure: UpstreamError | None = None
        try:
            async with asyncio.timeout(MAX_SECONDS):
                response = await pending if isinstance(pending, Awaitable) else pending
                if run.is_read_on(response):
                    await _learn(run, response)
        except UpstreamError as error:
            failure = error  # it may say that the provider never had the request
        except (CostspanError, TimeoutError):
            pass  # what was learnt until then decides; the rest is an estimate
        finally:
            if response is not None:
                response.close()
            run.end("cancelled", failure)
            run.call.settle()


async def _end(response: Response) -> None:
    """Read what follows the terminal event: it is not the client's."""
    try:
        async with asyncio.timeout(END_GRACE):
            while await response.chunk(END_GRACE):
                pass
    except (CostspanError, TimeoutError):
        pass  # complete by its dialect, however the connection ended
    finally:
        response.close()


async def _learn(run: Run, response: Response) -> None:
    """Read the rest for what it says about usage. An error status is all there is to learn of a refusal."""
    idle = run.timeouts.idle
    run.http_status = response.status
    if response.status >= 400:  # noqa: PLR2004 - refused
        return
    pipe = run.pipe = run.pipe or _pipe(run, response)
    if pipe is None:
        dialect, profile = run.prepared.dialect, run.account.kind.profile
        body = json.loads_object(await response.read(MAX_BYTES, idle))
        run.usage = dialect.read_usage(body, profile) or run.usage_asked
        run.whole = body
        return
    if isinstance(pipe, Verbatim) and pipe.blind:
        return  # sound, files: what they cost is known, or will never be
    while not pipe.decoder.ended and (data := await response.chunk(idle)):
        pipe.feed(data)
    if not pipe.decoder.ended:
        pipe.finish()


def _pipe(run: Run, response: Response) -> Pipe | None:
    """What reads an answer that the client left before it began; None for a whole one, in JSON."""
    dialect, account = run.prepared.dialect, run.account
    if run.call.raw is not None:
        return looking_on(response, account, run.call.raw.dialect)
    kind = response.headers.get("content-type", "")
    if dialect.NAME in PASSED and not kind.startswith(("application/json", "text/event-stream")):
        return looking_on(response, account, dialect)
    if not run.call.peek.stream or kind.startswith("application/json"):
        return None
    streaming = STREAMING[dialect.NAME]
    return Passthrough(lambda: streaming.new_decoder(account.kind.profile), streaming.MARKERS, strip_usage=False)
