"""A canonical request for an upstream, honest about what this dialect cannot say."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.openai_models import accepted, parameters
from costspan.dialects.openai_responses.models import fitting, seals, takes_breakpoints
from costspan.dialects.openai_responses.strict_schema import may_be_strict
from costspan.dialects.openai_responses.vocabulary import FAMILY, FAMILY_FIELDS, KEPT, NAME, SERVICE_TIERS
from costspan.dialects.openai_responses.write_items import Writer
from costspan.dialects.types import PLAIN, Encoded
from costspan.errors import Untranslatable
from costspan.ir.profile import TAKES_REASONING_EFFORT
from costspan.ir.reasoning import effort_of
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.dialects.types import Profile
    from costspan.ir.request import OutputFormat, Request, Tool, ToolChoice

# Fewer are answered with 400: github.com/earendil-works/pi/issues/6265, read 2026-11-25.
MIN_OUTPUT_TOKENS: Final = 16

# "Maximum length is 64": developers.openai.com/api/reference, `tools[].name` and `safety_identifier`, read 2026-11-23.
MAX_NAME_CHARS: Final = 64

# Without these the answer would mean something else. To the name that most clients know.
_ESSENTIAL: Final = {"tools": "tools", "tool_choice": "tool_choice", "text": "response_format"}

# Ours, not the client's; a host that refuses them does without.
_UNASKED: Final = frozenset({"include", "store"})

# What a budget is measured against when the request has no limit of its own.
_ASSUMED_OUTPUT: Final = 32_000


def encode_request(request: Request, profile: Profile = PLAIN) -> Encoded:
    """Write `request` for an upstream. Raises `Untranslatable` where leaving out would change the meaning."""
    if request.n > 1:
        raise Untranslatable("openai-responses gives one choice only", param="n")
    if request.max_output_tokens == 0:  # Anthropic's way to fill the prompt cache; 400 here
        raise Untranslatable("a request for no output at all cannot be expressed in this dialect", param="max_tokens")
    writer = Writer(breakpoints=takes_breakpoints(request.model))
    own, family = request.extensions.get(NAME, {}), request.extensions.get(FAMILY, {})
    thinking = _reasoning(request, profile, writer)
    refused: tuple[str, ...] = ()
    if TAKES_REASONING_EFFORT not in profile.quirks:
        request, refused = accepted(request, thinking.get("effort"))
    body: json.Object = {
        "model": request.model,
        "instructions": writer.joined(request.instructions) or None,
        "input": list(writer.items(request.messages)),
        "max_output_tokens": _limit(request.max_output_tokens, writer),
        "temperature": request.sampling.temperature,
        "top_p": request.sampling.top_p,
        "top_logprobs": request.top_logprobs if request.logprobs else None,
        "safety_identifier": _user(request.end_user),
        "metadata": request.metadata,
        "service_tier": request.service_tier if request.service_tier in SERVICE_TIERS else None,
        "stream": request.stream or None,
        **_tool_use(request, own, writer),
        "text": _text(request.output_format, family, writer) or None,
        "reasoning": thinking or None,
    }
    if not body["input"]:
        _begin_with_instructions(body, writer)
    body["include"] = _include(request, profile, writer) or None
    # A Responses client that does not say otherwise may refer to its answers later. For any other client it would be a
    # surprise that they are kept, and nobody could refer to them: turns come whole, with the reasoning sealed in them.
    body["store"] = None if KEPT in request.extensions else False
    merged = _merge(body, own, family)
    losses = [*writer.losses, *refused, *_inexpressible(request)]
    return Encoded(json.dumps(_fit(merged, profile, losses, own.keys() | family.keys())), tuple(dict.fromkeys(losses)))


def _begin_with_instructions(body: json.Object, writer: Writer) -> None:
    """At least one item is required."""
    writer.lose("messages.system")
    body["input"] = [{"role": "user", "content": body["instructions"] or ""}]
    body["instructions"] = None


def _merge(body: json.Object, own: dict[str, Any], family: dict[str, Any]) -> json.Object:
    """The body with what only OpenAI's dialects know. Dotted names are parts of a field: `reasoning.context`."""
    merged = {name: value for name, value in body.items() if value is not None}
    merged |= {name: value for name, value in family.items() if name in FAMILY_FIELDS}
    for name, value in own.items():
        outer, _, inner = name.partition(".")
        if outer in {"tools", "include"}:  # written where they are put together
            continue
        if inner:
            merged[outer] = {**merged.get(outer, {}), inner: value}
        else:
            merged.setdefault(name, value)
    return merged


def _fit(body: json.Object, profile: Profile, losses: list[str], asked: frozenset[str] | set[str]) -> json.Object:
    """The body in the host's own names, without what it refuses; that is added to `losses`."""
    for name in sorted(profile.rejects & body.keys()):
        if name in _ESSENTIAL:
            raise Untranslatable(f"{profile.name or 'the target'} does not accept '{name}'", param=_ESSENTIAL[name])
        if name not in _UNASKED or name in asked:
            losses.append(name)
    return {profile.rename.get(name, name): value for name, value in body.items() if name not in profile.rejects}


def _limit(limit: int | None, writer: Writer) -> int | None:
    if limit is None or limit >= MIN_OUTPUT_TOKENS:
        return limit
    writer.lose("max_tokens")
    return MIN_OUTPUT_TOKENS


