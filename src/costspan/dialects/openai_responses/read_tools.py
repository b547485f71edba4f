"""A request's tools and which of them may be called.

Functions are canonical. Everything else (searches, code, MCP servers, custom tools with their own input formats) only
this dialect's providers know; it is kept as it is, among the extensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects import checks
from costspan.dialects.openai_responses.strict_schema import may_be_strict
from costspan.ir.request import Tool, ToolChoice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.wire import json

_FIELDS: Final = frozenset({"type", "name", "description", "parameters", "strict"})


@dataclass(frozen=True, slots=True)
class Tools:
    """The functions, and what is said of calling them."""

    functions: tuple[Tool, ...]
    choice: ToolChoice | None


def read_tools(body: json.Object, own: dict[str, Any]) -> Tools:
    """Read `tools` and `tool_choice`; what only this dialect has goes into `own`."""
    given = body.get("tools")
    if given is not None and not isinstance(given, list):
        raise checks.invalid("'tools' must be a list", "tools", "invalid_type")
    functions: list[Tool] = []
    others: list[json.Object] = []
    for number, tool in enumerate(given or ()):
        where = f"tools[{number}]"
        if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
            raise checks.invalid("a tool must be an object with a type", f"{where}.type")
        if tool["type"] == "function":
            functions.append(_function(tool, where, own))
        else:
            others.append(tool)
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        return _allowed(choice, functions, others, own)
    if others:
        own["tools"] = others
    return Tools(tuple(functions), _choice(choice, own))


def _function(tool: json.Object, where: str, own: dict[str, Any]) -> Tool:
    """A function. `strict` is left to the server here: it is, where the schema allows it.

    "Responses requests will attempt to normalize your schema into strict mode when possible":
    developers.openai.com/api/docs/guides/function-calling, quoted in 0xPlaygrounds/rig#2477 (read 2026-11-25).
    """
    name, parameters = tool.get("name"), tool.get("parameters")
    if not isinstance(name, str) or not name:
        raise checks.invalid("a function must have a name", f"{where}.name")
    if parameters is not None and not isinstance(parameters, dict):
        raise checks.invalid("'parameters' must be a JSON Schema object", f"{where}.parameters")
    for field in tool.keys() - _FIELDS:
        if tool[field]:
            own.setdefault(f"tools.{field}", {})[name] = tool[field]
    description, strict = tool.get("description"), tool.get("strict")
    if strict is None:
        strict = may_be_strict(parameters or {})
    return Tool(
        name,
        description if isinstance(description, str) else None,
        parameters,
        True if strict is True else None,  # what is not strict is so in the other dialects without a word
    )


def _choice(choice: Any, own: dict[str, Any]) -> ToolChoice | None:  # noqa: ANN401 - unchecked input
    match choice:
        case None:
            return None
        case "auto" | "none" | "required":
            return ToolChoice(choice)
        case {"type": "function", "name": str(name)} if name:
            return ToolChoice("named", name)
        case {"type": str(kind)} if kind != "function":  # one of the provider's own tools
            own["tool_choice"] = choice
            return None
        case _:
            raise checks.invalid("'tool_choice' must be auto, none, required or a tool", "tool_choice")


def _allowed(choice: json.Object, functions: list[Tool], others: list[json.Object], own: dict[str, Any]) -> Tools:
    """No other dialect can hide tools: so only those that may be called are sent."""
    allowed, mode = choice.get("tools"), choice.get("mode", "auto")
    if not isinstance(allowed, list) or mode not in ("auto", "required"):
        raise checks.invalid("allowed tools must be a list, in mode auto or required", "tool_choice")
    wanted = [tool for tool in allowed if isinstance(tool, dict)]
    if kept := list(_matching(others, wanted)):
        own["tools"] = kept
    names = [tool.get("name") for tool in wanted if tool.get("type") == "function"]
    return Tools(tuple(tool for tool in functions if tool.name in names), ToolChoice(mode))


def _matching(tools: list[json.Object], wanted: list[json.Object]) -> Iterator[json.Object]:
    """Tools that have all fields of one that is wanted: the type, and what tells two of a type apart."""
    for tool in tools:
        if any(all(tool.get(name) == value for name, value in ask.items()) for ask in wanted):
            yield tool
