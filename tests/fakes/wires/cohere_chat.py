"""Cohere's chat v2. Its reasoning is plain text, without a seal.

Shapes: the types of the official SDK (cohere 7.3.1); docs.cohere.com, reasoning and tool use (read 2026-11-25).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fakes.wires.asked import (
    Asked,
    Line,
    Wrong,
    arguments,
    body_of,
    check_results,
    image,
    named,
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

    from costspan.wire import json
    from fakes.conversations import Turn
    from fakes.upstream import Answer, Request

_FIELDS = (
    "model messages stream tools tool_choice strict_tools documents citation_options response_format safety_mode "
    "max_tokens stop_sequences temperature seed frequency_penalty presence_penalty k p logprobs thinking priority"
)
_FINISH = {"stop": "COMPLETE", "tool_calls": "TOOL_CALL"}
_ID = "9f8e7d6c-5b4a-4392-8170-6f5e4d"


@dataclass(frozen=True)
class CohereChat:
    """Cohere counts no reasoning, and bills cached tokens like others. Text beside tool calls is the plan."""

    counts_reasoning: bool = False
    counts_cached: bool = False
    tells_reasoning: bool = True
    ids: tuple[str, str] = ("weather_wyn2fj40mbhv", "weather_8kq3zr71xcpd")

    def read(self, request: Request) -> Asked:
        body = body_of(request, _FIELDS)
        messages = body["messages"]
        talk = tuple(line for message in messages for line in _lines(message))
        check_results(talk)
        return Asked(
            model=body["model"],
            stream=body.get("stream", False),
            instructions="".join(_text(m["content"]) for m in messages if m["role"] == "system"),
            talk=talk,
            tools=tuple(map(_tool, body.get("tools") or ())),
            schema=_schema(body.get("response_format") or {"type": "text"}),
            thinks=(body.get("thinking") or {}).get("type") == "enabled",
        )

    def answer(self, turn: Turn, asked: Asked) -> Answer:
        if asked.stream:
            return streamed([*named(_events(turn)), b"data: [DONE]\n\n"])
        message: json.Object = {"role": "assistant"}
        if content := _content(turn):
            message["content"] = content
        if turn.calls:
            message["tool_plan"] = turn.text
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in turn.calls
            ]
        return whole(
            {"id": _ID + serial(), "message": message, "finish_reason": _FINISH[turn.finish], "usage": _usage(turn)}
        )

    def remembered(self, turn: Turn) -> list[Line]:
        return said(turn)

    def refuse(self, problem: str) -> Answer:
        return refused({"id": _ID + serial(), "message": problem})


def _content(turn: Turn) -> list[json.Object]:
    thinking = [{"type": "thinking", "thinking": turn.thinking}] if turn.thinking else []
    return [*thinking, *([{"type": "text", "text": turn.text}] if turn.text and not turn.calls else [])]


def _events(turn: Turn) -> Iterator[json.Object]:
    begun = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield {"id": _ID + serial(), "type": "message-start", "delta": {"message": begun}}
    for index, part in enumerate(_content(turn)):
        kind = part["type"]
        yield _event("content-start", index, content={"type": kind, kind: ""})
        for piece in pieces(part[kind]):
            yield _event("content-delta", index, content={kind: piece})
        yield {"type": "content-end", "index": index}
    for piece in pieces(turn.text) if turn.calls else ():
        yield {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}}
    for index, call in enumerate(turn.calls):
        head = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield _event("tool-call-start", index, tool_calls=head)
        for piece in pieces(call.arguments):
            yield _event("tool-call-delta", index, tool_calls={"function": {"arguments": piece}})
        yield {"type": "tool-call-end", "index": index}
    yield {"type": "message-end", "delta": {"finish_reason": _FINISH[turn.finish], "usage": _usage(turn)}}


def _event(type_: str, index: int, **message: Any) -> json.Object:
    return {"type": type_, "index": index, "delta": {"message": message}}


def _usage(turn: Turn) -> json.Object:
    return {
        "billed_units": {"input_tokens": turn.prompt, "output_tokens": turn.completion},
        "tokens": {"input_tokens": turn.prompt + 489, "output_tokens": turn.completion + 4},
        "cached_tokens": turn.cached,
    }


def _lines(message: json.Object) -> Iterator[Line]:
    match message:
        case {"role": "system"}:
            pass
        case {"role": "user", "content": content}:
            for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
                match part:
                    case {"type": "text", "text": str(text)}:
                        yield "user", text
                    case {"type": "image_url", "image_url": {"url": url}}:
                        yield image(url)
                    case _:
                        raise Wrong(f"a content part: {part}")
        case {"role": "assistant"}:
            yield from _said(message)
        case {"role": "tool", "tool_call_id": str(id_), "content": content}:
            yield "result", id_, _text(content)
        case _:
            raise Wrong(f"a message: {message}")


def _said(message: json.Object) -> Iterator[Line]:
    only(message, "assistant", "role content tool_calls tool_plan citations")
    content = message.get("content") or []
    if message.get("tool_plan"):
        yield "assistant", message["tool_plan"]
    for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        match part:
            case {"type": "thinking", "thinking": str(text), **rest} if not rest:
                yield "thinking", text
            case {"type": "text", "text": str(text), **rest} if not rest:
                yield "assistant", text
            case _:
                raise Wrong(f"a content part: {part}")
    for call in message.get("tool_calls") or ():
        only(call, "tool call", "id type function")
        yield "call", call["id"], call["function"]["name"], arguments(call["function"]["arguments"])


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part["text"] if part["type"] == "text" else part["document"]["data"] for part in content)


def _tool(tool: json.Object) -> json.Object:
    function = tool["function"]
    only(function, "function", "name description parameters")
    if "parameters" not in function or tool["type"] != "function":
        raise Wrong(f"tool: {tool}")
    return {"name": function["name"], "description": function.get("description"), "parameters": function["parameters"]}


def _schema(form: json.Object) -> Any:
    only(form, "response_format", "type json_schema")
    if form["type"] not in {"text", "json_object"}:
        raise Wrong(f"response_format: {form}")
    return form.get("json_schema")
