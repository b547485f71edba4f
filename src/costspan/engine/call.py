"""One exchange while it runs: what was asked, of whom, and what became of it so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from costspan.engine import translate
from costspan.engine.raw import UNKNOWN_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from costspan.dialects.types import Metered, Peek
    from costspan.engine.translate import Canonical, Client
    from costspan.errors import UpstreamError
    from costspan.ledger.records import Attempt, Origin
    from costspan.routing.plan import Matched
    from costspan.snapshot import Snapshot
    from costspan.wire import json
    from costspan.wire.http import Upload


class Form(Protocol):
    """A form that is streamed to the target, with the target's own name of the model in it."""

    begun: bool
    """Whether any of it has gone out."""

    def renamed(self, model: str) -> Upload:
        """The body to send."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A request on a provider's own path: method, path and body as the client sent them.

    `dialect` is the one that the path belongs to, as far as the books can read its answers.
    """

    method: str
    path: str
    """From the root of the provider's host, with its query."""
    content_type: str | None
    body: bytes | Upload
    dialect: Metered | None
    free: bool = False
    """Whether the provider does not bill it."""

    def names(self, model: str) -> bool:
        """Whether it is known what is asked for: else no price holds, whatever a table says of all models."""
        return self.dialect is not None and model != UNKNOWN_MODEL


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
    dialect: Client
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
    request: Canonical | None = None
    """The canonical form, once a target of another dialect needed it."""
    content_type: str = "application/json"
    """Of the request's body."""
    upload: Form | None = None
    """A body that is streamed instead of `body`."""
    raw: Raw | None = None
    """Set for a request on a provider's own path."""

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

    def canonical(self) -> Canonical:
        """The request in the canonical form, decoded once. Raises `ClientError`."""
        if self.request is None:
            self.request = translate.decode(self.dialect, self.told)
        return self.request

    @property
    def told(self) -> json.Object:
        """The fields that are meant for the target: not the wish to lose none of them, which is meant for us."""
        if self.require_parameters and self.fields.get("provider") == {"require_parameters": True}:
            return {name: value for name, value in self.fields.items() if name != "provider"}
        return self.fields

    @property
    def must_be_priced(self) -> bool:
        """Whether a target without a price may not be asked. Reading a provider's own path costs nothing."""
        raw = self.raw
        return self.snapshot.reject_unpriced and (raw is None or not (raw.free or raw.method in {"GET", "HEAD"}))

    @property
    def spent(self) -> bool:
        """Whether the body has gone out and cannot be sent again."""
        if self.raw is not None:
            return not isinstance(self.raw.body, bytes) and self.raw.body.begun
        return self.upload is not None and self.upload.begun
