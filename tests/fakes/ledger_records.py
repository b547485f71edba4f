"""Builders of ledger records with every field filled in, to be varied with `dataclasses.replace`."""

from __future__ import annotations

from decimal import Decimal

from costspan.ledger.records import Attempt, AttemptStarted, Exchange, Origin

TIME_NS = 1_767_323_045_678_901_234
"""2026-01-02T03:04:05.678901234Z"""
TIME = 1_767_323_045.0
"""The same second, as a clock says it."""


def origin(exchange_id: str = "cs_1", *, key: str | None = "checkout") -> Origin:
    return Origin(
        exchange_id=exchange_id,
        route="smart",
        strategy="fallback",
        operation="chat",
        model_asked="smart",
        dialect_in="openai-chat",
        stream=True,
        key=key,
        attributes={"team": "checkout"},
        client_request_id="client-1",
        trace_id="0af7651916cd43dd8448eb211c80319c",
        span_id="b7ad6b7169203331",
        parent_span_id="00f067aa0ba902b7",
        sampled=True,
        config_generation=3,
    )


def started(
    id_: str = "at_1", exchange_id: str = "cs_1", *, estimate: str | None = "0.0123", index: int = 0
) -> AttemptStarted:
    return AttemptStarted(
        origin=origin(exchange_id),
        id=id_,
        span_id="53995c3f42cd8ad8",
        index=index,
        time_ns=TIME_NS,
        provider="openai",
        provider_kind="openai",
        model_requested="gpt-5",
        dialect_out="openai-chat",
        server_address="api.openai.com",
        server_port=443,
        estimate_usd=None if estimate is None else Decimal(estimate),
        estimate_basis="prompt_bytes/4+max_tokens",
        price_source="table:gateway.yaml:41",
        price_version="2026-01-01",
    )


def attempt(of: AttemptStarted | None = None) -> Attempt:
    return Attempt(
        started=of or started(),
        outcome="ok",
        http_status=200,
        error_type=None,
        model_served="gpt-5-2025-08-07",
        usage={"input": 10, "cache_read": 100, "output": 20},
        units={"requests": 1},
        cost_usd=Decimal("0.000225"),
        cost_estimated_usd=None,
        cost_status="exact",
        cost_parts={"input": Decimal("0.0000125"), "cache_read": Decimal("0.0000125"), "output": Decimal("0.0002")},
        price_source="table:gateway.yaml:41",
        price_version="2026-01-01",
        service_tier="default",
        upstream_id="chatcmpl-1",
        duration_ms=1234.56789,
        first_token_ms=210.0004,
        finish_reasons=("stop",),
    )


def exchange(exchange_id: str = "cs_1") -> Exchange:
    return Exchange(
        origin=origin(exchange_id),
        time_ns=TIME_NS,
        outcome="ok",
        http_status=200,
        error_type=None,
        provider="openai",
        model_requested="gpt-5",
        model_served="gpt-5-2025-08-07",
        attempts=1,
        usage={"input": 10, "cache_read": 100, "output": 20},
        cost_usd=Decimal("0.000225"),
        cost_estimated_usd=None,
        cost_status="exact",
        duration_ms=1240.5,
        first_token_ms=211.25,
        upstream_ms=1234.56789,
        finish_reasons=("stop",),
    )
