"""One upstream call: sent, refused or answered. What has begun is handed to `begin`."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from costspan.dialects import PASSED
from costspan.engine.begin import Beginnings
from costspan.engine.failure import ERROR_BODY_SECONDS, MAX_ERROR_BYTES, expired, from_status
from costspan.engine.framed import as_events
from costspan.engine.prepare import addressed
from costspan.engine.race import LostRace
from costspan.engine.run import Run
from costspan.errors import Category, UpstreamError
from costspan.providers.account import request_headers
from costspan.wire import headers as header_rules
from costspan.wire.http import Outgoing

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from costspan.engine.answer import Answer
    from costspan.engine.call import Call, Clock
    from costspan.engine.drain import Drains
    from costspan.engine.identity import Identities
    from costspan.engine.keys import KeyRing
    from costspan.engine.observer import Observer
    from costspan.engine.ports import Authorities, Connectors
    from costspan.engine.prepare import Prepared
    from costspan.engine.stored import StoredBy
    from costspan.engine.watch import Watch
    from costspan.providers.account import Account, Revealable
    from costspan.routing.plan import Step
    from costspan.wire.http import Response

_ABOUT_OUR_KEY = frozenset({401, 402, 403})
"""Providers repeat parts of a key in their words about it."""


class Attempts:
    """Opens attempts. One for the process."""

    def __init__(  # noqa: PLR0913 - the parts of the process, most by keyword
        self,
        connectors: Connectors,
        observer: Observer,
        clock: Clock,
        identities: Identities,
        *,
        keys: KeyRing,
        drains: Drains,
        stored: StoredBy,
        authorities: Authorities,
    ) -> None:
        self._connectors = connectors
        self._authorities = authorities
        self._beginnings = Beginnings(clock, drains, stored)
        self._observer = observer
        self._clock = clock
        self._identities = identities
        self._keys = keys
        self._drains = drains
        self.now = clock.monotonic

    async def open(self, call: Call, step: Step, account: Account, prepared: Prepared, watch: Watch) -> Answer:
        """Ask one target. Returns once the answer is committed.

        Raises `UpstreamError`, and `LostRace` where another target was first; its record is written by then.
        """
        run = self._run(call, step, account, prepared, watch)
        response: Response | None = None
        try:
            run.start()
            if (passed := PASSED.get(prepared.dialect.NAME)) is not None:
                run.usage_asked = passed.usage_of_request(call.fields)
            response = await self._send(run, watch.lease.key)
            return await self._beginnings.begin(run, response)
        except UpstreamError as error:
            self._note(run, watch.lease.key, error)
            if response is not None:
                response.close()
            run.end("failed", error)
            raise
        except (asyncio.CancelledError, LostRace):
            self._leave(run, response)
            raise
        except BaseException:  # a fault of ours: the record is written all the same
            if response is not None:
                response.close()
            run.end("failed")
            raise

    def _run(self, call: Call, step: Step, account: Account, prepared: Prepared, watch: Watch) -> Run:
        try:
            return Run(
                call,
                step,
                account,
                prepared,
                watch,
                attempt_id=self._identities.attempt_id(),
                span_id=self._identities.span_id(),
                clock=self._clock,
                observer=self._observer,
                signed_with=self._authorities.secrets,
            )
        except BaseException:  # a fault of ours: nobody else would give back what the watch holds
            watch.ended("failed", None, None)
            raise

    def _leave(self, run: Run, response: Response | None) -> None:
        """The client left before its answer began, or has its answer from somebody else."""
        if run.attempt is not None or run.adopted:
            return
        if response is not None:
            read = run.whole is not None  # to its end: nothing is left to learn
            if not read and run.is_read_on(response) and self._drains.adopt(run, response):
                return
            response.close()
        run.end("cancelled")

    def abandon(self, answer: Answer) -> None:
        """Nobody takes `answer` any more: the client has left."""
        self._drains.abandon(answer)

    def _note(self, run: Run, key: Revealable | None, error: UpstreamError) -> None:
        run.call.tried.append({"target": run.step.label, "status": error.status, "error_type": error.kind})
        if run.call.raw is not None:
            return  # what a path of the provider's may not do says nothing of what its models may
        if error.category is Category.RATE_LIMIT:
            self._keys.cool(run.account, key, self.now(), error.retry_after)
        elif error.category is Category.AUTH and key is not None:
            self._keys.refuse(run.account, key)
        elif error.category is Category.AUTH and error.reached:
            self._authorities.refused(run.account)

    async def _send(self, run: Run, key: Revealable | None) -> Response:
        account = run.account
        outgoing = self._outgoing(run, key)
        left = max(run.call.deadline - self.now(), 0.0)
        if key is None and account.kind.credentials is not None:
            outgoing = await self._authorize(account, outgoing, min(run.timeouts.connect, left))
        response = await self._ask(run, self._headers(run, outgoing, left), left)
        run.http_status = response.status
        run.upstream_id = header_rules.upstream_id(response.headers)
        if run.call.raw is None:  # a provider's own path may have limits of its own
            run.watch.lease.hear(response.headers, self.now(), self._clock.wall_ns() / 1e9)
        if 200 <= response.status < 300:  # noqa: PLR2004 - success
            run.watch.lease.accepted()
        elif not _passes_refusal(run, response):
            raise await self._refused(run, response)
        return response

    async def _ask(self, run: Run, asked: Coroutine[Any, Any, Response], left: float) -> Response:
        """The answer's headers. Where the deadline of the exchange cut a wait short, it is the deadline that passed."""
        try:
            response = await asked
            return response if run.call.raw is not None else as_events(response, run.account, run.prepared.dialect.NAME)
        except UpstreamError as error:
            timeouts = run.timeouts
            own = {"connect_timeout": timeouts.connect, "headers_timeout": timeouts.first_token}.get(error.kind, 0.0)
            if own > left:
                raise expired(reached=error.reached) from None
            raise

    async def _headers(self, run: Run, outgoing: Outgoing, left: float) -> Response:
        """A body that the client is still sending has to be through before the deadline."""
        asked = self._connectors.of(run.account).request(
            outgoing,
            connect_timeout=min(run.timeouts.connect, left),
            headers_timeout=self._patience(run, left),
            on_sending=run.sending,
            on_left=partial(self._outlive, run, left) if run.may_be_read_on else None,
        )
        if isinstance(outgoing.body, bytes):
            return await asked
        try:
            async with asyncio.timeout(left):
                return await asked
        except TimeoutError:
            raise expired() from None

    def _outgoing(self, run: Run, key: Revealable | None) -> Outgoing:
        call, account, prepared = run.call, run.account, run.prepared
        secret = key.reveal() if key is not None else None
        raw = call.raw
        if raw is not None:
            headers = request_headers(account, secret, self._trace(run), raw.content_type)
            return Outgoing(raw.method, raw.path, headers, raw.body)
        return addressed(call, run.step, account, prepared, key=secret, forwarded=self._trace(run))

    async def _authorize(self, account: Account, outgoing: Outgoing, seconds: float) -> Outgoing:
        """Sign by what the account's cloud knows of us, where it has no key of its own."""
        try:
            async with asyncio.timeout(seconds):
                return await self._authorities.authorize(account, outgoing)
        except TimeoutError:
            raise UpstreamError(
                "no credentials in time", kind="credentials_error", category=Category.AUTH, reached=False
            ) from None

    @staticmethod
    def _patience(run: Run, left: float) -> float:
        """Seconds to wait for the headers.

        Those of a whole answer come when it is finished: it may take its share of the time that is left for all
        targets (those of a race share one), and the last one all of it.
        """
        first_token = min(run.timeouts.first_token, left)
        return first_token if run.call.peek.stream else max(left / run.call.turns_left, first_token)

    def has_key(self, account: Account) -> bool:
        """Whether `account` has a key that does not stand back."""
        return self._keys.any_ready(account, self.now())

    def _outlive(self, run: Run, left: float, rest: Coroutine[Any, Any, Response]) -> bool:
        """The client has left while its answer was waited for: whether it is read on, for closing stops no bill.

        What was not sent by then is not sent for a client that has left.
        """
        if not run.is_read_on():
            return False
        asked = self._ask(run, rest, left)
        run.adopted = self._drains.adopt(run, asked)
        if not run.adopted:
            asked.close()
        return run.adopted

    @staticmethod
    def _trace(run: Run) -> list[tuple[str, str]]:
        forwarded = list(run.call.forwarded)
        if run.account.propagate_trace:
            origin = run.call.origin
            flags = "01" if origin.sampled else "00"
            forwarded.append(("traceparent", f"00-{origin.trace_id}-{run.span_id}-{flags}"))
        return forwarded

    async def _refused(self, run: Run, response: Response) -> UpstreamError:
        """An error status, understood in the provider's dialect."""
        try:
            deadline = min(self.now() + ERROR_BODY_SECONDS, run.call.deadline)
            body = await response.read(MAX_ERROR_BYTES, run.timeouts.idle, deadline=deadline)
        except UpstreamError:
            body = b""
        finally:  # the client may leave meanwhile
            response.close()
        return from_status(run.prepared.dialect, response.status, response.headers, body, run.secrets)


def _passes_refusal(run: Run, response: Response) -> bool:
    """Whether the provider's refusal passes as it is: on its own path, unless it is about our key or a redirect."""
    status = response.status
    if run.call.raw is None or status < 400 or status in _ABOUT_OUR_KEY:  # noqa: PLR2004 - refused
        return False
    category = Category.SERVER_ERROR if status >= 500 else Category.INVALID_REQUEST  # noqa: PLR2004 - whose fault
    run.refusal = UpstreamError("refused", kind=f"http_{status}", category=category, status=status)
    return True
