from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects.anthropic_messages.usage import UsageReader, read_usage

USABLE: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "plain": ({"input_tokens": 10, "output_tokens": 5}, {"input": 10, "output": 5}),
    "input excludes the cache": (
        {"input_tokens": 3, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 100, "output_tokens": 5},
        {"input": 3, "cache_read": 900, "cache_write": 100, "output": 5},
    ),
    "writes by time to live": (
        {
            "input_tokens": 1,
            "cache_creation_input_tokens": 1000,
            "cache_creation": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 400},
            "output_tokens": 1,
        },
        {"input": 1, "cache_write": 600, "cache_write_1h": 400, "output": 1},
    ),
    "split without a total": (
        {"input_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": 7}, "output_tokens": 1},
        {"input": 1, "cache_write_1h": 7, "output": 1},
    ),
    "thinking is inside the output": (
        {"input_tokens": 1, "output_tokens": 50, "output_tokens_details": {"thinking_tokens": 30}},
        {"input": 1, "output": 20, "reasoning": 30},
    ),
    "zero is a value": ({"input_tokens": 0, "output_tokens": 0}, {}),
    "a compaction comes on top": (
        {
            "input_tokens": 23,
            "output_tokens": 10,
            "iterations": [
                {"type": "compaction", "input_tokens": 180, "output_tokens": 35, "cache_read_input_tokens": 7},
                {"type": "message", "input_tokens": 23, "output_tokens": 10},
            ],
        },
        {"input": 203, "cache_read": 7, "output": 45},
    ),
    "null is absence": (
        {"input_tokens": 4, "output_tokens": 2, "cache_read_input_tokens": None},
        {"input": 4, "output": 2},
    ),
}


@pytest.mark.parametrize(("report", "tokens"), USABLE.values(), ids=USABLE.keys())
def test_a_report_becomes_disjoint_buckets(report: dict[str, Any], tokens: dict[str, int]) -> None:
    usage = read_usage({"usage": report})

    assert usage is not None
    assert usage.tokens == tokens
    assert not usage.inconsistent


INCONSISTENT: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "negative": ({"input_tokens": -1, "output_tokens": 5}, {"output": 5}),
    "float": ({"input_tokens": 2.5, "output_tokens": 5}, {"output": 5}),
    "text": ({"input_tokens": "2", "output_tokens": 5}, {"output": 5}),
    "boolean": ({"input_tokens": True, "output_tokens": 5}, {"output": 5}),
    "astronomic": ({"input_tokens": 10**30, "output_tokens": 5}, {"output": 5}),
    "more thinking than output": (
        {"input_tokens": 1, "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 9}},
        {"input": 1, "reasoning": 5},
    ),
    "an iteration of another model": (
        {"input_tokens": 1, "output_tokens": 5, "iterations": [{"type": "advisor_message", "input_tokens": 9}]},
        {"input": 1, "output": 5},
    ),
    "iterations that are none": (
        {"input_tokens": 1, "output_tokens": 5, "iterations": [3]},
        {"input": 1, "output": 5},
    ),
    "a compaction with a bad count": (
        {"input_tokens": 1, "output_tokens": 5, "iterations": [{"type": "compaction", "input_tokens": -9}]},
        {"input": 1, "output": 5},
    ),
    "split and total differ": (
        {
            "input_tokens": 1,
            "cache_creation_input_tokens": 10,
            "cache_creation": {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 6},
            "output_tokens": 1,
        },
        {"input": 1, "cache_write": 4, "cache_write_1h": 6, "output": 1},
    ),
}


@pytest.mark.parametrize(("report", "tokens"), INCONSISTENT.values(), ids=INCONSISTENT.keys())
def test_a_contradiction_is_clamped_and_flagged(report: dict[str, Any], tokens: dict[str, int]) -> None:
    usage = read_usage({"usage": report})

    assert usage is not None
    assert usage.tokens == tokens
    assert usage.inconsistent


@pytest.mark.parametrize(
    "body", [{}, {"usage": None}, {"usage": 5}, {"usage": {}}, {"usage": {"input_tokens": "many"}}]
)
def test_without_a_usable_count_there_is_no_usage(body: dict[str, Any]) -> None:
    assert read_usage(body) is None


