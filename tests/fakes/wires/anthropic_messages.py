"""Anthropic's messages, also as Vertex and Bedrock serve them.

Shapes: the types of the official SDK (anthropic 2.12.0); platform.claude.com/docs, extended thinking and
versioning (read 2026-11-25).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from costspan.wire import json
from fakes.wires.asked import (
    Asked,
    Line,
    Wrong,
    body_of,
    check_results,
    compact,
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

    from fakes.conversations import Turn
    from fakes.upstream import Answer, Request

FIELDS = (
    "max_tokens messages system metadata output_config service_tier stop_sequences temperature thinking tool_choice "
    "tools top_k top_p"
)
_STOPS = {"stop": "end_turn", "tool_calls": "tool_use"}


@dataclass(frozen=True)
class AnthropicMessages:
    """Anthropic's own. `model` and `stream` stand in the body, the version in a header."""

    seal: str = "EqoBCkgICxABGAIqQGmZ3kf9uVYyX0pQwLrE5sTnHv1oJcBdZ2aKgR7iWmXbNfUqYlSvTzDhCeMoPwLk=="
    counts_reasoning: bool = True
    counts_cached: bool = True
    tells_reasoning: bool = True
    ids: tuple[str, str] = ("toolu_01A09q90qw90lq917835lq9u", "toolu_01Xk2Lm9PqRsTuVwYz3bCdEf")

    def read(self, request: Request) -> Asked:
        body = body_of(request, f"model stream {FIELDS}")
        check_version(body, request.header("anthropic-version"), "2023-06-01")
        return self.understand(body, body["model"], stream=body.get("stream", False))

    def understand(self, body: json.Object, model: str, *, stream: bool) -> Asked:
        """A request whose fields are known."""
        if not isinstance(body.get("max_tokens"), int):
            raise Wrong("max_tokens: field required")
        messages = body["messages"]
        roles = [message["role"] for message in messages]
        if roles[0] != "user" or not set(roles) <= {"user", "assistant"}:
            raise Wrong(f"roles: {roles}")
        talk = tuple(line for message in messages for line in _lines(message))
        check_results(talk)
        thinking = body.get("thinking", {"type": "disabled"})
        thinks = thinking["type"] in {"enabled", "adaptive"}
        if thinks:
            self._check_thinking(body, thinking)
        return Asked(
            model=model,
            stream=stream,
            instructions="".join(block["text"] for block in _blocks(body.get("system", []))),
            talk=talk,
            tools=tuple(map(_tool, body.get("tools", ()))),
            schema=_schema(body.get("output_config", {})),
            thinks=thinks,
        )

    def _check_thinking(self, body: json.Object, thinking: json.Object) -> None:
        only(thinking, "thinking", "type budget_tokens display")
        if thinking["type"] == "enabled" and not 1024 <= thinking["budget_tokens"] < body["max_tokens"]:
            raise Wrong("thinking.budget_tokens: at least 1024 and less than max_tokens")
        if body.get("temperature", 1) != 1 or body.get("tool_choice", {}).get("type") in {"any", "tool"}:
            raise Wrong("thinking: neither with a temperature nor with a forced tool")
        *before, last = body["messages"]
        if before and any(block["type"] == "tool_result" for block in _blocks(last["content"])):
            first = _blocks(before[-1]["content"])[0]["type"]
            if first not in {"thinking", "redacted_thinking"}:
                raise Wrong(f"messages: expected thinking, found {first}, at the start of a turn that calls tools")

    def answer(self, turn: Turn, asked: Asked) -> Answer:
        if asked.stream:
            return streamed(named(self.events(turn, asked.model)))
        return whole(self.message(turn, asked.model))

    def remembered(self, turn: Turn) -> list[Line]:
        return said(turn, seal=self.seal)

    def refuse(self, problem: str) -> Answer:
        error = {"type": "invalid_request_error", "message": problem}
        return refused({"type": "error", "error": error, "request_id": "req_011CVTmT6wqLQn8yVxJd4Hb2"})

    def message(self, turn: Turn, model: str) -> json.Object:
        """The turn, whole."""
        head = {"id": f"msg_01XhTqzAz7dL8vMnPb{serial()}", "type": "message", "role": "assistant", "model": model}
        end = {"stop_reason": _STOPS[turn.finish], "stop_sequence": None, "usage": _usage(turn)}
        return {**head, "content": self._content(turn), **end}

    def events(self, turn: Turn, model: str) -> Iterator[json.Object]:
        """The turn as events of a stream."""
        begun = {**_usage(turn), "output_tokens": 1}
        del begun["output_tokens_details"]
        message = {**self.message(turn, model), "content": [], "stop_reason": None, "usage": begun}
        yield {"type": "message_start", "message": message}
        yield {"type": "ping"}
        for index, block in enumerate(self._content(turn)):
            yield {"type": "content_block_start", "index": index, "content_block": block | _EMPTY[block["type"]]}
            for delta in self._deltas(block, turn):
                yield {"type": "content_block_delta", "index": index, "delta": delta}
            yield {"type": "content_block_stop", "index": index}
        cumulative = {k: v for k, v in _usage(turn).items() if k not in {"cache_creation", "service_tier"}}
        end = {"stop_reason": _STOPS[turn.finish], "stop_sequence": None}
        yield {"type": "message_delta", "delta": end, "usage": cumulative}
        yield {"type": "message_stop"}

    def _content(self, turn: Turn) -> list[json.Object]:
        blocks: list[json.Object] = []
        if turn.thinking:
            blocks.append({"type": "thinking", "thinking": turn.thinking, "signature": self.seal})
        if turn.text:
            blocks.append({"type": "text", "text": turn.text})
        for call in turn.calls:
            given = json.loads_object(call.arguments)
            blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": given})
        return blocks

    def _deltas(self, block: json.Object, turn: Turn) -> Iterator[json.Object]:
        match block:
            case {"type": "thinking", "thinking": text}:
                for piece in pieces(text):
                    yield {"type": "thinking_delta", "thinking": piece}
                yield {"type": "signature_delta", "signature": self.seal}
            case {"type": "text", "text": text}:
                for piece in pieces(text):
                    yield {"type": "text_delta", "text": piece}
            case {"id": id_}:
                given = next(call.arguments for call in turn.calls if call.id == id_)
                for piece in ("", *pieces(given)):
                    yield {"type": "input_json_delta", "partial_json": piece}


