"""Content blocks, to the wire, as requests hold them."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, assert_never

from costspan.dialects.anthropic_messages.vocabulary import NAME, call_id
from costspan.errors import Malformed, Untranslatable
from costspan.ir import opaque
from costspan.ir.request import Media, Opaque, Reasoning, Refusal, ServerTool, Text, ToolCall, ToolResult
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from costspan.dialects.losses import Losses
    from costspan.ir.request import Block, Cache


# `anthropic.types.Base64ImageSourceParam` 2.12.0, read 2026-11-23.
_IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
# Ids of uploads: OpenAI's and Google's begin so, Anthropic's with `file_`.
_FOREIGN_FILES = ("file-", "https://", "gs://", "files/")


def encode_blocks(blocks: Iterable[Block], losses: Losses) -> Iterator[json.Object]:
    """Each block as this dialect's object. The API refuses text that is empty or blank, so that is left out."""
    for block in blocks:
        encoded = _encode_block(block, losses)
        if encoded is not None:
            yield encoded


def _encode_block(block: Block, losses: Losses) -> json.Object | None:
    match block:
        case Text():
            return _text(block, losses)
        case Media():
            return _media(block, losses)
        case ToolCall():
            return _tool_use(block, losses)
        case ToolResult():
            return _tool_result(block, losses)
        case Reasoning():
            return _reasoning(block, losses)
        case Refusal():
            return _text(Text(block.text), losses)
        case ServerTool():
            return _server_tool(block, losses)
        case _:
            assert_never(block)


def simplest(blocks: list[json.Object]) -> str | list[json.Object]:
    """Plain text as a string, anything else as the list of blocks."""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        text = blocks[0]["text"]
        if isinstance(text, str):
            return text
    return blocks


def arguments_object(arguments: str) -> json.Fragment | None:
    """The text of a call's arguments as an object, its numbers as written; None when it is no object."""
    if not arguments.strip():
        return json.Fragment(b"{}")
    try:
        json.loads_object(arguments)
    except Malformed:
        return None
    return json.Fragment(arguments.encode())


def wrapped_arguments(arguments: str) -> str:
    """An object around arguments that are none."""
    return json.text({"arguments": arguments})


def encode_cache(cache: Cache) -> json.Object:
    """A `cache_control`."""
    return {"type": "ephemeral", "ttl": cache.ttl} if cache.ttl else {"type": "ephemeral"}


def _cached(raw: json.Object, cache: Cache | None) -> json.Object:
    return raw if cache is None else {**raw, "cache_control": encode_cache(cache)}


def _text(block: Text, losses: Losses) -> json.Object | None:
    _note_seal(block.opaque, losses)
    if not block.text.strip():
        return None
    raw: json.Object = {"type": "text", "text": block.text}
    own = [citation.raw for citation in block.citations if citation.origin == NAME and citation.raw]
    if len(own) < len(block.citations):  # the API checks them against results that only it has seen
        losses.add("messages.annotations")
    if own:
        raw["citations"] = own
    return _cached(raw, block.cache)


def _media(block: Media, losses: Losses) -> json.Object:
    if block.kind not in {"image", "document"}:
        raise Untranslatable(f"{block.kind} input has no form in {NAME}", param="messages")
    if block.detail not in {None, "auto"}:
        losses.add("image_url.detail")
    raw: json.Object = {"type": block.kind, "source": _source(block)}
    if block.name and block.kind == "document":
        raw["title"] = block.name
    return _cached(raw, block.cache)


def _source(block: Media) -> json.Object:
    if block.url is not None:
        return {"type": "url", "url": block.url}
    if block.file_id is not None:
        if block.file_id.startswith(_FOREIGN_FILES):
            raise Untranslatable(f"a file of another provider cannot be read in {NAME}", param="messages.file")
        return {"type": "file", "file_id": block.file_id}
    data, mime = block.data or "", block.mime
    if block.kind == "image":
        return {"type": "base64", "media_type": _image_type(mime), "data": data}
    if mime is None or mime == "application/pdf":
        return {"type": "base64", "media_type": "application/pdf", "data": data}
    if not mime.startswith("text/"):
        raise Untranslatable(f"documents must be PDF or text in {NAME}", param="messages")
    try:
        text = base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        raise Untranslatable("a text document must be base64 of UTF-8", param="messages") from None
    return {"type": "text", "media_type": "text/plain", "data": text}


def _image_type(mime: str | None) -> str:
    """The type of an image as the API spells it. Raises `Untranslatable` for one that it does not read."""
    plain = (mime or "image/png").lower()
    if plain == "image/jpg":
        return "image/jpeg"
    if plain not in _IMAGE_TYPES:
        raise Untranslatable(f"images must be JPEG, PNG, GIF or WebP in {NAME}", param="messages.image")
    return plain


def _tool_use(block: ToolCall, losses: Losses) -> json.Object:
    _note_seal(block.opaque, losses)
    input_ = arguments_object(block.arguments)
    if input_ is None:
        losses.add("tool_calls.arguments")
        input_ = json.Fragment(wrapped_arguments(block.arguments).encode())
    return _cached({"type": "tool_use", "id": call_id(block.id), "name": block.name, "input": input_}, block.cache)


def _server_tool(block: ServerTool, losses: Losses) -> json.Object | None:
    if block.origin == NAME and isinstance(block.raw, dict):
        return block.raw
    losses.add(block.kind)
    return None


def _tool_result(block: ToolResult, losses: Losses) -> json.Object:
    raw: json.Object = {"type": "tool_result", "tool_use_id": call_id(block.call_id)}
    content = list(encode_blocks(block.blocks, losses))
    if content:
        raw["content"] = simplest(content)
    if block.is_error:
        raw["is_error"] = True
    return _cached(raw, block.cache)


def _reasoning(block: Reasoning, losses: Losses) -> json.Object | None:
    """Only what this dialect's models signed goes back to them."""
    own = _own(block.opaque)
    if own is None:
        losses.add("reasoning")
        return None
    if own.kind == "redacted":
        return {"type": "redacted_thinking", "data": own.data}
    return {"type": "thinking", "thinking": block.text, "signature": own.data}


def _note_seal(kept: Opaque | None, losses: Losses) -> None:
    """What another provider sealed a text or a call with means nothing here."""
    if kept is not None:
        losses.add("reasoning")


def _own(kept: Opaque | None) -> Opaque | None:
    if kept is None or kept.origin == NAME:
        return kept
    carried = opaque.unwrap(kept.data)
    return carried if carried is not None and carried.origin == NAME else None