def test_searches_and_the_tier_are_read() -> None:
    usage = read_usage(
        {
            "usage": {
                "input_tokens": 1,
                "output_tokens": 1,
                "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 1},
                "service_tier": "priority",
            }
        }
    )

    assert usage is not None
    assert usage.units == {"web_search_calls": 3}
    assert usage.service_tier == "priority"


def read(*reports: dict[str, Any]) -> UsageReader:
    reader = UsageReader()
    for report in reports:
        reader.add(report)
    return reader


def test_reports_are_cumulative_the_last_counts_field_by_field() -> None:
    usage = read({"input_tokens": 20, "output_tokens": 1, "service_tier": "standard"}, {"output_tokens": 40}).usage

    assert usage is not None
    assert usage.tokens == {"input": 20, "output": 40}
    assert usage.service_tier == "standard"
    assert not usage.inconsistent


SPEEDS: dict[str, tuple[dict[str, Any], str]] = {
    "fast": ({"service_tier": "standard", "speed": "fast"}, "fast"),
    "fast without a tier": ({"speed": "fast"}, "fast"),
    "within the US": ({"service_tier": "standard", "inference_geo": "us"}, "us"),
    "fast within the US": ({"speed": "fast", "inference_geo": "us"}, "fast-us"),
    "a batch within the US": ({"service_tier": "batch", "inference_geo": "us"}, "batch-us"),
    "anywhere": ({"service_tier": "standard", "inference_geo": "global"}, "standard"),
    "not told where": ({"service_tier": "standard", "inference_geo": "not_available"}, "standard"),
    "standard": ({"service_tier": "priority", "speed": "standard"}, "priority"),
    "of no kind": ({"service_tier": "batch", "speed": 2}, "batch"),
}


@pytest.mark.parametrize(("fields", "tier"), SPEEDS.values(), ids=SPEEDS.keys())
def test_a_speed_that_is_not_the_standard_one_is_the_tier(fields: dict[str, Any], tier: str) -> None:
    whole = read_usage({"usage": {"input_tokens": 1, "output_tokens": 1, **fields}})
    streamed = read({"input_tokens": 1, "output_tokens": 1, **fields}, {"output_tokens": 2}).usage

    assert whole is not None
    assert streamed is not None
    assert (whole.service_tier, streamed.service_tier) == (tier, tier)


def test_the_compactions_of_the_last_report_count_once() -> None:
    iterations = [{"type": "compaction", "input_tokens": 100, "output_tokens": 5}]
    report = {"input_tokens": 20, "output_tokens": 4, "iterations": iterations}

    usage = read(report, {**report, "output_tokens": 6}).usage

    assert usage is not None
    assert usage.tokens == {"input": 120, "output": 11}
    assert not usage.inconsistent


def test_cache_counts_that_come_only_at_the_end_move_out_of_the_input() -> None:
    usage = read(
        {"input_tokens": 1000, "output_tokens": 1},
        {"input_tokens": 100, "cache_read_input_tokens": 900, "output_tokens": 9},
    ).usage

    assert usage is not None
    assert usage.tokens == {"input": 100, "cache_read": 900, "output": 9}
    assert not usage.inconsistent


def test_the_same_report_twice_counts_once() -> None:
    report = {"input_tokens": 20, "output_tokens": 40}

    assert read(report, report).usage == read(report).usage


def test_a_lower_later_total_is_flagged_at_once() -> None:
    usage = read({"input_tokens": 20, "output_tokens": 4}, {"input_tokens": 19}).usage

    assert usage is not None
    assert usage.tokens == {"input": 19, "output": 4}
    assert usage.inconsistent


def test_a_lower_later_total_wins_and_stays_flagged() -> None:
    usage = read({"input_tokens": 20, "output_tokens": 40}, {"output_tokens": 30}, {"output_tokens": 35}).usage

    assert usage is not None
    assert usage.tokens == {"input": 20, "output": 35}
    assert usage.inconsistent
