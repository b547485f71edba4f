"""Usage reports of the Responses dialect, to and from disjoint buckets.

`input_tokens` includes what was read from the cache and what was written to it, `output_tokens` the reasoning (SDK
openai 3.54.0, `ResponseUsage`; xAI alike, recorded 2026-08). What the provider's own tools did is counted apart.
"""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.counts import Counts, reported_cost, within
from costspan.dialects.openai_responses.vocabulary import list_of, type_of
from costspan.dialects.types import PLAIN
from costspan.ir.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.dialects.types import Profile
    from costspan.wire import json

_USD_PER_TICK: Final = Decimal("1e-10")
"""xAI's `cost_in_usd_ticks`."""

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
    details = within(report, "input_tokens_details")
    tokens = counts.split(
        prompt,
        "input",
        (
            ("cache_read", counts.count(details, "cached_tokens")),
            ("cache_write", counts.count(details, "cache_write_tokens")),
        ),
    )
    thought = counts.count(within(report, "output_tokens_details"), "reasoning_tokens")
    tokens |= counts.split(completion, "output", (("reasoning", thought),))
    tier = body.get("service_tier")
    return Usage(
        tokens=tokens,
        units=_units(body, counts),
        inconsistent=counts.inconsistent,
        service_tier=tier if isinstance(tier, str) else None,
        reported_cost=_cost(report),
    )


def _units(body: json.Object, counts: Counts) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in list_of(body.get("output")):
        unit = _UNITS.get(kind := type_of(item))
        if kind == "web_search_call" and _searches(item):
            unit = "web_search_calls"
        if unit is not None:
            found[unit] = found.get(unit, 0) + 1
    billed = within(within(body, "tool_usage"), "web_search")
    if "num_requests" in billed:  # "counts billable searches"; the items hold discounted ones too
        found.pop("web_search_calls", None)
        if searches := counts.count(billed, "num_requests"):
            found["web_search_calls"] = searches
    return found


def _searches(item: json.Object) -> bool:
    """Whether a web search call is a search; opening a page or looking through one is not."""
    action = item.get("action")
    return not isinstance(action, dict) or action.get("type") in (None, "search")


def _cost(report: Mapping[str, Any]) -> Decimal | None:
    """USD as the provider states it; None where it does not."""
    cost = report.get("cost")
    if isinstance(cost, dict):  # Perplexity breaks it down
        return reported_cost({"cost": cost.get("total_cost")})
    ticks = report.get("cost_in_usd_ticks")
    if cost is None and type(ticks) is int and ticks >= 0:
        return (ticks * _USD_PER_TICK).normalize() if ticks else Decimal(0)
    return reported_cost(report)


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
