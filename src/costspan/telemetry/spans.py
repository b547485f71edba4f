"""From ledger records to encoded spans: one SERVER span per exchange, one CLIENT span per attempt under it.

Ids and times are those of the records, so that a span and its ledger line can be joined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.telemetry import otlp
from costspan.telemetry.attributes import (
    attempt_attributes,
    attempt_name,
    exchange_attributes,
    exchange_name,
    failed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from costspan.ledger.records import Attempt, Exchange

_NS_PER_MS = 1_000_000


def exchange_span(exchange: Exchange, attempts: Sequence[Attempt], cost_aliases: Iterable[str]) -> bytes:
    """Encode the SERVER span. Its parent is the client's span, where it sent one."""
    origin = exchange.origin
    return otlp.span(
        trace_id=origin.trace_id,
        span_id=origin.span_id,
        parent_span_id=origin.parent_span_id,
        flags=otlp.REMOTE_PARENT if origin.parent_span_id else otlp.LOCAL_PARENT,
        name=exchange_name(exchange),
        kind=otlp.KIND_SERVER,
        start_ns=exchange.time_ns,
        end_ns=_end(exchange.time_ns, exchange.duration_ms),
        attributes=exchange_attributes(exchange, attempts, cost_aliases),
        error=failed(exchange),
    )


def attempt_span(attempt: Attempt) -> bytes:
    """Encode the CLIENT span. Its parent is the exchange's."""
    started = attempt.started
    return otlp.span(
        trace_id=started.origin.trace_id,
        span_id=started.span_id,
        parent_span_id=started.origin.span_id,
        flags=otlp.LOCAL_PARENT,
        name=attempt_name(attempt),
        kind=otlp.KIND_CLIENT,
        start_ns=started.time_ns,
        end_ns=_end(started.time_ns, attempt.duration_ms),
        attributes=attempt_attributes(attempt),
        error=failed(attempt),
    )


def _end(start_ns: int, duration_ms: float) -> int:
    """End of a span; a duration comes from the monotonic clock and so never ends a span before it began."""
    return start_ns + round(max(duration_ms, 0.0) * _NS_PER_MS)
