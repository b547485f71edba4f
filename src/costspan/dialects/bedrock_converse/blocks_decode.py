"""Content blocks of an answer, from the wire; and what of them is not read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.dialects.bedrock_converse.vocabulary import NAME
from costspan.dialects.losses import beyond
from costspan.ir.request import Citation, Media, Opaque, Reasoning, ServerTool, Text, ToolCall
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.ir.request import Block

_TOOL_FIELDS = frozenset({"toolUseId", "name", "input", "type"})
SERVER_SIDE = "server_tool_use"


def decode_block(raw: object) -> Iterator[Block]:
    """One block of a whole answer; of a kind that is not known it is kept whole."""
    match raw:
        case {"text": str(text)}:
            if text:
                yield Text(text)
        case {"toolUse": {"toolUseId": str(id_), "name": str(name)} as use} if use.get("type") != SERVER_SIDE:
            yield ToolCall(id_, name, json.text(use.get("input") or {}))
        case {"reasoningContent": dict(reasoning)}:
            yield from _reasoning(reasoning)
        case {"citationsContent": dict(cited)}:
            yield from _cited(cited)
        case {"image": {"format": str(format_), "source": {"bytes": str(data)}}}:
            yield Media("image", f"image/{format_}", data=data)
        case dict():
            yield ServerTool(NAME, next(iter(raw), ""), raw)
        case _:
            pass


def _reasoning(raw: json.Object) -> Iterator[Block]:
    match raw:
        case {"reasoningText": {"text": str(text)} as told}:
            signature = told.get("signature")
            kept = Opaque(NAME, "signature", signature) if isinstance(signature, str) and signature else None
            if text or kept:
                yield Reasoning(text, opaque=kept)
        case {"redactedContent": str(data)}:
            yield Reasoning(opaque=Opaque(NAME, "redacted", data))
        case _:
            pass


def _cited(raw: json.Object) -> Iterator[Block]:
    content, citations = raw.get("content"), raw.get("citations")
    parts = [part.get("text") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    text = "".join(part for part in parts if isinstance(part, str))
    found = [decode_citation(c) for c in citations if isinstance(c, dict)] if isinstance(citations, list) else []
    if text or found:
        yield Text(text, tuple(found))


def decode_citation(raw: json.Object) -> Citation:
    """A citation; its places are of the cited document, ours of the answer, so they stay in `raw`."""
    url = raw.get("source")
    match raw.get("location"):
        case {"web": {"url": str(found)}}:
            url = found
        case _:
            pass
    content = raw.get("sourceContent")
    parts = [part.get("text") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return Citation(
        url=url if isinstance(url, str) and "://" in url else None,
        title=raw["title"] if isinstance(raw.get("title"), str) else None,
        cited_text="".join(part for part in parts if isinstance(part, str)) or None,
        origin=NAME,
        raw=raw,
    )


def unread_of(raw: object) -> Iterator[str]:
    """What of a block is not read, named after its kind. A block of a kind that is not known is kept whole."""
    match raw:
        case {"toolUse": dict(use)}:
            yield from (f"toolUse.{name}" for name in beyond(use, _TOOL_FIELDS))
        case {"image": {"error": error}} if error:
            yield "image.error"
        case _:
            pass


def text_at(raw: dict[str, Any], name: str) -> str:
    """The string at `name`, empty where there is none."""
    value = raw.get(name)
    return value if isinstance(value, str) else ""
