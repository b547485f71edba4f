"""A canonical request for Mistral: what OpenAI's dialect writes, under Mistral's names and within its bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects import openai_chat
from costspan.dialects.losses import Losses
from costspan.dialects.mistral_chat.messages import write_messages
from costspan.dialects.mistral_chat.vocabulary import (
    EXTRAS,
    NAME,
    QUIRKS,
    REFUSED,
    RENAMED,
    TIERS,
    always_thinks,
    fitting,
)
from costspan.dialects.openai_chat.vocabulary import FAMILY
from costspan.dialects.types import PLAIN, Encoded, Profile
from costspan.errors import Malformed, Untranslatable
from costspan.ir.profile import TAKES_REASONING_EFFORT
from costspan.ir.reasoning import effort_of
from costspan.wire import json

if TYPE_CHECKING:
    from costspan.ir.request import Effort, ReasoningOptions, Request, Sampling, Tool

# docs.mistral.ai/api, read 2026-11-25.
MAX_TEMPERATURE: Final = 1.5

# What a budget is measured against when the request has no limit of its own.
_ASSUMED_OUTPUT: Final = 32_000

_NO_PARAMETERS: Final = {"type": "object", "properties": {}}


def encode_request(request: Request, profile: Profile = PLAIN) -> Encoded:
    """Write `request`. Raises `Untranslatable` where leaving out would change the meaning."""
    losses = Losses()
    reasoning = _reasoning(request, profile, losses)
    thinks = always_thinks(request.model) or (reasoning is not None and reasoning.effort not in {None, "none"})
    messages = write_messages(request, losses, thinks=thinks)
    fitted = replace(
        request,
        messages=(),
        instructions=(),
        tools=tuple(_with_parameters(tool) for tool in request.tools),
        sampling=_sampling(request.sampling, losses),
        reasoning=reasoning,
        extensions=_extensions(request, losses),
    )
    try:
        encoded = openai_chat.encode_request(fitted, _of_mistral(profile))
        body = json.loads_object(encoded.body) | {"messages": messages}
        _respell(body, losses)
        written = json.dumps(body)
    except Malformed:
        raise Untranslatable("the request is nested too deeply to be translated", param="messages") from None
    for name in encoded.losses:
        losses.add(name)
    return Encoded(written, losses.names())


def _of_mistral(profile: Profile) -> Profile:
    """What holds for all of Mistral's models, and for the one host beside."""
    return Profile(
        profile.name or "mistral", {**RENAMED, **profile.rename}, REFUSED | profile.rejects, QUIRKS | profile.quirks
    )


def _respell(body: json.Object, losses: Losses) -> None:
    """Mistral's words for a forced tool and for tiers. `any` is the older of its words for the former, known by all."""
    if body.get("tool_choice") == "required":
        body["tool_choice"] = "any"
    tier = body.pop("service_tier", None)
    if tier in TIERS:
        body["service_tier"] = TIERS[tier]
    if tier not in {None, "auto", "default"}:
        losses.add("service_tier")


def _with_parameters(tool: Tool) -> Tool:
    """A function must have a schema here."""
    return tool if tool.parameters is not None else replace(tool, parameters=_NO_PARAMETERS)


def _sampling(sampling: Sampling, losses: Losses) -> Sampling:
    temperature, seed = sampling.temperature, sampling.seed
    if temperature is not None and temperature > MAX_TEMPERATURE:
        losses.add("temperature")
        temperature = MAX_TEMPERATURE
    if seed is not None and seed < 0:
        losses.add("seed")
        seed = None
    return replace(sampling, temperature=temperature, seed=seed)


def _reasoning(request: Request, profile: Profile, losses: Losses) -> ReasoningOptions | None:
    """The options with the one word that the model takes, or with none."""
    options = request.reasoning
    if options is None:
        return None
    asked = options.effort
    if asked is None and options.budget_tokens is not None:
        asked = effort_of(options.budget_tokens, request.max_output_tokens or _ASSUMED_OUTPUT)
    effort: Effort | None = asked
    if TAKES_REASONING_EFFORT not in profile.quirks:
        effort, met = fitting(request.model, asked or "medium")
        if not met:
            losses.add("reasoning")
    summary = None if options.summary == "auto" else options.summary  # it shows its reasoning whole
    return replace(options, effort=effort, budget_tokens=None, dynamic=False, summary=summary)


def _extensions(request: Request, losses: Losses) -> dict[str, dict[str, Any]]:
    """Of OpenAI's own fields, those that Mistral knows too; the rest would be refused. Other dialects' are as ever."""
    kept = dict(request.extensions.get(NAME, {}))
    others: dict[str, dict[str, Any]] = {}
    for dialect, fields in request.extensions.items():
        if dialect not in {NAME, FAMILY, openai_chat.NAME}:
            others[dialect] = fields
        elif dialect != NAME:
            kept |= _known(fields, losses)
    return {**others, openai_chat.NAME: kept}


def _known(fields: dict[str, Any], losses: Losses) -> dict[str, Any]:
    if fields.get("tools"):
        raise Untranslatable(f"tools that the provider runs itself cannot be expressed in {NAME}", param="tools")
    known = {name: value for name, value in fields.items() if name in EXTRAS and not _is_in_parts(name, value)}
    for name in (name for name in fields if name not in known):
        losses.add(name)
    return known


def _is_in_parts(name: str, value: object) -> bool:
    """OpenAI's `prediction` may be a list of parts; Mistral's is a text."""
    return name == "prediction" and not (isinstance(value, dict) and isinstance(value.get("content"), str))
