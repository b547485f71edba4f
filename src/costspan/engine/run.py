"""One attempt, from its start record to its final one: exactly one of each, whatever happens between."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from costspan.engine import sample
from costspan.ir.usage import Usage
from costspan.ledger.records import Attempt, AttemptStarted
from costspan.pricing.cost import cost
from costspan.pricing.estimate import TYPICAL_OUTPUT, estimate_output_tokens, estimate_prompt_tokens, expected_cost
from costspan.pricing.settle import add, settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from costspan.engine.call import Call, Clock
    from costspan.engine.observer import Observer
    from costspan.engine.pipe import Pipe
    from costspan.engine.prepare import Prepared
    from costspan.engine.watch import Watch
    from costspan.errors import UpstreamError
    from costspan.ledger.records import Outcome
    from costspan.pricing.rates import Price
    from costspan.pricing.settle import Settlement
    from costspan.providers.account import Account
    from costspan.routing.plan import Step
    from costspan.wire import json
    from costspan.wire.http import Response

KNOWN = frozenset({"exact", "provider", "free"})
"""Statuses of a cost that is no guess."""
UNBOUNDED_LOSER = "unbounded_loser"
"""Flag: it lost a race and was cut off, and its provider goes on writing and billing what nobody reads."""


class Run:
    """Not a value: it changes from `start` to `end`. `usage` and the like are filled in as they become known."""

    def __init__(  # noqa: PLR0913 - what an attempt is made of
        self,
        call: Call,
        step: Step,
        account: Account,
        prepared: Prepared,
        watch: Watch,
        *,
        attempt_id: str,
        span_id: str,
        clock: Clock,
        observer: Observer,
        signed_with: Callable[[Account], tuple[str, ...]],
    ) -> None:
        self.call = call
        self._signed_with = signed_with
        self.step = step
        self.account = account
        self.prepared = prepared
        self.watch = watch
        self.timeouts = step.policy.timeouts.replaced(dict(account.timeouts))
        self.usage: Usage | None = None
        self.usage_asked: Usage | None = None
        """What the request alone tells of the usage: it counts where the answer tells nothing."""
        self.model_served: str | None = None
        self.upstream_id: str | None = None
        self.http_status: int | None = None
        self.finish_reasons: tuple[str, ...] = ()
        self.first_token: float | None = None
        """Monotonic seconds of the first content."""
        self.refusal: UpstreamError | None = None
        """Why the provider refused, where its own words pass to the client all the same."""
        self.pipe: Pipe | None = None
        self.whole: json.Object | None = None
        """A whole answer, until its attempt has ended."""
        self.answer_losses: tuple[str, ...] = ()
        """Of a whole answer; a stream's are in `pipe`."""
        self.sent = False
        """Whether a byte of the request may have gone out."""
        self.adopted = False
        """Whether a drain reads on after the client left, and will write the final record."""
        self.attempt: Attempt | None = None
        """The final record, once there is one."""
        self._clock = clock
        self._observer = observer
        self.began = clock.monotonic()
        self._time_ns = clock.wall_ns()
        self._at = datetime.fromtimestamp(self._time_ns / 1e9, UTC)
        self.span_id = span_id
        self.prompt_tokens = estimate_prompt_tokens(call.peek.prompt_chars, call.peek.media)
        self._price = self._find_price(None)
        self._started = self._start(attempt_id, span_id)
        call.begun += 1

    def start(self) -> None:
        """Write the start record. Whatever it comes to, `end` is called afterwards."""
        self._observer.attempt_started(self._started)

    def _find_price(self, served: str | None) -> Price | None:
        return self.call.price(self.account, self.step.model, self._at, served)

    def _start(self, attempt_id: str, span_id: str) -> AttemptStarted:
        limit = self.call.peek.max_output_tokens
        output = TYPICAL_OUTPUT if limit is None else min(limit, TYPICAL_OUTPUT)
        price = self._price
        estimate = None
        if price is not None:
            estimate = expected_cost(price, self.prompt_tokens, output, self._at, self.call.peek.service_tier)
        return AttemptStarted(
            origin=self.call.origin,
            id=attempt_id,
            span_id=span_id,
            index=self.call.begun,
            time_ns=self._time_ns,
            provider=self.account.name,
            provider_kind=self.account.kind.name,
            model_requested=self.step.model,
            dialect_out=self.prepared.dialect.NAME,
            server_address=self.account.address.host,
            server_port=self.account.address.port,
            estimate_usd=estimate,
            estimate_basis=f"prompt {self.prompt_tokens} tokens by length, output {output} tokens assumed",
            price_source=None if price is None else price.source,
            price_version=None if price is None else price.version,
        )

    def cost_so_far(self) -> Decimal | None:
        """What the ledger will say the exchange cost, this attempt included; None when any part is not known yet."""
        if self.call.under_way > (self.attempt is None):
            return None  # others of a race go on
        parts = [(attempt.cost_status, attempt.cost_usd) for attempt in self.call.attempts]
        if self.attempt is None:
            self._learn()
            own = self._settle(None, self._price_found(), None, "")
            parts.append((own.status, own.cost_usd))
        return add(amount for _, amount in parts) if all(status in KNOWN for status, _ in parts) else None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What may not be shown of a provider's words: our keys there, and what requests are signed with."""
        return (*(key.reveal() for key in self.account.keys), *self._signed_with(self.account))

    @property
    def elapsed(self) -> float:
        """Seconds since the attempt began."""
        return self._clock.monotonic() - self.began

    @property
    def losses(self) -> tuple[str, ...]:
        """What the target could not be told and, as far as is known yet, what the client could not be shown."""
        return self.prepared.losses + (self.answer_losses if self.pipe is None else self.pipe.losses)

    def stops_when_left(self, response: Response | None = None) -> bool:
        """Whether closing the connection stops the bill. `response` tells of a raw request whether it is a stream."""
        stream = self.call.peek.stream or (
            response is not None and response.headers.get("content-type", "").startswith("text/event-stream")
        )
        return self.account.abort_stops_billing if stream else self.account.abort_stops_whole

    def sending(self) -> None:
        """The first byte of the request is about to go out."""
        self.sent = True

    @property
    def has_lost(self) -> bool:
        """Whether another target answered the client."""
        return self.call.contest is not None and self.call.contest.lost_by(self)

    @property
    def may_be_read_on(self) -> bool:
        """Whether its answer may be read to its end though nobody waits for it."""
        drained = self.call.contest is not None and self.call.contest.drain
        return drained or not self.stops_when_left()

    def is_read_on(self, response: Response | None = None) -> bool:
        """Whether its answer is read to its end now that nobody waits for it, to learn what it used."""
        if self.has_lost and self.call.contest is not None:
            return self.call.contest.drain
        return not self.stops_when_left(response)

    def content(self) -> None:
        """The first content has come. Raises `LostRace` where another target was first."""
        if self.first_token is None:
            self.first_token = self._clock.monotonic()
        if self.call.contest is not None:
            self.call.contest.claim(self)
        self.watch.content()

    def end(self, outcome: Outcome, error: UpstreamError | None = None) -> Attempt:
        """Write the final record; later calls return the same one."""
        if self.attempt is None:
            if outcome == "cancelled" and self.has_lost:
                outcome = "lost_race"
            self.attempt = self._final(outcome, error)
            self.whole = None
            self.call.attempts.append(self.attempt)
            contest = self.call.contest
            if contest is None or contest.winner is self:  # the time of others in a race is the race's
                self.call.upstream_seconds += self.elapsed
            self.watch.ended(outcome, error, self.usage if self._usage_is_whole() else None)
            self._observer.attempt_ended(self.attempt)
        return self.attempt

    def _final(self, outcome: Outcome, error: UpstreamError | None) -> Attempt:
        self._learn()
        usage = self.usage
        whole = self._usage_is_whole()
        price = self._price_found()
        estimate, basis = (None, "") if whole else self._estimate(price)
        settled = self._settle(error, price, estimate, basis)
        flags = settled.flags
        if usage is not None:
            flags += ("usage_inconsistent",) * usage.inconsistent + ("usage_partial",) * (not whole)
        if outcome == "lost_race" and not whole and self._billable(error) and not self.stops_when_left():
            flags += (UNBOUNDED_LOSER,)
        return Attempt(
            started=self._started,
            outcome=outcome,
            http_status=self.http_status if self.http_status is not None else (error.status if error else None),
            error_type=error.kind if error else None,
            model_served=self.model_served,
            usage=usage.tokens if usage else {},
            units=usage.units if usage else {},
            cost_usd=settled.cost_usd,
            cost_estimated_usd=settled.cost_estimated_usd,
            cost_status=settled.status,
            cost_parts=settled.parts,
            price_source=price.source if price else None,
            price_version=price.version if price else None,
            service_tier=usage.service_tier if usage else None,
            upstream_id=self.upstream_id,
            duration_ms=self.elapsed * 1000,
            first_token_ms=None if self.first_token is None else (self.first_token - self.began) * 1000,
            finish_reasons=self.finish_reasons,
            flags=flags,
            estimate_basis=settled.basis,
            cost_reported_usd=usage.reported_cost if usage else None,
            cost_computed_usd=settled.computed_usd if settled.status == "provider" else None,
        )

    def _price_found(self) -> Price | None:
        """The price, by the model that served where it is known: the book remembers its answers."""
        if self.model_served is None or self.model_served == self.step.model:
            return self._price
        return self._find_price(self.model_served)

    def _settle(
        self, error: UpstreamError | None, price: Price | None, estimate: Decimal | None, basis: str
    ) -> Settlement:
        """What this attempt costs as far as is known now."""
        return settle(
            self.usage if self._usage_is_whole() else None,
            price,
            price_as=self.account.price_as,
            reached=self._billable(error),
            estimate=estimate,
            estimate_basis=basis,
            service_tier=self.call.peek.service_tier,
            at=self._at,
        )

    def _learn(self) -> None:
        """Take over what the stream told."""
        if self.pipe is not None:
            decoder = self.pipe.decoder
            self.usage = decoder.usage or self.usage_asked
            self.model_served = decoder.model or self.model_served
            self.upstream_id = self.upstream_id or decoder.id
            self.finish_reasons = tuple(dict.fromkeys(self.pipe.finish_reasons))

    def _billable(self, error: UpstreamError | None) -> bool:
        """Whether the upstream may have taken the request.

        An error status before any content is not billed, nor is what went out on a connection that had died idle.
        """
        if self.call.raw is not None and self.call.raw.free:
            return False
        body = self.prepared.body
        if self.http_status is None and not isinstance(body, bytes) and not body.ended:
            return False  # it never had the whole request
        refused = self.http_status is not None and self.http_status >= HTTPStatus.BAD_REQUEST and self.usage is None
        taken = error is None or (error.reached and not error.stale)
        return self.sent and taken and not refused

    def _usage_is_whole(self) -> bool:
        """Whether the report is the last word: of a stream that was cut, early reports are only a lower bound."""
        if self.usage is None or self.pipe is None or self.usage is self.usage_asked:
            return self.usage is not None
        return bool(self.finish_reasons) or self.pipe.decoder.ended

    def _output_chars(self) -> int:
        if self.pipe is not None:
            return self.pipe.output_chars()
        if self.whole is None:
            return 0
        return sample.chars_of_whole(self.prepared.dialect.NAME, self.whole, self.account.kind.profile)

    def _estimate(self, price: Price | None) -> tuple[Decimal | None, str]:
        """What an attempt without a whole usage report may have cost: the prompt, and the output that was seen."""
        seen = estimate_output_tokens(self._output_chars())
        how = "seen, by bytes" if self.pipe is not None and self.pipe.by_bytes else "seen"
        if (
            self.has_lost
            and self.sent
            and not self.stops_when_left()
            and seen < (expected := self.watch.expected_output)
        ):
            seen, how = expected, "expected"  # cut off here, and written on there
        if self.usage is None:
            tokens = {"input": self.prompt_tokens, "output": seen}
            basis = f"prompt {self.prompt_tokens} tokens by length, output {seen} tokens {how}"
        else:
            reported = self.usage.tokens
            tokens = {**reported, "output": max(reported.get("output", 0), seen - reported.get("reasoning", 0))}
            basis = f"prompt as reported, output {tokens['output']} tokens {how}"
        if price is None:
            return None, basis
        told = self.usage or self.usage_asked
        guess = Usage(tokens) if told is None else Usage(tokens, told.units, service_tier=told.service_tier)
        total = cost(guess, price, service_tier=self.call.peek.service_tier, at=self._at).total
        return total or None, basis  # 0 says only that what is billed cannot be seen from here
