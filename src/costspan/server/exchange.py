"""One exchange from the client's side: let the request in, open an answer, write it, close the books."""

from __future__ import annotations

import asyncio
import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from aiohttp import web

from costspan.dialects import CLIENT_DIALECTS
from costspan.engine.answer import Streamed
from costspan.engine.call import Call
from costspan.engine.execute import Exhausted
from costspan.engine.run import KNOWN
from costspan.errors import ClientError, UpstreamError
from costspan.ledger.records import Origin
from costspan.pricing.settle import add
from costspan.server import body as bodies
from costspan.server import errors, origin
from costspan.server.beat import Beat
from costspan.server.models import suggest
from costspan.server.protocol import protocol_of, traceback_only
from costspan.wire.headers import printable, to_client, to_upstream

if TYPE_CHECKING:
    from costspan.dialects.types import Dialect, ErrorAnswer, Peek
    from costspan.engine.answer import Answer, Whole
    from costspan.ledger.records import Outcome
    from costspan.routing.plan import Matched
    from costspan.server.state import State
    from costspan.snapshot import ClientKey, Snapshot
    from costspan.wire import json

_log = logging.getLogger(__name__)

CLIENT_LEFT = 499
"""nginx's status for a client that closed the connection."""
MAX_HEADER = 2048
"""Bytes of a header's value that is made of a client's words: names of models and of fields."""


class Exchanges:
    """Handles the chat surfaces. One for the process."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def handle(self, request: web.BaseRequest, dialect_name: str) -> web.StreamResponse:
        """Answer one request in the client's dialect. Raises `ClientError` when it is not let in."""
        call = await self._let_in(request, CLIENT_DIALECTS[dialect_name], self._state.identities.exchange_id())
        return await _Exchange(self._state, request, call).run()

    async def _let_in(self, request: web.BaseRequest, dialect: Dialect, exchange_id: str) -> Call:
        """Check everything that can be checked before money is spent. Raises `ClientError`."""
        state = self._state
        snapshot = state.live.current
        key = state.authenticate(request, snapshot)
        if request.headers.get("x-costspan-dry-run", "false").lower() != "false":
            raise ClientError(  # ignoring it would spend money that the client did not want to spend
                "dry runs are not in this version yet", code="unsupported_parameter", param="x-costspan-dry-run"
            )
        bodies.check_media_type(request)
        started_ns, started = state.clock.wall_ns(), state.clock.monotonic()
        body = await bodies.read(request, snapshot.server.max_request_bytes)
        fields = bodies.parse(body)
        peek = dialect.peek(fields)
        cost_in_body = snapshot.server.cost_in_body or request.headers.get("x-costspan-cost", "").lower() == "true"
        matched = self._match(request, snapshot, key, peek)
        return Call(
            snapshot=snapshot,
            origin=self._origin(request, snapshot, key, dialect, peek, matched, exchange_id),
            matched=matched,
            dialect=dialect,
            peek=peek,
            body=body,
            fields=fields,
            forwarded=to_upstream(request.headers.items()),
            started_ns=started_ns,
            started=started,
            deadline=started + matched.policy.timeouts.total,
            cost_in_body=cost_in_body,
            require_parameters=_requires_parameters(fields),
        )

    def _match(self, request: web.BaseRequest, snapshot: Snapshot, key: ClientKey | None, peek: Peek) -> Matched:
        asked = request.headers.get("x-costspan-route", peek.model)
        matched = snapshot.table.match(asked, self._state.pick, peek.model)
        if matched is None:
            raise ClientError(
                f"no route or target has this model name{suggest(asked, snapshot, key)}",
                status=404,
                code="model_not_found",
                param="model",
            )
        if key is not None and not (may_use(key, asked) and (not matched.passes_model or may_use(key, peek.model))):
            raise ClientError("this API key may not use this model", status=403, code="route_not_allowed")
        return matched

    def _origin(  # noqa: PLR0913, PLR0917 - the facts of a record
        self,
        request: web.BaseRequest,
        snapshot: Snapshot,
        key: ClientKey | None,
        dialect: Dialect,
        peek: Peek,
        matched: Matched,
        exchange_id: str,
    ) -> Origin:
        identities = self._state.identities
        context = origin.trace_context(request.headers)
        trace_id = context[0] if context else identities.trace_id()
        return Origin(
            exchange_id=exchange_id,
            route=matched.route,
            strategy=matched.strategy,
            operation="chat",
            model_asked=peek.model,
            dialect_in=dialect.NAME,
            stream=peek.stream,
            key=key.name if key else None,
            attributes=origin.attributes(request.headers, snapshot.attribution, key),
            client_request_id=origin.client_request_id(request.headers),
            trace_id=trace_id,
            span_id=identities.span_id(),
            parent_span_id=context[1] if context else None,
            sampled=self._state.sample(int(trace_id, 16), context[2] if context else None),
            config_generation=snapshot.generation,
        )


