"""Usage reports of OpenAI's chat dialect and its hosts' variants, to and from disjoint buckets.

`prompt_tokens` includes the cached part and `completion_tokens` the reasoning, everywhere but where a quirk says
otherwise. Field variants, each seen in recorded traffic (2025-01 to 2026-08): cached tokens as
`prompt_tokens_details.cached_tokens` (OpenAI), `prompt_cache_hit_tokens` (DeepSeek), `num_cached_tokens` (Mistral),
`cached_tokens` (Together).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from costspan.dialects.counts import reported_cost, within
from costspan.dialects.openai_chat.vocabulary import REASONING_OUTSIDE_COMPLETION, RESEARCH_APART
from costspan.dialects.types import PLAIN
from costspan.ir.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from costspan.dialects.types import Profile
    from costspan.wire import json

# More tokens than any request can have: such a count is a mistake, not a bill.
MAX_COUNT = 10**12

_CACHED_VARIANTS = ("prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens")
_CACHED_PLACES = frozenset(_CACHED_VARIANTS)
_SEARCH_VARIANTS = ("web_search_requests", "num_search_queries")
_SEARCH_PLACES = frozenset({*_SEARCH_VARIANTS, "server_tool_use_details", "server_tool_use"})
_NOTHING: Mapping[str, object] = MappingProxyType({})


def read_usage(body: json.Object, profile: Profile = PLAIN) -> Usage | None:
    """Usage of an answer or of a stream's chunk; None where it reports none."""
    report = body.get("usage")
    if not isinstance(report, dict):
        groq = body.get("x_groq")
        report = groq.get("usage") if isinstance(groq, dict) else None
    if not isinstance(report, dict):
        return None
    if report.get("prompt_tokens") is None and report.get("completion_tokens") is None:
        return None
    tier = body.get("service_tier") or report.get("service_tier")
    return _Reader(report, profile).usage(tier if isinstance(tier, str) else None, _cost(body, report))


def _cost(body: json.Object, report: json.Object) -> Decimal | None:
    """USD as the provider states it: in its report, or beside it (Venice, recorded 2026).

    What Venice bills in a coin of its own is no USD, and the rest then not all.
    """
    beside = within(body, "cost")
    if beside and not beside.get("diem"):
        return reported_cost({"cost": beside.get("usd")})
    return reported_cost(report)


