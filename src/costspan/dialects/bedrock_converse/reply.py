"""Whole answers, from the wire. They hold no id, and no model unless a router chose it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.dialects.bedrock_converse.blocks_decode import decode_block, text_at, unread_of
from costspan.dialects.bedrock_converse.usage import read_usage
from costspan.dialects.bedrock_converse.vocabulary import ANSWER_FIELDS, MODEL_FIELDS, TRACE_FIELDS, finish_reason
from costspan.dialects.losses import beyond
from costspan.dialects.types import PLAIN, Summary
from costspan.errors import Malformed
from costspan.ir.reply import Choice, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.dialects.types import Profile
    from costspan.wire import json


def decode_reply(body: json.Object, profile: Profile = PLAIN) -> Reply:
    """Read an upstream's answer. Raises `Malformed` where there is no content to read."""
    content = _content(body)
    native = text_at(body, "stopReason") or None
    choice = Choice(
        tuple(block for raw in content for block in decode_block(raw)),
        finish_reason(native) if native else None,
        native,
        stop_sequence_of(body),
    )
    usage = read_usage(body, profile)
    return Reply(
        id="",
        model=routed_model(body),
        choices=(choice,),
        usage=usage,
        service_tier=usage.service_tier if usage else None,
        unread=frozenset([*unread_beside(body, ANSWER_FIELDS), *(name for raw in content for name in unread_of(raw))]),
    )


def summarize(body: json.Object, profile: Profile = PLAIN) -> Summary:
    """Read what the books need. Raises `Malformed` where there is no content to read."""
    _content(body)
    native = text_at(body, "stopReason")
    return Summary("", routed_model(body), (native,) if native else (), read_usage(body, profile))


def _content(body: json.Object) -> list[Any]:
    match body.get("output"):
        case {"message": {"content": list(content)}}:
            return content
        case _:
            raise Malformed("an answer without a list of content blocks")


def routed_model(body: json.Object) -> str:
    """The model that a prompt router chose, by its id; empty where none did."""
    match body.get("trace"):
        case {"promptRouter": {"invokedModelId": str(model)}}:
            return model.rpartition("/")[2]
        case _:
            return ""


def stop_sequence_of(body: json.Object) -> str | None:
    """The stop sequence that was met, where the request asked for it and the model tells."""
    match body.get("additionalModelResponseFields"):
        case {"stop_sequence": str(sequence)}:
            return sequence
        case _:
            return None


def unread_beside(body: json.Object, known: frozenset[str]) -> Iterator[str]:
    """What an answer, or an event of one, holds beside the content that is not read."""
    yield from beyond(body, known)
    for name, inner in (("trace", TRACE_FIELDS), ("additionalModelResponseFields", MODEL_FIELDS)):
        part = body.get(name)
        if isinstance(part, dict):
            yield from (f"{name}.{field}" for field in beyond(part, inner))
