"""What the engine tells the outside. Ledger and telemetry implement it; the server wires them in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costspan.ledger.records import Attempt, AttemptStarted, Exchange


class Observer(Protocol):
    """Called on the event loop, in the request path: no call may block or raise."""

    def attempt_started(self, started: AttemptStarted) -> None:
        """An attempt's request is about to go out."""

    def attempt_ended(self, attempt: Attempt) -> None:
        """An attempt has its final record: once for each that started."""

    def exchange_ended(self, exchange: Exchange, attempts: Sequence[Attempt]) -> None:
        """An exchange has its final record; `attempts` are all of its attempts known by now, in order."""