class _Reader:
    """Reads one report; remembers whether it contradicted itself."""

    def __init__(self, report: json.Object, profile: Profile) -> None:
        self._report = report
        self._profile = profile
        self._inconsistent = False

    def usage(self, service_tier: str | None, cost: Decimal | None) -> Usage:
        prompt = self._count(self._report, "prompt_tokens")
        tokens = self._input(prompt) | self._output(prompt)
        if RESEARCH_APART in self._profile.quirks:
            self._add_research(tokens)
        searches = self._searches()
        return Usage(
            tokens=tokens,
            units={"web_search_calls": searches} if searches else {},
            inconsistent=self._inconsistent,
            service_tier=service_tier,
            reported_cost=cost,
        )

    def _input(self, prompt: int) -> dict[str, int]:
        details = _object(self._report, "prompt_tokens_details")
        if not any(details.values()) and _CACHED_PLACES.isdisjoint(self._report):  # nearly always without a cache
            return {"input": prompt}
        cached = self._cached(details)
        cached_audio = self._part(_object(details, "cached_tokens_details"), "audio_tokens", cached)
        audio = self._count(details, "audio_tokens")
        return self._split(
            prompt,
            "input",
            (
                ("cache_read", cached - cached_audio),
                ("cache_read_audio", cached_audio),
                ("cache_write", self._count(details, "cache_write_tokens")),
                ("input_audio", max(audio - cached_audio, 0)),
                ("input_image", self._count(details, "image_tokens")),
                ("input_video", self._count(details, "video_tokens")),
            ),
        )

    def _output(self, prompt: int) -> dict[str, int]:
        details = _object(self._report, "completion_tokens_details")
        completion = self._count(self._report, "completion_tokens")
        reasoning = self._count(details, "reasoning_tokens")
        total = self._report.get("total_tokens")
        if REASONING_OUTSIDE_COMPLETION in self._profile.quirks and total != prompt + completion:
            completion += reasoning
        if total is not None and total != prompt + completion:
            self._inconsistent = True
        if not any(details.values()):
            return {"output": completion}
        return self._split(
            completion,
            "output",
            (
                ("reasoning", reasoning),
                ("output_audio", self._count(details, "audio_tokens")),
                ("output_image", self._count(details, "image_tokens")),
            ),
        )

    def _add_research(self, tokens: dict[str, int]) -> None:
        """What Perplexity read and thought before it answered; what it read costs what a prompt does."""
        for bucket, name in (("input", "citation_tokens"), ("reasoning", "reasoning_tokens")):
            if count := self._count(self._report, name):
                tokens[bucket] = tokens.get(bucket, 0) + count

    def _cached(self, details: Mapping[str, object]) -> int:
        if details.get("cached_tokens") is not None:
            return self._count(details, "cached_tokens")
        return max(self._count(self._report, variant) for variant in _CACHED_VARIANTS)

    def _searches(self) -> int:
        """Web searches by whichever name the host has; one figure under two names is one figure."""
        if _SEARCH_PLACES.isdisjoint(self._report):  # nearly always
            return 0
        places = (
            self._report,
            _object(self._report, "server_tool_use_details"),
            _object(self._report, "server_tool_use"),
        )
        return max(self._count(place, variant) for place in places for variant in _SEARCH_VARIANTS)

    def _split(self, whole: int, rest: str, parts: Iterable[tuple[str, int]]) -> dict[str, int]:
        """Disjoint buckets that add up to `whole`; what no part claims goes to `rest`."""
        buckets = {}
        left = whole
        for bucket, count in parts:
            if count > left:
                self._inconsistent = True
            taken = min(count, left)
            left -= taken
            if taken:
                buckets[bucket] = taken
        return {rest: left} | buckets

    def _part(self, place: Mapping[str, object], name: str, whole: int) -> int:
        count = self._count(place, name)
        if count > whole:
            self._inconsistent = True
        return min(count, whole)

    def _count(self, place: Mapping[str, object], name: str) -> int:
        value = place.get(name)
        if value is None:
            return 0
        if type(value) is int and 0 <= value <= MAX_COUNT:
            return value
        self._inconsistent = True
        return 0


def _object(place: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = place.get(name)
    return value if isinstance(value, dict) else _NOTHING


def write_usage(usage: Usage) -> json.Object:
    """`usage` as this dialect reports it: totals, and what they include."""
    tokens = usage.tokens
    cached_audio = tokens.get("cache_read_audio", 0)
    prompt_details: json.Object = {
        "cached_tokens": tokens.get("cache_read", 0) + cached_audio,
        "cache_write_tokens": tokens.get("cache_write", 0) + tokens.get("cache_write_1h", 0),
        "audio_tokens": tokens.get("input_audio", 0) + cached_audio,
    }
    if cached_audio:
        prompt_details["cached_tokens_details"] = {"audio_tokens": cached_audio}
    completion_details: json.Object = {
        "reasoning_tokens": tokens.get("reasoning", 0),
        "audio_tokens": tokens.get("output_audio", 0),
    }
    for details, name, bucket in (
        (prompt_details, "image_tokens", "input_image"),
        (prompt_details, "video_tokens", "input_video"),
        (completion_details, "image_tokens", "output_image"),
    ):
        if tokens.get(bucket):
            details[name] = tokens[bucket]
    report: json.Object = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": completion_details,
    }
    if searches := usage.units.get("web_search_calls"):
        report["server_tool_use_details"] = {"web_search_requests": int(searches)}
    return report
