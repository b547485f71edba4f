"""One exchange while it runs: what was asked, of whom, and what became of it so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from costspan.engine import conversation, translate
from costspan.engine.raw import UNKNOWN_MODEL
from costspan.routing.asked import Asked
from costspan.routing.overrides import NO_WISHES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from costspan.dialects.types import Metered, Peek
    from costspan.engine.entered import Entered
    from costspan.engine.outlook import Outlook
    from costspan.engine.race import Contest
    from costspan.engine.translate import Canonical, Client
    from costspan.errors import ClientError, UpstreamError
    from costspan.ledger.records import Attempt, Origin
    from costspan.pricing.rates import Price
    from costspan.providers.account import Account
    from costspan.routing.order import Plan
    from costspan.routing.overrides import Wishes
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


@dataclass(frozen=True, slots=True)
class Passed:
    """A target that was passed over when its turn came. `seconds`: after which it may be asked, where that is known."""

    target: str
    why: Literal["busy", "keys", "ill"]
    seconds: float | None


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
    wishes: Wishes = NO_WISHES
    """What the request asked of its targets. `matched` keeps to it, and so has every other route it is sent to."""
    cost_in_body: bool = False
    """Whether the client wants the cost in the answer's `usage` object."""
    attempts: list[Attempt] = field(default_factory=list)
    failures: list[UpstreamError] = field(default_factory=list)
    tried: list[json.Object] = field(default_factory=list)
    """For error answers: target, status and error type of each attempt."""
    turns_left: int = 1
    """How often the plan still waits for a target, or for some that race, if all fail; the current one included."""
    begun: int = 0
    """Attempts started."""
    plan: Plan | None = None
    """The targets in the order in which they are asked, once it is made."""
    outlook: Outlook | None = None
    """What was known of them then."""
    passed: list[Passed] = field(default_factory=list)
    refusals: list[tuple[str, ClientError]] = field(default_factory=list)
    """Targets whose dialect cannot express the request, and how."""
    probed: bool = False
    """Whether a target that is ill was asked as a last resort: one in an exchange is enough."""
    contest: Contest | None = None
    """Who wins, while targets race."""
    entered: Entered | None = None
    """What it holds of limits and budgets; None: nothing limits it."""
    _asked: Asked | None = None
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

    @property
    def under_way(self) -> int:
        """Attempts that have no final record yet: what they cost is not known."""
        return self.begun - len(self.attempts)

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

    def price(self, account: Account, model: str, at: datetime, served: str | None = None) -> Price | None:
        """What is billed for an attempt there; None where no price is known, or not of what a raw request asks for."""
        raw = self.raw
        if raw is not None and not raw.names(served or model) and account.price_as != "free":
            return None
        return self.snapshot.price(account, model, at, served)

    @property
    def must_be_priced(self) -> bool:
        """Whether a target without a price may not be asked. Reading a provider's own path costs nothing."""
        raw = self.raw
        return self.snapshot.reject_unpriced and (raw is None or not (raw.free or raw.method in {"GET", "HEAD"}))

    @property
    def asked(self) -> Asked:
        """What of the request its cost depends on."""
        if self._asked is None:
            peek = self.peek
            self._asked = Asked(
                peek.prompt_chars, peek.media, peek.max_output_tokens, peek.tools, peek.json_schema, peek.n
            )
            if self.matched.weighs_cost:
                self._asked = conversation.recognised(self._asked, self.fields, self.origin.key)
        return self._asked

    @property
    def refusal(self) -> ClientError | None:
        """Why no target can serve the request, where it is the request that has to change."""
        first = self.outlook.refusal if self.outlook is not None else None
        return first or next((error for _, error in self.refusals), None)

    @property
    def is_streamed_up(self) -> bool:
        """Whether the body is passed on while it comes: there is only one of it."""
        return self.upload is not None or (self.raw is not None and not isinstance(self.raw.body, bytes))

    @property
    def spent(self) -> bool:
        """Whether the body has gone out and cannot be sent again."""
        if self.raw is not None:
            return not isinstance(self.raw.body, bytes) and self.raw.body.begun
        return self.upload is not None and self.upload.begun