def _requires_parameters(fields: json.Object) -> bool:
    """OpenRouter's `provider.require_parameters`."""
    provider = fields.get("provider")
    return isinstance(provider, dict) and provider.get("require_parameters") is True


def may_use(key: ClientKey, name: str) -> bool:
    """Whether a client key may ask for the model `name`."""
    return not key.routes or any(fnmatchcase(name, pattern) for pattern in key.routes)


class _Exchange:
    """One exchange that was let in, to its end."""

    def __init__(self, state: State, request: web.BaseRequest, call: Call) -> None:
        self._state = state
        self._request = request
        self._connection = protocol_of(request)
        self._call = call
        self._response: web.StreamResponse | None = None
        self._answer: Answer | None = None
        self._first_token: float | None = None

    async def run(self) -> web.StreamResponse:
        """Answer, and write the exchange's record whatever happens."""
        beat = Beat(self._call.snapshot.server.keepalive_comment, self._begin_early)
        if self._call.peek.stream:
            beat.start()
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
            return await self._refuse(errors.from_exhausted(error, self._id, tried), beat, error.last)
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
        if all(attempt.cost_status in KNOWN for attempt in attempts):
            headers["x-costspan-cost-usd"] = format(add(attempt.cost_usd for attempt in attempts) or 0, "f")
        headers["content-type"] = "application/json"
        response = web.Response(status=answer.status, body=answer.body, headers=headers)
        await response.prepare(self._request)
        await response.write_eof()
        self._finish("ok", answer.status)
        return response

    async def _relay(self, answer: Streamed, beat: Beat) -> web.StreamResponse:
        response = await self._begin(beat, self._headers(answer, to_client(answer.response.headers)))
        beat.adopt(response)
        try:
            while (data := await answer.next()) is not None:
                beat.touch()
                await response.write(data)
        except UpstreamError as error:
            beat.stop()
            await self._break_off(response, errors.from_upstream_error(error, self._id, tuple(self._call.tried)))
            self._finish("failed", answer.status, error.kind)
            return response
        beat.stop()
        if not self._connection.writing_paused:  # the client has the last event, and may leave at once
            self._finish("ok", answer.status)
        await response.write_eof()
        self._finish("ok", answer.status)
        return response

    async def _break_off(self, response: web.StreamResponse, answer: ErrorAnswer) -> None:
        """End a stream that has begun with a typed error event, without its normal terminator."""
        await response.write(self._call.dialect.encode_stream_error(answer))
        await response.write_eof()

    async def _refuse(self, answer: ErrorAnswer, beat: Beat, last: UpstreamError | None = None) -> web.StreamResponse:
        """No answer: an error, as a status where the headers are still ours, else as an event."""
        early = await beat.response()
        self._finish("failed", answer.status, answer.code if last is None else last.kind)
        if early is not None:
            beat.stop()
            await self._break_off(early, answer)
            return early
        headers = {"x-costspan-attempts": str(self._call.begun), **errors.retry_after(last)}
        return errors.response(answer, self._call.dialect, headers)

    def _headers(self, answer: Answer, upstream: object) -> dict[str, str]:
        call = self._call
        elapsed = self._state.clock.monotonic() - call.started
        waited = call.upstream_seconds + (answer.run.elapsed if answer.run.attempt is None else 0.0)
        headers = dict(upstream) if isinstance(upstream, dict) else {}
        headers["x-request-id"] = self._id
        headers["x-costspan-target"] = printable(answer.run.step.label, MAX_HEADER)
        headers["x-costspan-attempts"] = str(call.begun)
        headers["server-timing"] = (
            f"upstream;dur={waited * 1000:.1f}, gateway;dur={max(elapsed - waited, 0) * 1000:.1f}"
        )
        if losses := answer.run.losses:
            headers["x-costspan-dropped"] = printable(",".join(losses), MAX_HEADER)
        return headers

    async def _begin(self, beat: Beat, headers: dict[str, str]) -> web.StreamResponse:
        early = await beat.response()
        return early if early is not None else await self._prepare(headers)

    async def _begin_early(self) -> web.StreamResponse:
        """Send the headers before there is an answer, because the stream has been silent for long."""
        return await self._prepare({"x-request-id": self._id})

    async def _prepare(self, headers: dict[str, str]) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={
                **headers,
                "content-type": "text/event-stream; charset=utf-8",
                "cache-control": "no-cache",
                "x-accel-buffering": "no",
            }
        )
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
