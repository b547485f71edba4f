"""A request's `contents`, strictly: each error names the part and the field."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.checks import invalid
from costspan.dialects.gemini_generate import fields
from costspan.dialects.gemini_generate.media import read_file, read_inline
from costspan.dialects.gemini_generate.peek import check_contents
from costspan.dialects.gemini_generate.signatures import signature_of
from costspan.dialects.gemini_generate.vocabulary import NAME, PART_FIELDS, SERVER_TOOL_PARTS, derived_id
from costspan.dialects.losses import beyond
from costspan.errors import Malformed
from costspan.ir.request import Media, Message, Reasoning, ServerTool, Text, ToolCall, ToolResult
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.ir.request import Block

_KNOWN: Final = PART_FIELDS | {"functionResponse"}
_WORDS: Final = ("result", "output", "error")
"""Keys of a function response that hold nothing but its text; `error` says that it failed."""


def read_contents(contents: Any, extras: dict[str, Any]) -> Iterator[Message]:  # noqa: ANN401 - unchecked input
    """The conversation. Turns that say nothing are left out. Fields that are not read go to `extras`, by name."""
    reader = _Reader(extras)
    for position, content in enumerate(check_contents(contents)):
        is_model = content.get("role") == "model"
        where = f"contents[{position}].parts"
        blocks = tuple(
            block
            for number, part in enumerate(content["parts"])
            for block in reader.part(fields.camelled(part), f"{where}[{number}]", is_model=is_model)
        )
        if blocks:
            yield Message("assistant" if is_model else "user", blocks)


def read_instructions(raw: Any) -> Iterator[Text]:  # noqa: ANN401 - unchecked input
    """`systemInstruction`: a content, of which only text counts."""
    if isinstance(raw, str):
        raw = {"parts": [{"text": raw}]}
    content = fields.message(raw, "systemInstruction")
    for number, part in enumerate(fields.items(content.get("parts"), "systemInstruction.parts")):
        text = part.get("text") if isinstance(part, dict) else None
        if not isinstance(text, str):
            raise invalid("instructions must be text", f"systemInstruction.parts[{number}]", "invalid_messages")
        if text:
            yield Text(text)


class _Reader:
    """Reads parts in order and knows which function calls wait for their answer: neither needs an id."""

    def __init__(self, extras: dict[str, Any]) -> None:
        self._extras = extras
        self._calls = 0
        self._waiting: set[str] = set()
        """Ids of the calls without an answer."""
        self._by_name: dict[str, deque[str]] = {}
        """Ids of calls by the function's name, in order; some may have been answered by id."""

    def part(self, part: json.Object, where: str, *, is_model: bool) -> Iterator[Block]:
        if not _KNOWN.issuperset(part):
            self._extras |= {f"contents.parts.{name}": part[name] for name in beyond(part, _KNOWN)}
        signature = signature_of(part)
        match part:
            case {"text": str(text)}:
                if text or signature:
                    thought = is_model and part.get("thought") is True
                    yield Reasoning(text, summary=True, opaque=signature) if thought else Text(text, opaque=signature)
            case {"functionCall": call}:
                yield self._call(call, part, f"{where}.functionCall")
            case {"functionResponse": response}:
                yield self._result(response, f"{where}.functionResponse")
            case {"inlineData": _} | {"fileData": _}:
                if signature:
                    yield Reasoning(opaque=signature)
                yield _media(part, where)
            case _:
                yield _server_tool(part, where)

    def _call(self, raw: Any, part: json.Object, where: str) -> ToolCall:  # noqa: ANN401 - unchecked input
        call = fields.message(raw, where)
        name = fields.needed(call.get("name"), f"{where}.name")
        arguments = call.get("args")
        if arguments is not None and not isinstance(arguments, dict):
            raise invalid(f"'{where}.args' must be an object", f"{where}.args", "invalid_type")
        self._calls += 1
        id_ = fields.string(call.get("id"), f"{where}.id") or derived_id("request", name, self._calls)
        self._waiting.add(id_)
        self._by_name.setdefault(name, deque()).append(id_)
        return ToolCall(id_, name, _text(arguments or {}, f"{where}.args"), signature_of(part))

    def _result(self, raw: Any, where: str) -> ToolResult:  # noqa: ANN401 - unchecked input
        response = fields.message(raw, where)
        id_ = self._answered(response, where)
        body = response.get("response") or {}
        if not isinstance(body, dict):
            raise invalid(f"'{where}.response' must be an object", f"{where}.response", "invalid_type")
        text, is_error = _said(body, f"{where}.response")
        media = [
            _media(fields.message(part, f"{where}.parts[{number}]"), f"{where}.parts[{number}]")
            for number, part in enumerate(fields.items(response.get("parts"), f"{where}.parts"))
        ]
        blocks: tuple[Text | Media, ...] = (*([Text(text)] if text else []), *media)
        return ToolResult(id_, blocks, is_error)

    def _answered(self, response: json.Object, where: str) -> str:
        """The id of the call that is answered: by its id, else the earliest of that name that has no answer yet."""
        id_ = fields.string(response.get("id"), f"{where}.id")
        name = fields.string(response.get("name"), f"{where}.name")
        queue = self._by_name.get(name or "", deque())
        while id_ not in self._waiting and queue:
            id_ = queue.popleft()
        if id_ is None or id_ not in self._waiting:
            raise invalid("a function response must follow the call that it answers", where, "invalid_messages")
        self._waiting.remove(id_)
        return id_


def _server_tool(part: json.Object, where: str) -> ServerTool:
    for kind in SERVER_TOOL_PARTS:
        if kind in part:
            return ServerTool(NAME, kind, part)
    raise invalid("unknown kind of part", where, "invalid_messages")


def _media(part: json.Object, where: str) -> Media:
    if "inlineData" in part:
        return read_inline(part["inlineData"], f"{where}.inlineData")
    return read_file(part.get("fileData"), f"{where}.fileData")


def _said(response: json.Object, where: str) -> tuple[str, bool]:
    """The text of a function response, and whether it tells of an error. What is no text is JSON."""
    if len(response) == 1:
        [(name, value)] = response.items()
        if name in _WORDS:
            return value if isinstance(value, str) else _text(value, where), name == "error"
    return _text(response, where) if response else "", False


def _text(value: Any, where: str) -> str:  # noqa: ANN401 - JSON
    try:
        return json.text(value)
    except Malformed:
        raise invalid(f"'{where}' is nested too deeply", where) from None
