"""A canonical request for an upstream, honest about what this dialect cannot say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.gemini_generate.models import traits_of
from costspan.dialects.gemini_generate.schemas import fit_schema
from costspan.dialects.gemini_generate.thinking import thinking_config
from costspan.dialects.gemini_generate.vocabulary import NAME, TIERS_OUT
from costspan.dialects.gemini_generate.write_contents import Writer
from costspan.dialects.losses import Losses
from costspan.dialects.types import PLAIN, Encoded
from costspan.errors import Malformed, Untranslatable
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.dialects.gemini_generate.models import Traits
    from costspan.dialects.types import Profile
    from costspan.ir.request import OutputFormat, Request, Tool, ToolChoice

# ai.google.dev/api/generate-content, GenerationConfig, read 2026-11-25: up to 5 sequences, `candidateCount` up to 8,
# `logprobs` up to 20, a seed of 32 bits.
MAX_STOP_SEQUENCES: Final = 5
MAX_CHOICES: Final = 8
MAX_LOGPROBS: Final = 20
_SEEDS: Final = range(-(2**31), 2**31)
MAX_NAME_CHARS: Final = 128
"""Of a function: `FunctionDeclaration.name`, google-genai 3.4.0."""

_MODES: Final[Mapping[str, str]] = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}

# Without these the answer would mean something else; by our names for them.
_ESSENTIAL: Final[Mapping[str, str]] = {"tools": "tools", "toolConfig": "tool_choice", "contents": "messages"}


def encode_request(request: Request, profile: Profile = PLAIN) -> Encoded:
    """Write `request` for an upstream. The path names the model and says whether to stream.

    Raises `Untranslatable` where leaving out would change the meaning: a file of another provider, tools that another
    provider runs, more choices than there can be, JSON beside functions where the model takes only one of them.
    """
    _check(request)
    losses, traits = Losses(), traits_of(request.model)
    writer = Writer(request, traits, losses)
    body: json.Object = {"contents": writer.contents()}
    _add_instructions(body, writer, losses)
    _add_tools(body, request, losses)
    config = _config(request, traits, losses)
    if config:
        body["generationConfig"] = config
    _add_rest(body, request, losses)
    _note_unknown(request, losses)
    try:
        return Encoded(json.dumps(_for_host(body, profile, losses)), losses.names())
    except Malformed:
        raise Untranslatable("the request is nested too deeply to be translated", param="messages") from None


def _check(request: Request) -> None:
    if request.n > MAX_CHOICES:
        raise Untranslatable(f"{NAME} gives at most {MAX_CHOICES} choices", param="n")
    if request.max_output_tokens == 0:  # Anthropic's way to fill the prompt cache; 400 here
        raise Untranslatable(f"a request for no output at all cannot be expressed in {NAME}", param="max_tokens")
    if any(len(tool.name) > MAX_NAME_CHARS for tool in request.tools):
        raise Untranslatable(f"the target takes tool names of at most {MAX_NAME_CHARS} characters", param="tools")
    for dialect, extras in request.extensions.items():
        if dialect != NAME and extras.get("tools"):
            raise Untranslatable(f"tools that another provider runs cannot be expressed in {NAME}", param="tools")


def _add_instructions(body: json.Object, writer: Writer, losses: Losses) -> None:
    parts = writer.instructions()
    if not parts:
        return
    if body["contents"]:
        body["systemInstruction"] = {"parts": parts}
    else:  # at least one turn is required
        losses.add("messages.system")
        body["contents"] = [{"role": "user", "parts": parts}]


def _add_tools(body: json.Object, request: Request, losses: Losses) -> None:
    functions = [_function(tool, losses) for tool in request.tools]
    own = request.extensions.get(NAME, {}).get("tools", [])
    tools = [*([{"functionDeclarations": functions}] if functions else []), *own]
    if tools:
        body["tools"] = tools
    choice = request.tool_choice
    if functions:
        calling = _calling(choice, is_strict=any(tool.strict for tool in request.tools))
        if calling:
            body["toolConfig"] = {"functionCallingConfig": calling}
        if request.parallel_tool_calls is False:
            losses.add("parallel_tool_calls")
    elif choice is not None and choice.mode in {"required", "named"}:
        losses.add("tool_choice")


def _function(tool: Tool, losses: Losses) -> json.Object:
    if tool.cache is not None:
        losses.add("cache_control")
    function: json.Object = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.parameters is not None:
        function["parametersJsonSchema"] = fit_schema(tool.parameters)
    return function


def _calling(choice: ToolChoice | None, *, is_strict: bool) -> json.Object:
    """How to call.

    Strict is no word of a single function here: `VALIDATED` holds all calls to their schemas, and `ANY` does so anyway
    (ai.google.dev/gemini-api/docs/function-calling, read 2026-11-25).
    """
    if choice is None:
        return {"mode": "VALIDATED"} if is_strict else {}
    if choice.mode == "auto" and is_strict:
        return {"mode": "VALIDATED"}
    named = {"allowedFunctionNames": [choice.name]} if choice.mode == "named" else {}
    return {"mode": _MODES[choice.mode], **named}


def _config(request: Request, traits: Traits, losses: Losses) -> json.Object:
    sampling = request.sampling
    seed = sampling.seed
    if seed is not None and seed not in _SEEDS:
        losses.add("seed")
        seed = None
    if len(request.stop) > MAX_STOP_SEQUENCES:
        losses.add("stop")
    config: json.Object = {
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "topK": sampling.top_k,
        "presencePenalty": sampling.presence_penalty,
        "frequencyPenalty": sampling.frequency_penalty,
        "seed": seed,
        "candidateCount": request.n if request.n > 1 else None,
        "maxOutputTokens": request.max_output_tokens,
        "stopSequences": list(request.stop[:MAX_STOP_SEQUENCES]) or None,
    }
    config |= _logprobs(request, losses)
    if request.output_format is not None:
        config |= _format(request, request.output_format, traits, losses)
    if request.reasoning is not None:
        thinking = thinking_config(request.reasoning, request.model, request.max_output_tokens, losses)
        config["thinkingConfig"] = thinking or None
    return {name: value for name, value in config.items() if value is not None}


def _logprobs(request: Request, losses: Losses) -> json.Object:
    if not request.logprobs:
        return {}
    top = request.top_logprobs
    if top is not None and top > MAX_LOGPROBS:
        losses.add("top_logprobs")
        top = MAX_LOGPROBS
    return {"responseLogprobs": True, "logprobs": top}


def _format(request: Request, wanted: OutputFormat, traits: Traits, losses: Losses) -> json.Object:
    if request.tools and not traits.json_beside_tools:
        raise Untranslatable(f"{request.model} takes no JSON output beside functions", param="response_format")
    config: json.Object = {"responseMimeType": "application/json"}
    if wanted.schema is not None:
        schema = wanted.schema
        if wanted.description and "description" not in schema:
            schema = {**schema, "description": wanted.description}
        config["responseJsonSchema"] = fit_schema(schema, losses)
    return config


def _add_rest(body: json.Object, request: Request, losses: Losses) -> None:
    if request.service_tier is not None and request.service_tier != "auto":
        if request.service_tier in TIERS_OUT:
            body["serviceTier"] = TIERS_OUT[request.service_tier]
        else:
            losses.add("service_tier")
    for dialect, extras in request.extensions.items():
        for name, value in extras.items():
            if dialect != NAME:
                losses.add(name)
            elif name != "tools":
                _give_back(body, name, value, losses)


def _give_back(body: json.Object, name: str, value: Any, losses: Losses) -> None:  # noqa: ANN401 - JSON
    """Put a field that only this dialect knows where its path says. Those of parts and functions are not kept."""
    *parents, last = name.split(".")
    if parents and parents[0] not in {"generationConfig", "toolConfig"}:
        losses.add(name)
        return
    place = body
    for parent in parents:
        place = place.setdefault(parent, {})
    place[last] = value


def _note_unknown(request: Request, losses: Losses) -> None:
    """Name what has no counterpart here. A value that is its own default asks for nothing."""
    sampling = request.sampling
    asked: dict[str, object] = {
        "repetition_penalty": sampling.repetition_penalty not in {None, 1},
        "min_p": sampling.min_p,
        "logit_bias": sampling.logit_bias,
        "metadata": request.metadata,
        "user": request.end_user,
        "reasoning.summary": request.reasoning is not None and request.reasoning.summary not in {None, "auto"},
    }
    for name, value in asked.items():
        if value:
            losses.add(name)


def _for_host(body: json.Object, profile: Profile, losses: Losses) -> json.Object:
    for name in sorted(profile.rejects & body.keys()):
        if name in _ESSENTIAL:
            raise Untranslatable(f"{profile.name or 'the target'} does not accept {name}", param=_ESSENTIAL[name])
        losses.add(name)
    return {profile.rename.get(name, name): value for name, value in body.items() if name not in profile.rejects}
