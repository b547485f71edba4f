"""A recorded answer's report of usage in the provider's other shape: of a stream as a whole answer, and the reverse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.wire import json
from fakes.corpus import objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fakes.corpus import Row


def as_whole(row: Row) -> dict[str, Any]:
    """What a whole answer says of usage, made of a stream's last report."""
    told = list(objects(row.sse))
    if row.dialect == "openai-responses":
        ends = {"response.completed", "response.incomplete"}
        (found,) = (event["response"] for event in told if event["type"] in ends)
        return dict(found)
    if row.dialect == "gemini-generate":
        return {"usageMetadata": row.usage, "modelVersion": told[-1].get("modelVersion")}
    tiers = [tier for event in told if (tier := event.get("service_tier"))]
    return {"usage": row.usage, **({"service_tier": tiers[-1]} if tiers else {})}


def as_stream(row: Row) -> bytes:
    """The end of a stream as the provider would send it, with the report of a whole answer."""
    body = json.loads_object(row.raw)
    return b"".join(_event(name, data) for name, data in _ENDS[row.dialect](body))


def _event(name: str, data: dict[str, Any]) -> bytes:
    head = b"event: %s\n" % name.encode() if name else b""
    return head + b"data: %s\n\n" % json.dumps(data)


def _chat(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    head: dict[str, Any] = {name: body[name] for name in ("id", "model", "service_tier") if name in body}
    yield "", {**head, "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}]}
    rest: dict[str, Any] = {name: body[name] for name in ("usage", "cost") if name in body}
    yield "", {**head, "choices": [], **rest}


def _messages(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    usage = body["usage"]
    begun = {**body, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield "message_start", {"type": "message_start", "message": begun}
    ended = {"stop_reason": body["stop_reason"], "stop_sequence": None}
    last = {"output_tokens": usage["output_tokens"]}  # all that it said when the first recordings were made
    yield "message_delta", {"type": "message_delta", "delta": ended, "usage": last}
    yield "message_stop", {"type": "message_stop"}


def _responses(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "response.completed", {"type": "response.completed", "sequence_number": 9, "response": body}


def _gemini(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    early = {**body, "candidates": [], "usageMetadata": {"promptTokenCount": body["usageMetadata"]["promptTokenCount"]}}
    yield "", early
    yield "", body


def _converse(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "messageStop", {"stopReason": body["stopReason"]}
    yield "metadata", {"usage": body["usage"], "metrics": {"latencyMs": 1}}


def _cohere(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    delta = {"finish_reason": body["finish_reason"], "usage": body["usage"]}
    yield "message-end", {"type": "message-end", "delta": delta}


_ENDS = {
    "anthropic-messages": _messages,
    "bedrock-converse": _converse,
    "cohere-chat": _cohere,
    "gemini-generate": _gemini,
    "mistral-chat": _chat,
    "openai-chat": _chat,
    "openai-responses": _responses,
}
