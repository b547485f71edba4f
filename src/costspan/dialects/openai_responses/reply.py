"""Whole responses, from an upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.dialects.openai_responses import sealed, unread
from costspan.dialects.openai_responses.annotations import citations
from costspan.dialects.openai_responses.logprobs import to_chat
from costspan.dialects.openai_responses.usage import read_usage
from costspan.dialects.openai_responses.vocabulary import (
    NAME,
    finish_reason,
    list_of,
    native_finish,
    text_of,
    type_of,
)
from costspan.dialects.types import PLAIN, Summary
from costspan.errors import Malformed
from costspan.ir.reply import Choice, Reply
from costspan.ir.request import Refusal, ServerTool, Text, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from costspan.dialects.types import Profile
    from costspan.ir.request import Block
    from costspan.wire import json

_UNFINISHED = frozenset({"failed", "cancelled", "in_progress", "queued"})


def decode_reply(body: json.Object, profile: Profile = PLAIN) -> Reply:
    """Read an upstream's whole answer, tolerantly. Raises `Malformed` where it is none, or has failed."""
    output = body.get("output")
    if not isinstance(output, list):
        raise Malformed("an answer without a list of output items")
    native = native_finish(body)
    if native in _UNFINISHED:
        raise Malformed(f"an answer with the status {native}")
    items = [item for item in output if isinstance(item, dict)]
    blocks = tuple(block for item in items for block in _blocks(item))
    called = any(isinstance(block, ToolCall) for block in blocks)
    tier, created = body.get("service_tier"), body.get("created_at")
    choice = Choice(
        blocks,
        finish_reason(native, calls_tools=called) if native else None,
        native,
        logprobs=_logprobs(items),
    )
    return Reply(
        id=text_of(body.get("id")),
        model=text_of(body.get("model")),
        choices=(choice,),
        usage=read_usage(body, profile),
        created=int(created) if isinstance(created, int | float) else None,
        service_tier=tier if isinstance(tier, str) else None,
        unread=frozenset([*unread.of_answer(body), *(name for item in items for name in unread.of_item(item))]),
    )


def summarize(body: json.Object, profile: Profile = PLAIN) -> Summary:
    """Read what the books need. Raises `Malformed` where there is no list of items."""
    if not isinstance(body.get("output"), list):
        raise Malformed("an answer without a list of output items")
    native = native_finish(body)
    return Summary(
        text_of(body.get("id")), text_of(body.get("model")), (native,) if native else (), read_usage(body, profile)
    )


def _blocks(item: json.Object) -> Iterator[Block]:
    match type_of(item):
        case "message":
            for part in list_of(item.get("content")):
                yield from _said(part)
        case "function_call":
            id_ = text_of(item.get("call_id")) or text_of(item.get("id"))
            yield ToolCall(id_, text_of(item.get("name")), text_of(item.get("arguments")) or "{}")
        case "reasoning":
            yield from sealed.blocks(item)
        case kind:
            yield ServerTool(NAME, kind, item)


def _said(part: Any) -> Iterator[Text | Refusal]:  # noqa: ANN401 - JSON
    match part:
        case {"type": "output_text", "text": str(text)}:
            cited = tuple(citations(part.get("annotations")))
            if text or cited:
                yield Text(text, cited)
        case {"type": "refusal", "refusal": str(refusal)} if refusal:
            yield Refusal(refusal)
        case _:
            pass


def _logprobs(items: Sequence[json.Object]) -> json.Object | None:
    """Those of all texts, end to end."""
    parts = [part for item in items if type_of(item) == "message" for part in list_of(item.get("content"))]
    found = [own for part in parts if isinstance(part, dict) and (own := to_chat(part.get("logprobs"))) is not None]
    if not found:
        return None
    return {"content": [token for own in found for token in own["content"]], "refusal": None}
