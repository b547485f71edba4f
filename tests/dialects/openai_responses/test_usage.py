from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from openai.types.responses import ResponseUsage

from costspan.dialects.openai_responses.usage import read_usage, write_usage
from costspan.ir.usage import Usage

CASES: dict[str, tuple[dict[str, Any], Usage]] = {
    "plain": (
        {"usage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}},
        Usage({"input": 10, "output": 5}),
    ),
    "parts are taken out of their whole": (
        {
            "usage": {
                "input_tokens": 1003,
                "input_tokens_details": {"cached_tokens": 900, "cache_write_tokens": 100},
                "output_tokens": 50,
                "output_tokens_details": {"reasoning_tokens": 30},
                "total_tokens": 1053,
            },
            "service_tier": "flex",
        },
        Usage({"input": 3, "cache_read": 900, "cache_write": 100, "output": 20, "reasoning": 30}, service_tier="flex"),
    ),
    "a cost in ticks": (
        {"usage": {"input_tokens": 1, "output_tokens": 1, "cost_in_usd_ticks": 9_581_000}},
        Usage({"input": 1, "output": 1}, reported_cost=Decimal("0.0009581")),
    ),
    "no ticks": (
        {"usage": {"input_tokens": 1, "output_tokens": 1, "cost_in_usd_ticks": 0}},
        Usage({"input": 1, "output": 1}, reported_cost=Decimal(0)),
    ),
    "a cost in dollars": (
        {"usage": {"input_tokens": 1, "output_tokens": 1, "cost": 0.25}},
        Usage({"input": 1, "output": 1}, reported_cost=Decimal("0.25")),
    ),
    "a cost broken down": (
        {"usage": {"input_tokens": 1, "output_tokens": 1, "cost": {"total_cost": 0.5, "input_cost": 0.1}}},
        Usage({"input": 1, "output": 1}, reported_cost=Decimal("0.5")),
    ),
    "tools by their items": (
        {
            "usage": {"input_tokens": 1, "output_tokens": 1},
            "output": [
                {"type": "web_search_call", "action": {"type": "search", "query": "q"}},
                {"type": "web_search_call", "action": {"type": "open_page", "url": "u"}},
                {"type": "web_search_call", "action": {"type": "find_in_page", "url": "u"}},
                {"type": "web_search_call"},
                {"type": "file_search_call"},
                {"type": "code_interpreter_call"},
                {"type": "code_interpreter_call"},
                {"type": "image_generation_call"},
                {"type": "message"},
            ],
        },
        Usage(
            {"input": 1, "output": 1},
            {"web_search_calls": 2, "file_search_calls": 1, "code_execution_calls": 2, "images": 1},
        ),
    ),
    "searches as they are billed": (
        {
            "usage": {"input_tokens": 1, "output_tokens": 1},
            "output": [{"type": "web_search_call", "action": {"type": "search"}}] * 3,
            "tool_usage": {"web_search": {"num_requests": 2}},
        },
        Usage({"input": 1, "output": 1}, {"web_search_calls": 2}),
    ),
    "searches that are not billed": (
        {
            "usage": {"input_tokens": 1, "output_tokens": 1},
            "output": [{"type": "web_search_call", "action": {"type": "search"}}],
            "tool_usage": {"web_search": {"num_requests": 0}},
        },
        Usage({"input": 1, "output": 1}),
    ),
    "xAI: calls as they are billed, whatever was tried": (  # after one of 2026-08-24, with other counts of tools
        {
            "usage": {
                "input_tokens": 7583,
                "input_tokens_details": {"cached_tokens": 3072},
                "output_tokens": 3192,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": 10775,
                "cost_in_usd_ticks": 292331500,
                "server_side_tool_usage_details": {
                    "web_search_calls": 1,
                    "x_search_calls": 2,
                    "code_interpreter_calls": 4,
                    "file_search_calls": 0,
                    "mcp_calls": 9,
                    "image_generation_calls": 1,
                },
            },
            "output": [{"type": "web_search_call", "action": {"type": "search"}}] * 7,
        },
        Usage(
            {"input": 4511, "cache_read": 3072, "output": 3192},
            {"web_search_calls": 3, "code_execution_calls": 4, "images": 1},
            reported_cost=Decimal("0.02923315"),
        ),
    ),
    "Perplexity": (
        {
            "usage": {
                "input_tokens": 100,
                "input_tokens_details": {"cache_read_input_tokens": 60, "cache_creation_input_tokens": 30},
                "output_tokens": 50,
                "total_tokens": 150,
                "tool_calls_details": {"search_web": {"invocation": 2}, "fetch_url": {"invocation": 1}},
                "cost": {"currency": "USD", "total_cost": 0.03037},
            },
            "output": [{"type": "search_results"}],
        },
        Usage(
            {"input": 10, "cache_read": 60, "cache_write": 30, "output": 50},
            {"web_search_calls": 2},
            reported_cost=Decimal("0.03037"),
        ),
    ),
    "what is kept for longer is written at another price": (
        {
            "usage": {
                "input_tokens": 1000,
                "input_tokens_details": {
                    "cached_tokens": 0,
                    "cache_write_tokens": 900,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 200, "ttl_12h_tokens": 700},
                },
                "output_tokens": 1,
                "total_tokens": 1001,
            }
        },
        Usage({"input": 100, "cache_write": 200, "cache_write_1h": 700, "output": 1}),
    ),
    "inside an event": (
        {"type": "response.completed", "response": {"usage": {"input_tokens": 1, "output_tokens": 1}}},
        Usage({"input": 1, "output": 1}),
    ),
    "a part larger than its whole": (
        {"usage": {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 5}, "output_tokens": 0}},
        Usage({"cache_read": 1, "output": 0}, inconsistent=True),
    ),
    "a total that is none": (
        {"usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 5}},
        Usage({"input": 1, "output": 1}, inconsistent=True),
    ),
    "a count below zero": (
        {"usage": {"input_tokens": -1, "output_tokens": 1}},
        Usage({"input": 0, "output": 1}, inconsistent=True),
    ),
}


@pytest.mark.parametrize(("body", "usage"), CASES.values(), ids=CASES.keys())
def test_a_report_is_read_into_disjoint_buckets(body: dict[str, Any], usage: Usage) -> None:
    assert read_usage(body) == usage


@pytest.mark.parametrize(
    "body",
    [{}, {"usage": None}, {"usage": {}}, {"usage": {"prompt_tokens": 3}}, {"usage": {"input_tokens": None}}],
    ids=str,
)
def test_no_report_is_none(body: dict[str, Any]) -> None:
    assert read_usage(body) is None


def test_what_is_written_is_the_sdk_s_type_and_is_read_the_same() -> None:
    usage = Usage({"input": 3, "cache_read": 900, "cache_write": 100, "output": 20, "reasoning": 30})

    report = write_usage(usage)

    assert ResponseUsage.model_validate(report, strict=True).total_tokens == 1053
    assert read_usage({"usage": report}) == usage
