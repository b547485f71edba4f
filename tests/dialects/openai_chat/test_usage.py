from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.dialects import openai_chat
from costspan.dialects.openai_chat.usage import write_usage
from costspan.dialects.types import Profile
from costspan.ir.usage import Usage
from costspan.providers.hosts import KINDS

OUTSIDE = Profile(name="xai", quirks=frozenset({"reasoning_outside_completion"}))

CASES: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "plain": ({"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}, {"input": 10, "output": 4}),
    "zero is a value": ({"prompt_tokens": 0, "completion_tokens": 0}, {"input": 0, "output": 0}),
    "openai": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10, "audio_tokens": 5},
            "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 8, "rejected_prediction_tokens": 2},
        },
        {
            "input": 25,
            "cache_read": 60,
            "cache_write": 10,
            "input_audio": 5,
            "output": 12,
            "reasoning": 30,
            "output_audio": 8,
        },
    ),
    "cached audio": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 0,
            "prompt_tokens_details": {
                "cached_tokens": 60,
                "audio_tokens": 50,
                "cached_tokens_details": {"audio_tokens": 20},
            },
        },
        {"input": 10, "cache_read": 40, "cache_read_audio": 20, "input_audio": 30, "output": 0},
    ),
    "images and video": (
        {
            "prompt_tokens": 30,
            "completion_tokens": 9,
            "prompt_tokens_details": {"image_tokens": 20, "video_tokens": 5},
            "completion_tokens_details": {"image_tokens": 9},
        },
        {"input": 5, "input_image": 20, "input_video": 5, "output": 0, "output_image": 9},
    ),
    "deepseek": (
        {"prompt_tokens": 10, "completion_tokens": 1, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 2},
        {"input": 2, "cache_read": 8, "output": 1},
    ),
    "mistral": (
        {"prompt_tokens": 86, "completion_tokens": 703, "num_cached_tokens": 85},
        {"input": 1, "cache_read": 85, "output": 703},
    ),
    "together": (
        {"prompt_tokens": 41, "completion_tokens": 15, "cached_tokens": 1},
        {"input": 40, "cache_read": 1, "output": 15},
    ),
}


@pytest.mark.parametrize(("report", "expected"), CASES.values(), ids=CASES.keys())
def test_buckets_are_disjoint_and_add_up(report: dict[str, Any], expected: dict[str, int]) -> None:
    usage = openai_chat.read_usage({"usage": report})

    assert usage is not None
    assert (usage.tokens, usage.inconsistent) == (expected, False)
    assert usage.prompt_tokens == report["prompt_tokens"]
    assert usage.completion_tokens == report["completion_tokens"]


MISSING: dict[str, dict[str, Any]] = {
    "absent": {},
    "null": {"usage": None},
    "empty": {"usage": {}},
    "text": {"usage": "x"},
    "counts of null": {"usage": {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}},
    "groq without": {"x_groq": {"id": "x"}},
}


@pytest.mark.parametrize("body", MISSING.values(), ids=MISSING.keys())
def test_no_report_is_no_usage(body: dict[str, Any]) -> None:
    assert openai_chat.read_usage(body) is None


def test_groq_reports_in_its_own_place() -> None:
    usage = openai_chat.read_usage({"x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 1}}})

    assert usage is not None
    assert usage.tokens == {"input": 3, "output": 1}


INCONSISTENT: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "negative": ({"prompt_tokens": -5, "completion_tokens": 2}, {"input": 0, "output": 2}),
    "fraction": ({"prompt_tokens": 5.5, "completion_tokens": 2}, {"input": 0, "output": 2}),
    "text": ({"prompt_tokens": "5", "completion_tokens": 2}, {"input": 0, "output": 2}),
    "true": ({"prompt_tokens": True, "completion_tokens": 2}, {"input": 0, "output": 2}),
    "absurd": ({"prompt_tokens": 10**30, "completion_tokens": 2}, {"input": 0, "output": 2}),
    "cached above the whole": (
        {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 16}},
        {"input": 0, "cache_read": 10, "output": 2},
    ),
    "reasoning above the whole": (
        {"prompt_tokens": 1, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 125}},
        {"input": 1, "output": 0, "reasoning": 2},
    ),
    "another total": ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 4}, {"input": 1, "output": 2}),
}


@pytest.mark.parametrize(("report", "expected"), INCONSISTENT.values(), ids=INCONSISTENT.keys())
def test_a_contradiction_is_clamped_and_flagged(report: dict[str, Any], expected: dict[str, int]) -> None:
    usage = openai_chat.read_usage({"usage": report})

    assert usage is not None
    assert (usage.tokens, usage.inconsistent) == (expected, True)


@pytest.mark.parametrize(("total", "output"), [(None, 2), (292, 2), (167, -1)])
def test_reasoning_outside_completion_is_added_unless_the_total_holds_it(total: int | None, output: int) -> None:
    report = {
        "prompt_tokens": 165,
        "completion_tokens": 2,
        "total_tokens": total,
        "completion_tokens_details": {"reasoning_tokens": 125 if output == 2 else 1},
    }
    usage = openai_chat.read_usage({"usage": report}, OUTSIDE)

    assert usage is not None
    assert not usage.inconsistent
    expected = {"output": 2, "reasoning": 125} if output == 2 else {"output": 1, "reasoning": 1}
    assert usage.tokens == {"input": 165} | expected


