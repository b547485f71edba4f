"""What an answer holds beyond the fields that are read: names, for the client to be told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.anthropic_messages.vocabulary import BLOCK_FIELDS, CALLED_BY_THE_MODEL, MESSAGE_FIELDS
from costspan.dialects.losses import beyond

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.wire import json


def of_answer(body: json.Object) -> Iterator[str]:
    """Of a whole answer: `stop_details`, `tool_use.caller`."""
    yield from beyond(body, MESSAGE_FIELDS)
    content = body.get("content")
    for raw in content if isinstance(content, list) else ():
        if isinstance(raw, dict):
            yield from of_block(raw)


def of_block(raw: json.Object) -> Iterator[str]:
    """Of a block, named after its type. A block of a type that is not read is kept whole."""
    type_ = raw.get("type")
    known = BLOCK_FIELDS.get(type_) if isinstance(type_, str) else None
    if known is not None and not known.issuperset(raw):
        for name in beyond(raw, known):
            if name != "caller" or raw[name] != CALLED_BY_THE_MODEL:
                yield f"{type_}.{name}"
