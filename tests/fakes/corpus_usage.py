"""What a report of usage has to become in the ledger, worked out from the report alone and by other code than ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from fakes.corpus import Row


def buckets(row: Row) -> dict[str, int]:
    """The ledger's usage for a row. Buckets of zero are left out."""
    return of_report(row.dialect, row.usage)


def of_report(dialect: str, report: dict[str, Any]) -> dict[str, int]:
    """The same of one report; {} for none."""
    return {name: count for name, count in _BUCKETS[dialect](report).items() if count} if report else {}


def totals(dialect: str, report: dict[str, Any]) -> tuple[int, int] | None:
    """Prompt and completion of a report, also of one within a stream; None where it counts nothing."""
    counts = {name: value for name, value in report.items() if isinstance(value, int)}
    if dialect == "cohere-chat":
        counts = report.get("billed_units", {})
    if not counts:
        return None
    return tuple(sum(counts.get(name, 0) for name in names) for names in _PARTS[dialect])  # type: ignore[return-value] # - two


def total(row: Row) -> int:
    """All tokens that the provider says it bills."""
    return _TOTALS[row.dialect](row.usage)


def _chat(usage: dict[str, Any]) -> dict[str, int]:
    details = usage.get("prompt_tokens_details") or {}
    cached = details.get("cached_tokens", usage.get("prompt_cache_hit_tokens", usage.get("cached_tokens", 0)))
    cached = usage.get("num_cached_tokens", cached)  # Mistral
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
    completion = usage["total_tokens"] - usage["prompt_tokens"]
    return {
        "input": usage["prompt_tokens"] - cached,
        "cache_read": cached,
        "output": completion - reasoning,
        "reasoning": reasoning,
    }


def _messages(usage: dict[str, Any]) -> dict[str, int]:
    return {
        "input": usage["input_tokens"],
        "cache_read": usage.get("cache_read_input_tokens", 0),
        "cache_write": usage.get("cache_creation_input_tokens", 0),  # none of the recordings writes for an hour
        "output": usage["output_tokens"],
    }


def _responses(usage: dict[str, Any]) -> dict[str, int]:
    cached = usage["input_tokens_details"]["cached_tokens"]
    reasoning = usage["output_tokens_details"]["reasoning_tokens"]
    return {
        "input": usage["input_tokens"] - cached,
        "cache_read": cached,
        "output": usage["output_tokens"] - reasoning,
        "reasoning": reasoning,
    }


def _gemini(usage: dict[str, Any]) -> dict[str, int]:
    images = sum(part["tokenCount"] for part in usage["promptTokensDetails"] if part["modality"] == "IMAGE")
    return {
        "input": usage["promptTokenCount"] - images,
        "input_image": images,
        "output": usage["candidatesTokenCount"],
        "reasoning": usage.get("thoughtsTokenCount", 0),
    }


def _converse(usage: dict[str, Any]) -> dict[str, int]:
    return {
        "input": usage["inputTokens"],
        "cache_read": usage.get("cacheReadInputTokens", 0),
        "cache_write": usage.get("cacheWriteInputTokens", 0),
        "output": usage["outputTokens"],
    }


def _cohere(usage: dict[str, Any]) -> dict[str, int]:
    billed = usage["billed_units"]
    return {"input": billed["input_tokens"], "output": billed["output_tokens"]}


_BUCKETS: dict[str, Callable[[dict[str, Any]], dict[str, int]]] = {
    "anthropic-messages": _messages,
    "bedrock-converse": _converse,
    "cohere-chat": _cohere,
    "gemini-generate": _gemini,
    "mistral-chat": _chat,
    "openai-chat": _chat,
    "openai-responses": _responses,
}


_CHAT = (("prompt_tokens",), ("completion_tokens",))
_PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "anthropic-messages": (
        ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
        ("output_tokens",),
    ),
    "bedrock-converse": (("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"), ("outputTokens",)),
    "cohere-chat": (("input_tokens",), ("output_tokens",)),
    "gemini-generate": (("promptTokenCount",), ("candidatesTokenCount", "thoughtsTokenCount")),
    "mistral-chat": _CHAT,
    "openai-chat": _CHAT,
    "openai-responses": (("input_tokens",), ("output_tokens",)),
}
"""What adds up to the prompt, and to the completion. None of the streams is xAI's, whose reasoning counts apart."""


def _sum(*names: str) -> Callable[[dict[str, Any]], int]:
    return lambda usage: sum(usage.get(name, 0) for name in names)


_TOTALS: dict[str, Callable[[dict[str, Any]], int]] = {
    "anthropic-messages": _sum(
        "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"
    ),
    "bedrock-converse": _sum("totalTokens"),
    "cohere-chat": lambda usage: sum(usage["billed_units"].values()),
    "gemini-generate": _sum("totalTokenCount"),
    "mistral-chat": _sum("total_tokens"),
    "openai-chat": _sum("total_tokens"),
    "openai-responses": _sum("total_tokens"),
}
