"""The mock in OpenAI's chat completions format. https://platform.openai.com/docs/api-reference/chat (2026-11-23)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.mock.script import Asked, Said, choose, objects, part, prompt_tokens, wants_tool
from costspan.wire import json, sse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 500: "server_error"}


def read(body: json.Object) -> Asked:
    """What is asked."""
    messages = objects(body.get("messages"))
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    return Asked(
        model=str(body.get("model", "")),
        stream=body.get("stream") is True,
        prompt_tokens=prompt_tokens([message.get("content") for message in messages], body.get("tools")),
        limit=limit if isinstance(limit, int) else None,
        tool=_tool(body, messages[-1] if messages else {}),
        json_schema=_schema(part(body, "response_format")),
        with_usage=part(body, "stream_options").get("include_usage") is True,
    )


def reply(asked: Asked, said: Said, *, ident: str, now: int) -> bytes:
    """A chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": said.text, "refusal": None, "annotations": []}
    if said.tool is not None:
        call = {"id": f"call_{ident}", "type": "function", "function": {"name": said.tool, "arguments": said.text}}
        message |= {"content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(said)}
    head = {"id": f"chatcmpl-{ident}", "object": "chat.completion", "created": now, "model": asked.model}
    return json.dumps(
        {**head, "choices": [choice], "usage": _usage(said), "service_tier": "default", "system_fingerprint": "fp_mock"}
    )


def stream(asked: Asked, said: Said, *, ident: str, now: int) -> Iterator[bytes]:
    """The same as events."""
    head = {
        "id": f"chatcmpl-{ident}",
        "object": "chat.completion.chunk",
        "created": now,
        "model": asked.model,
        "service_tier": "default",
        "system_fingerprint": "fp_mock",
    }
    no_usage = {"usage": None} if asked.with_usage else {}

    def event(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return sse.write(json.dumps({**head, "choices": [choice], **no_usage}))

    if said.tool is None:
        yield event({"role": "assistant", "content": "", "refusal": None})
        for piece in said.pieces:
            yield event({"content": piece})
    else:
        function = {"name": said.tool, "arguments": ""}
        call = {"index": 0, "id": f"call_{ident}", "type": "function", "function": function}
        yield event({"role": "assistant", "content": None, "tool_calls": [call]})
        for piece in said.pieces:
            yield event({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    yield event({}, _finish(said))
    if asked.with_usage:
        yield sse.write(json.dumps({**head, "choices": [], "usage": _usage(said)}))
    yield sse.write(b"[DONE]")


def error(status: int, message: str) -> bytes:
    """An error's body."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")  # noqa: PLR2004 - HTTP
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": None}})


def models(names: tuple[str, ...], *, now: int) -> bytes:
    """The list of models."""
    data = [{"id": name, "object": "model", "created": now, "owned_by": "costspan-mock"} for name in names]
    return json.dumps({"object": "list", "data": data})


def _finish(said: Said) -> str:
    if said.tool is not None:
        return "tool_calls"
    return "length" if said.cut else "stop"


def _usage(said: Said) -> dict[str, Any]:
    return {
        "prompt_tokens": said.prompt_tokens,
        "completion_tokens": said.output_tokens,
        "total_tokens": said.prompt_tokens + said.output_tokens,
        "prompt_tokens_details": {"cached_tokens": said.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _tool(body: json.Object, last: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    functions = [part(tool, "function") for tool in objects(body.get("tools"))]
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        return choose(functions, part(choice, "function").get("name"))
    asks = choice != "none" and last.get("role") == "user" and wants_tool(last.get("content"))
    return choose(functions) if choice == "required" or asks else None


def _schema(response_format: Mapping[str, Any]) -> Mapping[str, Any] | None:
    kind = response_format.get("type")
    if kind == "json_schema":
        return part(part(response_format, "json_schema"), "schema")
    return {} if kind == "json_object" else None
