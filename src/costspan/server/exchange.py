"""One exchange from the client's side: let the request in, open an answer, write it, close the books."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aiohttp import web

from costspan.dialects import PASSED
from costspan.engine.answer import Streamed
from costspan.engine.execute import Exhausted
from costspan.engine.run import KNOWN
from costspan.errors import ClientError, UpstreamError
from costspan.pricing.settle import add
from costspan.server import door, dry_run, errors
from costspan.server.beat import Beat
from costspan.server.json_array import JsonArray
from costspan.server.protocol import protocol_of, traceback_only
from costspan.wire.headers import printable, to_client

if TYPE_CHECKING:
    from costspan.dialects.types import ErrorAnswer
    from costspan.engine.answer import Answer, Whole
    from costspan.engine.call import Call
    from costspan.ledger.records import Outcome
    from costspan.server.admission import Admission
    from costspan.server.paths import Operation
    from costspan.server.state import State

_log = logging.getLogger(__name__)

CLIENT_LEFT = 499
"""nginx's status for a client that closed the connection."""
_AT_ONCE = {"cache-control": "no-cache", "x-accel-buffering": "no"}
"""Tells proxies to hold nothing of a stream back."""
MAX_HEADER = 2048
"""Bytes of a header's value that is made of a client's words: names of models and of fields."""


class Exchanges:
    """Handles what leads to an upstream. One for the process."""

    def __init__(self, state: State, admission: Admission) -> None:
        self._state = state
        self._admission = admission

    async def handle(self, request: web.BaseRequest, asked: Operation) -> web.StreamResponse:
        """Answer one request in the client's dialect. Raises `ClientError` when it is not let in."""
        call = await self._admission.let_in(request, asked)
        if dry_run.is_wanted(request):
            return await dry_run.answer(self._state, call)
        in_array = asked.stream is True and request.rel_url.query.get("alt") != "sse"
        return await self.run(request, call, array=JsonArray() if in_array else None)

    async def run(self, request: web.BaseRequest, call: Call, *, array: JsonArray | None = None) -> web.StreamResponse:
        """Answer a request, if its key's limits and its budgets let it in. `array`: its stream is one JSON array.

        Raises `ClientError` where they do not.
        """
        door.enter(self._state, call)
        try:
            return await _Exchange(self._state, request, call, array).run()
        finally:
            if call.entered is not None:
                call.entered.leave()


