"""An answer whose headers have come, up to its commit point: read whole, or its first content seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects import CONTINUED, HEADER_USAGE, PASSED, STREAMING
from costspan.dialects.types import StreamOptions
from costspan.engine import costing
from costspan.engine.answer import Streamed, Whole, chunk_within
from costspan.engine.failure import (
    ERROR_BODY_SECONDS,
    MAX_ERROR_BYTES,
    from_body,
    from_event,
    from_status,
    tells,
    truncated,
)
from costspan.engine.pipe import Passthrough
from costspan.engine.verbatim import Unread, Verbatim, looking_on
from costspan.errors import Category, Malformed, UpstreamError
from costspan.wire import headers as header_rules
from costspan.wire import json

if TYPE_CHECKING:
    from costspan.dialects.types import Metered
    from costspan.engine.answer import Answer
    from costspan.engine.call import Clock
    from costspan.engine.drain import Drains
    from costspan.engine.pipe import Pipe
    from costspan.engine.run import Run
    from costspan.engine.stored import StoredBy
    from costspan.ir.usage import Usage
    from costspan.wire.http import Response

MAX_REPLY_BYTES = 64 * 1024 * 1024
MAX_HELD_BYTES = 1024 * 1024
"""Lifecycle events held back before the first content; more than this is no lifecycle."""


class Beginnings:
    """Begins answers. One for the process."""

    def __init__(self, clock: Clock, drains: Drains, stored: StoredBy) -> None:
        self._clock = clock
        self._drains = drains
        self._stored = stored
        self._now = clock.monotonic

    async def begin(self, run: Run, response: Response) -> Answer:
        """The answer whose headers have come, up to its commit point."""
        if run.refusal is not None:
            return await self._pass_refusal(run, response)
        if run.call.raw is not None:
            return await self._open_verbatim(run, response, run.call.raw.dialect)
        if run.prepared.dialect.NAME in PASSED:
            return await self._open_passed(run, response)
        if run.call.peek.stream:
            return await self._open_stream(run, response)
        return await self._read_whole(run, response)

    async def _read_whole(self, run: Run, response: Response) -> Whole:
        raw = await response.read(MAX_REPLY_BYTES, run.timeouts.idle, deadline=run.call.deadline)
        response.close()
        dialect, profile = run.prepared.dialect, run.account.kind.profile
        try:
            body = json.loads_object(raw)
            if "error" in body and (failure := from_body(dialect, response.status, body, raw, run.secrets)) is not None:
                raise failure
            found = dialect.summarize(body, profile)
            if run.prepared.back is not None:
                encoded = run.prepared.back.reply(body, profile, self._options(run))
                raw, run.answer_losses = encoded.body, encoded.losses
        except Malformed as error:
            raise UpstreamError(
                "the provider's answer cannot be read",
                kind="upstream_protocol_error",
                category=Category.SERVER_ERROR,
                status=response.status,
            ) from error
        run.usage = found.usage or run.usage_asked or _told_by_headers(dialect, response)
        run.whole = body
        run.model_served = found.model or None
        run.upstream_id = run.upstream_id or found.id or None
        run.finish_reasons = found.finish_reasons
        run.content()
        run.end("ok")
        self._note_id(run, found.id)
        if run.call.cost_in_body:
            raw = costing.in_reply(raw, run.cost_so_far(), run.call.dialect.USAGE_PATHS)
        return Whole(run, response.status, header_rules.to_client(response.headers), raw)

    async def _open_stream(self, run: Run, response: Response) -> Streamed:
        kind = response.headers.get("content-type", "text/event-stream")
        if not kind.startswith("text/event-stream"):
            raise UpstreamError(
                "the provider did not answer with an event stream",
                kind="upstream_bad_content_type",
                category=Category.SERVER_ERROR,
                status=response.status,
            )
        pipe = run.pipe = self._pipe(run)
        held = await self._first_content(run, response, pipe)
        run.content()
        self._note_id(run, pipe.decoder.id)
        return Streamed(run, response, pipe, held, clock=self._clock, drains=self._drains)

    def _note_id(self, run: Run, id_: str | None) -> None:
        """Remember who made an answer that a later request may go on from."""
        if id_ and run.prepared.back is None and run.prepared.dialect.NAME in CONTINUED:
            self._stored.remember(id_, run.account.name)

    def _pipe(self, run: Run) -> Pipe:
        dialect, profile = run.prepared.dialect, run.account.kind.profile
        if run.prepared.back is not None:
            return run.prepared.back.pipe(profile, self._options(run))
        streaming = STREAMING[dialect.NAME]
        return Passthrough(
            lambda: streaming.new_decoder(profile), streaming.MARKERS, strip_usage=run.prepared.added_usage
        )

    async def _open_passed(self, run: Run, response: Response) -> Answer:
        """Of a format that is never translated: as JSON, as events, or as whatever bytes were asked for."""
        kind = response.headers.get("content-type", "")
        if kind.startswith("application/json"):
            return await self._read_whole(run, response)
        if kind.startswith("text/event-stream"):
            return await self._open_stream(run, response)
        return await self._open_verbatim(run, response, run.prepared.dialect)

    async def _open_verbatim(self, run: Run, response: Response, dialect: Metered | None) -> Streamed:
        """What passes as it is, read from aside where `dialect` can read it."""
        pipe = run.pipe = looking_on(response, run.account, dialect)
        held = pipe.feed(await chunk_within(response, run.timeouts.first_token, run.call.deadline - self._now()))
        run.content()
        if not held:
            pipe.finish()
        return Streamed(run, response, pipe, held, clock=self._clock, drains=self._drains)

    async def _pass_refusal(self, run: Run, response: Response) -> Streamed:
        """A provider's refusal in its own words, unless they tell a secret of ours."""
        deadline = min(self._now() + ERROR_BODY_SECONDS, run.call.deadline)
        body = await response.read(MAX_ERROR_BYTES, run.timeouts.idle, deadline=deadline)
        if tells(body, run.secrets):
            raise from_status(run.prepared.dialect, response.status, response.headers, body, run.secrets)
        pipe = run.pipe = Verbatim(Unread())
        pipe.finish()
        return Streamed(run, response, pipe, body, clock=self._clock, drains=self._drains)

    def _options(self, run: Run) -> StreamOptions:
        return StreamOptions(
            exchange_id=run.call.origin.exchange_id,
            model=run.step.model,
            created=self._clock.wall_ns() // 1_000_000_000,
            include_usage=run.call.peek.wants_usage or run.call.cost_in_body,
            prompt_tokens=run.prompt_tokens,
        )

    async def _first_content(self, run: Run, response: Response, pipe: Pipe) -> bytes:
        """Hold back what comes before the first content, so that another target can still answer."""
        timeouts = run.timeouts
        end = self._now() + timeouts.first_token - run.elapsed
        held = b""
        try:
            while not pipe.committed and not pipe.decoder.ended:
                now = self._now()
                idle = max(min(end - now, timeouts.idle), 0.001)
                data = await chunk_within(response, idle, run.call.deadline - now)
                held += pipe.feed(data) if data else pipe.finish()
                if pipe.failed is not None:
                    raise from_event(pipe.failed, run.secrets, response.status)
                if not data:
                    break
                if len(held) > MAX_HELD_BYTES:
                    break
        except Malformed as error:
            raise truncated(response.status) from error
        except UpstreamError as error:
            if error.kind == "idle_timeout":
                error.kind = "first_token_timeout"
            raise
        return held


def _told_by_headers(dialect: Metered, response: Response) -> Usage | None:
    reader = HEADER_USAGE.get(dialect.NAME)
    return None if reader is None else reader(response.headers)
