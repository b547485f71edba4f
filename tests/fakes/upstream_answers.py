"""Small answers in the wire formats of OpenAI, Anthropic and Gemini, for `FakeUpstream`. Own fixtures, fixed ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.wire import json
from fakes.upstream import Answer, Cut, Step

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    Texts = Sequence[str | asyncio.Event | Cut]

STREAM_HEADERS = (("content-type", "text/event-stream"),)
OPENAI_USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
ANTHROPIC_USAGE = {"input_tokens": 9, "output_tokens": 3}
GEMINI_USAGE = {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12}


def openai_reply(text: str = "Hello!", *, model: str = "fake-1", usage: dict[str, Any] | None = None) -> Answer:
    """A chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", "logprobs": None}
    return _reply(
        {
            "id": "chatcmpl-fake",
            "object": "chat.completion",
            "created": 1700000000,
            "model": model,
            "choices": [choice],
            "usage": usage or OPENAI_USAGE,
        }
    )


def openai_stream(
    texts: Texts = ("Hel", "lo!"), *, model: str = "fake-1", usage: dict[str, Any] | None = None, done: bool = True
) -> Answer:
    """A streamed chat completion with a usage chunk. Gates and cuts may stand between the texts."""

    def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
        head = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1700000000, "model": model}
        return b"data: %s\n\n" % json.dumps({**head, "choices": choices, **more})

    def choice(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "finish_reason": finish}

    steps: list[Step] = [event([choice({"role": "assistant", "content": ""})])]
    steps += [event([choice({"content": text})]) if isinstance(text, str) else text for text in texts]
    steps += [event([choice({}, "stop")]), event([], usage=usage or OPENAI_USAGE)]
    return _stream([*steps, *([b"data: [DONE]\n\n"] if done else [])])


def anthropic_reply(text: str = "Hello!", *, model: str = "fake-1", usage: dict[str, Any] | None = None) -> Answer:
    """A message."""
    return _reply(
        {
            "id": "msg_fake",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": usage or ANTHROPIC_USAGE,
        }
    )


def anthropic_stream(
    texts: Texts = ("Hel", "lo!"), *, model: str = "fake-1", usage: dict[str, Any] | None = None, done: bool = True
) -> Answer:
    """A streamed message. Gates and cuts may stand between the texts."""
    usage = usage or ANTHROPIC_USAGE

    def event(name: str, **fields: Any) -> bytes:
        return b"event: %s\ndata: %s\n\n" % (name.encode(), json.dumps({"type": name, **fields}))

    message: dict[str, Any] = {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 1},
    }
    steps: list[Step] = [
        event("message_start", message=message),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        event("ping"),
    ]
    for text in texts:
        delta = {"type": "text_delta", "text": text}
        steps.append(event("content_block_delta", index=0, delta=delta) if isinstance(text, str) else text)
    steps += [
        event("content_block_stop", index=0),
        event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage=usage),
    ]
    return _stream([*steps, *([event("message_stop")] if done else [])])


def gemini_reply(text: str = "Hello!", *, model: str = "fake-1", usage: dict[str, Any] | None = None) -> Answer:
    """A generateContent answer."""
    return _reply(_gemini(text, model, {"finishReason": "STOP"}, usage or GEMINI_USAGE))


def gemini_stream(
    texts: Texts = ("Hel", "lo!"), *, model: str = "fake-1", usage: dict[str, Any] | None = None, done: bool = True
) -> Answer:
    """A streamGenerateContent?alt=sse answer. Without `done` the chunk with the finish reason is missing."""
    usage = usage or GEMINI_USAGE
    steps: list[Step] = []
    for text in texts:
        chunk = json.dumps(_gemini(text, model, {}, usage)) if isinstance(text, str) else b""
        steps.append(b"data: %s\r\n\r\n" % chunk if isinstance(text, str) else text)
    last = b"data: %s\r\n\r\n" % json.dumps(_gemini("", model, {"finishReason": "STOP"}, usage))
    return _stream([*steps, *([last] if done else [])])


def _gemini(text: str, model: str, candidate: dict[str, Any], usage: dict[str, Any]) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": text}]}
    return {
        "candidates": [{"content": content, "index": 0, **candidate}],
        "usageMetadata": usage,
        "modelVersion": model,
        "responseId": "gemini-fake",
    }


def _reply(body: dict[str, Any]) -> Answer:
    return Answer(body=json.dumps(body))


def _stream(steps: list[Step]) -> Answer:
    return Answer(headers=STREAM_HEADERS, body=steps, framing="chunked")
