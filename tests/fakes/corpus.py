"""Recorded real traffic. What it says, `fakes.corpus_reader` reads; both share no code with costspan's dialects.

The recordings are not ours to ship: `ROWS` is empty where they are missing.
"""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from botocore.eventstream import EventStreamBuffer

from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPUS = Path(
    os.environ.get("COSTSPAN_CORPUS", str(Path(__file__).parents[2].parent / "shared" / "corpus" / "recorded.jsonl"))
)
MISSING = f"no recorded traffic at {CORPUS}"

NOT_COLLECTED = {"ollama": "Ollama's native /api/generate: nothing speaks it, its host is reached by openai-chat"}
"""Dialects of recordings that are not ours, and why."""

_NAMES = {
    "anthropic": "anthropic-messages",
    "bedrock-converse": "bedrock-converse",
    "cohere": "cohere-chat",
    "gemini": "gemini-generate",
    "mistral": "mistral-chat",
    "openai-chat": "openai-chat",
    "openai-responses": "openai-responses",
}
_KINDS = {
    ("azure", "anthropic"): "anthropic",  # Foundry serves Claude at an address like Anthropic's own
    ("google", "gemini"): "gemini",
    ("crusoe", "openai-chat"): "openai-compatible",
    ("huggingface", "openai-chat"): "openai-compatible",
    ("venice", "openai-chat"): "openai-compatible",
}
"""The provider's kind, where it does not have the provider's name."""
_MODEL = re.compile(r"/models?/(?P<model>[^/]+?)(?::(?:streamG|g)enerateContent|:(?:streamR|r)awPredict|/converse.*)$")

_CONTENT_TYPES = {
    "aws-eventstream": "application/vnd.amazon.eventstream",
    "json": "application/json",
    "json-array": "text/event-stream",
    "sse": "text/event-stream; charset=utf-8",
}


@dataclass(frozen=True)
class Row:
    """One recorded interaction. `raw` is the answer's body as it came, decoded of its content coding."""

    id: str
    dialect: str
    provider: str
    kind: str
    """The kind to configure for it."""
    request: dict[str, Any]
    """With the model, and whether it streams, also where the path says so."""
    status: int
    framing: Literal["aws-eventstream", "json", "json-array", "sse"]
    raw: bytes
    usage: dict[str, Any]
    """All of its reports in one: the last value of each field."""
    message: str | None
    """Of an error."""

    @property
    def stream(self) -> bool:
        """Whether the answer is a stream."""
        return self.framing != "json"

    @property
    def model(self) -> str:
        """What was asked for."""
        found: str = self.request["model"]
        return found

    @property
    def content_type(self) -> str:
        """Of `wire`."""
        return _CONTENT_TYPES[self.framing]

    @property
    def wire(self) -> bytes:
        """What an upstream of ours sends: Google's array only whoever asks without `alt=sse`, which we do not."""
        return self.sse if self.framing == "json-array" else self.raw

    @property
    def sse(self) -> bytes:
        """A stream as server-sent events, made of other framings by other code than ours."""
        if self.framing == "aws-eventstream":
            return b"".join(_frames(self.raw))
        if self.framing == "json-array":
            return b"".join(b"data: %s\r\n\r\n" % json.dumps(chunk) for chunk in json.loads(self.raw))
        return self.raw

    @property
    def events(self) -> list[bytes]:
        """The stream's events up to the one that makes it whole: Cohere has said all before its `[DONE]`."""
        found = events(self.sse)
        return found[:-1] if self.dialect == "cohere-chat" else found


def _frames(raw: bytes) -> Iterator[bytes]:
    buffer = EventStreamBuffer()
    buffer.add_data(raw)
    for frame in buffer:
        yield b"event: %s\ndata: %s\n\n" % (frame.headers[":event-type"].encode(), frame.payload)


def _row(line: dict[str, Any]) -> Row:
    body = line["response_body_b64"]
    reports = [*(line["usages_all"] or []), line["usage"]]
    return Row(
        id=line["id"],
        dialect=_NAMES[line["dialect"]],
        provider=line["provider"],
        kind=_KINDS.get((line["provider"], line["dialect"]), line["provider"]),
        request=_request(line),
        status=line["status"],
        framing=line["framing"],
        raw=json.dumps(line["response_json"]) if body is None else base64.b64decode(body),
        usage={k: v for report in reports for k, v in (report or {}).items() if v is not None},
        message=line["error"] and line["error"]["message"],
    )


def _request(line: dict[str, Any]) -> dict[str, Any]:
    path = _MODEL.search(line["url_path"])
    if path is None:
        deployment = re.search("/deployments/([^/]+)/", line["url_path"])
        return {"model": deployment[1] if deployment else "", **line["request_body"]}
    streams = {"stream": True} if "stream" in line["url_path"].rpartition("/")[2] else {}
    return {"model": unquote(path["model"]), **streams, **line["request_body"]}


ALL = [json.loads_object(line) for line in CORPUS.read_bytes().splitlines()] if CORPUS.is_file() else []
"""Every recording, as the file has it."""
ROWS = [_row(line) for line in ALL if line["dialect"] in _NAMES]
GOOD = {row.id: row for row in ROWS if row.status == 200}
STREAMS = {name: row for name, row in GOOD.items() if row.stream}
WHOLE = {name: row for name, row in GOOD.items() if not row.stream}
FAILED = {row.id: row for row in ROWS if row.id not in GOOD}


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


def objects(raw: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream."""
    return (value for event in events(raw) if isinstance(value := data_of(event), dict))
