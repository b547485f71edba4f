"""`usageMetadata`, of whole answers and of streams, by one reader; every report is of all so far.

`promptTokenCount` includes what was read from the cache. `totalTokenCount` is the sum of prompt, candidates, thoughts
and the results of Google's own tools (google-genai 3.4.0, `GenerateContentResponseUsageMetadata`); where a host counts
otherwise, its total tells: thoughts may be inside the candidates, and those results inside the prompt.
The results of tools are input. Documents are counted as text, or as images by models from 3 on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.counts import Counts
from costspan.dialects.gemini_generate.models import bills_by_query
from costspan.dialects.gemini_generate.vocabulary import TRAFFIC_OF, TRAFFIC_TIERS
from costspan.dialects.types import PLAIN
from costspan.ir.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from costspan.dialects.types import Profile
    from costspan.wire import json

_COUNTS: Final = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount")


def read_usage(body: json.Object, profile: Profile = PLAIN) -> Usage | None:  # noqa: ARG001 - no host of this dialect has quirks yet
    """Usage of a whole answer; None where it reports none."""
    model = body.get("modelVersion")
    return usage_of(body.get("usageMetadata"), searches(set(queries(body)), model if isinstance(model, str) else ""))


def queries(body: json.Object) -> Iterator[str]:
    """The web searches that an answer, or a chunk of one, tells of. Empty ones are not billed."""
    candidates = body.get("candidates")
    for candidate in candidates if isinstance(candidates, list) else ():
        match candidate:
            case {"groundingMetadata": {"webSearchQueries": list(found)}}:
                yield from (query for query in found if isinstance(query, str) and query)


def searches(found: set[str], model: str) -> int:
    """How many are billed: each by itself, or all of a request as one."""
    return len(found) if bills_by_query(model) else min(len(found), 1)


def usage_of(report: Any, searched: int) -> Usage | None:  # noqa: ANN401 - JSON
    """One report in disjoint buckets; None where it counts nothing (Vertex's early chunks)."""
    if not isinstance(report, dict) or all(report.get(name) is None for name in _COUNTS):
        return None
    counts = Counts()
    prompt, cached = counts.count(report, "promptTokenCount"), counts.count(report, "cachedContentTokenCount")
    tools, candidates = counts.count(report, "toolUsePromptTokenCount"), counts.count(report, "candidatesTokenCount")
    thoughts = counts.count(report, "thoughtsTokenCount")
    if "totalTokenCount" in report:
        total = counts.count(report, "totalTokenCount")
        tools, candidates = _reconciled(counts, (prompt, candidates, tools, thoughts), total)
    tokens = _input(counts, report, prompt + tools, cached) | _output(counts, report, candidates, thoughts)
    return Usage(
        tokens={name: count for name, count in tokens.items() if count},
        units={"web_search_calls": searched} if searched else {},
        inconsistent=counts.inconsistent,
        service_tier=_tier(report),
    )


def _reconciled(counts: Counts, parts: tuple[int, int, int, int], total: int) -> tuple[int, int]:
    """What tools add to the prompt, and the candidates without thoughts, such that all adds up to `total`."""
    prompt, candidates, tools, thoughts = parts
    outside = prompt + candidates
    if total == outside + tools + thoughts:
        return tools, candidates
    if total == outside + thoughts:
        return 0, candidates
    if total == outside + tools and thoughts <= candidates:
        return tools, candidates - thoughts
    if total == outside and thoughts <= candidates:
        return 0, candidates - thoughts
    counts.inconsistent = True
    return tools, candidates


def _input(counts: Counts, report: json.Object, whole: int, cached: int) -> dict[str, int]:
    if not cached and _is_text(report.get("promptTokensDetails")) and "toolUsePromptTokensDetails" not in report:
        return {"input": whole}  # nearly always
    fresh = _modalities(counts, report, "promptTokensDetails")
    for name, count in _modalities(counts, report, "toolUsePromptTokensDetails").items():
        fresh[name] = fresh.get(name, 0) + count
    kept = _modalities(counts, report, "cacheTokensDetails")
    sound = min(kept.get("AUDIO", 0), cached)
    left = max(whole - cached, 0)
    split: list[tuple[str, int]] = [("cache_read_audio", sound), ("cache_read", cached - sound)]
    for bucket, modality in (("input_audio", "AUDIO"), ("input_image", "IMAGE"), ("input_video", "VIDEO")):
        count = max(fresh.get(modality, 0) - kept.get(modality, 0), 0)
        if not kept:  # what of the cached part is sound or image is not told: at most what is left can be fresh
            count = min(count, left)
            left -= count
        split.append((bucket, count))
    return counts.split(whole, "input", split)


def _output(counts: Counts, report: json.Object, candidates: int, thoughts: int) -> dict[str, int]:
    if _is_text(report.get("candidatesTokensDetails")):
        return {"output": candidates, "reasoning": thoughts}
    said = _modalities(counts, report, "candidatesTokensDetails")
    buckets = counts.split(
        candidates, "output", (("output_audio", said.get("AUDIO", 0)), ("output_image", said.get("IMAGE", 0)))
    )
    return {**buckets, "reasoning": thoughts}


def _is_text(details: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether a breakdown by modality breaks nothing down."""
    match details:
        case None | [] | [{"modality": "TEXT"}]:
            return True
        case _:
            return False


def _modalities(counts: Counts, report: json.Object, name: str) -> dict[str, int]:
    """Tokens by modality."""
    details = report.get(name)
    found: dict[str, int] = {}
    for detail in details if isinstance(details, list) else ():
        modality = detail.get("modality") if isinstance(detail, dict) else None
        if isinstance(modality, str):
            found[modality] = found.get(modality, 0) + counts.count(detail, "tokenCount")
    return found


def _tier(report: json.Object) -> str | None:
    """The tier that served: the Gemini API's word, or what Vertex calls the type of traffic."""
    tier, traffic = report.get("serviceTier"), report.get("trafficType")
    if isinstance(tier, str) and tier:
        return tier.lower()
    return TRAFFIC_TIERS.get(traffic, traffic.lower()) if isinstance(traffic, str) else None


def write_usage(usage: Usage | None, estimated_input: int = 0) -> json.Object:
    """Usage for the client. Where the upstream reported none, the estimate of its prompt.

    The tier is told as `trafficType`, which the official SDK's type has.
    """
    if usage is None:
        return {"promptTokenCount": estimated_input, "candidatesTokenCount": 0, "totalTokenCount": estimated_input}
    tokens = usage.tokens
    thoughts = tokens.get("reasoning", 0)
    report: json.Object = {
        "promptTokenCount": usage.prompt_tokens,
        "candidatesTokenCount": usage.completion_tokens - thoughts,
        "totalTokenCount": usage.prompt_tokens + usage.completion_tokens,
    }
    if cached := tokens.get("cache_read", 0) + tokens.get("cache_read_audio", 0):
        report["cachedContentTokenCount"] = cached
    if thoughts:
        report["thoughtsTokenCount"] = thoughts
    if traffic := TRAFFIC_OF.get(usage.service_tier or ""):
        report["trafficType"] = traffic
    sound = tokens.get("cache_read_audio", 0)
    _add_details(report, "promptTokensDetails", "promptTokenCount", _given(tokens, sound))
    _add_details(report, "cacheTokensDetails", "cachedContentTokenCount", {"AUDIO": sound})
    said = {"AUDIO": tokens.get("output_audio", 0), "IMAGE": tokens.get("output_image", 0)}
    _add_details(report, "candidatesTokensDetails", "candidatesTokenCount", said)
    return report


def _given(tokens: Mapping[str, int], cached_sound: int) -> dict[str, int]:
    return {
        "AUDIO": tokens.get("input_audio", 0) + cached_sound,
        "IMAGE": tokens.get("input_image", 0),
        "VIDEO": tokens.get("input_video", 0),
    }


def _add_details(report: json.Object, name: str, whole: str, parts: dict[str, int]) -> None:
    """The breakdown of a count by modality, where it is not all text."""
    others = {modality: count for modality, count in parts.items() if count}
    if others:
        text = report[whole] - sum(others.values())
        report[name] = [
            {"modality": modality, "tokenCount": count} for modality, count in {"TEXT": text, **others}.items() if count
        ]
