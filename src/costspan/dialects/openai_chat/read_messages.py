"""A request's `messages`, strictly: each error names the message and the field."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from costspan.dialects.openai_chat import reasoning
from costspan.dialects.openai_chat.cache import read_marker
from costspan.dialects.openai_chat.fields import invalid
from costspan.dialects.openai_chat.media import read_media
from costspan.dialects.openai_chat.vocabulary import INSTRUCTION_ROLES, ROLES, derived_id
from costspan.errors import Untranslatable
from costspan.ir.request import Media, Message, Reasoning, Refusal, Text, ToolCall, ToolResult
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.ir.request import Block


def read_messages(messages: Any) -> tuple[tuple[Text, ...], tuple[Message, ...]]:  # noqa: ANN401 - unchecked input
    """Leading instructions, and the conversation. Empty text and empty messages are left out."""
    if type(messages) is not list or not messages:
        raise invalid("'messages' must be a non-empty list", "messages", "invalid_messages")
    instructions: list[Text] = []
    conversation: list[Message] = []
    reader = _Reader()
    for position, message in enumerate(messages):
        where = f"messages[{position}]"
        role = message.get("role") if type(message) is dict else None
        if type(role) is not str or role not in ROLES:
            raise invalid("each message must be an object with a known role", f"{where}.role", "invalid_messages")
        if role in INSTRUCTION_ROLES and not conversation:
            instructions += _instructions(message, where)
        elif (read := reader.message(role, message, where)) is not None:
            conversation.append(read)
    return tuple(instructions), tuple(conversation)


class _Reader:
    """Reads messages in order; remembers the ids it gave to legacy function calls, which have none."""

    def __init__(self) -> None:
        self._function_ids: dict[str, str] = {}
        self._function_calls = 0

    def message(self, role: str, message: json.Object, where: str) -> Message | None:
        name = message.get("name")
        name = name if isinstance(name, str) and role != "function" else None
        match role:
            case "system" | "developer":
                blocks: tuple[Block, ...] = tuple(_instructions(message, where))
                return Message("system", blocks, name) if blocks else None
            case "tool":
                return Message("user", (_tool_result(message, where),))
            case "function":
                return Message("user", (self._function_result(message, where),))
            case "assistant":
                blocks = tuple(self._assistant(message, where))
                return Message("assistant", blocks, name) if blocks else None
            case _:
                blocks = tuple(_content(message, where))
                return Message("user", blocks, name) if blocks else None

    def _assistant(self, message: json.Object, where: str) -> Iterator[Block]:
        if message.get("audio"):
            raise Untranslatable(
                "an earlier audio answer can only be sent back to its provider", param=f"{where}.audio"
            )
        calls = [*_tool_calls(message, where), *self._function_call(message, where)]
        details = list(reasoning.details(message))
        ids = {call.id for call in calls}
        yield from reasoning.blocks(detail for detail in details if detail.id not in ids)
        if message.get("content") is not None:
            yield from _cite(list(_content(message, where, own=True)), message)
        refusal = message.get("refusal")
        if isinstance(refusal, str) and refusal:
            yield Refusal(refusal)
        sealed = {detail.id: detail.opaque for detail in details}
        for call in calls:
            opaque = sealed.get(call.id)
            yield call if opaque is None else replace(call, opaque=opaque)

    def _function_call(self, message: json.Object, where: str) -> Iterator[ToolCall]:
        legacy = message.get("function_call")
        if legacy is None:
            return
        name, arguments = _function(legacy, f"{where}.function_call")
        self._function_calls += 1
        self._function_ids[name] = derived_id("function", name, self._function_calls)
        yield ToolCall(self._function_ids[name], name, arguments)

    def _function_result(self, message: json.Object, where: str) -> ToolResult:
        name = message.get("name")
        if not isinstance(name, str) or name not in self._function_ids:
            raise invalid("'name' must be that of an earlier function call", f"{where}.name", "invalid_messages")
        return ToolResult(self._function_ids[name], _result_blocks(message, where))


def _instructions(message: json.Object, where: str) -> Iterator[Text]:
    for number, block in enumerate(_content(message, where)):
        if not isinstance(block, Text):
            raise invalid("instructions must be text", f"{where}.content[{number}].type", "invalid_messages")
        yield block


def _tool_result(message: json.Object, where: str) -> ToolResult:
    id_ = message.get("tool_call_id")
    if not isinstance(id_, str) or not id_:
        raise invalid("'tool_call_id' must be a string", f"{where}.tool_call_id", "invalid_messages")
    return ToolResult(id_, _result_blocks(message, where), cache=read_marker(message))


def _result_blocks(message: json.Object, where: str) -> tuple[Text | Media, ...]:
    return tuple(block for block in _content(message, where) if isinstance(block, (Text, Media)))


def _tool_calls(message: json.Object, where: str) -> Iterator[ToolCall]:
    calls = message.get("tool_calls")
    if calls is not None and not isinstance(calls, list):
        raise invalid("'tool_calls' must be a list", f"{where}.tool_calls", "invalid_messages")
    for number, call in enumerate(calls or ()):
        at = f"{where}.tool_calls[{number}]"
        if not isinstance(call, dict) or not isinstance(call.get("id"), str) or not call["id"]:
            raise invalid("each tool call must be an object with an id", f"{at}.id", "invalid_messages")
        if call.get("type", "function") != "function":
            raise Untranslatable("only function calls can be translated", param=f"{at}.type")
        name, arguments = _function(call.get("function"), f"{at}.function")
        yield ToolCall(call["id"], name, arguments, cache=read_marker(call))


def _function(function: Any, where: str) -> tuple[str, str]:  # noqa: ANN401 - unchecked input
    """Name, and arguments as JSON text."""
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or not name:
        raise invalid("a function call must have a name", f"{where}.name", "invalid_messages")
    arguments = function.get("arguments")
    if isinstance(arguments, dict):
        arguments = json.text(arguments)
    if arguments is not None and not isinstance(arguments, str):
        raise invalid("'arguments' must be a string of JSON", f"{where}.arguments", "invalid_messages")
    return name, arguments or "{}"


def _content(message: json.Object, where: str, *, own: bool = False) -> Iterator[Block]:
    """The blocks of `content`; `own` allows what only the model itself says."""
    content = message.get("content")
    if isinstance(content, str):
        if content:
            yield Text(content, cache=read_marker(message))
        return
    if not isinstance(content, list):
        raise invalid("'content' must be a string or a list of parts", f"{where}.content", "invalid_messages")
    for number, part in enumerate(content):
        at = f"{where}.content[{number}]"
        if not isinstance(part, dict):
            raise invalid("each part must be an object", at, "invalid_messages")
        yield from _own_part(part, at) if own else _part(part, at)


def _own_part(part: json.Object, where: str) -> Iterator[Block]:
    match part:
        case {"type": "refusal", "refusal": str(refusal)}:
            yield Refusal(refusal)
        case {"type": "thinking"}:
            text = "".join(detail.text for detail in reasoning.thinking_part(part))
            yield Reasoning(text)
        case _:
            yield from _part(part, where)


def _part(part: json.Object, where: str) -> Iterator[Text | Media]:
    match part:
        case {"type": "text", "text": str(text)}:
            if text:
                yield Text(text, cache=read_marker(part))
        case {"type": str(kind)}:
            media = read_media(kind, part.get(kind), where)
            yield replace(media, cache=read_marker(part))
        case _:
            raise invalid("unknown kind of part", f"{where}.type", "invalid_messages")


def _cite(blocks: list[Block], message: json.Object) -> Iterator[Block]:
    """Annotations belong to the last text."""
    cited = tuple(reasoning.citations(message.get("annotations")))
    texts = [position for position, block in enumerate(blocks) if isinstance(block, Text)]
    for position, block in enumerate(blocks):
        if cited and isinstance(block, Text) and position == texts[-1]:
            yield replace(block, citations=cited)
        else:
            yield block
