"""How much to think, and what the API refuses beside it.

While thinking, `max_tokens` must exceed the budget, temperature stays 1, `top_k` is refused, `top_p` is at least 0.95,
no tool may be forced, and a running tool loop must begin with the thinking that led to it.
https://platform.claude.com/docs/en/build-with-claude/extended-thinking (read 2026-11-23)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.anthropic_messages.vocabulary import (
    DEFAULT_MAX_TOKENS,
    THINKING_MAX_TOKENS,
)
from costspan.ir.reasoning import MIN_BUDGET, budget_of

if TYPE_CHECKING:
    from costspan.dialects.anthropic_messages.blocks_encode import Losses
    from costspan.ir.request import ReasoningOptions, Request
    from costspan.wire import json

_MIN_TOP_P = 0.95


def add_limits(body: json.Object, request: Request, losses: Losses) -> None:
    """Set `max_tokens` and `thinking`.

    What the client allowed is never exceeded: where it leaves no room to think, there is no thinking.
    """
    options, limit = request.reasoning, request.max_output_tokens
    body["max_tokens"] = limit or DEFAULT_MAX_TOKENS
    if options is None:
        return
    if options.effort == "none":
        body["thinking"] = {"type": "disabled"}
        return
    if not (options.effort or options.budget_tokens or options.dynamic):
        return
    if _breaks_tool_loop(body["messages"]):
        losses.add("reasoning")
        return
    if options.dynamic:
        body["thinking"] = {"type": "adaptive", **_display(options)}
        if options.effort:
            body["output_config"] = {"effort": "low" if options.effort == "minimal" else options.effort}
    elif not _add_budget(body, options, limit, losses):
        return
    _settle_sampling(body, losses)


def _add_budget(body: json.Object, options: ReasoningOptions, limit: int | None, losses: Losses) -> bool:
    """Set a budget; False where the limit leaves room for none."""
    wanted = options.budget_tokens or budget_of(options.effort or "none", limit or THINKING_MAX_TOKENS)
    budget = max(wanted, MIN_BUDGET)
    if limit is None:
        body["max_tokens"] = budget + DEFAULT_MAX_TOKENS
    elif limit <= budget:
        losses.add("reasoning")
        budget = limit - 1
        if budget < MIN_BUDGET:
            return False
    body["thinking"] = {"type": "enabled", "budget_tokens": budget, **_display(options)}
    return True


def _display(options: ReasoningOptions) -> json.Object:
    if options.exclude:
        return {"display": "omitted"}
    return {"display": "summarized"} if options.summary else {}


def _settle_sampling(body: json.Object, losses: Losses) -> None:
    refused = {
        "temperature": body.get("temperature", 1) != 1,
        "top_p": body.get("top_p", 1) < _MIN_TOP_P,
        "top_k": "top_k" in body,
    }
    for name, is_refused in refused.items():
        if is_refused:
            del body[name]
            losses.add(name)
    choice = body.get("tool_choice", {})
    if choice.get("type") in {"any", "tool"}:
        body["tool_choice"] = {**{k: v for k, v in choice.items() if k != "name"}, "type": "auto"}
        losses.add("tool_choice")


def _breaks_tool_loop(messages: list[json.Object]) -> bool:
    """Whether the conversation is amid a tool loop whose thinking has been lost on the way."""
    if not messages or not _holds(messages[-1], "tool_result"):
        return False
    calling = next((message for message in reversed(messages) if message["role"] == "assistant"), None)
    return calling is not None and not _holds(calling, "thinking", "redacted_thinking")


def _holds(message: json.Object, *types: str) -> bool:
    content = message["content"]
    return isinstance(content, list) and any(block.get("type") in types for block in content)