RESEARCH: dict[str, Any] = {
    "prompt_tokens": 33,
    "completion_tokens": 11395,
    "total_tokens": 11428,
    "citation_tokens": 19028,
    "num_search_queries": 21,
    "reasoning_tokens": 193947,
}


def test_what_perplexity_reads_and_thinks_for_its_research_is_in_no_total_and_is_added() -> None:
    usage = openai_chat.read_usage({"usage": RESEARCH}, KINDS["perplexity"].profile)

    assert usage == Usage({"input": 19061, "output": 11395, "reasoning": 193947}, {"web_search_calls": 21})


def test_only_a_host_that_reports_so_is_read_so() -> None:
    usage = openai_chat.read_usage({"usage": RESEARCH})

    assert usage == Usage({"input": 33, "output": 11395}, {"web_search_calls": 21})


COSTS: dict[str, tuple[dict[str, Any], Decimal | None]] = {
    "openrouter": ({"cost": 0.000106}, Decimal("0.000106")),
    "openrouter, own key": (
        {"cost": 0.0001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}},
        Decimal("0.0201"),
    ),
    "openrouter, own key, no more said": ({"cost": 0.0001, "is_byok": True, "cost_details": None}, Decimal("0.0001")),
    "openrouter, its own key": (
        {"cost": 0.02, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.02}},
        Decimal("0.02"),
    ),
    "zero": ({"cost": 0}, Decimal(0)),
    "negative": ({"cost": -1}, None),
    "text": ({"cost": "1"}, None),
    "perplexity": ({"cost": {"total_cost": 0.005}}, Decimal("0.005")),
    "deepinfra": ({"estimated_cost": 8.775e-06}, Decimal("0.000008775")),
    "xai": ({"cost_in_usd_ticks": 731000}, Decimal("0.0000731")),
    "none": ({}, None),
}


@pytest.mark.parametrize(("report", "expected"), COSTS.values(), ids=COSTS.keys())
def test_the_providers_own_cost_is_read_exactly(report: dict[str, Any], expected: Decimal | None) -> None:
    usage = openai_chat.read_usage({"usage": {"prompt_tokens": 1} | report})

    assert usage is not None
    assert usage.reported_cost == expected


BESIDE: dict[str, tuple[Any, Decimal | None]] = {
    "in USD": ({"usd": 0.00023905, "diem": 0}, Decimal("0.00023905")),
    "in its own coin too": ({"usd": 0.0001, "diem": 0.0002}, None),
    "nonsense": ({"usd": "much"}, None),
    "empty": ({}, None),
    "no object": (7, None),
}


@pytest.mark.parametrize(("cost", "expected"), BESIDE.values(), ids=BESIDE.keys())
def test_venice_states_its_cost_beside_the_usage(cost: Any, expected: Decimal | None) -> None:
    usage = openai_chat.read_usage({"usage": {"prompt_tokens": 1}, "cost": cost})

    assert usage is not None
    assert usage.reported_cost == expected


def test_the_served_tier_and_searches_are_read() -> None:
    report = {"prompt_tokens": 1, "server_tool_use_details": {"web_search_requests": 3}, "service_tier": "standard"}

    inner = openai_chat.read_usage({"usage": report})
    outer = openai_chat.read_usage({"usage": report, "service_tier": "flex"})

    assert inner is not None
    assert (inner.service_tier, inner.units) == ("standard", {"web_search_calls": 3})
    assert outer is not None
    assert outer.service_tier == "flex"


def test_what_is_written_is_read_back() -> None:
    usage = Usage(
        tokens={
            "input": 1,
            "cache_read": 2,
            "cache_read_audio": 3,
            "cache_write": 4,
            "input_audio": 5,
            "input_image": 6,
            "input_video": 7,
            "output": 8,
            "reasoning": 9,
            "output_audio": 10,
            "output_image": 11,
        },
        units={"web_search_calls": 2},
    )

    assert openai_chat.read_usage({"usage": write_usage(usage)}) == usage


NAMES = [
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cached_tokens",
    "audio_tokens",
    "reasoning_tokens",
    "cost",
    "cost_in_usd_ticks",
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
DETAILS = st.dictionaries(st.sampled_from(NAMES), SCALARS)
REPORTS = st.dictionaries(st.sampled_from(NAMES), SCALARS | DETAILS, max_size=8)


@given(report=REPORTS, inner=DETAILS | SCALARS, outer=DETAILS | SCALARS)
def test_whatever_is_reported_no_bucket_is_negative(report: dict[str, Any], inner: Any, outer: Any) -> None:
    more = {"prompt_tokens_details": inner, "completion_tokens_details": outer}
    for profile in (Profile(), OUTSIDE):
        usage = openai_chat.read_usage({"usage": report | more}, profile)
        if usage is not None:
            assert all(type(count) is int and count >= 0 for count in usage.tokens.values())
            assert usage.reported_cost is None or usage.reported_cost >= 0
