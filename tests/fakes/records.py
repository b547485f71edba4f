"""Ledger records to test observers with: a streamed exchange of two attempts, the first of which failed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from costspan.ledger.records import Attempt, AttemptStarted, Exchange, Origin

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CLIENT_SPAN_ID = "b7ad6b7169203331"
EXCHANGE_SPAN_ID = "00f067aa0ba902b7"
SECOND = 1_000_000_000
START_NS = 1_767_225_600 * SECOND

ORIGIN = Origin(
    exchange_id="cs_1",
    route="smart",
    strategy="fallback",
    operation="chat",
    model_asked="smart",
    dialect_in="openai-chat",
    stream=True,
    key="checkout",
    attributes={"team": "checkout", "environment": "prod"},
    client_request_id=None,
    trace_id=TRACE_ID,
    span_id=EXCHANGE_SPAN_ID,
    parent_span_id=CLIENT_SPAN_ID,
    sampled=True,
    config_generation=3,
)

FAILED_STARTED = AttemptStarted(
    origin=ORIGIN,
    id="at_1",
    span_id="1111111111111111",
    index=0,
    time_ns=START_NS + 1_000_000,
    provider="bedrock-us",
    provider_kind="bedrock",
    model_requested="us.claude",
    dialect_out="bedrock-converse",
    server_address="bedrock-runtime.us-east-1.amazonaws.com",
    server_port=443,
    estimate_usd=Decimal("0.01"),
    estimate_basis="prompt",
    price_source="catalog:aws/claude",
    price_version="1",
)

FAILED = Attempt(
    started=FAILED_STARTED,
    outcome="failed",
    http_status=503,
    error_type="upstream_503",
    model_served=None,
    usage={},
    units={},
    cost_usd=None,
    cost_estimated_usd=Decimal("0.01"),
    cost_status="estimated",
    cost_parts={},
    price_source="catalog:aws/claude",
    price_version="1",
    service_tier=None,
    upstream_id=None,
    duration_ms=40.0,
    first_token_ms=None,
)

ANSWERED = Attempt(
    started=replace(
        FAILED_STARTED,
        id="at_2",
        span_id="2222222222222222",
        index=1,
        time_ns=START_NS + 50_000_000,
        provider="anthropic",
        provider_kind="anthropic",
        model_requested="claude-sonnet-4-5",
        dialect_out="anthropic-messages",
        server_address="api.anthropic.com",
    ),
    outcome="ok",
    http_status=200,
    error_type=None,
    model_served="claude-sonnet-4-5-20250929",
    usage={"input": 100, "cache_read": 50, "cache_write": 7, "cache_write_1h": 3, "output": 20, "reasoning": 5},
    units={},
    cost_usd=Decimal("0.000725"),
    cost_estimated_usd=None,
    cost_status="exact",
    cost_parts={"input": Decimal("0.0003"), "output": Decimal("0.000425")},
    price_source="table:gateway.yaml:41",
    price_version="1",
    service_tier="standard",
    upstream_id="msg_1",
    duration_ms=900.0,
    first_token_ms=250.0,
    finish_reasons=("stop",),
)

EXCHANGE = Exchange(
    origin=ORIGIN,
    time_ns=START_NS,
    outcome="ok",
    http_status=200,
    error_type=None,
    provider="anthropic",
    model_requested="claude-sonnet-4-5",
    model_served="claude-sonnet-4-5-20250929",
    attempts=2,
    usage=ANSWERED.usage,
    cost_usd=Decimal("0.000725"),
    cost_estimated_usd=Decimal("0.01"),
    cost_status="estimated",
    duration_ms=952.0,
    first_token_ms=300.0,
    upstream_ms=950.0,
    finish_reasons=("stop",),
)

ATTEMPTS = (FAILED, ANSWERED)
