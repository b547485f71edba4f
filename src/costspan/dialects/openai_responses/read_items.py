"""A request's `input`, strictly: each error names the item and the field.

Items are put together into turns: what the assistant said, thought and called in one answer is one message.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.openai_responses import sealed
from costspan.dialects.openai_responses.annotations import citations
from costspan.dialects.openai_responses.fields import bad_input
from costspan.dialects.openai_responses.media import read_media
from costspan.dialects.openai_responses.peek import is_reference
from costspan.dialects.openai_responses.vocabulary import INSTRUCTION_ROLES, NAME, ROLES, type_of
from costspan.errors import Untranslatable
from costspan.ir.request import Cache, Media, Message, Opaque, Refusal, ServerTool, Text, ToolCall, ToolResult
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from costspan.ir.request import Block

_TEXT_PARTS: Final = frozenset({"input_text", "output_text", "text"})
_COMPACTED: Final = frozenset({"compaction", "compaction_summary"})
"""Items that stand for the conversation before them, readable for their provider alone."""

TTLS_IN: Final[Mapping[str, str]] = MappingProxyType({"12h": "1h"})
"""How long a cached part is kept, in the canonical form's words; else (30 minutes) it is left to the provider."""


def read_input(value: Any) -> tuple[tuple[Text, ...], tuple[Message, ...]]:  # noqa: ANN401 - unchecked input
    """Leading instructions, and the conversation. Empty text and empty messages are left out."""
    if type(value) is str and value:
        return (), (Message("user", (Text(value),)),)
    if type(value) is not list or not value:
        raise bad_input("'input' must be a string or a non-empty list", "input")
    reader = _Reader()
    for position, item in enumerate(value):
        if type(item) is not dict:
            raise bad_input("each item must be an object", f"input[{position}]")
        reader.item(item, f"input[{position}]")
    return tuple(reader.instructions), tuple(reader.messages())


class _Reader:
    """Reads items in order and keeps a turn open while its items follow each other: the assistant's, or results.

    Results are one turn because a dialect may show what it cannot show in a result behind it: behind all of them then.
    """

    def __init__(self) -> None:
        self.instructions: list[Text] = []
        self._messages: list[Message] = []
        self._turn: list[Block] = []
        self._results: list[ToolResult] = []

    def messages(self) -> list[Message]:
        """The conversation, once all items are read."""
        self._end_turn()
        return self._messages

    def item(self, item: json.Object, where: str) -> None:
        """Read the next item."""
        if is_reference(item):
            raise Untranslatable("an item that a provider keeps can only be read by it", param=where)
        kind = item.get("type", "message")
        if kind == "function_call_output":
            if self._turn:
                self._end_turn()
            self._results.append(_result(item, where))
            return
        if self._results:
            self._end_turn()
        self._spoken(kind, item, where)

    def _spoken(self, kind: object, item: json.Object, where: str) -> None:
        """An item of somebody who speaks."""
        match kind:
            case "message":
                self._message(item, where)
            case "function_call":
                self._turn.append(_call(item, where))
            case "reasoning":
                self._turn += sealed.blocks(item, stored=True)
            case str() if kind in _COMPACTED:
                raise Untranslatable("a compacted conversation can only be read by its provider", param=where)
            case str():
                self._turn.append(ServerTool(NAME, kind, item))
            case _:
                raise bad_input("an item's type must be a string", f"{where}.type")

    def _message(self, item: json.Object, where: str) -> None:
        role = item.get("role")
        if type(role) is not str or role not in ROLES:
            raise bad_input("each message must have a known role", f"{where}.role")
        if role == "assistant":
            said = tuple(_said(item, where))
            if said and self._turn and isinstance(self._turn[-1], Text | Refusal):  # another answer
                self._end_turn()
            self._turn += said
            return
        blocks = tuple(_content(item, where))
        if role not in INSTRUCTION_ROLES:
            self._add("user", blocks)
        elif not self._messages and not self._turn:
            self.instructions += _only_text(blocks, where)
        else:
            self._add("system", tuple(_only_text(blocks, where)))

    def _add(self, role: Any, blocks: tuple[Block, ...]) -> None:  # noqa: ANN401 - a Role
        self._end_turn()
        if blocks:
            self._messages.append(Message(role, blocks))

    def _end_turn(self) -> None:
        """One of the two is open at most."""
        if self._turn:
            self._messages.append(Message("assistant", tuple(self._turn)))
            self._turn = []
        if self._results:
            self._messages.append(Message("user", tuple(self._results)))
            self._results = []


