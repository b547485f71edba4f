"""A canonical request for an upstream, honest about what this dialect cannot say."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from costspan.dialects.openai_chat.cache import takes_breakpoints
from costspan.dialects.openai_chat.effort import beside_functions, fitting
from costspan.dialects.openai_chat.strict_schema import may_be_strict
from costspan.dialects.openai_chat.vocabulary import FAMILY, NAME, SERVICE_TIERS
from costspan.dialects.openai_chat.write_messages import Writer
from costspan.dialects.openai_models import accepted, parameters
from costspan.dialects.types import PLAIN, Encoded
from costspan.errors import Untranslatable
from costspan.ir.profile import TAKES_REASONING_EFFORT
from costspan.ir.reasoning import effort_of
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.dialects.types import Profile
    from costspan.ir.request import Effort, OutputFormat, ReasoningOptions, Request, Tool, ToolChoice

# "Up to 4 sequences": docstring of the official SDK (openai 3.54.0, CompletionCreateParams.stop).
MAX_STOP_SEQUENCES: Final = 4

# "Maximum length is 64": developers.openai.com/api/reference, chat, `tools[].function.name` and `user`'s successor
# `safety_identifier`, read 2026-11-23.
MAX_NAME_CHARS: Final = 64

# Fields that OpenAI lacks and other hosts have: sent where the profile's `rename` names them.
_FOREIGN: Final = ("top_k", "min_p", "repetition_penalty", "reasoning")

# Without these the answer would mean something else.
_ESSENTIAL: Final = frozenset({"tools", "tool_choice", "response_format", "n"})

# Ours, for the bill; a host that refuses it sends usage anyway.
_UNASKED: Final = frozenset({"stream_options"})

# What a budget is measured against when the request has no limit of its own.
_ASSUMED_OUTPUT: Final = 32_000


def encode_request(request: Request, profile: Profile = PLAIN) -> Encoded:
    """Write `request` for an upstream. Raises `Untranslatable` where leaving out would change the meaning."""
    if request.max_output_tokens == 0:  # Anthropic's way to fill the prompt cache; 400 here
        raise Untranslatable("a request for no output at all cannot be expressed in openai-chat", param="max_tokens")
    writer = Writer(profile.quirks, breakpoints=takes_breakpoints(request.model))
    losses: list[str] = []
    thinking = _reasoning(request, profile, losses)
    # OpenRouter and its like leave out by themselves what a model refuses.
    if "reasoning" not in profile.rename and TAKES_REASONING_EFFORT not in profile.quirks:
        request, refused = accepted(request, thinking.get("reasoning_effort"))
        losses += refused
    body: json.Object = {
        "model": request.model,
        "messages": list(writer.messages(request)),
        "tools": [_tool(tool, writer) for tool in request.tools] or None,
        "response_format": _response_format(request.output_format, losses),
        "n": request.n if request.n > 1 else None,
        "max_completion_tokens": request.max_output_tokens,
        "stop": list(request.stop[:MAX_STOP_SEQUENCES]) or None,
        "user": _user(request.end_user),
        "metadata": request.metadata,
        "service_tier": request.service_tier if request.service_tier in SERVICE_TIERS else None,
    }
    body |= _tool_use(request) | _sampling(request) | _logprobs(request) | thinking
    if request.stream:  # without include_usage there is no usage, and no bill
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    extensions = request.extensions.get(FAMILY, {}) | request.extensions.get(NAME, {})
    body = {**extensions, **{name: value for name, value in body.items() if value is not None}}
    losses = [*writer.losses, *losses, *_inexpressible(request, profile)]
    return Encoded(json.dumps(_fit(body, profile, losses)), tuple(dict.fromkeys(losses)))


def _fit(body: json.Object, profile: Profile, losses: list[str]) -> json.Object:
    """The body in the host's own names, without what it refuses; that is added to `losses`."""
    fitted: json.Object = {}
    for name, value in body.items():
        refused = name in profile.rejects or (name in _FOREIGN and name not in profile.rename)
        if not refused:
            fitted[profile.rename.get(name, name)] = value
        elif name in _ESSENTIAL:
            raise Untranslatable(f"{profile.name or 'the target'} does not accept '{name}'", param=name)
        elif name not in _UNASKED:
            losses.append(name)
    return fitted


def _user(name: str | None) -> str | None:
    """Who asks. A name that is too long is hashed: it only has to tell callers apart, and always the same."""
    if name is None or len(name) <= MAX_NAME_CHARS:
        return name
    return hashlib.sha256(name.encode(errors="replace")).hexdigest()


