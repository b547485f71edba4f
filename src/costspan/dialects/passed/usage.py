"""Usage reports of passed formats, into disjoint buckets and units.

Shapes: OpenAI's official SDK (openai 3.54.0, types/), Cohere's (cohere 7.3.1, types/api_meta.py), OpenRouter's
(openrouter.ai/docs, CreateRerankUsage), read 2026-11-25. Jina's totals are those that LocalAI gives too (its
core/schema/jina.go), Voyage's those of its embeddings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.counts import Counts, reported_cost, within
from costspan.ir.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from costspan.wire import json


def of_completion(body: json.Object) -> Usage | None:
    """Text completions report as chat does: totals that include the cached part and the reasoning."""
    report = within(body, "usage")
    if not _tells(report, "prompt_tokens", "completion_tokens"):
        return None
    counts = Counts()
    prompt, completion = counts.count(report, "prompt_tokens"), counts.count(report, "completion_tokens")
    places = [(within(report, "prompt_tokens_details"), "cached_tokens")]
    places += [(report, name) for name in ("prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens")]
    cached = max(counts.count(place, name) for place, name in places)
    reasoning = counts.count(within(report, "completion_tokens_details"), "reasoning_tokens")
    _check_total(counts, report, prompt + completion)
    tokens = counts.split(prompt, "input", [("cache_read", cached)])
    tokens |= counts.split(completion, "output", [("reasoning", reasoning)])
    tier = body.get("service_tier")
    return Usage(
        tokens,
        inconsistent=counts.inconsistent,
        service_tier=tier if isinstance(tier, str) else None,
        reported_cost=reported_cost(report),
    )


def of_moderation(body: json.Object) -> Usage | None:
    """Nothing is counted but the request."""
    return Usage(units={"requests": 1}) if "results" in body else None


def of_images(body: json.Object) -> Usage | None:
    """Tokens where any are reported, else the pictures: of a whole answer, or of the event that brings one.

    `svg_usage` is of another model, at its own price: it is not in here.
    """
    report = within(body, "usage")
    cost = reported_cost(report)
    counts = Counts()
    tokens = _image_tokens(counts, report)
    if any(tokens.values()) or counts.inconsistent:
        return Usage(tokens, inconsistent=counts.inconsistent, reported_cost=cost)
    data = body.get("data")
    pictures = len(data) if isinstance(data, list) else int("b64_json" in body or "url" in body)
    return Usage(units={"images": pictures}, reported_cost=cost) if pictures else None


def _image_tokens(counts: Counts, report: Mapping[str, object]) -> dict[str, int]:
    given, made = counts.count(report, "input_tokens"), counts.count(report, "output_tokens")
    _check_total(counts, report, given + made)
    shown = within(report, "input_tokens_details")
    written = counts.count(within(report, "output_tokens_details"), "text_tokens")
    tokens = counts.split(given, "input", [("input_image", counts.count(shown, "image_tokens"))])
    return tokens | counts.split(made, "output_image", [("output", written)])


def of_speech(body: json.Object) -> Usage | None:
    """Of `speech.audio.done`: text in, sound out."""
    report = within(body, "usage")
    if not _tells(report, "input_tokens", "output_tokens"):
        return None
    counts = Counts()
    given, made = counts.count(report, "input_tokens"), counts.count(report, "output_tokens")
    _check_total(counts, report, given + made)
    return Usage({"input": given, "output_audio": made}, inconsistent=counts.inconsistent)


def of_speech_request(body: json.Object) -> Usage | None:
    """Characters: what models that speak are billed by, and no answer in sound reports."""
    text = body.get("input")
    return Usage(units={"characters": len(text)}) if isinstance(text, str) else None


def of_transcript(body: json.Object) -> Usage | None:
    """Tokens, or the sound's length as `usage` or else the verbose answer tells it."""
    report = within(body, "usage")
    counts = Counts()
    if _tells(report, "input_tokens", "output_tokens"):
        return Usage(_transcript_tokens(counts, report), inconsistent=counts.inconsistent)
    told = report.get("seconds")
    seconds: Decimal | None = counts.seconds(body.get("duration") if told is None else told)
    if seconds is None:
        return None
    return Usage(units={"audio_seconds": seconds}, inconsistent=counts.inconsistent)


def _transcript_tokens(counts: Counts, report: Mapping[str, object]) -> dict[str, int]:
    given, made = counts.count(report, "input_tokens"), counts.count(report, "output_tokens")
    _check_total(counts, report, given + made)
    heard = counts.count(within(report, "input_token_details"), "audio_tokens")
    return counts.split(given, "input", [("input_audio", heard)]) | {"output": made}


def of_rerank(body: json.Object) -> Usage | None:
    """Searches where they are what is billed (Cohere, OpenRouter), else tokens, told as a total (Jina, Voyage)."""
    report = within(body, "usage")
    cost = reported_cost(report)
    counts = Counts()
    billed = within(within(body, "meta"), "billed_units")
    if searches := counts.count(billed, "search_units") or counts.count(report, "search_units"):
        return Usage(units={"searches": searches}, inconsistent=counts.inconsistent, reported_cost=cost)
    for place in (report, within(body, "meta"), within(within(body, "meta"), "tokens"), billed):
        for name in ("total_tokens", "prompt_tokens", "input_tokens"):
            if place.get(name) is not None:
                tokens = {"input": counts.count(place, name)}
                return Usage(tokens, inconsistent=counts.inconsistent, reported_cost=cost)
    return None


def _tells(report: Mapping[str, object], *names: str) -> bool:
    """Whether any of `names` is told: some servers write out every field, with null for what they do not know."""
    return any(report.get(name) is not None for name in names)


def _check_total(counts: Counts, report: Mapping[str, object], whole: int) -> None:
    total = report.get("total_tokens")
    if total is not None and total != whole:
        counts.inconsistent = True
