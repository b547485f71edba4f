"""Usage reports of the Responses dialect, to and from disjoint buckets.

`input_tokens` includes what was read from the cache and what was written to it, `output_tokens` the reasoning (SDK
openai 3.54.0, `ResponseUsage`; xAI alike, recorded 2026-08). What the provider's own tools did is counted apart.
"""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.counts import Counts, reported_cost, within
from costspan.dialects.openai_responses.vocabulary import list_of, type_of
from costspan.dialects.types import PLAIN
from costspan.ir.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from costspan.dialects.types import Profile
    from costspan.wire import json

_BILLED_BY_XAI: Final[Mapping[str, str]] = MappingProxyType(
    {
        "web_search_calls": "web_search_calls",
        "x_search_calls": "web_search_calls",  # at the same price (docs.x.ai/developers/pricing, read 2026-11-25)
        "code_interpreter_calls": "code_execution_calls",
        "file_search_calls": "file_search_calls",
        "image_generation_calls": "images",
    }
)
"""Of xAI's `server_side_tool_usage_details`, which counts the calls that it bills and not those that were tried
(docs.x.ai/developers/tools/tool-usage-details, read 2026-11-25)."""

_UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "file_search_call": "file_search_calls",
        "code_interpreter_call": "code_execution_calls",
        "image_generation_call": "images",
    }
)


def read_usage(body: json.Object, profile: Profile = PLAIN) -> Usage | None:  # noqa: ARG001 - no host has quirks yet
    """Usage of an answer, or of the event that holds it; None where it reports none."""
    response = body.get("response")
    if isinstance(response, dict):
        body = response
    report = body.get("usage")
    if not isinstance(report, dict) or (report.get("input_tokens") is None and report.get("output_tokens") is None):
        return None
    counts = Counts()
    prompt, completion = counts.count(report, "input_tokens"), counts.count(report, "output_tokens")
    if report.get("total_tokens") is not None and counts.count(report, "total_tokens") != prompt + completion:
        counts.inconsistent = True
    tokens = counts.split(prompt, "input", _cached(within(report, "input_tokens_details"), counts))
    thought = counts.count(within(report, "output_tokens_details"), "reasoning_tokens")
    tokens |= counts.split(completion, "output", (("reasoning", thought),))
    tier = body.get("service_tier")
    return Usage(
        tokens=tokens,
        units=_units(body, report, counts),
        inconsistent=counts.inconsistent,
        service_tier=tier if isinstance(tier, str) else None,
        reported_cost=reported_cost(report),
    )


def _cached(details: Mapping[str, Any], counts: Counts) -> Iterator[tuple[str, int]]:
    """What of the input was read from the cache and written to it. Perplexity's names are Anthropic's."""
    yield "cache_read", counts.count(details, "cached_tokens") or counts.count(details, "cache_read_input_tokens")
    written = counts.count(details, "cache_write_tokens") or counts.count(details, "cache_creation_input_tokens")
    lasting = counts.count(within(details, "cache_write_tokens_details"), "ttl_12h_tokens")
    yield from counts.split(written, "cache_write", [("cache_write_1h", lasting)]).items()


def _units(body: json.Object, report: json.Object, counts: Counts) -> dict[str, int]:
    """What the provider's own tools did, as it bills it, else by their calls in the answer."""
    found: Counter[str] = Counter()
    billed = within(report, "server_side_tool_usage_details")
    for name, unit in _BILLED_BY_XAI.items() if billed else ():
        found[unit] += counts.count(billed, name)
    for item in () if billed else list_of(body.get("output")):
        if (called := _unit(item)) is not None:
            found[called] += 1
    for place, name in (
        (within(within(body, "tool_usage"), "web_search"), "num_requests"),  # "counts billable searches"
        (within(within(report, "tool_calls_details"), "search_web"), "invocation"),  # Perplexity
    ):
        if name in place:
            found["web_search_calls"] = counts.count(place, name)
    return {unit: count for unit, count in found.items() if count}


def _unit(item: json.Object) -> str | None:
    kind = type_of(item)
    if kind == "web_search_call":
        return "web_search_calls" if _searches(item) else None
    return _UNITS.get(kind)


def _searches(item: json.Object) -> bool:
    """Whether a web search call is a search; opening a page or looking through one is not."""
    action = item.get("action")
    return not isinstance(action, dict) or action.get("type") in (None, "search")


def write_usage(usage: Usage) -> json.Object:
    """`usage` as this dialect reports it: totals, and what they include."""
    tokens = usage.tokens
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": tokens.get("cache_read", 0) + tokens.get("cache_read_audio", 0),
            "cache_write_tokens": tokens.get("cache_write", 0) + tokens.get("cache_write_1h", 0),
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": tokens.get("reasoning", 0)},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
