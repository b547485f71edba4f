"""OpenAI's responses, without memory (`store: false`).

Shapes: the types of the official SDK (openai 3.54.0). Sealed reasoning and its summary come only on demand.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, zip_longest
from typing import TYPE_CHECKING, Any

from fakes.wires.asked import (
    CREATED,
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
    "model input instructions stream stream_options max_output_tokens temperature top_p top_logprobs tools tool_choice "
    "parallel_tool_calls text reasoning include store service_tier user metadata truncation previous_response_id"
)
_ENCRYPTED = "reasoning.encrypted_content"
_NOUN = "0a1b2c3d4e5f60718293a4b5c6"


@dataclass(frozen=True)
class OpenAIResponses:
    """OpenAI's own, and Azure's."""

    seal: str = "gAAAAABpJTQ9b0XcM1n2vQk8hZ7dY5wErTzUaPqLsJfGmHtVxCoRkWyBnIeDuFgA=="
    counts_reasoning: bool = True
    counts_cached: bool = True
    tells_reasoning: bool = True
    ids: tuple[str, str] = ("call_Qm4nB7vCxZaSdFgHjKlPoIuY", "call_TrEwQ1a2S3d4F5g6H7j8K9l0")

    def read(self, request: Request) -> Asked:
        body = body_of(request, _FIELDS)
        if body.get("previous_response_id"):
            raise Wrong("previous_response_id: nothing is stored here")
        given = body["input"]
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        talk = tuple(line for item in items for line in _lines(item))
        check_results(talk)
        reasoning = body.get("reasoning") or {}
        only(reasoning, "reasoning", "effort summary")
        sealed = _ENCRYPTED in (body.get("include") or ())
        return Asked(
            model=body["model"],
            stream=body.get("stream") or False,
            instructions=(body.get("instructions") or "") + "".join(_instructions(items)),
            talk=talk,
            tools=tuple(map(_tool, body.get("tools") or ())),
            schema=_schema(body.get("text") or {}),
            thinks=bool(reasoning.get("effort")),
            seals=sealed or not reasoning.get("effort"),
            shows=bool(reasoning.get("summary")) or not reasoning.get("effort"),
        )

    def answer(self, turn: Turn, asked: Asked) -> Answer:
        id_ = _NOUN + serial()
        items = list(self._items(turn, asked, id_))
        response = _response(asked, items, turn) | {"id": f"resp_{id_}"}
        return streamed(named(_numbered(_events(response)))) if asked.stream else whole(response)

    def remembered(self, turn: Turn) -> list[Line]:
        return said(turn, seal=self.seal)

    def refuse(self, problem: str) -> Answer:
        error = {"message": problem, "type": "invalid_request_error", "param": None, "code": "invalid_value"}
        return refused({"error": error})

    def _items(self, turn: Turn, asked: Asked, id_: str) -> Iterator[json.Object]:
        if turn.thinking:
            summary = [{"type": "summary_text", "text": turn.thinking}] if asked.shows else []
            sealed = {"encrypted_content": self.seal} if asked.seals else {}
            yield {"id": f"rs_{id_}", "type": "reasoning", "summary": summary, **sealed}
        if turn.text:
            part = {"type": "output_text", "annotations": [], "logprobs": [], "text": turn.text}
            head = {"id": f"msg_{id_}", "type": "message", "status": "completed"}
            yield {**head, "content": [part], "role": "assistant"}
        for index, call in enumerate(turn.calls):
            head = {"id": f"fc_{id_}{index}", "type": "function_call", "status": "completed"}
            yield {**head, "arguments": call.arguments, "call_id": call.id, "name": call.name}


def _events(response: json.Object) -> Iterator[json.Object]:
    items = response["output"]
    begun = response | {"output": [], "status": "in_progress", "usage": None, "completed_at": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    calls = [(index, item) for index, item in enumerate(items) if item["type"] == "function_call"]
    for index, item in enumerate(items[: len(items) - len(calls)]):
        yield from _reasoning(index, item) if item["type"] == "reasoning" else _message(index, item)
    yield from _calls(calls)
    yield {"type": "response.completed", "response": response}


def _numbered(events: Iterator[json.Object]) -> Iterator[json.Object]:
    for number, event in zip(count(), events, strict=False):
        yield event | {"sequence_number": number}


def _reasoning(index: int, item: json.Object) -> Iterator[json.Object]:
    sealed = {"encrypted_content": "gAAAAABp"} if "encrypted_content" in item else {}
    yield {"type": "response.output_item.added", "output_index": index, "item": item | {"summary": []} | sealed}
    for number, part in enumerate(item["summary"]):
        at = {"item_id": item["id"], "output_index": index, "summary_index": number}
        blank = part | {"text": ""}
        yield {"type": "response.reasoning_summary_part.added", **at, "part": blank}
        for piece in pieces(part["text"]):
            yield {"type": "response.reasoning_summary_text.delta", **at, "delta": piece, "obfuscation": "x1Yz"}
        yield {"type": "response.reasoning_summary_text.done", **at, "text": part["text"]}
        yield {"type": "response.reasoning_summary_part.done", **at, "part": part}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _message(index: int, item: json.Object) -> Iterator[json.Object]:
    (part,) = item["content"]
    at = {"item_id": item["id"], "output_index": index, "content_index": 0}
    begun = item | {"status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    yield {"type": "response.content_part.added", **at, "part": part | {"text": ""}}
    for piece in pieces(part["text"]):
        yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": [], "obfuscation": "x1Yz"}
    yield {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": part}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _calls(calls: list[tuple[int, json.Object]]) -> Iterator[json.Object]:
    """Parallel calls in turns: their pieces may come mixed, each with its `output_index`."""
    for index, item in calls:
        begun = item | {"status": "in_progress", "arguments": ""}
        yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    for step in zip_longest(*(pieces(item["arguments"]) for _, item in calls)):
        for (index, item), piece in zip(calls, step, strict=True):
            if piece is not None:
                at = {"item_id": item["id"], "output_index": index}
                yield {"type": "response.function_call_arguments.delta", **at, "delta": piece, "obfuscation": "x1Yz"}
    for index, item in calls:
        at = {"item_id": item["id"], "output_index": index}
        done = {"arguments": item["arguments"], "name": item["name"]}
        yield {"type": "response.function_call_arguments.done", **at, **done}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _response(asked: Asked, items: list[json.Object], turn: Turn) -> json.Object:
    return {
        "object": "response",
        "created_at": CREATED,
        "status": "completed",
        "background": False,
        "completed_at": CREATED + 2,
        "error": None,
        "incomplete_details": None,
        "instructions": asked.instructions or None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": asked.model,
        "output": items,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": "high" if asked.thinks else None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": turn.prompt,
            "input_tokens_details": {"cached_tokens": turn.cached, "cache_write_tokens": 0},
            "output_tokens": turn.completion,
            "output_tokens_details": {"reasoning_tokens": turn.reasoned},
            "total_tokens": turn.prompt + turn.completion,
        },
        "user": None,
        "metadata": {},
    }


def _instructions(items: list[json.Object]) -> Iterator[str]:
    for item in items:
        if item.get("role") in {"system", "developer"}:
            content = item["content"]
            yield content if isinstance(content, str) else "".join(part["text"] for part in content)


def _lines(item: json.Object) -> Iterator[Line]:
    match item:
        case {"role": "system" | "developer"}:
            pass
        case {"role": "user" | "assistant" as role, "content": content}:
            only(item, "message", "type role content id status phase")
            type_ = "input_text" if role == "user" else "output_text"
            for part in [{"type": type_, "text": content}] if isinstance(content, str) else content:
                yield _part(role, part)
        case {"type": "reasoning", "id": str(id_), "summary": [*summary]}:
            only(item, "reasoning", "type id summary encrypted_content content status")
            if not id_.startswith("rs_"):
                raise Wrong(f"input.id: expected an ID that begins with 'rs', found {id_!r}")
            yield "thinking", "".join(part["text"] for part in summary)
            yield "seal", item.get("encrypted_content", "")
        case {"type": "function_call"}:
            yield _called(item)
        case {"type": "function_call_output", "call_id": str(id_), "output": output}:
            only(item, "function_call_output", "type id call_id output status")
            yield "result", id_, output if isinstance(output, str) else "".join(part["text"] for part in output)
        case _:
            raise Wrong(f"an item: {item}")


def _called(item: json.Object) -> Line:
    only(item, "function_call", "type id call_id name arguments status")
    if not str(item.get("id") or "fc_").startswith("fc_"):
        raise Wrong(f"input.id: expected an ID that begins with 'fc', found {item['id']!r}")
    return ("call", item["call_id"], item["name"], arguments(item["arguments"]))


def _part(role: str, part: json.Object) -> Line:
    match role, part:
        case "user", {"type": "input_text", "text": str(text)}:
            return (role, text)
        case "user", {"type": "input_image", "image_url": str(url)}:
            only(part, "input_image", "type image_url detail")
            return image(url)
        case "assistant", {"type": "output_text", "text": str(text)}:
            only(part, "output_text", "type text annotations logprobs")
            return (role, text)
        case _:
            raise Wrong(f"a part of {role}: {part}")


def _tool(tool: json.Object) -> json.Object:
    only(tool, "tool", "type name description parameters strict")
    if tool["type"] != "function":
        raise Wrong(f"tool: {tool}")
    return {"name": tool["name"], "description": tool.get("description"), "parameters": tool["parameters"]}


def _schema(text: json.Object) -> Any:
    only(text, "text", "format verbosity")
    match text.get("format"):
        case None | {"type": "text"}:
            return None
        case {"type": "json_schema", "name": str(), "schema": schema} as form:
            only(form, "text.format", "type name schema description strict")
            return schema
        case form:
            raise Wrong(f"text.format: {form}")
