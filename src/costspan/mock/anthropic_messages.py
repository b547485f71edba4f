"""The mock in Anthropic's messages format. https://docs.anthropic.com/en/api/messages-streaming (2026-11-23)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.mock.script import Asked, Said, choose, objects, part, prompt_tokens, wants_tool
from costspan.wire import json, sse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def read(body: json.Object) -> Asked:
    """What is asked."""
    messages = objects(body.get("messages"))
    content = [message.get("content") for message in messages]
    limit = body.get("max_tokens")
    output = part(body, "output_format") or part(part(body, "output_config"), "format")
    return Asked(
        model=str(body.get("model", "")),
        stream=body.get("stream") is True,
        prompt_tokens=prompt_tokens(content, body.get("system"), body.get("tools")),
        limit=limit if isinstance(limit, int) else None,
        tool=_tool(body, messages[-1] if messages else {}),
        json_schema=part(output, "schema") if output else None,
    )


def reply(asked: Asked, said: Said, *, ident: str) -> bytes:
    """A message."""
    if said.tool is None:
        block: dict[str, Any] = {"type": "text", "text": said.text}
    else:
        block = {"type": "tool_use", "id": f"toolu_{ident}", "name": said.tool, "input": json.loads(said.text)}
    return json.dumps(
        {
            **_message(asked, ident),
            "content": [block],
            "stop_reason": _stop(said),
            "usage": {**_usage(said), "output_tokens": said.output_tokens},
        }
    )


def stream(asked: Asked, said: Said, *, ident: str) -> Iterator[bytes]:
    """The same as events."""
    message = {
        **_message(asked, ident),
        "content": [],
        "stop_reason": None,
        "usage": {**_usage(said), "output_tokens": 1},
    }
    yield _event("message_start", message=message)
    if said.tool is None:
        yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    else:
        block = {"type": "tool_use", "id": f"toolu_{ident}", "name": said.tool, "input": {}}
        yield _event("content_block_start", index=0, content_block=block)
    yield _event("ping")
    for piece in said.pieces:
        delta = (
            {"type": "text_delta", "text": piece}
            if said.tool is None
            else {"type": "input_json_delta", "partial_json": piece}
        )
        yield _event("content_block_delta", index=0, delta=delta)
    yield _event("content_block_stop", index=0)
    end = {"stop_reason": _stop(said), "stop_sequence": None}
    yield _event("message_delta", delta=end, usage={"output_tokens": said.output_tokens})
    yield _event("message_stop")


def count(asked: Asked) -> bytes:
    """The answer of count_tokens."""
    return json.dumps({"input_tokens": asked.prompt_tokens})


def error(status: int, message: str) -> bytes:
    """An error's body."""
    kind = _TYPES.get(status, "api_error")
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": None})


def models(names: tuple[str, ...]) -> bytes:
    """The list of models."""
    data = [{"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"} for name in names]
    return json.dumps({"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]})


def _event(name: str, **fields: object) -> bytes:
    return sse.write(json.dumps({"type": name, **fields}), name)


def _message(asked: Asked, ident: str) -> dict[str, Any]:
    return {"id": f"msg_{ident}", "type": "message", "role": "assistant", "model": asked.model, "stop_sequence": None}


def _stop(said: Said) -> str:
    if said.tool is not None:
        return "tool_use"
    return "max_tokens" if said.cut else "end_turn"


def _usage(said: Said) -> dict[str, Any]:
    """`input_tokens` is without the cached part here."""
    return {
        "input_tokens": said.prompt_tokens - said.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": said.cached_tokens,
        "service_tier": "standard",
    }


def _tool(body: json.Object, last: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    tools, choice = objects(body.get("tools")), part(body, "tool_choice")
    kind = choice.get("type", "auto")
    if kind in {"any", "tool"}:
        return choose(tools, choice.get("name"))
    results = [block for block in objects(last.get("content")) if block.get("type") == "tool_result"]
    asks = kind == "auto" and last.get("role") == "user" and not results and wants_tool(_texts(last.get("content")))
    return choose(tools) if asks else None


def _texts(content: object) -> object:
    return [block.get("text") for block in objects(content)] if isinstance(content, list) else content
