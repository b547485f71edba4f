"""The ends that recovery writes: of an attempt of which only the start is known, of an exchange of its attempts."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from costspan.ledger import lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costspan.wire import json

_WEAKEST_FIRST = ("unpriced", "estimated", "provider", "exact", "free")
_OF_THE_REQUEST = (
    *("model_asked", "route", "strategy", "operation", "dialect_in", "stream", "key", "attributes"),
    *("client_request_id", "trace_id", "exchange_span_id", "parent_span_id", "config_generation"),
)
"""What all lines of an exchange say alike, last."""


def attempt(started: json.Object) -> json.Object:
    """The end of an attempt of which only the start is known. Durations are unknown, not 0."""
    estimate = started.get("estimate_usd")
    return {
        "type": "attempt",
        "v": 1,
        "id": started["id"],
        "exchange_id": started["exchange_id"],
        **_same(started, "time"),
        "model_served": None,
        "outcome": "recovered",
        "http_status": None,
        "error_type": None,
        "finish_reasons": [],
        "usage": {},
        "units": {},
        "cost_usd": None,
        "cost_estimated_usd": estimate,
        "cost_status": "unpriced" if estimate is None else "estimated",
        "cost_parts": {},
        "cost_reported_usd": None,
        "cost_computed_usd": None,
        **_same(started, "estimate_basis", "price_source", "price_version"),
        "service_tier": None,
        "flags": [],
        "upstream_id": None,
        "duration_ms": None,
        "first_token_ms": None,
        **_same(started, "provider", "provider_kind", "model_requested", "dialect_out", "index", "span_id"),
        **_same(started, *_OF_THE_REQUEST),
    }


def exchange(attempts: list[json.Object]) -> json.Object:
    """The end of an exchange of which only the attempts are known, at least one."""
    attempts = sorted(attempts, key=lambda attempt: attempt.get("index") or 0)
    first = attempts[0]
    answer: json.Object = next((attempt for attempt in attempts if attempt.get("outcome") == "ok"), {})
    statuses = {attempt.get("cost_status") for attempt in attempts}
    return {
        "type": "exchange",
        "v": 1,
        "id": first["exchange_id"],
        "exchange_id": first["exchange_id"],
        **_same(first, "time"),
        **_same(answer, "provider", "provider_kind", "model_requested", "model_served", "dialect_out"),
        "attempts": len(attempts),
        "outcome": "recovered",
        "http_status": None,
        "error_type": None,
        "finish_reasons": answer.get("finish_reasons", []),
        "usage": answer.get("usage", {}),
        "units": answer.get("units", {}),
        "cost_usd": _sum(attempts, "cost_usd"),
        "cost_estimated_usd": _sum(attempts, "cost_estimated_usd"),
        "cost_status": next((status for status in _WEAKEST_FIRST if status in statuses), "unpriced"),
        "cost_parts": _summed_parts(attempts),
        **_same(answer, "price_source", "price_version", "service_tier"),
        "dropped": [],
        **_same(answer, "upstream_id"),
        "span_id": first.get("exchange_span_id"),
        "duration_ms": None,
        "first_token_ms": None,
        "upstream_ms": None,
        **_same(first, *_OF_THE_REQUEST),
    }


def _same(source: json.Object, *keys: str) -> json.Object:
    return {key: source.get(key) for key in keys}


def _sum(attempts: Iterable[json.Object], key: str) -> str | None:
    known = [usd for attempt in attempts if (usd := _decimal(attempt.get(key))) is not None]
    return lines.money(sum(known, Decimal(0))) if known else None


def _summed_parts(attempts: list[json.Object]) -> dict[str, str | None]:
    known = [attempt.get("cost_parts") or {} for attempt in attempts if attempt.get("cost_usd") is not None]
    return {bucket: _sum(known, bucket) for bucket in dict.fromkeys(bucket for parts in known for bucket in parts)}


def _decimal(text: object) -> Decimal | None:
    try:
        return Decimal(text) if isinstance(text, str) else None
    except InvalidOperation:
        return None
