"""A client's request, from the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast, get_args

from costspan.dialects.anthropic_messages.blocks_decode import decode_blocks, decode_cache, invalid, text_of
from costspan.dialects.anthropic_messages.vocabulary import NAME, TIERS_IN
from costspan.ir.request import (
    Effort,
    Message,
    OutputFormat,
    ReasoningOptions,
    Request,
    Role,
    Sampling,
    Text,
    Tool,
    ToolChoice,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from costspan.wire import json

_KNOWN = frozenset(
    {
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "output_format",
        "service_tier",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)
_MODES: dict[str, Literal["auto", "none", "required", "named"]] = {
    "auto": "auto",
    "any": "required",
    "tool": "named",
    "none": "none",
}
_TOOL_FIELDS = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})
_MEDIA_EXTRAS = ("context", "citations", "transformations")


def decode_request(body: json.Object) -> Request:
    """Read a client's request. Raises `ClientError` naming the field."""
    extras: dict[str, Any] = {name: value for name, value in body.items() if name not in _KNOWN and value is not None}
    tools = tuple(_tools(body.get("tools"), extras))
    choice, parallel = _tool_choice(body.get("tool_choice"))
    config = _object(body, "output_config")
    metadata = _object(body, "metadata")
    request = Request(
        model=text_of(body, "model", "request"),
        messages=tuple(_messages(body.get("messages"), extras)),
        instructions=tuple(_system(body.get("system"))),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        max_output_tokens=_integer(body, "max_tokens"),
        sampling=Sampling(_number(body, "temperature"), _number(body, "top_p"), _integer(body, "top_k")),
        stop=tuple(_stop(body.get("stop_sequences"))),
        output_format=_output_format(config.pop("format", None) or body.get("output_format")),
        reasoning=_reasoning(body.get("thinking"), config.pop("effort", None), extras),
        end_user=_end_user(metadata.pop("user_id", None)),
        service_tier=_tier(body.get("service_tier")),
        stream=body.get("stream") is True,
        extensions={NAME: extras} if extras else {},
    )
    for name, rest in (("output_config", config), ("metadata", metadata)):
        if rest:
            extras[name] = rest
            request.extensions[NAME] = extras
    return request


def _object(body: json.Object, name: str) -> dict[str, Any]:
    """A copy of the object at `name`, to take fields out of."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(name, "an object")
    return dict(value)


def _integer(body: json.Object, name: str) -> int | None:
    value = body.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise invalid(name, "an integer")


def _number(body: json.Object, name: str) -> float | None:
    value = body.get(name)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise invalid(name, "a number")


def _system(value: object) -> Iterator[Text]:
    if value is None:
        return
    for position, block in enumerate(decode_blocks(value, "system")):
        if not isinstance(block, Text):
            raise invalid(f"system[{position}]", "a text block")
        yield block


def _messages(value: object, extras: dict[str, Any]) -> Iterator[Message]:
    if not isinstance(value, list):
        raise invalid("messages", "a list")
    for position, raw in enumerate(value):
        path = f"messages[{position}]"
        if not isinstance(raw, dict) or raw.get("role") not in get_args(Role):
            raise invalid(f"{path}.role", "user or assistant")
        content = raw.get("content")
        blocks = tuple(decode_blocks(content, f"{path}.content"))
        _note_extras(content, extras)
        yield Message(cast("Role", raw["role"]), blocks)


def _note_extras(content: object, extras: dict[str, Any]) -> None:
    """Remember fields of media that have no place in the canonical form, so that leaving them out is no secret."""
    for raw in content if isinstance(content, list) else ():
        for name in _MEDIA_EXTRAS:
            if raw.get("type") in {"image", "document"} and raw.get(name) is not None:
                extras[f"messages.content.{name}"] = raw[name]


def _tools(value: object, extras: dict[str, Any]) -> Iterator[Tool]:
    """Functions. Tools that Anthropic runs or defines itself stay as they are, among the extensions."""
    if value is None:
        return
    if not isinstance(value, list):
        raise invalid("tools", "a list")
    for position, raw in enumerate(value):
        path = f"tools[{position}]"
        if not isinstance(raw, dict):
            raise invalid(path, "an object")
        type_ = raw.get("type")
        if type_ is not None and not isinstance(type_, str):
            raise invalid(f"{path}.type", "a string")
        if type_ not in {None, "custom"}:
            extras.setdefault("tools", []).append(raw)
            continue
        for name in raw.keys() - _TOOL_FIELDS:
            extras[f"tools.{name}"] = raw[name]
        yield _tool(raw, path)


def _tool(raw: json.Object, path: str) -> Tool:
    schema, description, strict = raw.get("input_schema"), raw.get("description"), raw.get("strict")
    if not isinstance(schema, dict):
        raise invalid(f"{path}.input_schema", "an object")
    return Tool(
        name=text_of(raw, "name", path),
        description=description if isinstance(description, str) else None,
        parameters=schema,
        strict=strict if isinstance(strict, bool) else None,
        cache=decode_cache(raw),
    )


def _tool_choice(value: object) -> tuple[ToolChoice | None, bool | None]:
    """The choice, and whether calls may be parallel."""
    if value is None:
        return None, None
    if not isinstance(value, dict) or not isinstance(type_ := value.get("type"), str) or type_ not in _MODES:
        raise invalid("tool_choice.type", "auto, any, tool or none")
    mode = _MODES[type_]
    name = text_of(value, "name", "tool_choice") if mode == "named" else None
    serial = value.get("disable_parallel_tool_use")
    return ToolChoice(mode, name), not serial if isinstance(serial, bool) else None


def _stop(value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise invalid("stop_sequences", "a list of strings")
    return value


def _output_format(value: object) -> OutputFormat | None:
    match value:
        case None:
            return None
        case {"type": "json_schema", "schema": dict(schema)}:
            return OutputFormat(schema)
        case _:
            raise invalid("output_config.format", "an object of type json_schema with a schema")


def _reasoning(thinking: object, effort: object, extras: dict[str, Any]) -> ReasoningOptions | None:
    if effort is not None and effort not in get_args(Effort):
        raise invalid("output_config.effort", "low, medium, high, xhigh or max")
    level = cast("Effort | None", effort)
    if thinking is None:
        return ReasoningOptions(effort=level) if level else None
    if not isinstance(thinking, dict):
        raise invalid("thinking", "an object")
    shown = thinking.get("display")
    summary, exclude = "auto" if shown == "summarized" else None, shown == "omitted"
    match thinking.get("type"):
        case "enabled":
            budget = _integer(thinking, "budget_tokens")
            return ReasoningOptions(level, budget, dynamic=budget is None, summary=summary, exclude=exclude)
        case "adaptive":
            return ReasoningOptions(level, dynamic=True, summary=summary, exclude=exclude)
        case "disabled":
            return ReasoningOptions("none")
        case _:
            extras["thinking"] = thinking
            return ReasoningOptions(level, dynamic=True)


def _end_user(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _tier(value: object) -> str | None:
    return TIERS_IN.get(value, value) if isinstance(value, str) else None
