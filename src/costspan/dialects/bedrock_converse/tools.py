"""Tools and the choice among them, to the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.bedrock_converse.messages import called_tools
from costspan.dialects.bedrock_converse.vocabulary import NAME, is_tool_name
from costspan.errors import Untranslatable

if TYPE_CHECKING:
    from costspan.dialects.bedrock_converse.blocks_encode import BlockEncoder
    from costspan.dialects.bedrock_converse.models import Traits
    from costspan.dialects.losses import Losses
    from costspan.ir.request import Request, Tool
    from costspan.wire import json

_CHOICES = {"auto": "auto", "required": "any", "named": "tool"}


def wanted_choice(request: Request, traits: Traits, losses: Losses) -> json.Object | None:
    """The choice in the words of Anthropic's API, None where it is the default; `none` is not among them."""
    choice, alone = request.tool_choice, request.parallel_tool_calls is False
    if not request.tools:
        if choice is not None and choice.mode in {"required", "named"}:
            losses.add("tool_choice")
        return None
    if choice is not None and choice.mode == "none":
        return None
    if alone and not traits.one_tool_at_a_time:
        losses.add("parallel_tool_calls")
    raw: json.Object = {"type": _CHOICES[choice.mode] if choice else "auto"}
    if choice is not None and choice.mode == "named":
        raw["name"] = choice.name
    if alone and traits.one_tool_at_a_time:
        raw["disable_parallel_tool_use"] = True
    return None if raw == {"type": "auto"} else raw


def encode_tools(
    request: Request, messages: list[json.Object], traits: Traits, blocks: BlockEncoder, losses: Losses
) -> list[json.Object]:
    """The tools. There is no word for calling none: then there are none, unless the conversation holds calls.

    "The toolConfig field must be defined when using toolUse and toolResult content blocks", so those tools stay, or are
    made up where the client names none: a loss, since the model may call them again.
    """
    called = called_tools(messages)
    none = request.tool_choice is not None and request.tool_choice.mode == "none"
    if none and request.tools and not called:
        return []
    if none and request.tools:
        losses.add("tool_choice")
    if not request.tools and called:
        losses.add("tools")
        return [{"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}} for name in called]
    return [raw for tool in request.tools for raw in _tool(tool, traits, blocks, losses)]


def _tool(tool: Tool, traits: Traits, blocks: BlockEncoder, losses: Losses) -> list[json.Object]:
    if not is_tool_name(tool.name):
        raise Untranslatable(f"{NAME} takes tool names of at most 64 letters, digits, '_' and '-'", param="tools")
    spec: json.Object = {"name": tool.name}
    if tool.description:
        spec["description"] = tool.description
    spec["inputSchema"] = {"json": {"type": "object", **(tool.parameters or {"properties": {}})}}
    if tool.strict and traits.strict_tools:
        spec["strict"] = True
    elif tool.strict:
        losses.add("tools.strict")
    return [{"toolSpec": spec}, *blocks.cache_point(tool.cache, allowed=traits.caches_tools)]


def native_choice(choice: json.Object) -> json.Object:
    """A choice in this dialect's own words."""
    kind = choice["type"]
    return {kind: {"name": choice["name"]} if kind == "tool" else {}}
