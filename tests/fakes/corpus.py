"""Recorded real traffic, and a small reader of it that shares no code with costspan.

The recordings are not ours to ship: `ROWS` is empty where they are missing.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPUS = Path(
    os.environ.get("COSTSPAN_CORPUS", str(Path(__file__).parents[2].parent / "shared" / "corpus" / "recorded.jsonl"))
)
MISSING = f"no recorded traffic at {CORPUS}"
_DIALECTS = {"openai-chat": "openai-chat", "anthropic": "anthropic-messages"}
_KINDS = {"openai", "anthropic", "deepseek", "groq", "xai", "openrouter", "together", "perplexity", "ollama"}


@dataclass(frozen=True)
class Row:
    """One recorded interaction. `raw` is the answer's body as it came, decoded of its content coding."""

    id: str
    dialect: str
    provider: str
    kind: str
    """The kind to configure for it: its own where we know the host, else that of its dialect."""
    request: dict[str, Any]
    status: int
    stream: bool
    raw: bytes
    usage: dict[str, Any]
    """All of its reports in one: the last value of each field."""
    message: str | None
    """Of an error."""


def _rows() -> list[Row]:
    if not CORPUS.is_file():
        return []
    lines = [json.loads_object(line) for line in CORPUS.read_bytes().splitlines()]
    return [_row(line) for line in lines if line["dialect"] in _DIALECTS]


def _row(line: dict[str, Any]) -> Row:
    dialect = _DIALECTS[line["dialect"]]
    other = "anthropic" if dialect == "anthropic-messages" else "openai-compatible"
    known = line["provider"] in _KINDS
    body = line["response_body_b64"]
    reports = [*(line["usages_all"] or []), line["usage"]]
    return Row(
        id=line["id"],
        dialect=dialect,
        provider=line["provider"],
        kind=line["provider"] if known else other,
        request=line["request_body"],
        status=line["status"],
        stream=line["framing"] == "sse",
        raw=json.dumps(line["response_json"]) if body is None else base64.b64decode(body),
        usage={k: v for report in reports for k, v in (report or {}).items() if v is not None},
        message=line["error"] and line["error"]["message"],
    )


ROWS = _rows()


@dataclass
class Said:
    """What an answer says, in no dialect."""

    text: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    """Name and arguments, as JSON values."""
    finish: str | None = None
    prompt: int | None = None
    completion: int | None = None


_FINISH = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "length": "length",
    "max_tokens": "length",
}


def read(dialect: str, raw: bytes, *, stream: bool) -> Said:
    """What the client of an answer understands. Only the first choice."""
    if dialect == "openai-chat":
        return _chat_stream(raw) if stream else _chat(json.loads_object(raw))
    return _messages_stream(raw) if stream else _messages(json.loads_object(raw))


def events(raw: bytes) -> list[bytes]:
    """The events of a stream with the blank lines that end them; they join to the whole."""
    found = []
    while raw:
        ends = [i + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if (i := raw.find(mark)) >= 0]
        end = min(ends, default=len(raw))
        found.append(raw[:end])
        raw = raw[end:]
    return found


def data_of(event: bytes) -> Any:
    """The JSON of an event; None for a comment and for `[DONE]`."""
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    text = b"\n".join(lines)
    return json.loads(text) if text and text != b"[DONE]" else None


def _objects(raw: bytes) -> Iterator[dict[str, Any]]:
    return (value for event in events(raw) if isinstance(value := data_of(event), dict))


def _chat(body: dict[str, Any]) -> Said:
    choice = body["choices"][0]
    message = choice["message"]
    calls = [
        (call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in message.get("tool_calls") or []
    ]
    said = Said(message.get("content") or "", calls, _FINISH[choice["finish_reason"]])
    _chat_usage(said, body["usage"])
    return said


def _chat_usage(said: Said, usage: dict[str, Any]) -> None:
    said.prompt = usage["prompt_tokens"]
    said.completion = usage["total_tokens"] - usage["prompt_tokens"]  # xAI: completion_tokens lacks the reasoning


def _chat_stream(raw: bytes) -> Said:
    said = Said()
    calls: dict[int, list[str]] = {}
    for chunk in _objects(raw):
        for choice in chunk.get("choices", [])[:1]:
            said.text += choice["delta"].get("content") or ""
            said.finish = _FINISH.get(choice.get("finish_reason"), said.finish)
            for call in choice["delta"].get("tool_calls") or []:
                parts = calls.setdefault(call["index"], ["", ""])
                parts[0] += call["function"].get("name") or ""
                parts[1] += call["function"].get("arguments") or ""
        usage = chunk.get("usage") or chunk.get("x_groq", {}).get("usage")
        if usage:
            _chat_usage(said, usage)
    said.calls = [(name, json.loads(arguments.encode())) for name, arguments in calls.values()]
    return said


def _messages(body: dict[str, Any]) -> Said:
    blocks = body["content"]
    said = Said(
        "".join(block["text"] for block in blocks if block["type"] == "text"),
        [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"],
        _FINISH[body["stop_reason"]],
    )
    _messages_usage(said, body["usage"])
    return said


def _messages_usage(said: Said, usage: dict[str, Any]) -> None:
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    if any(name in usage for name in names):
        said.prompt = sum(usage.get(name) or 0 for name in names)
    said.completion = usage["output_tokens"]


def _messages_stream(raw: bytes) -> Said:
    said = Said()
    calls: dict[int, list[str]] = {}
    for event in _objects(raw):
        match event:
            case {"type": "message_start", "message": message}:
                _messages_usage(said, message["usage"])
            case {"type": "content_block_start", "index": index, "content_block": {"type": "tool_use", "name": name}}:
                calls[index] = [name, ""]
            case {"delta": {"type": "text_delta", "text": text}}:
                said.text += text
            case {"index": index, "delta": {"type": "input_json_delta", "partial_json": part}}:
                calls[index][1] += part
            case {"type": "message_delta", "delta": delta, "usage": usage}:
                said.finish = _FINISH[delta["stop_reason"]]
                _messages_usage(said, usage)
    said.calls = [(name, json.loads((arguments or "{}").encode())) for name, arguments in calls.values()]
    return said


def buckets(row: Row) -> dict[str, int]:
    """The ledger's usage for a row, worked out from its own report. Buckets of zero are left out."""
    usage = row.usage
    if not usage:
        return {}
    found = _chat_buckets(usage) if row.dialect == "openai-chat" else _messages_buckets(usage)
    return {name: count for name, count in found.items() if count}


def _chat_buckets(usage: dict[str, Any]) -> dict[str, int]:
    details = usage.get("prompt_tokens_details") or {}
    cached = details.get("cached_tokens", usage.get("prompt_cache_hit_tokens", usage.get("cached_tokens", 0)))
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
    completion = usage["total_tokens"] - usage["prompt_tokens"]
    return {
        "input": usage["prompt_tokens"] - cached,
        "cache_read": cached,
        "output": completion - reasoning,
        "reasoning": reasoning,
    }


def _messages_buckets(usage: dict[str, Any]) -> dict[str, int]:
    return {
        "input": usage["input_tokens"],
        "cache_read": usage.get("cache_read_input_tokens", 0),
        "cache_write": usage.get("cache_creation_input_tokens", 0),  # none of the recordings writes for an hour
        "output": usage["output_tokens"],
    }
