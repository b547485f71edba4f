"""What passed answers cost: every shape of a usage report that is known."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.dialects import PASSED
from costspan.ir.usage import Usage

CASES: dict[str, tuple[str, dict[str, Any], Usage | None]] = {
    "completion": (
        "openai-completions",
        {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}},
        Usage({"input": 9, "output": 4}),
    ),
    "completion with details": (
        "openai-completions",
        {
            "service_tier": "flex",
            "usage": {
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "total_tokens": 13,
                "prompt_tokens_details": {"cached_tokens": 6},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
        },
        Usage({"input": 3, "cache_read": 6, "output": 1, "reasoning": 3}, service_tier="flex"),
    ),
    "completion of DeepSeek": (
        "openai-completions",
        {"usage": {"prompt_tokens": 9, "completion_tokens": 4, "prompt_cache_hit_tokens": 8}},
        Usage({"input": 1, "cache_read": 8, "output": 4}),
    ),
    "completion of Together": (
        "openai-completions",
        {"usage": {"prompt_tokens": 9, "completion_tokens": 4, "cached_tokens": 8}},
        Usage({"input": 1, "cache_read": 8, "output": 4}),
    ),
    "completion of DeepInfra": (
        "openai-completions",
        {"usage": {"prompt_tokens": 9, "completion_tokens": 4, "estimated_cost": 0.0000042}},
        Usage({"input": 9, "output": 4}, reported_cost=Decimal("0.0000042")),
    ),
    "completion of OpenRouter": (
        "openai-completions",
        {"usage": {"prompt_tokens": 9, "completion_tokens": 4, "cost": 0.002}},
        Usage({"input": 9, "output": 4}, reported_cost=Decimal("0.002")),
    ),
    "completion with the caller's own key at OpenRouter": (
        "openai-completions",
        {
            "usage": {
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "cost": 0.001,
                "is_byok": True,
                "cost_details": {"upstream_inference_cost": 0.02},
            }
        },
        Usage({"input": 9, "output": 4}, reported_cost=Decimal("0.021")),
    ),
    "completion that contradicts itself": (
        "openai-completions",
        {"usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 99}},
        Usage({"input": 9, "output": 4}, inconsistent=True),
    ),
    "completion with a part larger than its whole": (
        "openai-completions",
        {"usage": {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 10}}},
        Usage({"cache_read": 9, "output": 4}, inconsistent=True),
    ),
    "completion with a negative count": (
        "openai-completions",
        {"usage": {"prompt_tokens": -1, "completion_tokens": 4}},
        Usage({"input": 0, "output": 4}, inconsistent=True),
    ),
    "completion with counts of nothing": (
        "openai-completions",
        {"choices": [], "usage": {"prompt_tokens": None, "completion_tokens": None}},
        None,
    ),
    "images with counts of nothing": (
        "openai-images",
        {"data": [{"url": "u"}, {"url": "v"}], "usage": {"input_tokens": None, "output_tokens": None}},
        Usage(units={"images": 2}),
    ),
    "images with counts of zero": (
        "openai-images",
        {"data": [{"url": "u"}], "usage": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "cost": 0.04}},
        Usage(units={"images": 1}, reported_cost=Decimal("0.04")),
    ),
    "transcript with counts of nothing": (
        "openai-transcriptions",
        {"text": "x", "duration": 8.4, "usage": {"input_tokens": None, "output_tokens": None}},
        Usage(units={"audio_seconds": Decimal("8.4")}),
    ),
    "speech with counts of nothing": (
        "openai-speech",
        {"type": "speech.audio.done", "usage": {"input_tokens": None, "output_tokens": None}},
        None,
    ),
    "completion without usage": ("openai-completions", {"choices": [], "usage": None}, None),
    "moderation": ("openai-moderations", {"results": [{"flagged": False}]}, Usage(units={"requests": 1})),
    "images by tokens": (
        "openai-images",
        {
            "data": [{"b64_json": "AA=="}],
            "usage": {
                "input_tokens": 50,
                "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
                "output_tokens": 272,
                "total_tokens": 322,
            },
        },
        Usage({"input": 10, "input_image": 40, "output_image": 272}),
    ),
    "images with text made": (
        "openai-image-edits",
        {
            "data": [],
            "usage": {
                "input_tokens": 10,
                "output_tokens": 300,
                "output_tokens_details": {"text_tokens": 28, "image_tokens": 272},
            },
        },
        Usage({"input": 10, "output_image": 272, "output": 28}),
    ),
    "images by number": ("openai-images", {"data": [{"url": "u"}, {"url": "v"}]}, Usage(units={"images": 2})),
    "no images": ("openai-images", {"data": []}, None),
    "transcript by tokens": (
        "openai-transcriptions",
        {
            "text": "Hi",
            "usage": {
                "type": "tokens",
                "input_tokens": 14,
                "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
                "output_tokens": 45,
                "total_tokens": 59,
            },
        },
        Usage({"input": 4, "input_audio": 10, "output": 45}),
    ),
    "transcript by duration": (
        "openai-transcriptions",
        {"text": "Hi", "usage": {"type": "duration", "seconds": 9}},
        Usage(units={"audio_seconds": Decimal(9)}),
    ),
    "verbose transcript": (
        "openai-translations",
        {"text": "Hi", "duration": 8.470000267028809, "segments": []},
        Usage(units={"audio_seconds": Decimal("8.470000267028809")}),
    ),
    "duration as text": (
        "openai-transcriptions",
        {"text": "Hi", "duration": "8.47"},
        Usage(units={"audio_seconds": Decimal("8.47")}),
    ),
    "what is told beats what is measured": (
        "openai-transcriptions",
        {"text": "Hi", "duration": 8.47, "usage": {"type": "duration", "seconds": 9}},
        Usage(units={"audio_seconds": Decimal(9)}),
    ),
    "no length of time": ("openai-transcriptions", {"text": "Hi", "duration": "long"}, None),
    "plain transcript": ("openai-transcriptions", {"text": "Hi"}, None),
    "rerank of Cohere": (
        "rerank",
        {"results": [], "meta": {"billed_units": {"search_units": 1.0}}},
        Usage(units={"searches": 1}),
    ),
    "rerank of Jina": (
        "rerank",
        {"results": [], "usage": {"total_tokens": 815, "prompt_tokens": 815}},
        Usage({"input": 815}),
    ),
    "rerank of Voyage": ("rerank", {"data": [], "usage": {"total_tokens": 26}}, Usage({"input": 26})),
    "rerank of OpenRouter": (
        "rerank",
        {"results": [], "usage": {"search_units": 1, "total_tokens": 26, "cost": 0.002}},
        Usage(units={"searches": 1}, reported_cost=Decimal("0.002")),
    ),
    "rerank that tells nothing": ("rerank", {"results": []}, None),
    "speech in events": (
        "openai-speech",
        {"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}},
        Usage({"input": 14, "output_audio": 101}),
    ),
    "speech without a report": ("openai-speech", {}, None),
}


@pytest.mark.parametrize(("name", "body", "expected"), CASES.values(), ids=CASES.keys())
def test_usage_is_read(name: str, body: dict[str, Any], expected: Usage | None) -> None:
    assert PASSED[name].read_usage(body) == expected


def test_speech_is_metered_by_the_request_too() -> None:
    usage = PASSED["openai-speech"].usage_of_request({"model": "tts-1", "input": "Grüße", "voice": "alloy"})

    assert usage == Usage(units={"characters": 5})


@pytest.mark.parametrize("name", sorted(set(PASSED) - {"openai-speech"}))
def test_no_other_request_tells_what_it_costs(name: str) -> None:
    assert PASSED[name].usage_of_request({"input": "Hi", "prompt": "Hi"}) is None


JSON = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.just([1])
NAMES = st.sampled_from(
    [
        *("usage", "meta", "billed_units", "search_units", "cost", "seconds", "duration"),
        *("input_tokens", "output_tokens", "total_tokens", "prompt_tokens", "input_tokens_details", "image_tokens"),
        *("data", "choices", "results", "text"),
    ]
)
ODD = st.recursive(JSON, lambda inner: st.dictionaries(NAMES, inner, max_size=6), max_leaves=12)


@given(name=st.sampled_from(sorted(PASSED)), body=st.dictionaries(NAMES, ODD, max_size=6))
def test_whatever_is_reported_is_no_negative_bill(name: str, body: dict[str, Any]) -> None:
    usage = PASSED[name].read_usage(body)

    assert usage is None or all(count >= 0 for count in (*usage.tokens.values(), *usage.units.values()))
