"""Reports of usage as providers send them, read as the gateway reads them: of a whole answer, and of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.dialects import DIALECTS
from costspan.providers.hosts import KINDS
from costspan.wire import json, sse

if TYPE_CHECKING:
    from costspan.ir.usage import Usage


def of_whole(dialect: str, body: dict[str, Any], kind: str = "openai-compatible") -> Usage:
    """What a whole answer reports."""
    usage = DIALECTS[dialect].read_usage(body, KINDS[kind].profile)
    assert usage is not None
    return usage


def of_stream(dialect: str, events: list[dict[str, Any]], kind: str = "openai-compatible") -> Usage:
    """What a stream of `events` reports. Their `type`, or their only key, is their name, as their dialects want it."""
    decoder = DIALECTS[dialect].new_decoder(KINDS[kind].profile)
    for event in events:
        name = event.get("type") or (next(iter(event)) if dialect == "bedrock-converse" else "")
        data = event[name] if dialect == "bedrock-converse" else event
        list(decoder.feed(sse.Event(name, json.dumps(data))))
    assert decoder.usage is not None
    return decoder.usage


def anthropic(start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a stream of Messages that tell usage."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [], "usage": start}
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        {"type": "message_start", "message": message},
        *({"type": "message_delta", "delta": ended, "usage": usage} for usage in deltas),
        {"type": "message_stop"},
    ]


def chat(usage: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """The last chunks of a stream of Chat Completions."""
    return [
        {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], **more},
        {"id": "c", "model": "m", "choices": [], "usage": usage, **more},
    ]


def responses(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The end of a stream of Responses: usage is nested in the answer that it repeats."""
    return [
        {"type": "response.completed", "sequence_number": 1, "response": {"id": "r", "status": "completed", **body}}
    ]