def _call(item: json.Object, where: str) -> ToolCall:
    id_, name, arguments = item.get("call_id"), item.get("name"), item.get("arguments")
    if not isinstance(id_, str) or not id_:
        raise bad_input("'call_id' must be a string", f"{where}.call_id")
    if not isinstance(name, str) or not name:
        raise bad_input("'name' must be a string", f"{where}.name")
    if arguments is not None and not isinstance(arguments, str):
        raise bad_input("'arguments' must be a string of JSON", f"{where}.arguments")
    return ToolCall(id_, name, arguments or "{}")


def _result(item: json.Object, where: str) -> ToolResult:
    id_, output = item.get("call_id"), item.get("output")
    if not isinstance(id_, str) or not id_:
        raise bad_input("'call_id' must be a string", f"{where}.call_id")
    if isinstance(output, str):
        return ToolResult(id_, (Text(output),) if output else ())
    return ToolResult(id_, tuple(_parts(output, f"{where}.output")))


def _content(item: json.Object, where: str) -> Iterator[Text | Media]:
    content = item.get("content")
    if isinstance(content, str):
        if content:
            yield Text(content)
        return
    yield from _parts(content, f"{where}.content")


def _parts(parts: Any, where: str) -> Iterator[Text | Media]:  # noqa: ANN401 - unchecked input
    if not isinstance(parts, list):
        raise bad_input("must be a string or a list of parts", where)
    for number, part in enumerate(parts):
        at = f"{where}[{number}]"
        if not isinstance(part, dict):
            raise bad_input("each part must be an object", at)
        if type_of(part) not in _TEXT_PARTS:
            yield replace(read_media(part, at), cache=_cache(part))
        elif text := _text(part, at):
            yield Text(text, cache=_cache(part))


def _text(part: json.Object, where: str) -> str:
    text = part.get("text")
    if not isinstance(text, str):
        raise bad_input("'text' must be a string", f"{where}.text")
    return text


def _said(item: json.Object, where: str) -> Iterator[Text | Refusal]:
    """What the assistant said."""
    label = phase(item)
    content = item.get("content")
    if isinstance(content, str):
        content = [{"type": "output_text", "text": content}]
    if not isinstance(content, list):
        raise bad_input("'content' must be a string or a list of parts", f"{where}.content")
    for number, part in enumerate(content):
        at = f"{where}.content[{number}]"
        match part:
            case {"type": "refusal", "refusal": str(refusal)}:
                yield Refusal(refusal)
            case {"type": str(kind)} if kind in _TEXT_PARTS:
                cited = tuple(citations(part.get("annotations")))
                if (text := _text(part, at)) or cited:
                    yield Text(text, cited, opaque=label)
            case _:
                raise bad_input("the assistant says output_text or refusal", f"{at}.type")


def phase(item: json.Object) -> Opaque | None:
    """A message's `phase`, which its model wants back. Other providers have no use for it: for them it is no loss."""
    value = item.get("phase")
    return Opaque(NAME, "signature", json.text({"phase": value})) if isinstance(value, str) else None


def _only_text(blocks: tuple[Text | Media, ...], where: str) -> Iterator[Text]:
    for number, block in enumerate(blocks):
        if not isinstance(block, Text):
            raise bad_input("instructions must be text", f"{where}.content[{number}].type")
        yield block


def _cache(part: json.Object) -> Cache | None:
    """An explicit end of the part of a prompt that may be cached."""
    marker = part.get("prompt_cache_breakpoint")
    if not isinstance(marker, dict):
        return None
    ttl = marker.get("ttl")
    return Cache(TTLS_IN.get(ttl) if isinstance(ttl, str) else None)
