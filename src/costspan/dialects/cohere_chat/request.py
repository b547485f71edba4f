"""A canonical request for Cohere, honest about what its dialect cannot say.

Bounds and refusals: the docstrings of the official SDK (cohere 7.3.1, `V2Client.chat`) and the messages listed at
docs.cohere.com/reference/errors (temperature and penalties from 0 to 1, one penalty at a time); read 2026-11-25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from costspan.dialects.cohere_chat.messages import write_messages
from costspan.dialects.cohere_chat.vocabulary import NAME, takes_thinking
from costspan.dialects.losses import Losses
from costspan.dialects.types import PLAIN, Encoded
from costspan.errors import Malformed, Untranslatable
from costspan.ir.reasoning import budget_of
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.dialects.types import Profile
    from costspan.ir.request import OutputFormat, ReasoningOptions, Request, Sampling, Tool

MAX_STOP_SEQUENCES: Final = 5
MAX_K: Final = 500
P_BOUNDS: Final = (0.01, 0.99)

# The most that a reasoning model answers, which is what an effort is measured against where the request has no limit
# (docs.cohere.com/docs/command-a-reasoning, read 2026-11-25).
_ASSUMED_OUTPUT: Final = 32_000

# Cohere's own reading of OpenAI's efforts knows `none` and `high`, which is thinking without a budget
# (docs.cohere.com/docs/compatibility-api, read 2026-11-25). What lies between has a budget.
_UNBOUNDED: Final = frozenset({"high", "xhigh", "max"})

# Without these the answer would mean something else. To the name that most clients know.
_ESSENTIAL: Final = {"tools": "tools", "tool_choice": "tool_choice", "response_format": "response_format"}

# `allOf` and `not` have no other form; the rest is left out, or told otherwise.
# https://docs.cohere.com/v2/docs/structured-outputs, unsupported schema features (read 2026-11-25)
_IMPOSSIBLE: Final = frozenset({"allOf", "not"})
_BOUNDS: Final = frozenset({"minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength", "uniqueItems"})
_FORMATS: Final = ("date-time", "uuid", "date", "time")
_BY_NAME: Final = frozenset({"properties", "$defs", "definitions"})


def encode_request(request: Request, profile: Profile = PLAIN) -> Encoded:
    """Write `request`. Raises `Untranslatable` where leaving out would change the meaning."""
    if request.n > 1:
        raise Untranslatable(f"{NAME} gives one choice only", param="n")
    if request.max_output_tokens == 0:  # Anthropic's way to fill the prompt cache
        raise Untranslatable(f"a request for no output at all cannot be expressed in {NAME}", param="max_tokens")
    losses = Losses()
    thinking = _thinking(request, losses)
    thinks = takes_thinking(request.model) and thinking != {"type": "disabled"}
    body: json.Object = {
        "model": request.model,
        "messages": write_messages(request, losses, thinks=thinks),
        **_tools(request, losses),
        "response_format": _response_format(request, losses),
        "max_tokens": request.max_output_tokens,
        "stop_sequences": list(request.stop[:MAX_STOP_SEQUENCES]) or None,
        **_sampling(request.sampling, losses),
        "logprobs": request.logprobs or None,
        "thinking": thinking,
        "stream": request.stream or None,
    }
    body = {**request.extensions.get(NAME, {}), **{name: value for name, value in body.items() if value is not None}}
    for name in _inexpressible(request):
        losses.add(name)
    try:
        return Encoded(json.dumps(_for_host(body, profile, losses)), losses.names())
    except Malformed:
        raise Untranslatable("the request is nested too deeply to be translated", param="messages") from None


def _tools(request: Request, losses: Losses) -> json.Object:
    """One tool cannot be named, but it can be the only one, and forced."""
    choice, tools = request.tool_choice, request.tools
    mode = "auto" if choice is None else choice.mode
    if not tools:
        if mode in {"required", "named"}:
            losses.add("tool_choice")
        return {}
    if choice is not None and mode == "named":
        tools = tuple(tool for tool in tools if tool.name == choice.name)
        if not tools:
            raise Untranslatable("the tool that is to be called is none of the tools", param="tool_choice")
    return {
        "tools": [_tool(tool, losses) for tool in tools],
        "strict_tools": _strict(tools, losses) or None,
        "tool_choice": {"auto": None, "none": "NONE"}.get(mode, "REQUIRED"),
    }


def _tool(tool: Tool, losses: Losses) -> json.Object:
    if tool.cache is not None:
        losses.add("cache_control")
    function: json.Object = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.parameters or {"type": "object", "properties": {}}
    return {"type": "function", "function": function}


def _strict(tools: tuple[Tool, ...], losses: Losses) -> bool:
    """Whether all are held to their schemas: here it is all or none, and each needs a required parameter."""
    asked = [tool for tool in tools if tool.strict]
    if len(asked) == len(tools) and all((tool.parameters or {}).get("required") for tool in tools):
        return True
    if asked:
        losses.add("tools.strict")
    return False


def _response_format(request: Request, losses: Losses) -> json.Object | None:
    wanted = request.output_format
    if wanted is None:
        return None
    if request.tools:  # "not supported when used in combinations with the `documents` or `tools` parameters": the SDK
        raise Untranslatable(f"{NAME} gives no structured output beside tools", param="response_format")
    if wanted.schema is None:
        return {"type": "json_object"}
    if wanted.schema.get("type", "object") != "object":
        raise Untranslatable(f"a schema must be of an object in {NAME}", param="response_format")
    return {"type": "json_object", "json_schema": _described(wanted, _fit(wanted.schema, losses))}


def _described(wanted: OutputFormat, schema: json.Object) -> json.Object:
    """A format has no description of its own here; its schema may."""
    return schema if wanted.description is None else {"description": wanted.description} | schema


def _fit(schema: json.Object, losses: Losses) -> json.Object:
    """A schema as Cohere takes it. What it can no longer promise is named; what it promises beyond is not.

    Every object needs a required property: where none is, all are, and the answer is one that the client allows.
    """
    if not _IMPOSSIBLE.isdisjoint(schema):
        raise Untranslatable(f"{NAME} knows no allOf and no not in a schema", param="response_format")
    fitted: json.Object = {}
    for name, value in schema.items():
        if name in _BOUNDS or (name == "format" and value not in _FORMATS):
            losses.add("response_format")
        else:
            fitted[name] = _fit_part(name, value, losses)
    one, any_ = fitted.get("oneOf"), fitted.get("anyOf", [])
    if isinstance(one, list) and isinstance(any_, list):  # anything else is no schema, and Cohere's to refuse
        losses.add("response_format")
        fitted["anyOf"] = [*any_, *fitted.pop("oneOf")]
    properties = fitted.get("properties")
    if properties and isinstance(properties, dict) and not fitted.get("required"):
        fitted["required"] = list(properties)
    return fitted


def _fit_part(name: str, value: object, losses: Losses) -> object:
    if name in _BY_NAME and isinstance(value, dict):
        return {key: _fit_any(part, losses) for key, part in value.items()}
    if name in {"anyOf", "oneOf"} and isinstance(value, list):
        return [_fit_any(part, losses) for part in value]
    return _fit_any(value, losses) if name in {"items", "additionalProperties"} else value


def _fit_any(value: object, losses: Losses) -> object:
    return _fit(value, losses) if isinstance(value, dict) else value


def _sampling(sampling: Sampling, losses: Losses) -> json.Object:
    """Knobs within their bounds. A penalty of zero is the default; beside the other one it would be refused."""
    frequency = _within(sampling.frequency_penalty or None, 0, 1, "frequency_penalty", losses)
    presence = _within(sampling.presence_penalty or None, 0, 1, "presence_penalty", losses)
    if frequency and presence:
        losses.add("presence_penalty")
        presence = None
    return {
        "temperature": _within(sampling.temperature, 0, 1, "temperature", losses),
        "p": _within(sampling.top_p, *P_BOUNDS, "top_p", losses),
        "k": _within(sampling.top_k, 0, MAX_K, "top_k", losses),
        "frequency_penalty": frequency or None,
        "presence_penalty": presence or None,
        "seed": sampling.seed if sampling.seed is None or sampling.seed >= 0 else None,
    }


def _within(value: float | None, low: float, high: float, name: str, losses: Losses) -> float | None:
    if value is None or low <= value <= high:
        return value
    losses.add(name)
    return low if value < low else high


def _thinking(request: Request, losses: Losses) -> json.Object | None:
    options = request.reasoning
    if options is None:
        return None
    if options.effort == "none" or options.budget_tokens == 0:
        return {"type": "disabled"} if takes_thinking(request.model) else None
    if not takes_thinking(request.model):
        losses.add("reasoning")
        return None
    budget = _budget(options, request.max_output_tokens)
    return {"type": "enabled"} if budget is None else {"type": "enabled", "token_budget": budget}


def _budget(options: ReasoningOptions, limit: int | None) -> int | None:
    if options.budget_tokens is not None:
        return options.budget_tokens
    if options.effort is None or options.effort in _UNBOUNDED:
        return None
    return budget_of(options.effort, limit or _ASSUMED_OUTPUT)


def _inexpressible(request: Request) -> Iterator[str]:
    """What canonical form knows and this dialect has no word for. What is the default anyway is none."""
    sampling, options = request.sampling, request.reasoning
    asked: dict[str, object] = {
        "stop": len(request.stop) > MAX_STOP_SEQUENCES,
        "seed": sampling.seed is not None and sampling.seed < 0,
        "min_p": sampling.min_p,
        "repetition_penalty": sampling.repetition_penalty not in {None, 1},
        "logit_bias": sampling.logit_bias,
        "top_logprobs": request.logprobs and request.top_logprobs,
        "parallel_tool_calls": request.parallel_tool_calls is False and request.tools,
        "user": request.end_user,
        "metadata": request.metadata,
        "service_tier": request.service_tier not in {None, "auto", "default"},
        "reasoning.summary": options and options.summary not in {None, "auto"},  # all of it is shown
        "reasoning.exclude": options and options.exclude,
    }
    yield from (name for name, value in asked.items() if value)
    for dialect, fields in request.extensions.items():
        if dialect == NAME:
            continue
        if fields.get("tools"):
            raise Untranslatable(f"tools that the provider runs itself cannot be expressed in {NAME}", param="tools")
        yield from fields


def _for_host(body: json.Object, profile: Profile, losses: Losses) -> json.Object:
    """The body in the host's own names, without what it refuses."""
    for name in sorted(profile.rejects & body.keys()):
        if name in _ESSENTIAL:
            raise Untranslatable(f"{profile.name or 'the target'} does not accept {name}", param=_ESSENTIAL[name])
        losses.add(name)
    return {profile.rename.get(name, name): value for name, value in body.items() if name not in profile.rejects}
