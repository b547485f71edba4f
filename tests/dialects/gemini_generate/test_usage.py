from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import gemini_generate as dialect
from costspan.dialects.gemini_generate.usage import write_usage
from costspan.ir.usage import Usage


def usage(report: Any, **more: Any) -> Usage | None:
    return dialect.read_usage({"usageMetadata": report, **more})


def counts(prompt: int, candidates: int, total: int, **more: Any) -> dict[str, Any]:
    return {"promptTokenCount": prompt, "candidatesTokenCount": candidates, "totalTokenCount": total, **more}


def by(**modalities: int) -> list[dict[str, Any]]:
    return [{"modality": name, "tokenCount": count} for name, count in modalities.items()]


REPORTS: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "plain": (counts(10, 5, 15), {"input": 10, "output": 5}),
    "without a total": ({"promptTokenCount": 10, "candidatesTokenCount": 5}, {"input": 10, "output": 5}),
    "thoughts beside the candidates": (
        counts(10, 5, 45, thoughtsTokenCount=30),
        {"input": 10, "output": 5, "reasoning": 30},
    ),
    "thoughts inside the candidates, as the total tells": (
        counts(10, 35, 45, thoughtsTokenCount=30),
        {"input": 10, "output": 5, "reasoning": 30},
    ),
    "thoughts without a total": (
        {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 30},
        {"input": 10, "output": 5, "reasoning": 30},
    ),
    "thoughts before any candidate": (
        {"promptTokenCount": 18, "totalTokenCount": 89, "thoughtsTokenCount": 71},
        {"input": 18, "reasoning": 71},
    ),
    "cached, inside the prompt": (
        counts(100, 5, 105, cachedContentTokenCount=80),
        {"input": 20, "cache_read": 80, "output": 5},
    ),
    "results of tools beside the prompt": (
        counts(12, 71, 237, toolUsePromptTokenCount=65, thoughtsTokenCount=89),
        {"input": 77, "output": 71, "reasoning": 89},
    ),
    "results of tools inside the prompt, as the total tells": (
        counts(77, 71, 237, toolUsePromptTokenCount=65, thoughtsTokenCount=89),
        {"input": 77, "output": 71, "reasoning": 89},
    ),
    "results of tools beside, thoughts inside": (
        counts(12, 160, 237, toolUsePromptTokenCount=65, thoughtsTokenCount=89),
        {"input": 77, "output": 71, "reasoning": 89},
    ),
    "results of tools and thoughts inside": (
        counts(77, 160, 237, toolUsePromptTokenCount=65, thoughtsTokenCount=89),
        {"input": 77, "output": 71, "reasoning": 89},
    ),
    "sound, images and video in": (
        counts(100, 5, 105, promptTokensDetails=by(TEXT=10, AUDIO=40, IMAGE=30, VIDEO=20)),
        {"input": 10, "input_audio": 40, "input_image": 30, "input_video": 20, "output": 5},
    ),
    "documents are text": (
        counts(100, 5, 105, promptTokensDetails=by(TEXT=10, DOCUMENT=90)),
        {"input": 100, "output": 5},
    ),
    "cached sound": (
        counts(
            100,
            5,
            105,
            cachedContentTokenCount=60,
            promptTokensDetails=by(TEXT=40, AUDIO=60),
            cacheTokensDetails=by(TEXT=20, AUDIO=40),
        ),
        {"input": 20, "cache_read": 20, "cache_read_audio": 40, "input_audio": 20, "output": 5},
    ),
    "cached images": (
        counts(
            100,
            5,
            105,
            cachedContentTokenCount=60,
            promptTokensDetails=by(TEXT=40, IMAGE=60),
            cacheTokensDetails=by(IMAGE=60),
        ),
        {"input": 40, "cache_read": 60, "output": 5},
    ),
    "a cached part of unknown kind": (
        counts(100, 5, 105, cachedContentTokenCount=50, promptTokensDetails=by(TEXT=10, AUDIO=90)),
        {"cache_read": 50, "input_audio": 50, "output": 5},
    ),
    "sound in what a tool gave": (
        counts(10, 5, 35, toolUsePromptTokenCount=20, promptTokensDetails=by(TEXT=10))
        | {"toolUsePromptTokensDetails": by(AUDIO=20)},
        {"input": 10, "input_audio": 20, "output": 5},
    ),
    "sound and images out": (
        counts(10, 100, 110, candidatesTokensDetails=by(TEXT=10, AUDIO=60, IMAGE=30)),
        {"input": 10, "output": 10, "output_audio": 60, "output_image": 30},
    ),
}


@pytest.mark.parametrize(("report", "tokens"), REPORTS.values(), ids=REPORTS.keys())
def test_a_report_is_disjoint_buckets(report: dict[str, Any], tokens: dict[str, int]) -> None:
    found = usage(report)

    assert found == Usage(tokens)