_EMPTY: dict[str, json.Object] = {
    "thinking": {"thinking": "", "signature": ""},
    "text": {"text": ""},
    "tool_use": {"input": {}},
}


def check_version(body: json.Object, version: str | None, first: str) -> None:
    """The platform's first version, or the one of October 2026, which knows no sampling."""
    if version not in {first, "2026-10-21"}:
        raise Wrong(f"anthropic version: {version}")
    if version != first:
        only(body, "2026-10-21", " ".join(set(body) - {"temperature", "top_p", "top_k"}))


def _usage(turn: Turn) -> json.Object:
    return {
        "input_tokens": turn.prompt - turn.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": turn.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": turn.completion,
        "output_tokens_details": {"thinking_tokens": turn.reasoned},
        "service_tier": "standard",
    }


def _blocks(content: Any) -> list[json.Object]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _lines(message: json.Object) -> Iterator[Line]:
    role = message["role"]
    only(message, "message", "role content")
    for block in _blocks(message["content"]):
        match role, block:
            case _, {"type": "text", "text": str(text), **rest} if text and not rest:
                yield role, text
            case "user", {"type": "image", "source": {"type": "base64", "media_type": type_, "data": data}}:
                yield "image", type_, data
            case "user", {"type": "image", "source": {"type": "url", "url": url}}:
                yield "image", "url", url
            case "user", {"type": "tool_result", "tool_use_id": id_, "content": content}:
                only(block, "tool_result", "type tool_use_id content is_error")
                yield "result", id_, "".join(inner["text"] for inner in _blocks(content))
            case "assistant", {"type": "thinking", "thinking": text, "signature": seal, **rest} if not rest:
                yield "thinking", text
                yield "seal", seal
            case "assistant", {"type": "tool_use", "id": id_, "name": name, "input": {**given}}:
                only(block, "tool_use", "type id name input caller")
                yield "call", id_, name, compact(given)
            case _:
                raise Wrong(f"a block of {role}: {block}")


def _tool(tool: json.Object) -> json.Object:
    only(tool, "tool", "name description input_schema type strict")
    return {"name": tool["name"], "description": tool.get("description"), "parameters": tool["input_schema"]}


def _schema(config: json.Object) -> json.Object | None:
    only(config, "output_config", "format effort")
    match config.get("format"):
        case None:
            return None
        case {"type": "json_schema", "schema": schema, **rest} if not rest:
            return dict(schema)
        case form:
            raise Wrong(f"output_config.format: {form}")
