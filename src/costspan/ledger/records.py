"""What happened, as values. The same records feed the ledger file, the spans, the metrics and the console.

Times are epoch nanoseconds, durations milliseconds, money exact decimals in USD. Three of these are made for every
request; they are not frozen because a frozen dataclass takes three times as long to make, and nobody changes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

VERSION = 1

Outcome: TypeAlias = Literal["ok", "failed", "lost_race", "cancelled", "recovered"]
CostStatus: TypeAlias = Literal["exact", "provider", "estimated", "unpriced", "free"]


@dataclass(slots=True)
class Origin:
    """What attempt and exchange have in common: who asked for what, under which configuration."""

    exchange_id: str
    route: str
    strategy: str
    operation: str
    """OpenTelemetry's `gen_ai.operation.name`: `chat`, `embeddings`, ..."""
    model_asked: str
    """The model name as the client sent it."""
    dialect_in: str
    stream: bool
    key: str | None
    attributes: Mapping[str, str]
    client_request_id: str | None
    trace_id: str
    """32 hex digits."""
    span_id: str
    """The exchange's span, 16 hex digits."""
    parent_span_id: str | None
    sampled: bool
    config_generation: int
    encoded: bytes = field(default=b"", compare=False, repr=False)
    """For the ledger: what its lines have in common, as JSON without the first brace."""


@dataclass(slots=True)
class AttemptStarted:
    """Written before the first byte goes out, so that a kill leaves a trace."""

    origin: Origin
    id: str
    span_id: str
    index: int
    """0 for the first attempt of the exchange."""
    time_ns: int
    provider: str
    provider_kind: str
    model_requested: str
    dialect_out: str
    server_address: str
    server_port: int
    estimate_usd: Decimal | None
    """What this attempt is expected to cost; the cost of a recovered one. None: unpriced."""
    estimate_basis: str
    price_source: str | None
    price_version: str | None
    encoded: bytes = field(default=b"", compare=False, repr=False)
    """For the ledger, as in `Origin`."""


@dataclass(slots=True)
class Attempt:
    """One upstream call, ended. `usage` and `units` hold the reported counts, empty when nothing was reported."""

    started: AttemptStarted
    outcome: Outcome
    http_status: int | None
    error_type: str | None
    model_served: str | None
    usage: Mapping[str, int]
    units: Mapping[str, int | Decimal]
    cost_usd: Decimal | None
    """Set for status exact, provider and free; None for estimated and unpriced."""
    cost_estimated_usd: Decimal | None
    """Set for status estimated only."""
    cost_status: CostStatus
    cost_parts: Mapping[str, Decimal]
    price_source: str | None
    price_version: str | None
    service_tier: str | None
    upstream_id: str | None
    duration_ms: float
    first_token_ms: float | None
    finish_reasons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    """`usage_inconsistent`, `tier_assumed`, ..."""
    estimate_basis: str | None = None
    cost_reported_usd: Decimal | None = None
    """What the provider itself said it cost, kept beside ours."""
    cost_computed_usd: Decimal | None = None
    """Status provider: usage times price, kept beside the provider's figure that was taken. None where not known."""

    @property
    def drift_usd(self) -> Decimal | None:
        """By how much the provider's own figure is above ours; None unless both are known."""
        ours = self.cost_computed_usd if self.cost_status == "provider" else self.cost_usd
        return None if ours is None or self.cost_reported_usd is None else self.cost_reported_usd - ours


@dataclass(slots=True)
class Exchange:
    """One client request with its answer. Its cost is the sum over its attempts."""

    origin: Origin
    time_ns: int
    outcome: Outcome
    http_status: int
    error_type: str | None
    provider: str | None
    """The provider and model of the attempt that answered, None when none did."""
    model_requested: str | None
    model_served: str | None
    attempts: int
    usage: Mapping[str, int]
    """Of the attempt that answered."""
    cost_usd: Decimal | None
    """Sum of the exact attempts; None when every attempt is unpriced."""
    cost_estimated_usd: Decimal | None
    cost_status: CostStatus
    """The weakest of its parts."""
    duration_ms: float
    first_token_ms: float | None
    upstream_ms: float
    """Time spent waiting for upstreams; the rest of the duration is ours."""
    dropped: tuple[str, ...] = field(default=())
    finish_reasons: tuple[str, ...] = field(default=())
