"""Sampling, limits and thinking: `inferenceConfig`, and the fields of the model itself beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from costspan.dialects.claude.thinking import THINKING_MAX_TOKENS, add_limits
from costspan.ir.reasoning import effort_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.dialects.bedrock_converse.models import Traits
    from costspan.dialects.losses import Losses
    from costspan.ir.request import ReasoningOptions, Request
    from costspan.wire import json

_NAMES: Final = {"max_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP"}
_OF_THE_MODEL: Final = ("top_k", "thinking", "output_config", "reasoning_effort", "reasoningConfig")
_LEVELS: Final[Mapping[str, str]] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
_FIXED_WHILE_THINKING_HARD: Final = ("temperature", "top_p", "top_k")


def add_inference(
    body: json.Object,
    request: Request,
    traits: Traits,
    losses: Losses,
    *,
    choice: json.Object | None,
    breaks_tool_loop: bool,
) -> json.Object | None:
    """Set `inferenceConfig` and `additionalModelRequestFields`; the choice of a tool as it can be beside thinking."""
    knobs = _sampling(request, losses)
    if choice is not None:
        knobs["tool_choice"] = choice
    if traits.claude:
        add_limits(knobs, request, losses, breaks_tool_loop=breaks_tool_loop)
        if request.max_output_tokens is None and knobs.get("thinking", {}).get("type") != "enabled":
            del knobs["max_tokens"]  # the API needs none, and its default is the most that the model gives
    else:
        _add_others(knobs, request, traits, losses)
    inference = {_NAMES[name]: knobs[name] for name in _NAMES if name in knobs}
    if stop := _stop(request, losses):
        inference["stopSequences"] = stop
    fields: json.Object = {name: knobs[name] for name in _OF_THE_MODEL if name in knobs}
    if traits.nova and "top_k" in fields:
        fields["inferenceConfig"] = {"topK": fields.pop("top_k")}
    body |= {"inferenceConfig": inference} if inference else {}
    body |= {"additionalModelRequestFields": fields} if fields else {}
    if stop and traits.claude:
        body["additionalModelResponseFieldPaths"] = ["/stop_sequence"]  # which of them was met
    chosen: json.Object | None = knobs.get("tool_choice")
    return chosen


def _sampling(request: Request, losses: Losses) -> json.Object:
    sampling = request.sampling
    knobs: json.Object = {}
    if sampling.temperature is not None:
        knobs["temperature"] = min(sampling.temperature, 1)
        if sampling.temperature > 1:
            losses.add("temperature")
    # 1 is the same as nothing, and newer models refuse it beside a temperature
    if sampling.top_p is not None and not (sampling.top_p == 1 and sampling.temperature is not None):
        knobs["top_p"] = sampling.top_p
    if sampling.top_k is not None:
        knobs["top_k"] = sampling.top_k
    return knobs


def _stop(request: Request, losses: Losses) -> list[str]:
    stop = [sequence for sequence in request.stop if sequence.strip()]  # models refuse blank ones
    if len(stop) < len(request.stop):
        losses.add("stop")
    return stop


def _add_others(knobs: json.Object, request: Request, traits: Traits, losses: Losses) -> None:
    """Of models that are not Claude."""
    if request.max_output_tokens is not None:
        knobs["max_tokens"] = request.max_output_tokens
    if request.reasoning is not None:
        _think(knobs, request.reasoning, request.max_output_tokens, traits, losses)
    if "top_k" in knobs and not traits.nova:
        del knobs["top_k"]
        losses.add("top_k")


def _think(knobs: json.Object, options: ReasoningOptions, limit: int | None, traits: Traits, losses: Losses) -> None:
    effort = options.effort
    if effort is None and options.budget_tokens is not None:
        effort = effort_of(options.budget_tokens, limit or THINKING_MAX_TOKENS)
    level = _LEVELS.get(effort or ("medium" if options.dynamic else ""))
    if level is None:
        if effort == "none" and not traits.nova:  # which does not think unless told to
            losses.add("reasoning")
        return
    if traits.reasoning_effort:
        knobs["reasoning_effort"] = level
    elif traits.reasoning_config:
        knobs["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": _within(knobs, level, losses)}
    else:
        losses.add("reasoning")
        return
    if options.exclude or options.summary:
        losses.add("reasoning.exclude" if options.exclude else "reasoning.summary")


def _within(knobs: json.Object, level: str, losses: Losses) -> str:
    """Nova's high effort takes no limit and no sampling. What the client allowed to be spent goes before the effort.

    docs.aws.amazon.com/nova, nova2-userguide, extended-thinking (read 2026-11-25)
    """
    if level != "high":
        return level
    if "max_tokens" in knobs:
        losses.add("reasoning")
        return "medium"
    for name in _FIXED_WHILE_THINKING_HARD:
        if name in knobs:
            del knobs[name]
            losses.add(name)
    return level
