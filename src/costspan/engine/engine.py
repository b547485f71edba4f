"""The engine as the server sees it: open an answer, close the exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.engine.answer import Streamed
from costspan.engine.decision import Decisions, Ended
from costspan.ledger.records import Exchange
from costspan.pricing.settle import add, weakest

if TYPE_CHECKING:
    from costspan.engine.answer import Answer
    from costspan.engine.call import Call, Clock
    from costspan.engine.drain import Drains
    from costspan.engine.execute import Executor
    from costspan.engine.observer import Observer
    from costspan.engine.run import Run
    from costspan.ledger.records import Outcome


class Engine:
    """Runs exchanges. One for the process."""

    def __init__(self, executor: Executor, observer: Observer, clock: Clock, drains: Drains) -> None:
        self._executor = executor
        self._observer = observer
        self._clock = clock
        self._drains = drains
        self.decisions = Decisions()
        """Why the last exchanges went where they went."""

    def plan(self, call: Call) -> None:
        """Give `call` its plan ahead of time. Raises `ClientError` where none can be made; `open` will do so again."""
        self._executor.plan(call)

    async def open(self, call: Call) -> Answer:
        """Begin the answer. Raises `Exhausted` or `ClientError`; every attempt made has its record by then."""
        return await self._executor.open_answer(call)

    def abandon(self, answer: Answer) -> None:
        """The client left while it was given `answer`."""
        self._drains.abandon(answer)

    @staticmethod
    def fail(answer: Answer) -> None:
        """A fault of ours ended `answer` before its time."""
        if answer.run.attempt is None and isinstance(answer, Streamed):
            answer.response.close()
            answer.run.end("failed")

    def finish(
        self,
        call: Call,
        *,
        outcome: Outcome,
        status: int,
        error_type: str | None = None,
        run: Run | None = None,
        first_token: float | None = None,
    ) -> None:
        """Write the exchange's record, now or when its last attempt has ended. `run` is the attempt that answered."""
        ended = self._clock.monotonic()
        span_id = None if run is None else run.span_id
        self.decisions.keep(call, Ended(outcome, status, error_type, (ended - call.started) * 1000, span_id))

        def write() -> None:
            exchange = self._exchange(call, outcome, status, error_type, run, ended, first_token)
            self._observer.exchange_ended(exchange, call.attempts)

        call.on_settled(write)

    def _exchange(  # noqa: PLR0913, PLR0917 - the facts of a record
        self,
        call: Call,
        outcome: Outcome,
        status: int,
        error_type: str | None,
        run: Run | None,
        ended: float,
        first_token: float | None,
    ) -> Exchange:
        answered = run.attempt if run is not None else None
        attempts = call.attempts
        return Exchange(
            origin=call.origin,
            time_ns=call.started_ns,
            outcome=outcome,
            http_status=status,
            error_type=error_type,
            provider=answered.started.provider if answered else None,
            model_requested=answered.started.model_requested if answered else None,
            model_served=answered.model_served if answered else None,
            attempts=len(attempts),
            usage=answered.usage if answered else {},
            cost_usd=add(attempt.cost_usd for attempt in attempts),
            cost_estimated_usd=add(attempt.cost_estimated_usd for attempt in attempts),
            cost_status=weakest(attempt.cost_status for attempt in attempts),
            duration_ms=(ended - call.started) * 1000,
            first_token_ms=None if first_token is None else (first_token - call.started) * 1000,
            upstream_ms=call.upstream_seconds * 1000,
            dropped=run.losses if run is not None else (),
            finish_reasons=answered.finish_reasons if answered else (),
        )
