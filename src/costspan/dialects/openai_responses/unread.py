"""What an answer holds beyond the fields that are read: names, for the client to be told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.losses import beyond
from costspan.dialects.openai_responses.vocabulary import (
    ANSWER_FIELDS,
    CALLED_BY_THE_MODEL,
    ITEM_FIELDS,
    PART_FIELDS,
    list_of,
    type_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.wire import json


def of_answer(body: json.Object) -> Iterator[str]:
    """Of an answer, its items apart."""
    if not ANSWER_FIELDS.issuperset(body):
        yield from beyond(body, ANSWER_FIELDS)


def of_item(item: json.Object) -> Iterator[str]:
    """Of an item and its parts. One of a type that is kept whole holds nothing unread."""
    kind = type_of(item)
    known = ITEM_FIELDS.get(kind)
    if known is None:
        return
    if not known.issuperset(item):
        for name in beyond(item, known):
            if not (name == "caller" and item[name] == CALLED_BY_THE_MODEL):
                yield f"{kind}.{name}"
    if kind == "message":
        for part in list_of(item.get("content")):
            yield from _of_part(part)


def _of_part(part: object) -> Iterator[str]:
    kind = type_of(part)
    known = PART_FIELDS.get(kind)
    if known is None:
        yield f"content.{kind}" if kind else "content"
    elif isinstance(part, dict) and not known.issuperset(part):
        yield from (f"{kind}.{name}" for name in beyond(part, known))