def _tool(tool: Tool, writer: Writer) -> json.Object:
    if len(tool.name) > MAX_NAME_CHARS:
        raise Untranslatable(f"the target takes tool names of at most {MAX_NAME_CHARS} characters", param="tools")
    function: json.Object = {
        "name": tool.name,
        "description": tool.description,
        "parameters": None if tool.parameters is None else parameters(tool.parameters),
        "strict": tool.strict,
    }
    function = {name: value for name, value in function.items() if value is not None}
    return writer.cached_tool({"type": "function", "function": function}, tool.cache)


def _tool_use(request: Request) -> json.Object:
    """Only beside tools: OpenAI refuses these fields without any."""
    if not request.tools:
        return {}
    return {"tool_choice": _tool_choice(request.tool_choice), "parallel_tool_calls": request.parallel_tool_calls}


def _tool_choice(choice: ToolChoice | None) -> str | json.Object | None:
    if choice is None or choice.mode != "named":
        return None if choice is None else choice.mode
    return {"type": "function", "function": {"name": choice.name}}


def _sampling(request: Request) -> json.Object:
    sampling = request.sampling
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "repetition_penalty": sampling.repetition_penalty,
        "seed": sampling.seed,
        "logit_bias": sampling.logit_bias,
    }


def _logprobs(request: Request) -> json.Object:
    return {"logprobs": True, "top_logprobs": request.top_logprobs} if request.logprobs else {}


def _response_format(output: OutputFormat | None, losses: list[str]) -> json.Object | None:
    """A format without a name comes from a dialect that has no names and always keeps to the schema."""
    if output is None:
        return None
    if output.schema is None:
        return {"type": "json_object"}
    strict = output.strict
    if strict is None and output.name is None:
        strict = may_be_strict(output.schema) or None
        losses += ["response_format.strict"] * (strict is None)
    described: json.Object = {
        "name": output.name or "response",
        "description": output.description,
        "schema": output.schema,
        "strict": strict,
    }
    return {
        "type": "json_schema",
        "json_schema": {name: value for name, value in described.items() if value is not None},
    }


def _reasoning(request: Request, profile: Profile, losses: list[str]) -> json.Object:
    """OpenRouter's object where the host has it, else an effort where the model takes one."""
    options = request.reasoning
    if "reasoning" in profile.rename:
        return {} if options is None else {"reasoning": _reasoning_object(options)}
    asked = None if options is None else _effort(options, request.max_output_tokens)
    if TAKES_REASONING_EFFORT in profile.quirks:
        return {"reasoning_effort": asked}
    effort, met = (None, True) if asked is None else fitting(request.model, asked)
    if request.tools:
        effort, is_enough = beside_functions(request.model, effort)
        met = met and is_enough
    losses += ["reasoning"] * (not met)
    return {"reasoning_effort": effort}


def _effort(options: ReasoningOptions, limit: int | None) -> Effort | None:
    if options.effort is None and options.budget_tokens is not None:
        return effort_of(options.budget_tokens, limit or _ASSUMED_OUTPUT)
    return options.effort


def _reasoning_object(options: ReasoningOptions) -> json.Object:
    if options.budget_tokens is not None:
        shown: json.Object = {"max_tokens": options.budget_tokens}
    else:
        shown = {"enabled": True} if options.effort is None else {"effort": options.effort}
    if options.summary is not None:
        shown["summary"] = options.summary
    return shown | {"exclude": True} if options.exclude else shown


def _inexpressible(request: Request, profile: Profile) -> Iterator[str]:
    """What canonical form knows and this dialect has no word for."""
    if len(request.stop) > MAX_STOP_SEQUENCES:
        yield "stop"
    if request.service_tier is not None and request.service_tier not in SERVICE_TIERS:
        yield "service_tier"
    if request.tool_choice is not None and request.tool_choice.mode in {"required", "named"} and not request.tools:
        yield "tool_choice"
    if "reasoning" not in profile.rename:
        yield from _reasoning_losses(request.reasoning)
    for dialect, fields in request.extensions.items():
        if dialect in {NAME, FAMILY}:
            continue
        if fields.get("tools"):
            raise Untranslatable(
                "tools that the provider runs itself cannot be expressed in openai-chat", param="tools"
            )
        yield from fields


def _reasoning_losses(options: ReasoningOptions | None) -> Iterator[str]:
    if options is not None and options.summary is not None:
        yield "reasoning.summary"
    if options is not None and options.exclude:
        yield "reasoning.exclude"
