"""A request for an upstream, to the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.dialects.anthropic_messages.blocks_encode import encode_blocks, encode_cache, simplest
from costspan.dialects.anthropic_messages.hosted import check_media
from costspan.dialects.anthropic_messages.vocabulary import NAME, TIERS_OUT
from costspan.dialects.claude.models import traits_of
from costspan.dialects.claude.schemas import fit_schema
from costspan.dialects.claude.thinking import add_limits, breaks_tool_loop
from costspan.dialects.claude.turns import end_properly
from costspan.dialects.losses import Losses
from costspan.dialects.types import PLAIN, Encoded
from costspan.errors import Malformed, Untranslatable
from costspan.ir.request import Message, Text, ToolChoice
from costspan.wire import json

if TYPE_CHECKING:
    from costspan.dialects.types import Profile
    from costspan.ir.request import Request, Tool

# Without these the answer would mean something else. To the name that most clients know.
_ESSENTIAL = {"tools": "tools", "tool_choice": "tool_choice", "output_config": "response_format"}

_THINKING = ("thinking", "redacted_thinking")

_CHOICES = {"auto": "auto", "required": "any", "none": "none", "named": "tool"}


def encode_request(request: Request, profile: Profile = PLAIN) -> Encoded:
    """Write a request.

    Raises `Untranslatable` for several choices, sound and video, images, documents and files of other kinds, JSON
    without a schema, and a schema where the model takes none.
    """
    if request.n > 1:
        raise Untranslatable(f"{NAME} gives one choice only", param="n")
    check_media(request, profile)
    losses = Losses()
    request = end_properly(request, losses)
    body: json.Object = {"model": request.model, "messages": _messages(request, losses)}
    _add_system(body, request, losses)
    _add_tools(body, request, losses)
    _add_sampling(body, request, losses)
    broken = breaks_tool_loop(body["messages"], _holds, result="tool_result", thinking=_THINKING)
    add_limits(body, request, losses, breaks_tool_loop=broken)
    _add_format(body, request, losses)
    _add_rest(body, request, losses)
    _note_unknown(request, losses)
    try:
        return Encoded(json.dumps(_for_host(body, profile, losses)), losses.names())
    except Malformed:
        raise Untranslatable("the request is nested too deeply to be translated", param="messages") from None


def _add_system(body: json.Object, request: Request, losses: Losses) -> None:
    system = list(encode_blocks(request.instructions, losses))
    if not system:
        return
    if body["messages"]:
        body["system"] = simplest(system)
    else:  # at least one message is required
        losses.add("messages.system")
        body["messages"] = [{"role": "user", "content": simplest(system)}]


def _messages(request: Request, losses: Losses) -> list[json.Object]:
    """Turns as the API wants them: one role never twice in a row, none empty, results of tools first."""
    turns: list[tuple[str, list[json.Object]]] = []
    for message in request.messages:
        role, blocks = _turn(message, losses)
        if not blocks:
            if any(isinstance(block, Text) and block.text for block in message.blocks):  # only blanks
                losses.add("messages.content")
            continue
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        else:
            turns.append((role, blocks))
    return [{"role": role, "content": simplest(_results_first(blocks))} for role, blocks in turns]


def _turn(message: Message, losses: Losses) -> tuple[str, list[json.Object]]:
    if message.name is not None:
        losses.add("messages.name")
    if message.role != "system":
        return message.role, list(encode_blocks(message.blocks, losses))
    losses.add("messages.system")
    marked = "\n".join(block.text for block in message.blocks if isinstance(block, Text))
    return "user", list(encode_blocks([Text(f"<system>\n{marked}\n</system>")] if marked else [], losses))


def _results_first(blocks: list[json.Object]) -> list[json.Object]:
    return sorted(blocks, key=lambda block: block.get("type") != "tool_result")


def _add_tools(body: json.Object, request: Request, losses: Losses) -> None:
    own = request.extensions.get(NAME, {}).get("tools", [])
    tools = [*map(_tool, request.tools), *own]
    if tools:
        body["tools"] = tools
        choice = _tool_choice(request)
        if choice is not None:
            body["tool_choice"] = choice
    elif request.tool_choice is not None and request.tool_choice.mode in {"required", "named"}:
        losses.add("tool_choice")


def _tool(tool: Tool) -> json.Object:
    raw: json.Object = {"name": tool.name}
    if tool.description is not None:
        raw["description"] = tool.description
    raw["input_schema"] = {"type": "object", **(tool.parameters or {"properties": {}})}
    if tool.strict is not None:
        raw["strict"] = tool.strict
    if tool.cache is not None:
        raw["cache_control"] = encode_cache(tool.cache)
    return raw


def _tool_choice(request: Request) -> json.Object | None:
    choice, parallel = request.tool_choice, request.parallel_tool_calls
    if choice is None and parallel is None:
        return None
    choice = choice or ToolChoice("auto")
    raw: json.Object = {"type": _CHOICES[choice.mode]}
    if choice.mode == "named":
        raw["name"] = choice.name
    if parallel is not None and choice.mode != "none":
        raw["disable_parallel_tool_use"] = not parallel
    return raw


def _add_sampling(body: json.Object, request: Request, losses: Losses) -> None:
    sampling = request.sampling
    if sampling.temperature is not None:
        body["temperature"] = min(sampling.temperature, 1)
        if sampling.temperature > 1:
            losses.add("temperature")
    # 1 is the same as nothing, and newer models refuse it beside a temperature
    if sampling.top_p is not None and not (sampling.top_p == 1 and sampling.temperature is not None):
        body["top_p"] = sampling.top_p
    if sampling.top_k is not None:
        body["top_k"] = sampling.top_k
    stop = [sequence for sequence in request.stop if sequence.strip()]  # the API refuses blank ones
    if len(stop) < len(request.stop):
        losses.add("stop")
    if stop:
        body["stop_sequences"] = stop


def _add_format(body: json.Object, request: Request, losses: Losses) -> None:
    wanted = request.output_format
    if wanted is None:
        return
    if wanted.schema is None:  # an instruction in the prompt would be no promise
        raise Untranslatable(f"{NAME} has no JSON output without a schema", param="response_format")
    if not traits_of(request.model).schemas:
        raise Untranslatable(f"{request.model} takes no schema for its answer", param="response_format")
    described = {} if wanted.description is None else {"description": wanted.description}
    schema = fit_schema(described | wanted.schema, losses)  # a format has no description of its own here
    body.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": schema}


def _add_rest(body: json.Object, request: Request, losses: Losses) -> None:
    if request.end_user is not None:
        body["metadata"] = {"user_id": request.end_user}
    if request.service_tier is not None:
        if request.service_tier in TIERS_OUT:
            body["service_tier"] = TIERS_OUT[request.service_tier]
        else:
            losses.add("service_tier")
    if request.stream:
        body["stream"] = True
    _add_extensions(body, request, losses)


def _add_extensions(body: json.Object, request: Request, losses: Losses) -> None:
    for dialect, extras in request.extensions.items():
        if dialect == NAME:
            _merge(body, extras)
            continue
        if extras.get("tools"):
            raise Untranslatable(f"tools that a provider runs itself cannot be expressed in {NAME}", param="tools")
        for name in extras:
            losses.add(name)


def _merge(body: json.Object, extras: dict[str, Any]) -> None:
    """Give back what only this dialect knows. Dotted names stand for parts of content, which are not kept."""
    for name, value in extras.items():
        if name == "tools" or "." in name:
            continue
        now = body.get(name)
        body[name] = {**value, **now} if isinstance(now, dict) and isinstance(value, dict) else value


def _note_unknown(request: Request, losses: Losses) -> None:
    """Name what has no counterpart here. A value that is its own default asks for nothing."""
    sampling = request.sampling
    asked: dict[str, object] = {
        "seed": sampling.seed is not None,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "repetition_penalty": sampling.repetition_penalty not in {None, 1},
        "min_p": sampling.min_p,
        "logit_bias": sampling.logit_bias,
        "logprobs": request.logprobs,
        "top_logprobs": request.top_logprobs,
        "metadata": request.metadata,
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


def _holds(message: json.Object, *types: str) -> bool:
    content = message["content"]
    return isinstance(content, list) and any(block.get("type") in types for block in content)
