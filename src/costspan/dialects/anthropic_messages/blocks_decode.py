"""Content blocks, from the wire. Requests hold all kinds; answers only those that a model makes.

Shapes that are none raise `ClientError` with the block's path; the reader of an upstream's answer turns that into
`Malformed`.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from costspan.dialects.anthropic_messages.citations import decode_citation
from costspan.dialects.anthropic_messages.vocabulary import NAME, UNSIGNED
from costspan.errors import ClientError, Malformed
from costspan.ir import opaque
from costspan.ir.request import Cache, Media, Opaque, Reasoning, ServerTool, Text, ToolCall, ToolResult
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Literal

    from costspan.ir.request import Block


def invalid(path: str, expected: str) -> ClientError:
    """The error for a value at `path` that is not `expected`."""
    return ClientError(f"{path} must be {expected}", code="invalid_value", param=path)


def decode_blocks(content: object, path: str) -> Iterator[Block]:
    """The blocks of `content`, a string or a list of blocks. Empty text says nothing and is left out."""
    if isinstance(content, str):
        if content:
            yield Text(content)
        return
    if not isinstance(content, list):
        raise invalid(path, "a string or a list of blocks")
    for position, raw in enumerate(content):
        yield from decode_block(raw, f"{path}[{position}]")


def decode_block(raw: object, path: str) -> Iterator[Block]:
    """One block; what only this dialect knows is kept whole, as a `ServerTool`."""
    if not isinstance(raw, dict) or not isinstance(type_ := raw.get("type"), str):
        raise invalid(path, "an object with a type")
    read = _READERS.get(type_)
    if read is not None:
        yield from read(raw, path)
    else:
        yield ServerTool(NAME, type_, raw)


def decode_cache(raw: json.Object) -> Cache | None:
    """The `cache_control` of a block or tool."""
    control = raw.get("cache_control")
    if not isinstance(control, dict):
        return None
    ttl = control.get("ttl")
    return Cache(ttl if isinstance(ttl, str) else None)


def text_of(raw: json.Object, name: str, path: str) -> str:
    """The string at `name`. Raises `ClientError` where it is none."""
    value = raw.get(name)
    if not isinstance(value, str):
        raise invalid(f"{path}.{name}", "a string")
    return value


def _optional(raw: json.Object, name: str) -> str | None:
    value = raw.get(name)
    return value if isinstance(value, str) else None


def _text(raw: json.Object, path: str) -> Iterator[Block]:
    text = text_of(raw, "text", path)
    citations = raw.get("citations")
    found = tuple(decode_citation(c) for c in citations if isinstance(c, dict)) if isinstance(citations, list) else ()
    if text or found:
        yield Text(text, found, decode_cache(raw))


def _image(raw: json.Object, path: str) -> Iterator[Block]:
    yield _media("image", raw, _source(raw, path), path)


def _document(raw: json.Object, path: str) -> Iterator[Block]:
    source = _source(raw, path)
    if source.get("type") == "content":  # a document made of blocks: its parts are what a model reads
        content = source.get("content")
        _only(content, f"{path}.source.content", lambda type_: type_ in _IN_DOCUMENTS)
        yield from decode_blocks(content, f"{path}.source.content")
        return
    yield _media("document", raw, source, path)


def _source(raw: json.Object, path: str) -> json.Object:
    source = raw.get("source")
    if not isinstance(source, dict):
        raise invalid(f"{path}.source", "an object")
    return source


def _media(kind: Literal["image", "document"], raw: json.Object, source: json.Object, path: str) -> Media:
    cache, name = decode_cache(raw), _optional(raw, "title")
    where = f"{path}.source"
    match source.get("type"):
        case "base64":
            mime, data = _optional(source, "media_type"), text_of(source, "data", where)
            return Media(kind, mime, data=data, name=name, cache=cache)
        case "text":
            data = base64.b64encode(text_of(source, "data", where).encode()).decode()
            return Media(kind, "text/plain", data=data, name=name, cache=cache)
        case "url":
            return Media(kind, url=text_of(source, "url", where), name=name, cache=cache)
        case "file":
            return Media(kind, file_id=text_of(source, "file_id", where), name=name, cache=cache)
        case _:
            raise invalid(f"{where}.type", "base64, url, file or text")


def _tool_use(raw: json.Object, path: str) -> Iterator[Block]:
    input_ = raw.get("input")
    if not isinstance(input_, dict):
        raise invalid(f"{path}.input", "an object")
    arguments = _as_json(input_, f"{path}.input")
    yield ToolCall(text_of(raw, "id", path), text_of(raw, "name", path), arguments, cache=decode_cache(raw))


def _tool_result(raw: json.Object, path: str) -> Iterator[Block]:
    content, where = raw.get("content"), f"{path}.content"
    _only(content, where, lambda type_: type_ != "tool_result")
    found = decode_blocks(content, where) if content is not None else iter(())
    blocks = tuple(block if isinstance(block, Text | Media) else Text(_as_text(block, where)) for block in found)
    is_error = raw.get("is_error") is True
    yield ToolResult(text_of(raw, "tool_use_id", path), blocks, is_error, decode_cache(raw))


def _only(content: object, path: str, allowed: Callable[[object], bool]) -> None:
    """Refuse blocks that may not be inside others: there is no end to how deep they could be."""
    for position, raw in enumerate(content if isinstance(content, list) else ()):
        if isinstance(raw, dict) and not allowed(raw.get("type")):
            raise invalid(f"{path}[{position}].type", "a kind of block that may be inside another")


def _as_json(value: object, path: str) -> str:
    try:
        return json.text(value)
    except Malformed:
        raise invalid(path, "nested less deeply") from None


def _as_text(block: Block, path: str) -> str:
    """A block that only this dialect has in tool results (a search result, a tool reference), for the model to read."""
    match block:
        case ServerTool(kind="search_result", raw={"content": list(content), **rest}):
            heading = " ".join(str(rest[name]) for name in ("title", "source") if isinstance(rest.get(name), str))
            parts = [part.get("text") for part in content if isinstance(part, dict)]
            return "\n".join([heading, *(part for part in parts if isinstance(part, str))])
        case ServerTool(raw=raw):
            return _as_json(raw, path)
        case _:
            return ""


def _thinking(raw: json.Object, path: str) -> Iterator[Block]:
    text, signature = text_of(raw, "thinking", path), _optional(raw, "signature")
    kept = decode_opaque("signature", signature) if signature and signature != UNSIGNED else None
    if text or kept:
        yield Reasoning(text, opaque=kept)


def _redacted(raw: json.Object, path: str) -> Iterator[Block]:
    yield Reasoning(opaque=decode_opaque("redacted", text_of(raw, "data", path)))


def decode_opaque(kind: Literal["signature", "redacted"], data: str) -> Opaque:
    """Ours, or the foreign one that was wrapped so that an Anthropic client could carry it."""
    return opaque.unwrap(data) or Opaque(NAME, kind, data)


_IN_DOCUMENTS = ("text", "image")

_READERS: dict[str, Callable[[dict[str, Any], str], Iterator[Block]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
}
