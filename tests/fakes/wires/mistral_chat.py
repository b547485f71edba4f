"""Mistral's chat completions: OpenAI's with reasoning as a part of the content, and ids of nine characters.

Shapes: the types of the official SDK (mistralai 3.7.0); docs.mistral.ai, reasoning (read 2026-11-25).
"""

from __future__ import annotations

import re
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
    "model messages temperature top_p max_tokens stream stop random_seed metadata response_format tools tool_choice "
    "presence_penalty frequency_penalty n prediction parallel_tool_calls prompt_mode reasoning_effort guardrails "
    "min_tokens repetition_penalty top_k logprobs top_logprobs"
)
_ID = re.compile(r"[a-zA-Z0-9]{9}")


@dataclass(frozen=True)
class MistralChat:
    """Mistral counts no reasoning. A thinking part may be sealed."""

    seal: str = "bWlzdHJhbC1yZWFzb25pbmctYmxvY2stMDE="
    counts_reasoning: bool = False
    counts_cached: bool = True
    tells_reasoning: bool = True
    ids: tuple[str, str] = ("aX2gaLIyo", "Qm4nB7vCx")

    def read(self, request: Request) -> Asked:
        body = body_of(request, _FIELDS)
        messages = body["messages"]
        talk = tuple(line for message in messages for line in _lines(message))
        check_results(talk)
        return Asked(
            model=body["model"],
            stream=body.get("stream") or False,
            instructions="".join(_text(m["content"]) for m in messages if m["role"] == "system"),
            talk=talk,
            tools=tuple(map(_tool, body.get("tools") or ())),
            schema=_schema(body.get("response_format") or {"type": "text"}),
            thinks=body.get("reasoning_effort") not in {None, "none"} or body.get("prompt_mode") == "reasoning",
        )

    def answer(self, turn: Turn, asked: Asked) -> Answer:
        if asked.stream:
            return streamed([*self._chunks(turn, asked.model), b"data: [DONE]\n\n"])
        content: Any = turn.text
        if turn.thinking:
            spoken = [{"type": "text", "text": turn.text}] if turn.text else []
            content = [self._thinking(turn.thinking, self.seal), *spoken]
        message: json.Object = {"role": "assistant", "content": content}
        message["tool_calls"] = [_call(call.id, call.name, call.arguments) for call in turn.calls] or None
        choice = {"index": 0, "message": message, "finish_reason": turn.finish}
        return whole(_head("chat.completion", asked.model) | {"choices": [choice], "usage": _usage(turn)})

    def remembered(self, turn: Turn) -> list[Line]:
        return said(turn, seal=self.seal)

    def refuse(self, problem: str) -> Answer:
        more = {"type": "invalid_request_error", "param": None, "code": "1010", "raw_status_code": 400}
        return refused({"object": "error", "message": problem, **more})

    def _thinking(self, text: str | None, seal: str | None) -> json.Object:
        shown = [] if text is None else [{"type": "text", "text": text}]
        return {"type": "thinking", "thinking": shown, **({} if seal is None else {"signature": seal})}

    def _chunks(self, turn: Turn, model: str) -> Iterator[bytes]:
        """Calls come whole, with the finish reason and the usage, in the last chunk."""
        head = _head("chat.completion.chunk", model)
        for delta in self._deltas(turn):
            yield _data(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}], "p": "abcdef"})
        calls = [_call(call.id, call.name, call.arguments) | {"index": i} for i, call in enumerate(turn.calls)]
        delta = {"tool_calls": calls} if calls else {"content": ""}
        last = {"index": 0, "delta": delta, "finish_reason": turn.finish}
        yield _data(head | {"choices": [last], "usage": _usage(turn), "p": "abc"})

    def _deltas(self, turn: Turn) -> Iterator[json.Object]:
        yield {"role": "assistant", "content": ""}
        if turn.thinking:
            for piece in pieces(turn.thinking):
                yield {"content": [self._thinking(piece, None)]}
            yield {"content": [self._thinking(None, self.seal)]}
        for piece in pieces(turn.text):
            yield {"content": piece}


def _head(object_: str, model: str) -> json.Object:
    return {"id": f"3f2e1d0c9b8a47658493a2b1c0{serial()}", "object": object_, "created": CREATED, "model": model}


def _usage(turn: Turn) -> json.Object:
    return {
        "prompt_tokens": turn.prompt,
        "total_tokens": turn.prompt + turn.completion,
        "completion_tokens": turn.completion,
        "prompt_tokens_details": {"cached_tokens": turn.cached},
        "service_tier": "standard",
    }


def _call(id_: str, name: str, given: str) -> json.Object:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": given}}


def _data(chunk: json.Object) -> bytes:
    return b"data: %s\n\n" % json.dumps(chunk)


def _lines(message: json.Object) -> Iterator[Line]:
    match message:
        case {"role": "system"}:
            pass
        case {"role": "user", "content": content}:
            yield from (_part(part) for part in _parts(content))
        case {"role": "tool", "tool_call_id": str(id_), "content": content}:
            only(message, "tool message", "role content tool_call_id name")
            yield "result", _checked(id_), _text(content)
        case {"role": "assistant"}:
            yield from _said(message)
        case _:
            raise Wrong(f"a message: {message}")


def _said(message: json.Object) -> Iterator[Line]:
    only(message, "assistant", "role content tool_calls prefix")
    for part in _parts(message.get("content") or []):
        match part:
            case {"type": "thinking", "thinking": [*inner]}:
                only(part, "thinking", "type thinking signature closed")
                yield "thinking", "".join(piece["text"] for piece in inner)
                yield "seal", part.get("signature") or ""
            case {"type": "text", "text": str(text)}:
                yield "assistant", text
            case _:
                raise Wrong(f"a content part: {part}")
    for call in message.get("tool_calls") or ():
        only(call, "tool call", "id type function index")
        yield "call", _checked(call["id"]), call["function"]["name"], arguments(call["function"]["arguments"])


def _checked(id_: str) -> str:
    if not _ID.fullmatch(id_):
        raise Wrong(f"Tool call id was {id_} but must be a-z, A-Z, 0-9, with a length of 9.")
    return id_


def _parts(content: Any) -> list[json.Object]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _part(part: json.Object) -> Line:
    match part:
        case {"type": "text", "text": str(text), **rest} if not rest:
            return ("user", text)
        case {"type": "image_url", "image_url": str(url) | {"url": str(url)}}:
            return image(url)
        case _:
            raise Wrong(f"a content part: {part}")


def _text(content: Any) -> str:
    return "".join(part["text"] for part in _parts(content))


def _tool(tool: json.Object) -> json.Object:
    function = tool["function"]
    only(function, "function", "name description parameters strict")
    return {"name": function["name"], "description": function.get("description"), "parameters": function["parameters"]}


def _schema(form: json.Object) -> Any:
    match form:
        case {"type": "text"}:
            return None
        case {"type": "json_schema", "json_schema": {"name": str(), "schema": {**schema}}}:
            return schema
        case _:
            raise Wrong(f"response_format: {form}")
