"""lines: records as lines of JSON."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from costspan.ledger import lines
from costspan.wire import json
from fakes import ledger_records as records

SPECIFIED = {
    *("type", "v", "id", "exchange_id", "time", "provider", "model_requested", "model_served", "route", "dialect_in"),
    *("dialect_out", "stream", "outcome", "http_status", "error_type", "usage", "units", "cost_usd"),
    *("cost_estimated_usd", "cost_status", "cost_parts", "price_source", "price_version", "service_tier", "key"),
    *("attributes", "client_request_id", "upstream_id", "trace_id", "span_id", "duration_ms", "first_token_ms"),
    "config_generation",
}


def read(line: bytes) -> dict[str, Any]:
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    return json.loads_object(line)


def test_a_started_attempt_says_who_asked_for_what_and_what_it_may_cost() -> None:
    line = lines.attempt_started(records.started())

    assert line.startswith(
        b'{"type":"attempt_started","v":1,"id":"at_1","exchange_id":"cs_1","time":"2026-01-02T03:04:05.678Z",'
    )
    assert line.endswith(b',"config_generation":3}\n')
    assert read(line) == {
        "type": "attempt_started",
        "v": 1,
        "id": "at_1",
        "exchange_id": "cs_1",
        "time": "2026-01-02T03:04:05.678Z",
        "provider": "openai",
        "provider_kind": "openai",
        "model_requested": "gpt-5",
        "model_asked": "smart",
        "route": "smart",
        "strategy": "fallback",
        "operation": "chat",
        "dialect_in": "openai-chat",
        "dialect_out": "openai-chat",
        "stream": True,
        "index": 0,
        "estimate_usd": "0.0123",
        "estimate_basis": "prompt_bytes/4+max_tokens",
        "price_source": "table:gateway.yaml:41",
        "price_version": "2026-01-01",
        "key": "checkout",
        "attributes": {"team": "checkout"},
        "client_request_id": "client-1",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "53995c3f42cd8ad8",
        "exchange_span_id": "b7ad6b7169203331",
        "parent_span_id": "00f067aa0ba902b7",
        "config_generation": 3,
    }


def test_an_attempt_has_its_usage_its_cost_and_rounded_durations() -> None:
    line = lines.attempt(records.attempt())
    found = read(line)

    assert line.startswith(b'{"type":"attempt","v":1,"id":"at_1","exchange_id":"cs_1","time":"2026-')
    assert line.endswith(b',"config_generation":3}\n')
    assert found.keys() >= SPECIFIED
    assert found["usage"] == {"input": 10, "cache_read": 100, "output": 20}
    assert found["units"] == {"requests": 1}
    assert found["cost_usd"] == "0.000225"
    assert found["cost_parts"] == {"input": "0.0000125", "cache_read": "0.0000125", "output": "0.0002"}
    assert found["duration_ms"] == 1234.568
    assert found["first_token_ms"] == 210
    assert found["cost_estimated_usd"] is None


def test_an_exchange_borrows_from_the_attempt_that_answered_and_sums_the_parts() -> None:
    failed = replace(
        records.attempt(),
        outcome="failed",
        upstream_id="chatcmpl-0",
        cost_usd=Decimal("0.1"),
        cost_parts={"input": Decimal("0.1")},
    )
    guessed = replace(failed, cost_usd=None, cost_parts={"input": Decimal(7)}, cost_estimated_usd=Decimal(7))

    line = lines.exchange(records.exchange(), [failed, guessed, records.attempt()])
    found = read(line)

    assert line.startswith(b'{"type":"exchange","v":1,"id":"cs_1","exchange_id":"cs_1","time":"2026-')
    assert line.endswith(b',"config_generation":3}\n')
    assert found.keys() >= SPECIFIED
    assert found["upstream_id"] == "chatcmpl-1"
    assert found["dialect_out"] == "openai-chat"
    assert found["cost_parts"] == {"input": "0.1000125", "cache_read": "0.0000125", "output": "0.0002"}


def test_an_exchange_cut_half_way_was_answered_by_the_last_attempt_at_its_target() -> None:
    cut = replace(records.attempt(), outcome="failed", upstream_id="chatcmpl-9")

    found = read(lines.exchange(replace(records.exchange(), outcome="failed"), [cut]))

    assert found["upstream_id"] == "chatcmpl-9"


def test_an_exchange_that_nobody_answered_has_the_same_keys() -> None:
    answered = read(lines.exchange(records.exchange(), [records.attempt()]))
    unanswered = read(lines.exchange(replace(records.exchange(), provider=None, outcome="failed"), []))

    assert unanswered.keys() == answered.keys()
    assert unanswered["upstream_id"] is None
    assert unanswered["units"] == {}


MONEY: dict[str, tuple[str | None, str | None]] = {
    "unknown": (None, None),
    "tiny": ("1E-12", "0.000000000001"),
    "large": ("1E+3", "1000"),
    "zero with an exponent": ("0E-9", "0.000000000"),
    "every digit": ("0.1234567890123456789012345678", "0.1234567890123456789012345678"),
}


@pytest.mark.parametrize(("usd", "expected"), MONEY.values(), ids=MONEY.keys())
def test_money_never_has_an_exponent(usd: str | None, expected: str | None) -> None:
    assert lines.money(None if usd is None else Decimal(usd)) == expected


def test_decimal_units_are_numbers_with_every_digit() -> None:
    ended = replace(records.attempt(), units={"audio_seconds": Decimal("1.10"), "characters": 12})

    assert b'"units":{"audio_seconds":1.10,"characters":12}' in lines.attempt(ended)


def test_text_that_is_not_unicode_costs_characters_and_not_the_record() -> None:
    started = records.started()
    started = replace(started, origin=replace(started.origin, attributes={"team": "caf\udce9"}, stream=False))

    found = read(lines.attempt_started(started))

    assert found["attributes"] == {"team": "caf?"}
    assert found["stream"] is False


def test_a_number_beyond_64_bits_is_clamped_and_not_the_end_of_the_record() -> None:
    found = read(lines.attempt(replace(records.attempt(), usage={"input": 10**30})))

    assert found["usage"] == {"input": 9223372036854775807}
    assert found["cost_parts"]["output"] == "0.0002"


def test_a_newline_in_a_value_does_not_end_the_line() -> None:
    started = records.started()
    started = replace(started, origin=replace(started.origin, client_request_id="a\nb"))

    assert read(lines.attempt_started(started))["client_request_id"] == "a\nb"