def _user(name: str | None) -> str | None:
    """Who asks. A name that is too long is hashed: it only has to tell callers apart, and always the same."""
    if name is None or len(name) <= MAX_NAME_CHARS:
        return name
    return hashlib.sha256(name.encode(errors="replace")).hexdigest()


def _tool_use(request: Request, own: dict[str, Any], writer: Writer) -> json.Object:
    """Only beside tools: OpenAI refuses the other fields without any."""
    tools = [*(_tool(tool, writer) | _extras(tool.name, own) for tool in request.tools), *own.get("tools", ())]
    if not tools:
        if request.tool_choice is not None and request.tool_choice.mode in {"required", "named"}:
            writer.lose("tool_choice")
        return {}
    return {
        "tools": tools,
        "tool_choice": _tool_choice(request.tool_choice),
        "parallel_tool_calls": request.parallel_tool_calls,
    }


def _extras(tool: str, own: dict[str, Any]) -> json.Object:
    """Fields of a function that only this dialect knows, kept by the function's name."""
    kept = ((name.partition(".")[2], values) for name, values in own.items() if name.startswith("tools."))
    return {field: values[tool] for field, values in kept if tool in values}


def _tool(tool: Tool, writer: Writer) -> json.Object:
    """A function. Unless it is told otherwise, this API makes schemas strict: optional arguments become required."""
    if len(tool.name) > MAX_NAME_CHARS:
        raise Untranslatable(f"the target takes tool names of at most {MAX_NAME_CHARS} characters", param="tools")
    if tool.cache is not None:
        writer.lose("cache_control")
    described: json.Object = {} if tool.description is None else {"description": tool.description}
    schema = parameters(tool.parameters or {"additionalProperties": False})
    strict = tool.strict or False
    return {"type": "function", "name": tool.name, **described, "parameters": schema, "strict": strict}


def _tool_choice(choice: ToolChoice | None) -> str | json.Object | None:
    if choice is None or choice.mode != "named":
        return None if choice is None else choice.mode
    return {"type": "function", "name": choice.name}


def _text(output: OutputFormat | None, family: dict[str, Any], writer: Writer) -> json.Object:
    """A format without a name comes from a dialect that has no names and always keeps to the schema."""
    verbosity = family.get("verbosity")
    text: json.Object = {} if verbosity is None else {"verbosity": verbosity}
    if output is None:
        return text
    if output.schema is None:
        return text | {"format": {"type": "json_object"}}
    strict = output.strict
    if strict is None and output.name is None:
        strict = may_be_strict(output.schema) or None
        if strict is None:
            writer.lose("response_format.strict")
    described: json.Object = {
        "type": "json_schema",
        "name": output.name or "response",
        "description": output.description,
        "schema": output.schema,
        "strict": strict,
    }
    return text | {"format": {name: value for name, value in described.items() if value is not None}}


def _reasoning(request: Request, profile: Profile, writer: Writer) -> json.Object:
    """An effort where the model takes one. What is thought is shown only as a summary, and only when asked for."""
    options = request.reasoning
    if options is None:
        return {}
    asked = options.effort
    if asked is None and options.budget_tokens is not None:
        asked = effort_of(options.budget_tokens, request.max_output_tokens or _ASSUMED_OUTPUT)
    thinks = TAKES_REASONING_EFFORT in profile.quirks
    shown: json.Object = {}
    if asked is not None:
        effort, met = (asked, True) if thinks else fitting(request.model, asked)
        if effort is not None:
            shown["effort"] = effort
        if not met:
            writer.lose("reasoning")
    if options.summary is not None and not options.exclude:
        if thinks or seals(request.model):
            shown["summary"] = options.summary
        else:
            writer.lose("reasoning.summary")
    return shown


def _include(request: Request, profile: Profile, writer: Writer) -> list[str]:
    """Reasoning is asked for sealed wherever there may be any: a tool loop goes on without the provider's memory."""
    included: list[str] = list(request.extensions.get(NAME, {}).get("include", ()))
    options = request.reasoning
    thinks = options is not None and options.effort != "none" and TAKES_REASONING_EFFORT in profile.quirks
    if thinks or writer.sealed or seals(request.model):
        included.append("reasoning.encrypted_content")
    if request.logprobs:
        included.append("message.output_text.logprobs")
    return included


def _inexpressible(request: Request) -> Iterator[str]:
    """What canonical form knows and this dialect has no word for. A value that is its own default asks for nothing."""
    sampling = request.sampling
    asked: dict[str, object] = {
        "stop": request.stop,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "seed": sampling.seed is not None,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "repetition_penalty": sampling.repetition_penalty not in {None, 1},
        "logit_bias": sampling.logit_bias,
        "service_tier": request.service_tier is not None and request.service_tier not in SERVICE_TIERS,
    }
    yield from (name for name, value in asked.items() if value)
    yield from (name for name in request.extensions.get(FAMILY, {}) if name not in {*FAMILY_FIELDS, "verbosity"})
    for dialect, fields in request.extensions.items():
        if dialect in {NAME, FAMILY}:
            continue
        if fields.get("tools"):
            raise Untranslatable("tools that another provider runs itself cannot be expressed", param="tools")
        yield from fields
