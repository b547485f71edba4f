"""How much to think, and what the API refuses beside it.

While thinking, `max_tokens` must exceed the budget, temperature stays 1, `top_k` is refused, `top_p` is at least 0.95,
no tool may be forced, and a running tool loop must begin with the thinking that led to it.
https://platform.claude.com/docs/en/build-with-claude/extended-thinking (read 2026-11-23)
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Final

from costspan.dialects.claude.models import traits_of
from costspan.ir.reasoning import MIN_BUDGET, budget_of, effort_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from costspan.dialects.claude.models import Traits
    from costspan.dialects.losses import Losses
    from costspan.ir.request import ReasoningOptions, Request
    from costspan.wire import json

THINKING_MAX_TOKENS: Final = 16_384
"""What the ratios of reasoning effort are taken of where the client set no limit; room for the answer comes on top."""

_MIN_TOP_P: Final = 0.95


def add_limits(body: json.Object, request: Request, losses: Losses, *, breaks_tool_loop: bool) -> None:
    """Set `max_tokens` and `thinking`, and take out the sampling and the forced tool that the model refuses.

    `body` has the fields of Anthropic's API. `breaks_tool_loop` says whether the conversation is amid a tool loop whose
    thinking has been lost on the way.

    What the client allowed is never exceeded: where it leaves no room to think, there is no thinking. Where it set
    no limit, the answer has its room beside the thinking, which counts towards `max_tokens`.
    """
    options, limit, traits = request.reasoning, request.max_output_tokens, traits_of(request.model)
    body["max_tokens"] = traits.answer if limit is None else limit
    if options is not None and (options.effort == "none" or (options.effort is None and options.budget_tokens == 0)):
        _switch_off(body, traits, losses)
    elif options is not None and _asks(options, traits):
        if breaks_tool_loop:
            losses.add("reasoning")
        else:
            _think(body, options, limit, traits, losses)
    if limit is None and body.get("thinking", {}).get("type", "adaptive" if traits.by_default else "") == "adaptive":
        body["max_tokens"] = THINKING_MAX_TOKENS + traits.answer
    _settle_sampling(body, traits, losses)


def breaks_tool_loop(
    messages: list[json.Object], holds: Callable[..., bool], *, result: str, thinking: Sequence[str]
) -> bool:
    """Whether the conversation is amid a tool loop whose thinking has been lost on the way.

    A loop is one turn to Claude, which thinks at its begin, later only at times, and wants one setting throughout:
    https://platform.claude.com/docs/build-with-claude/thinking-tool-workflows (read 2026-11-26).

    `holds` tells whether a message of the host's format has any of the blocks that are then named; `result` and
    `thinking` are its names.
    """
    loop = takewhile(lambda each: each["role"] == "assistant" or holds(each, result), reversed(messages))
    said = [message for message in loop if message["role"] == "assistant"]
    is_amid = bool(said) and holds(messages[-1], result)
    return is_amid and not any(holds(message, *thinking) for message in said)


def _asks(options: ReasoningOptions, traits: Traits) -> bool:
    """Whether anything of thinking is wished: a summary alone, where there will be something to sum up."""
    return bool(options.effort or options.budget_tokens or options.dynamic or (options.summary and traits.by_default))


def _switch_off(body: json.Object, traits: Traits, losses: Losses) -> None:
    if traits.off is None:
        losses.add("reasoning")
    elif traits.off:
        body["thinking"] = {"type": traits.off}


def _think(body: json.Object, options: ReasoningOptions, limit: int | None, traits: Traits, losses: Losses) -> None:
    if traits.adaptive and (options.dynamic or not traits.budgets):
        _add_adaptive(body, options, traits)
    else:
        _add_budget(body, options, limit, losses, answer=traits.answer)
    choice = body.get("tool_choice", {})
    if "thinking" in body and choice.get("type") in {"any", "tool"}:
        body["tool_choice"] = {**{k: v for k, v in choice.items() if k != "name"}, "type": "auto"}
        losses.add("tool_choice")


def _add_adaptive(body: json.Object, options: ReasoningOptions, traits: Traits) -> None:
    """Let the model choose how much, guided by an effort. Models without budgets hide their thinking unless asked."""
    display = _display(options) or ({} if traits.budgets else {"display": "summarized"})
    body["thinking"] = {"type": "adaptive", **display}
    effort = options.effort
    if effort is None and options.budget_tokens:
        effort = effort_of(options.budget_tokens, THINKING_MAX_TOKENS)
    if effort is not None:
        body["output_config"] = {"effort": "low" if effort == "minimal" else effort}


def _add_budget(
    body: json.Object, options: ReasoningOptions, limit: int | None, losses: Losses, *, answer: int
) -> None:
    wanted = options.budget_tokens or budget_of(options.effort or "medium", limit or THINKING_MAX_TOKENS)
    budget = max(wanted, MIN_BUDGET)
    if limit is None:
        body["max_tokens"] = budget + answer
    elif limit <= budget:
        losses.add("reasoning")
        budget = limit - 1
        if budget < MIN_BUDGET:
            return
    body["thinking"] = {"type": "enabled", "budget_tokens": budget, **_display(options)}


def _display(options: ReasoningOptions) -> json.Object:
    if options.exclude:
        return {"display": "omitted"}
    return {"display": "summarized"} if options.summary else {}


def _settle_sampling(body: json.Object, traits: Traits, losses: Losses) -> None:
    """Take out what is refused; a value that is the default anyway is no loss."""
    thinks = body.get("thinking", {}).get("type") in {"enabled", "adaptive"}
    fixed = thinks or not traits.sampling
    lowest_top_p = 1 if not traits.sampling else _MIN_TOP_P if thinks else 0
    top_p = body.get("top_p", 1)
    refused = {
        "temperature": fixed and body.get("temperature", 1) != 1,
        "top_p": top_p < lowest_top_p or (top_p != 1 and "temperature" in body and not traits.temperature_with_top_p),
        "top_k": fixed and "top_k" in body,
    }
    for name, is_refused in refused.items():
        if is_refused:
            del body[name]
            losses.add(name)
    if not traits.sampling:
        body.pop("temperature", None)
        body.pop("top_p", None)
