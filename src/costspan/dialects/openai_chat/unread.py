"""What an answer holds beyond the fields that are read: names, for the client to be told of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.losses import beyond
from costspan.dialects.openai_chat.media import read_picture
from costspan.dialects.openai_chat.vocabulary import ANSWER_FIELDS, CHOICE_FIELDS, DELTA_FIELDS, MESSAGE_FIELDS
from costspan.ir.request import Media

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from costspan.ir.request import Block
    from costspan.wire import json

_REASONING: Final = frozenset({"reasoning.text", "reasoning.summary", "reasoning.encrypted"})
_SAID: Final = frozenset({"text", "thinking", "refusal"})
_PICTURE: Final = "image_url"


def of_answer(body: json.Object) -> Iterator[str]:
    """Of a whole answer or a chunk, its choices apart."""
    if not ANSWER_FIELDS.issuperset(body):
        yield from beyond(body, ANSWER_FIELDS)


def of_choice(choice: json.Object) -> Iterator[str]:
    """Of a choice, its message or delta apart."""
    if not CHOICE_FIELDS.issuperset(choice):
        yield from beyond(choice, CHOICE_FIELDS)


def of_delta(delta: json.Object) -> Iterator[str]:
    """Of a delta. Sound has no place in a stream of the canonical form."""
    if not DELTA_FIELDS.issuperset(delta):
        yield from beyond(delta, DELTA_FIELDS)
    yield from _inside(delta)
    pictures = [part for part in _list(delta.get("content")) if _type(part) == _PICTURE]
    if any(read_picture(part) is None for part in (*pictures, *_list(delta.get("images")))):
        yield "images"


def of_message(message: json.Object, read: Sequence[Block]) -> Iterator[str]:
    """Of a whole message that was read as the blocks `read`."""
    yield from beyond(message, MESSAGE_FIELDS)
    yield from _inside(message)
    pictures = sum(_type(part) == _PICTURE for part in _list(message.get("content")))
    if pictures + len(_list(message.get("images"))) > _count(read, "image"):
        yield "images"
    if message.get("audio") and not _count(read, "audio"):
        yield "audio"


def _inside(holder: json.Object) -> Iterator[str]:
    """Of the lists that messages and deltas alike hold."""
    for part in _list(holder.get("content")):
        if (type_ := _type(part)) not in _SAID and type_ != _PICTURE:
            yield f"content.{type_}" if type_ else "content"
    if any(_type(annotation) != "url_citation" for annotation in _list(holder.get("annotations"))):
        yield "annotations"
    if any(_type(detail) not in _REASONING for detail in _list(holder.get("reasoning_details"))):
        yield "reasoning_details"
    if any(_type(call) == "custom" for call in _list(holder.get("tool_calls"))):
        yield "tool_calls.custom"


def _count(blocks: Sequence[Block], kind: str) -> int:
    return sum(isinstance(block, Media) and block.kind == kind for block in blocks)


def _list(value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return value if isinstance(value, list) else []


def _type(value: Any) -> str:  # noqa: ANN401 - JSON
    type_ = value.get("type") if isinstance(value, dict) else None
    return type_ if isinstance(type_, str) else ""
