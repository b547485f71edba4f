"""costspan.telemetry.attributes: fixed records, exact attributes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from costspan.telemetry.attributes import (
    attempt_attributes,
    attempt_name,
    clean,
    exchange_attributes,
    exchange_name,
    failed,
)
from fakes.records import ANSWERED, ATTEMPTS, EXCHANGE, FAILED, ORIGIN


def test_the_attributes_of_an_exchange() -> None:
    assert exchange_attributes(EXCHANGE, ATTEMPTS) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "smart",
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "claude-sonnet-4-5-20250929",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.3,
        "gen_ai.usage.input_tokens": 160,
        "gen_ai.usage.output_tokens": 25,
        "gen_ai.usage.cache_read.input_tokens": 50,
        "gen_ai.usage.cache_creation.input_tokens": 10,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "http.response.status_code": 200,
        "costspan.exchange.id": "cs_1",
        "costspan.route": "smart",
        "costspan.strategy": "fallback",
        "costspan.attempts": 2,
        "costspan.key": "checkout",
        "costspan.attr.team": "checkout",
        "costspan.attr.environment": "prod",
        "costspan.config.generation": 3,
        "costspan.cost.usd": 0.000725,
        "costspan.cost.exact": "0.000725",
        "costspan.cost.estimated_usd": 0.01,
        "costspan.cost.status": "estimated",
    }


def test_the_attributes_of_an_attempt_that_answered() -> None:
    assert attempt_attributes(ANSWERED) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "claude-sonnet-4-5-20250929",
        "gen_ai.response.id": "msg_1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.usage.input_tokens": 160,
        "gen_ai.usage.output_tokens": 25,
        "gen_ai.usage.cache_read.input_tokens": 50,
        "gen_ai.usage.cache_creation.input_tokens": 10,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "server.address": "api.anthropic.com",
        "server.port": 443,
        "http.response.status_code": 200,
        "costspan.exchange.id": "cs_1",
        "costspan.route": "smart",
        "costspan.strategy": "fallback",
        "costspan.attempt.index": 1,
        "costspan.attempt.outcome": "ok",
        "costspan.key": "checkout",
        "costspan.attr.team": "checkout",
        "costspan.attr.environment": "prod",
        "costspan.config.generation": 3,
        "costspan.cost.usd": 0.000725,
        "costspan.cost.exact": "0.000725",
        "costspan.cost.part.input": 0.0003,
        "costspan.cost.part.output": 0.000425,
        "costspan.cost.status": "exact",
        "costspan.price.source": "table:gateway.yaml:41",
    }


def test_a_failed_attempt_has_its_error_and_an_estimate_but_no_cost_and_no_usage() -> None:
    assert attempt_attributes(FAILED) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": "us.claude",
        "gen_ai.request.stream": True,
        "server.address": "bedrock-runtime.us-east-1.amazonaws.com",
        "server.port": 443,
        "http.response.status_code": 503,
        "error.type": "upstream_503",
        "costspan.exchange.id": "cs_1",
        "costspan.route": "smart",
        "costspan.strategy": "fallback",
        "costspan.attempt.index": 0,
        "costspan.attempt.outcome": "failed",
        "costspan.key": "checkout",
        "costspan.attr.team": "checkout",
        "costspan.attr.environment": "prod",
        "costspan.config.generation": 3,
        "costspan.cost.estimated_usd": 0.01,
        "costspan.cost.status": "estimated",
        "costspan.price.source": "catalog:aws/claude",
    }


def test_names_are_operation_and_model() -> None:
    assert exchange_name(EXCHANGE) == "chat smart"
    assert attempt_name(ANSWERED) == "chat claude-sonnet-4-5"


def test_the_cost_is_repeated_under_its_aliases() -> None:
    attributes = exchange_attributes(EXCHANGE, ATTEMPTS, ("gen_ai.usage.cost", "operation.cost"))

    assert attributes["gen_ai.usage.cost"] == 0.000725
    assert attributes["operation.cost"] == 0.000725


def test_an_unpriced_exchange_has_no_cost_under_any_name() -> None:
    unpriced = replace(EXCHANGE, cost_usd=None, cost_estimated_usd=None, cost_status="unpriced")

    attributes = exchange_attributes(unpriced, ATTEMPTS, ("operation.cost",))

    assert {name for name in attributes if "cost" in name.removeprefix("costspan.")} == {"costspan.cost.status"}


def test_the_exact_cost_never_uses_an_exponent() -> None:
    tiny = replace(EXCHANGE, cost_usd=Decimal("1E-9"))

    assert exchange_attributes(tiny)["costspan.cost.exact"] == "0.000000001"


def test_what_losers_of_a_race_cost_is_said_without_their_estimates() -> None:
    loser = replace(ANSWERED, outcome="lost_race", cost_usd=Decimal("0.5"))
    estimated = replace(FAILED, outcome="lost_race")

    attributes = exchange_attributes(EXCHANGE, (ANSWERED, loser, estimated))

    assert attributes["costspan.race.extra_usd"] == 0.5


def test_a_failure_without_a_name_has_the_conventions_name() -> None:
    assert attempt_attributes(replace(FAILED, error_type=None))["error.type"] == "_OTHER"


OUTCOMES = {"ok": False, "failed": True, "lost_race": False, "cancelled": False, "recovered": False}


@pytest.mark.parametrize(("outcome", "expected"), OUTCOMES.items(), ids=OUTCOMES.keys())
def test_only_failures_are_errors(outcome: str, expected: bool) -> None:
    assert failed(replace(FAILED, outcome=outcome)) is expected  # type: ignore[arg-type] # - values of the literal


def test_the_first_chunk_is_a_fact_of_streams_only() -> None:
    whole = replace(EXCHANGE, origin=replace(ORIGIN, stream=False))

    assert "gen_ai.response.time_to_first_chunk" not in exchange_attributes(whole)


TEXTS: dict[str, tuple[str, str]] = {
    "plain": ("checkout", "checkout"),
    "unicode": ("größe 木", "größe 木"),
    "lone surrogate": ("team\udc80", "invalid"),
    "too long": ("x" * 300, "x" * 256),
    "too long, surrogate beyond the cut": ("x" * 300 + "\udc80", "x" * 256),
    "empty": ("", ""),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS.keys())
def test_strings_are_bounded_and_clean(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_every_string_of_a_record_is_cleaned() -> None:
    dirty = "\udc80"
    origin = replace(
        ORIGIN, exchange_id=dirty, route=dirty, strategy=dirty, operation=dirty, model_asked=dirty, key=dirty,
        attributes={dirty: dirty},
    )  # fmt: skip
    started = replace(ANSWERED.started, origin=origin, provider_kind=dirty, model_requested=dirty, server_address=dirty)
    attempt = replace(
        ANSWERED, started=started, error_type=dirty, model_served=dirty, price_source=dirty, upstream_id=dirty,
        finish_reasons=(dirty,),
    )  # fmt: skip
    exchange = replace(EXCHANGE, origin=origin, model_served=dirty, error_type=dirty, finish_reasons=(dirty,))

    for text in (
        str(exchange_attributes(exchange, (attempt,))),
        str(attempt_attributes(attempt)),
        exchange_name(exchange),
        attempt_name(attempt),
    ):
        assert "udc80" not in text
        assert "\udc80" not in text