ODD: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "a total that fits nothing": (counts(10, 5, 99), {"input": 10, "output": 5}),
    "more cached than there was": (counts(10, 5, 15, cachedContentTokenCount=20), {"cache_read": 10, "output": 5}),
    "negative": (counts(-1, 5, 5), {"output": 5}),
    "words": (counts(10, 5, 15, thoughtsTokenCount="many"), {"input": 10, "output": 5}),
    "more sound than candidates": (
        counts(10, 5, 15, candidatesTokensDetails=by(AUDIO=9)),
        {"input": 10, "output_audio": 5},
    ),
}


@pytest.mark.parametrize(("report", "tokens"), ODD.values(), ids=ODD.keys())
def test_a_report_that_contradicts_itself_is_clamped_and_flagged(
    report: dict[str, Any], tokens: dict[str, int]
) -> None:
    found = usage(report)

    assert found is not None
    assert (found.tokens, found.inconsistent) == (tokens, True)


@pytest.mark.parametrize("report", [None, "5", {}, {"trafficType": "ON_DEMAND"}, {"promptTokenCount": None}], ids=repr)
def test_what_counts_nothing_is_no_report(report: Any) -> None:
    assert usage(report) is None


TIERS: dict[str, tuple[dict[str, Any], str | None]] = {
    "the Gemini API's": ({"serviceTier": "standard"}, "standard"),
    "provisioned": ({"trafficType": "PROVISIONED_THROUGHPUT"}, "provisioned_throughput"),
    "on demand": ({"trafficType": "ON_DEMAND"}, "on_demand"),
    "priority": ({"trafficType": "ON_DEMAND_PRIORITY"}, "priority"),
    "flex": ({"trafficType": "ON_DEMAND_FLEX"}, "flex"),
    "unspecified": ({"trafficType": "TRAFFIC_TYPE_UNSPECIFIED"}, None),
    "odd": ({"trafficType": 5, "serviceTier": 5}, None),
}


@pytest.mark.parametrize(("fields", "tier"), TIERS.values(), ids=TIERS.keys())
def test_the_tier_that_served_is_told(fields: dict[str, Any], tier: str | None) -> None:
    found = usage(counts(1, 1, 2) | fields)

    assert found is not None
    assert found.service_tier == tier


SEARCHES = [{"groundingMetadata": {"webSearchQueries": ["a", "", "b", "a"]}}, {"groundingMetadata": {}}, {}]
BILLED = {
    "gemini-3-flash-preview": 2,
    "gemini-3.8-flash": 2,
    "gemini-2.5-flash": 1,
    "gemini-2.0-flash-001": 1,
    "unheard-of": 2,
}


@pytest.mark.parametrize(("model", "calls"), BILLED.items())
def test_web_searches_are_counted_as_they_are_billed(model: str, calls: int) -> None:
    found = usage(counts(1, 1, 2), candidates=SEARCHES, modelVersion=model)

    assert found == Usage({"input": 1, "output": 1}, {"web_search_calls": calls})


def test_no_search_is_no_unit() -> None:
    found = usage(counts(1, 1, 2), candidates=[{"groundingMetadata": {"webSearchQueries": [""]}}])

    assert found == Usage({"input": 1, "output": 1})


WRITTEN = Usage(
    {
        "input": 10,
        "cache_read": 20,
        "cache_read_audio": 5,
        "cache_write": 3,
        "input_audio": 7,
        "input_image": 4,
        "output": 6,
        "reasoning": 8,
        "output_image": 2,
    },
    service_tier="priority",
)


def test_usage_is_written_with_its_modalities() -> None:
    assert write_usage(WRITTEN) == {
        "promptTokenCount": 49,
        "candidatesTokenCount": 8,
        "totalTokenCount": 65,
        "cachedContentTokenCount": 25,
        "thoughtsTokenCount": 8,
        "trafficType": "ON_DEMAND_PRIORITY",
        "promptTokensDetails": by(TEXT=33, AUDIO=12, IMAGE=4),
        "cacheTokensDetails": by(TEXT=20, AUDIO=5),
        "candidatesTokensDetails": by(TEXT=6, IMAGE=2),
    }


def test_what_is_written_is_read_again_but_for_writes_to_the_cache() -> None:
    read = usage(write_usage(WRITTEN))

    expected = {**WRITTEN.tokens, "input": 13}
    del expected["cache_write"]
    assert read == Usage(expected, service_tier="priority")


def test_without_a_report_the_prompt_is_estimated() -> None:
    assert write_usage(None, 12) == {"promptTokenCount": 12, "candidatesTokenCount": 0, "totalTokenCount": 12}
