"""One exchange while it runs: what was asked, of whom, and what became of it so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from costspan.dialects.types import Dialect, Peek
    from costspan.errors import UpstreamError
    from costspan.ir.request import Request
    from costspan.ledger.records import Attempt, Origin
    from costspan.routing.plan import Matched
    from costspan.snapshot import Snapshot
    from costspan.wire import json


class Clock(Protocol):
    """Time as an argument."""

    def wall_ns(self) -> int:
        """Epoch nanoseconds."""

    def monotonic(self) -> float:
        """Seconds that never step back; the event loop's own clock."""


@dataclass(slots=True)
class Call:
    """A request that was let in, with the snapshot it keeps to its end. Changes while attempts are made."""

    snapshot: Snapshot
    origin: Origin
    matched: Matched
    dialect: Dialect
    peek: Peek
    body: bytes
    fields: json.Object
    forwarded: Sequence[tuple[str, str]]
    """The client's headers that may pass."""
    started_ns: int
    started: float
    """Monotonic seconds."""
    deadline: float
    """Monotonic seconds, for all attempts together."""
    require_parameters: bool = False
    cost_in_body: bool = False
    """Whether the client wants the cost in the answer's `usage` object."""
    attempts: list[Attempt] = field(default_factory=list)
    failures: list[UpstreamError] = field(default_factory=list)
    tried: list[json.Object] = field(default_factory=list)
    """For error answers: target, status and error type of each attempt."""
    targets_left: int = 1
    """Targets of the plan that are still to be asked, the current one included."""
    begun: int = 0
    """Attempts started."""
    upstream_seconds: float = 0.0
    request: Request | None = None
    """The canonical form, once a target of another dialect needed it."""

    pending: int = 0
    """Attempts that go on in the background after the client's answer has ended."""
    settled: Callable[[], None] | None = None
    finished: bool = False
    """Whether the exchange's record is written, or will be when the last attempt has ended."""

    def on_settled(self, then: Callable[[], None]) -> None:
        """Call `then` once no attempt is pending: now, or when the last one has ended."""
        if self.pending:
            self.settled = then
        else:
            then()

    def settle(self) -> None:
        """One pending attempt has ended."""
        self.pending -= 1
        if not self.pending and self.settled is not None:
            then, self.settled = self.settled, None
            then()

    def canonical(self) -> Request:
        """The request in the canonical form, decoded once. Raises `ClientError`."""
        if self.request is None:
            self.request = self.dialect.decode_request(self.fields)
        return self.request
