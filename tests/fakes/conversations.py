"""Turns of a model in the wire formats of OpenAI's chat and Anthropic's messages, whole and streamed.

One `Turn` says the same through both kinds of upstream, so that one expectation holds for all four combinations.
Shapes: platform.openai.com/docs/api-reference/chat, platform.claude.com/docs/en/api/messages (read 2026-11-23).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from costspan.wire import json
from fakes.upstream import Answer, Step
from fakes.upstream_answers import STREAM_HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE = "c2lnbmF0dXJlLW9mLXRoZS10aGlua2luZw=="


@dataclass(frozen=True)
class Call:
    """A tool call. `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Turn:
    """What the model says once. `cached` is part of `prompt`, `reasoned` part of `completion`."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    thinking: str = ""
    """At Anthropic signed with `SIGNATURE`; as `reasoning_content` in DeepSeek's variant of OpenAI's chat."""
    prompt: int = 1000
    cached: int = 200
    completion: int = 100
    reasoned: int = 0
    finish: str = "stop"
    """In OpenAI's words."""


def answer(turn: Turn, *, chat: bool, stream: bool) -> Answer:
    """`turn` as OpenAI (`chat`) or Anthropic answers it; a stream comes in pieces of 50 bytes."""
    if stream:
        body = b"".join(_chunks(turn) if chat else _message_events(turn))
        pieces = [body[i : i + 50] for i in range(0, len(body), 50)]
        return Answer(headers=STREAM_HEADERS, body=pieces, framing="chunked")
    return Answer(body=json.dumps(_completion(turn) if chat else _message(turn)))


def _chat_usage(turn: Turn) -> dict[str, Any]:
    return {
        "prompt_tokens": turn.prompt,
        "completion_tokens": turn.completion,
        "total_tokens": turn.prompt + turn.completion,
        "prompt_tokens_details": {"cached_tokens": turn.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": turn.reasoned,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _completion(turn: Turn) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": turn.text or None, "refusal": None, "annotations": []}
    if turn.thinking:
        message["reasoning_content"] = turn.thinking
    if turn.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in turn.calls
        ]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-fake-2026",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": turn.finish}],
        "usage": _chat_usage(turn),
        "service_tier": "default",
        "system_fingerprint": "fp_1",
    }


def _chunks(turn: Turn) -> Iterator[bytes]:
    yield _chunk({"role": "assistant", "content": "" if turn.text else None, "refusal": None})
    for piece in _pieces(turn.thinking):
        yield _chunk({"reasoning_content": piece})
    for piece in _pieces(turn.text):
        yield _chunk({"content": piece})
    for index, call in enumerate(turn.calls):
        head = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield _chunk({"tool_calls": [{"index": index, **head}]})
        for piece in _pieces(call.arguments):
            yield _chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield _chunk({}, turn.finish)
    yield _chunk(None, usage=_chat_usage(turn))
    yield b"data: [DONE]\n\n"


def _chunk(delta: dict[str, Any] | None, finish: str | None = None, usage: dict[str, Any] | None = None) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "gpt-fake-2026"}
    more = {"service_tier": "default", "system_fingerprint": "fp_1", "choices": choices, "usage": usage}
    return b"data: %s\n\n" % json.dumps(head | more)


def _messages_usage(turn: Turn) -> dict[str, Any]:
    return {
        "input_tokens": turn.prompt - turn.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": turn.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": turn.completion,
        "service_tier": "standard",
    }


def _blocks(turn: Turn) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if turn.thinking:
        blocks.append({"type": "thinking", "thinking": turn.thinking, "signature": SIGNATURE})
    if turn.text:
        blocks.append({"type": "text", "text": turn.text})
    blocks += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments.encode())}
        for call in turn.calls
    ]
    return blocks


_STOP_REASONS = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}


def _message(turn: Turn) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-fake-2026",
        "content": _blocks(turn),
        "stop_reason": _STOP_REASONS[turn.finish],
        "stop_sequence": None,
        "usage": _messages_usage(turn),
    }


def _message_events(turn: Turn) -> Iterator[bytes]:
    start = _message(turn) | {"content": [], "stop_reason": None}
    start["usage"] = start["usage"] | {"output_tokens": 1}
    yield _event("message_start", message=start)
    yield _event("ping")
    arguments = iter(call.arguments for call in turn.calls)
    for index, block in enumerate(_blocks(turn)):
        if block["type"] == "thinking":
            head, deltas = (
                {"type": "thinking", "thinking": "", "signature": ""},
                [
                    *({"type": "thinking_delta", "thinking": piece} for piece in _pieces(turn.thinking)),
                    {"type": "signature_delta", "signature": SIGNATURE},
                ],
            )
        elif block["type"] == "text":
            head = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in _pieces(turn.text)]
        else:
            head = block | {"input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *_pieces(next(arguments)))]
        yield _event("content_block_start", index=index, content_block=head)
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    end = {"stop_reason": _STOP_REASONS[turn.finish], "stop_sequence": None}
    yield _event("message_delta", delta=end, usage={"output_tokens": turn.completion})
    yield _event("message_stop")


def _event(name: str, **fields: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), json.dumps({"type": name, **fields}))


def _pieces(text: str) -> list[str]:
    """`text` as a model streams it: a few characters at a time."""
    return [text[i : i + 5] for i in range(0, len(text), 5)]


CHAT_ERRORS: dict[int, dict[str, Any]] = {
    400: {"message": "max_tokens is too large", "type": "invalid_request_error", "param": "max_tokens", "code": None},
    404: {"message": "no such deployment", "type": "invalid_request_error", "param": None, "code": "model_not_found"},
    429: {"message": "slow down", "type": "requests", "param": None, "code": "rate_limit_exceeded"},
    500: {"message": "broken", "type": "server_error", "param": None, "code": None},
}
_MESSAGES_TYPES = {400: "invalid_request_error", 404: "not_found_error", 429: "rate_limit_error", 500: "api_error"}


def refusal(status: int, *, chat: bool) -> Answer:
    """An error answer with the message of `CHAT_ERRORS`."""
    error = CHAT_ERRORS[status]
    other = {"type": "error", "error": {"type": _MESSAGES_TYPES[status], "message": error["message"]}}
    more = (("retry-after", "7"),) if status == 429 else ()
    body = {"error": error} if chat else other
    return Answer(status=status, headers=(("content-type", "application/json"), *more), body=json.dumps(body))


def interrupted(*end: Step, chat: bool) -> Answer:
    """A stream that says `Hello`, and then `end` (for an error of its own: `stream_error`)."""
    events = list(_chunks(Turn("Hello")))[:2] if chat else list(_message_events(Turn("Hello")))[:4]
    return Answer(headers=STREAM_HEADERS, body=[*events, *end], framing="chunked")


def stream_error(*, chat: bool) -> bytes:
    """An error event as the provider writes it."""
    if chat:
        return b'data: {"error":{"message":"gone wrong","type":"server_error","param":null,"code":null}}\n\n'
    return _event("error", error={"type": "overloaded_error", "message": "gone wrong"})
