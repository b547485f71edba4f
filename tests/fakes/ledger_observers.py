"""Observers beside the ledger, and before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costspan.ledger.records import Attempt, AttemptStarted, Exchange
    from costspan.ledger.writer import Writer


@dataclass(slots=True)
class Told:
    """What an observer beside the ledger was told, as telemetry is: each record, in order."""

    started: dict[str, AttemptStarted] = field(default_factory=dict)
    ended: dict[str, Attempt] = field(default_factory=dict)
    exchanges: dict[str, tuple[Exchange, tuple[Attempt, ...]]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def attempt_started(self, started: AttemptStarted) -> None:
        self._once(self.started, started.id, started)

    def attempt_ended(self, attempt: Attempt) -> None:
        self._once(self.ended, attempt.started.id, attempt)

    def exchange_ended(self, exchange: Exchange, attempts: Sequence[Attempt]) -> None:
        self._once(self.exchanges, exchange.origin.exchange_id, (exchange, tuple(attempts)))

    def _once(self, known: dict[str, Any], id_: str, record: object) -> None:
        if id_ in known:
            self.faults.append(f"I1: told twice of {id_}")
        known[id_] = record


class Leaky:
    """A ledger that does not write one kind of record: for the control."""

    def __init__(self, writer: Writer, omit: str | None) -> None:
        self._writer = writer
        self._omit = omit

    def attempt_started(self, started: AttemptStarted) -> None:
        if self._omit != "attempt_started":
            self._writer.attempt_started(started)

    def attempt_ended(self, attempt: Attempt) -> None:
        if self._omit != "attempt":
            self._writer.attempt_ended(attempt)

    def exchange_ended(self, exchange: Exchange, attempts: Sequence[Attempt]) -> None:
        if self._omit != "exchange":
            self._writer.exchange_ended(exchange, attempts)
