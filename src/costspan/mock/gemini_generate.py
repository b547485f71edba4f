"""The mock in Gemini's generateContent format. https://ai.google.dev/api/generate-content (2026-11-23)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.mock.script import Asked, Said, choose, objects, part, prompt_tokens, wants_tool
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def read(body: json.Object, *, model: str, stream: bool) -> Asked:
    """What is asked. Model and streaming are in the path."""
    contents = objects(body.get("contents"))
    config = part(body, "generationConfig")
    limit = config.get("maxOutputTokens")
    is_json = config.get("responseMimeType") == "application/json"
    schema = part(config, "responseSchema") or part(config, "responseJsonSchema")
    return Asked(
        model=model,
        stream=stream,
        prompt_tokens=prompt_tokens([content.get("parts") for content in contents], body.get("systemInstruction")),
        limit=limit if isinstance(limit, int) else None,
        tool=_tool(body, contents[-1] if contents else {}),
        json_schema=schema if is_json else None,
    )


def reply(asked: Asked, said: Said, *, ident: str) -> bytes:
    """A generateContent answer."""
    return json.dumps(_chunk(asked, said, ident, [_part(said, said.text)], finish=True))


def stream(asked: Asked, said: Said, *, ident: str, events: bool) -> Iterator[bytes]:
    """The same in pieces: server-sent events (`alt=sse`), else the elements of one JSON array."""
    pieces = said.pieces if said.tool is None else (said.text,)  # a function call comes whole
    last = len(pieces) - 1
    chunks = [_chunk(asked, said, ident, [_part(said, piece)], finish=i == last) for i, piece in enumerate(pieces)]
    if events:
        for chunk in chunks:
            yield b"data: %s\r\n\r\n" % json.dumps(chunk)
        return
    for i, chunk in enumerate(chunks):
        yield (b",\r\n" if i else b"[") + json.dumps(chunk)
    yield b"]"


def count(asked: Asked) -> bytes:
    """The answer of countTokens."""
    details = [{"modality": "TEXT", "tokenCount": asked.prompt_tokens}]
    return json.dumps({"totalTokens": asked.prompt_tokens, "promptTokensDetails": details})


def error(status: int, message: str) -> bytes:
    """An error's body."""
    return json.dumps({"error": {"code": status, "message": message, "status": _STATUSES.get(status, "UNKNOWN")}})


def models(names: tuple[str, ...]) -> bytes:
    """The list of models."""
    methods = ["generateContent", "countTokens"]
    return json.dumps(
        {
            "models": [
                {
                    "name": f"models/{name}",
                    "version": "mock",
                    "displayName": name,
                    "inputTokenLimit": 1_000_000,
                    "outputTokenLimit": 65_536,
                    "supportedGenerationMethods": methods,
                }
                for name in names
            ]
        }
    )


def _part(said: Said, text: str) -> dict[str, Any]:
    if said.tool is None:
        return {"text": text}
    return {"functionCall": {"name": said.tool, "args": json.loads(text)}}


def _chunk(asked: Asked, said: Said, ident: str, parts: list[dict[str, Any]], *, finish: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    output = said.output_tokens if finish else 0
    if finish:
        candidate["finishReason"] = "MAX_TOKENS" if said.cut else "STOP"
    usage: dict[str, Any] = {
        "promptTokenCount": said.prompt_tokens,
        "candidatesTokenCount": output,
        "totalTokenCount": said.prompt_tokens + output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": said.prompt_tokens}],
    }
    if said.cached_tokens:
        usage["cachedContentTokenCount"] = said.cached_tokens
        usage["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": said.cached_tokens}]
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": asked.model, "responseId": ident}


def _tool(body: json.Object, last: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    declared = [
        function
        for tool in objects(body.get("tools"))
        for function in objects(tool.get("functionDeclarations") or tool.get("function_declarations"))
    ]
    calling = part(part(body, "toolConfig"), "functionCallingConfig")
    mode = calling.get("mode", "AUTO")
    if mode == "ANY":
        allowed = calling.get("allowedFunctionNames")
        return choose(declared, allowed[0] if isinstance(allowed, list) and allowed else None)
    texts = [piece.get("text") for piece in objects(last.get("parts"))]
    asks = mode == "AUTO" and last.get("role", "user") == "user" and wants_tool(texts)
    return choose(declared) if asks else None