class _Exchange:
    """One exchange that was let in, to its end."""

    def __init__(self, state: State, request: web.BaseRequest, call: Call, array: JsonArray | None) -> None:
        self._state = state
        self._array = array
        self._request = request
        self._connection = protocol_of(request)
        self._call = call
        self._response: web.StreamResponse | None = None
        self._answer: Answer | None = None
        self._first_token: float | None = None

    async def run(self) -> web.StreamResponse:
        """Answer, and write the exchange's record whatever happens."""
        beat = Beat(self._call.snapshot.server.keepalive_comment, self._begin_early)
        if self._call.peek.stream and self._array is None and self._call.dialect.NAME not in PASSED:
            beat.start()  # of a passed format it is the answer that says whether it is a stream
        try:
            return await self._run(beat)
        except asyncio.CancelledError:
            if self._state.stopping and self._request.transport is not None and self._can_be_told():
                return await self._cut_off(beat)
            self._abandon()
            raise
        except ConnectionError:  # the client's connection broke while we wrote
            self._abandon()
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours, of whatever kind, has to be told and booked
            return await self._fault(error, beat)
        except BaseException:
            self._abandon()
            raise
        finally:
            beat.stop()

    async def _run(self, beat: Beat) -> web.StreamResponse:
        engine = self._state.engine
        try:
            self._answer = answer = await engine.open(self._call)
        except ClientError as error:
            return await self._refuse(errors.from_client_error(error, self._id), beat)
        except Exhausted as error:
            tried = tuple(self._call.tried)
            return await self._refuse(errors.from_exhausted(error, self._id, tried), beat, error)
        self._first_token = self._state.clock.monotonic()
        if isinstance(answer, Streamed):
            return await self._relay(answer, beat)
        return await self._deliver(answer)

    @property
    def _id(self) -> str:
        return self._call.origin.exchange_id

    async def _deliver(self, answer: Whole) -> web.Response:
        headers = self._headers(answer, answer.headers)
        attempts = self._call.attempts
        if not self._call.under_way and all(attempt.cost_status in KNOWN for attempt in attempts):
            headers["x-costspan-cost-usd"] = format(add(attempt.cost_usd for attempt in attempts) or 0, "f")
        headers["content-type"] = "application/json"
        response = web.Response(status=answer.status, body=answer.body, headers=headers)
        await response.prepare(self._request)
        await response.write_eof()
        self._finish("ok", answer.status)
        return response

    async def _relay(self, answer: Streamed, beat: Beat) -> web.StreamResponse:
        headers = self._headers(answer, to_client(answer.response.headers))
        response = await self._begin(beat, headers, answer)
        if not answer.verbatim and self._array is None:
            beat.adopt(response)
            beat.start()
        try:
            while (data := await answer.next()) is not None:
                beat.touch()
                await response.write(data if self._array is None else self._array.feed(data))
        except UpstreamError as error:
            beat.stop()
            if answer.verbatim:  # there is no way to say it in a body that is not ours
                self._finish("failed", answer.status, error.kind)
                raise ConnectionError("the provider's answer broke off") from None
            await self._break_off(response, errors.from_upstream_error(error, self._id, tuple(self._call.tried)))
            self._finish("failed", answer.status, error.kind)
            return response
        beat.stop()
        if self._array is not None:
            await response.write(self._array.end())
        refusal = answer.run.refusal
        outcome: Outcome = "ok" if refusal is None else "failed"
        kind = None if refusal is None else refusal.kind
        if not self._connection.writing_paused:  # the client has the last event, and may leave at once
            self._finish(outcome, answer.status, kind)
        await response.write_eof()
        self._finish(outcome, answer.status, kind)
        return response

    async def _break_off(self, response: web.StreamResponse, answer: ErrorAnswer) -> None:
        """End a stream that has begun with a typed error event, without its normal terminator."""
        data = self._call.dialect.encode_stream_error(answer)
        await response.write(data if self._array is None else self._array.feed(data) + self._array.end())
        await response.write_eof()

    async def _refuse(self, answer: ErrorAnswer, beat: Beat, why: Exhausted | None = None) -> web.StreamResponse:
        """No answer: an error, as a status where the headers are still ours, else as an event."""
        early = await beat.response()
        last = None if why is None else why.last
        self._finish("failed", answer.status, answer.code if last is None else last.kind)
        if early is not None:
            beat.stop()
            await self._break_off(early, answer)
            return early
        headers = {
            **door.headers(self._call, {}),
            "x-costspan-attempts": str(self._call.begun),
            **errors.retry_after(why, self._call.begun),
        }
        return errors.response(answer, self._call.dialect, headers)

    def _headers(self, answer: Answer, upstream: object) -> dict[str, str]:
        call = self._call
        elapsed = self._state.clock.monotonic() - call.started
        waited = call.upstream_seconds + (answer.run.elapsed if answer.run.attempt is None else 0.0)
        headers = door.headers(call, upstream if isinstance(upstream, dict) else {})
        headers["x-request-id"] = self._id
        headers["x-costspan-target"] = printable(answer.run.step.label, MAX_HEADER)
        headers["x-costspan-attempts"] = str(call.begun)
        headers["server-timing"] = (
            f"upstream;dur={waited * 1000:.1f}, gateway;dur={max(elapsed - waited, 0) * 1000:.1f}"
        )
        if losses := answer.run.losses:
            headers["x-costspan-dropped"] = printable(",".join(losses), MAX_HEADER)
        return headers

    async def _begin(self, beat: Beat, headers: dict[str, str], answer: Streamed) -> web.StreamResponse:
        early = await beat.response()
        if early is not None:
            return early
        if answer.verbatim:
            headers["content-type"] = answer.content_type
            if answer.content_type.startswith("text/event-stream"):
                headers |= _AT_ONCE
            return await self._prepare(headers, answer.status)
        return await self._prepare(headers | self._stream_headers())

    async def _begin_early(self) -> web.StreamResponse:
        """Send the headers before there is an answer, because the stream has been silent for long."""
        return await self._prepare(door.headers(self._call, {}) | {"x-request-id": self._id} | self._stream_headers())

    def _stream_headers(self) -> dict[str, str]:
        kind = "text/event-stream" if self._array is None else "application/json"
        return {"content-type": f"{kind}; charset=utf-8", **_AT_ONCE}

    async def _prepare(self, headers: dict[str, str], status: int = 200) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers=headers)
        self._response = response
        await response.prepare(self._request)
        return response

    async def _fault(self, error: Exception, beat: Beat) -> web.StreamResponse:
        """Something of ours is broken: end with an error, the books closed as failed. The log has kind and place."""
        beat.stop()
        _log.error("unhandled %s in %s", type(error).__name__, self._id, exc_info=traceback_only(error))
        if self._answer is not None:
            self._state.engine.fail(self._answer)
        self._finish("failed", 500, "internal_error")
        if not self._can_be_told():
            raise ConnectionError("the answer has begun already") from None
        answer = errors.internal(self._id)
        if self._response is None:
            return errors.response(answer, self._call.dialect, {"x-costspan-attempts": str(self._call.begun)})
        await self._break_off(self._response, answer)
        return self._response

    def _can_be_told(self) -> bool:
        """Whether an error can still be sent: a stream's event, or a status before anything else was sent."""
        return self._response is not None or self._request.writer.output_size == 0

    async def _cut_off(self, beat: Beat) -> web.StreamResponse:
        """The time to shut down has come: end with an error, and the books closed."""
        self._abandon()
        answer = errors.shutting_down(self._id)
        if self._response is None:
            return errors.response(answer, self._call.dialect, {"connection": "close", "retry-after": "1"})
        beat.stop()
        await self._break_off(self._response, answer)
        return self._response

    def _abandon(self) -> None:
        if self._answer is not None:
            self._state.engine.abandon(self._answer)
        if self._connection.stalled:
            self._finish("cancelled", CLIENT_LEFT, "client_stalled")
        elif isinstance(self._answer, Streamed) and self._answer.complete:
            self._finish("ok", self._answer.status)  # the client had its answer and did not wait for our last byte
        elif self._state.stopping:
            self._finish("cancelled", 503, "shutting_down")
        else:
            self._finish("cancelled", CLIENT_LEFT, "client_cancelled")

    def _finish(self, outcome: Outcome, status: int, error_type: str | None = None) -> None:
        if self._call.finished:
            return
        self._call.finished = True
        self._state.engine.finish(
            self._call,
            outcome=outcome,
            status=status,
            error_type=error_type,
            run=self._answer.run if self._answer is not None else None,
            first_token=self._first_token,
        )
