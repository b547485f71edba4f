"""OpenAI's chat completions, and OpenRouter's, which add reasoning.

Shapes: the types of the official SDK (openai 3.54.0); openrouter.ai/docs, reasoning-tokens (read 2026-11-25).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from costspan.wire import json
from fakes.wires.asked import (
    CREATED,
    Asked,
    Line,
    Wrong,
    arguments,
    body_of,
    check_results,
    image,
    only,
    pieces,
    refused,
    said,
    serial,
    streamed,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fakes.conversations import Turn
    from fakes.upstream import Answer, Request

_FIELDS = (
    "model messages stream stream_options max_tokens max_completion_tokens temperature top_p stop n seed logprobs "
    "top_logprobs presence_penalty frequency_penalty logit_bias tools tool_choice parallel_tool_calls response_format "
    "reasoning_effort service_tier user metadata store"
)
_INSTRUCT = {"system", "developer"}


@dataclass(frozen=True)
class OpenAIChat:
    """`shows_reasoning`: OpenRouter's `reasoning` and `reasoning_details`; OpenAI keeps its reasoning to itself."""

    shows_reasoning: bool = False
    counts_reasoning: bool = True
    counts_cached: bool = True
    ids: tuple[str, str] = ("call_9pW3sLx0QeRtYuIoPaSdFgHj", "call_ZxCvBnMqWeRtYuIoP1234567")

    @property
    def tells_reasoning(self) -> bool:
        """Whether answers show it."""
        return self.shows_reasoning

    @property
    def seal(self) -> str:
        """What OpenRouter signs reasoning with."""
        return "RXFRQkNrZ0lDeEFCR0FJcVFPdQ==" if self.shows_reasoning else ""

    def read(self, request: Request) -> Asked:
        body = body_of(request, _FIELDS + " reasoning" * self.shows_reasoning)
        messages = body["messages"]
        talk = tuple(line for message in messages for line in self._lines(message))
        check_results(talk)
        options = body.get("stream_options") or {}
        if options and not body.get("stream"):
            raise Wrong("stream_options: only allowed when stream is set")
        return Asked(
            model=body["model"],
            stream=body.get("stream", False),
            instructions="".join(text for m in messages if m["role"] in _INSTRUCT for text in _texts(m["content"])),
            talk=talk,
            tools=tuple(map(_tool, body.get("tools", ()))),
            schema=_schema(body.get("response_format", {"type": "text"})),
            thinks="reasoning_effort" in body or "reasoning" in body,
            counts=not body.get("stream") or options.get("include_usage") is True,
        )

    def _lines(self, message: json.Object) -> Iterator[Line]:
        match message:
            case {"role": "system" | "developer"}:
                pass
            case {"role": "user", "content": content}:
                yield from map(_part, [{"type": "text", "text": content}] if isinstance(content, str) else content)
            case {"role": "tool", "tool_call_id": str(id_), "content": content}:
                only(message, "tool message", "role tool_call_id content")
                yield "result", id_, "".join(_texts(content))
            case {"role": "assistant"}:
                yield from self._said(message)
            case _:
                raise Wrong(f"a message: {message}")

    def _said(self, message: json.Object) -> Iterator[Line]:
        more = " reasoning reasoning_details" * self.shows_reasoning
        only(message, "assistant", "role content tool_calls refusal annotations audio name parsed function_call" + more)
        if not message.get("content") and not message.get("tool_calls"):
            raise Wrong("assistant: neither content nor tool calls")
        for detail in message.get("reasoning_details") or ():
            if detail["type"] != "reasoning.text":
                raise Wrong(f"reasoning detail: {detail}")
            yield "thinking", detail["text"]
            yield "seal", detail.get("signature", "")
        if message.get("content"):
            yield "assistant", "".join(_texts(message["content"]))
        for call in message.get("tool_calls") or ():
            only(call, "tool call", "id type function index")
            yield "call", call["id"], call["function"]["name"], arguments(call["function"]["arguments"])

    def answer(self, turn: Turn, asked: Asked) -> Answer:
        if asked.stream:
            return streamed([*self._chunks(turn, asked.model, usage=asked.counts), b"data: [DONE]\n\n"])
        message: json.Object = {"role": "assistant", "content": turn.text or None, "refusal": None, "annotations": []}
        if turn.calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in turn.calls
            ]
        if turn.thinking and self.shows_reasoning:
            message |= {"reasoning": turn.thinking, "reasoning_details": [self._detail(turn.thinking, self.seal)]}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": turn.finish}
        return whole(_head("chat.completion", asked.model) | {"choices": [choice], "usage": _usage(turn)})

    def remembered(self, turn: Turn) -> list[Line]:
        return said(turn, thinking=self.shows_reasoning, seal=self.seal)

    def refuse(self, problem: str) -> Answer:
        return refused({"error": {"message": problem, "type": "invalid_request_error", "param": None, "code": None}})

    def _detail(self, text: str | None, seal: str | None) -> json.Object:
        shown = {} if text is None else {"text": text}
        signed = {} if seal is None else {"signature": seal}
        return {"type": "reasoning.text", **shown, **signed, "format": "anthropic-claude-v1", "index": 0}

    def _chunks(self, turn: Turn, model: str, *, usage: bool) -> Iterator[bytes]:
        head = _head("chat.completion.chunk", model)
        null = {"usage": None} if usage else {}
        for delta in self._deltas(turn):
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
            yield _data(head | {"choices": [choice], **null})
        last = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": turn.finish}
        yield _data(head | {"choices": [last], **null})
        if usage:
            yield _data(head | {"choices": [], "usage": _usage(turn)})

    def _deltas(self, turn: Turn) -> Iterator[json.Object]:
        yield {"role": "assistant", "content": "", "refusal": None}
        if self.shows_reasoning and turn.thinking:
            for piece in pieces(turn.thinking):
                yield {"content": "", "reasoning": piece, "reasoning_details": [self._detail(piece, None)]}
            yield {"content": "", "reasoning_details": [self._detail(None, self.seal)]}
        for piece in pieces(turn.text):
            yield {"content": piece}
        for index, call in enumerate(turn.calls):
            function = {"name": call.name, "arguments": ""}
            yield {"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]}
            for piece in pieces(call.arguments):
                yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _head(object_: str, model: str) -> json.Object:
    id_ = f"chatcmpl-CkTn1xq0mZ4wVb7c8dPzYs{serial()}"
    more = {"service_tier": "default", "system_fingerprint": "fp_50906f2aac"}
    return {"id": id_, "object": object_, "created": CREATED, "model": model, **more}


def _usage(turn: Turn) -> json.Object:
    more = {"audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}
    return {
        "prompt_tokens": turn.prompt,
        "completion_tokens": turn.completion,
        "total_tokens": turn.prompt + turn.completion,
        "prompt_tokens_details": {"cached_tokens": turn.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": turn.reasoned, **more},
    }


def _data(chunk: json.Object) -> bytes:
    return b"data: %s\n\n" % json.dumps(chunk)


def _texts(content: Any) -> Iterator[str]:
    for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        line = _part(part)
        if line[0] != "user":
            raise Wrong(f"no text: {part}")
        yield line[1]


def _part(part: json.Object) -> Line:
    match part:
        case {"type": "text", "text": str(text), **rest} if not rest:
            return ("user", text)
        case {"type": "image_url", "image_url": {"url": url, **more}} if set(more) <= {"detail"}:
            return image(url)
        case _:
            raise Wrong(f"a content part: {part}")


def _tool(tool: json.Object) -> json.Object:
    match tool:
        case {"type": "function", "function": function, **rest} if not rest:
            only(function, "function", "name description parameters strict")
            return {name: function.get(name) for name in ("name", "description", "parameters")}
        case _:
            raise Wrong(f"a tool: {tool}")


def _schema(form: json.Object) -> json.Object | None:
    match form:
        case {"type": "text"}:
            return None
        case {"type": "json_schema", "json_schema": {"name": str(), "schema": schema} as named}:
            only(named, "json_schema", "name schema description strict")
            return dict(schema)
        case _:
            raise Wrong(f"response_format: {form}")
