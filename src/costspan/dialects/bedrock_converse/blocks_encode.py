"""Content blocks, to the wire, as requests hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from costspan.dialects.bedrock_converse.media import Documents, encode_media
from costspan.dialects.bedrock_converse.vocabulary import NAME, call_id, is_tool_name
from costspan.errors import Malformed, Untranslatable
from costspan.ir import opaque
from costspan.ir.request import Media, Reasoning, Refusal, ServerTool, Text, ToolCall, ToolResult
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costspan.dialects.bedrock_converse.models import Traits
    from costspan.dialects.losses import Losses
    from costspan.ir.request import Block, Cache, Opaque

Group = list[dict[str, object]]
"""A block and the cache point that follows it."""

# The API refuses results without content, and blank text in them.
_NO_OUTPUT: Final = "(no output)"


class BlockEncoder:
    """Writes the blocks of one request: names of documents are unique in it."""

    def __init__(self, traits: Traits, losses: Losses) -> None:
        self._traits = traits
        self._losses = losses
        self._documents = Documents()

    def groups(self, blocks: Iterable[Block]) -> list[Group]:
        """Each block as this dialect's object. The API refuses text that is empty or blank, so that is left out."""
        return [group for block in blocks if (group := self._group(block))]

    def cache_point(self, cache: Cache | None, *, allowed: bool) -> Group:
        """What marks the end of a prefix to cache, where the model can."""
        if cache is None:
            return []
        if not allowed:
            self._losses.add("cache_control")
            return []
        point: json.Object = {"type": "default"}
        if cache.ttl == "5m" or (cache.ttl == "1h" and self._traits.caches_for_an_hour):
            point["ttl"] = cache.ttl
        elif cache.ttl is not None:
            self._losses.add("cache_control.ttl")
        return [{"cachePoint": point}]

    def _group(self, block: Block) -> Group:
        encoded = self._block(block)
        if encoded is None:
            return []
        return [encoded, *self.cache_point(_cache_of(block), allowed=self._traits.caches)]

    def _block(self, block: Block) -> json.Object | None:
        match block:
            case Text():
                return self._text(block)
            case Media():
                return encode_media(block, self._documents, self._losses)
            case ToolCall():
                return self._tool_use(block)
            case ToolResult():
                return self._tool_result(block)
            case Reasoning():
                return self._reasoning(block)
            case Refusal(text):
                return {"text": text} if text.strip() else None
            case ServerTool():
                return self._server_tool(block)
            case _:
                assert_never(block)

    def _text(self, block: Text) -> json.Object | None:
        if block.opaque is not None:
            self._losses.add("messages.reasoning")
        if not block.text.strip():
            if block.cache is not None:
                self._losses.add("cache_control")
            return None
        own = [citation.raw for citation in block.citations if citation.origin == NAME and citation.raw]
        if len(own) < len(block.citations):
            self._losses.add("messages.annotations")
        if own:
            return {"citationsContent": {"content": [{"text": block.text}], "citations": own}}
        return {"text": block.text}

    def _tool_use(self, block: ToolCall) -> json.Object:
        if block.opaque is not None:
            self._losses.add("messages.reasoning")
        if not is_tool_name(block.name):  # the API reads all calls again, whoever made them
            raise Untranslatable(f"{NAME} cannot be told of a call with such a name", param="messages.tool_calls")
        arguments = _object(block.arguments)
        if arguments is None:
            self._losses.add("tool_calls.arguments")
            arguments = json.Fragment(json.dumps({"arguments": block.arguments}))
        return {"toolUse": {"toolUseId": call_id(block.id), "name": block.name, "input": arguments}}

    def _tool_result(self, block: ToolResult) -> json.Object:
        if any(isinstance(part, Media) and part.kind == "audio" for part in block.blocks):
            raise Untranslatable(f"a tool's result holds no sound in {NAME}", param="messages.audio")
        content = [found for part in block.blocks if (found := self._part(part)) is not None]
        raw: json.Object = {"toolUseId": call_id(block.call_id), "content": content or [{"text": _NO_OUTPUT}]}
        if block.is_error and self._traits.failed_tools:
            raw["status"] = "error"
        elif block.is_error:
            self._losses.add("tool_result.is_error")
        return {"toolResult": raw}

    def _part(self, part: Text | Media) -> json.Object | None:
        """Of a tool's result: no cache points and no citations inside."""
        if part.cache is not None:
            self._losses.add("cache_control")
        if isinstance(part, Media):
            return encode_media(part, self._documents, self._losses)
        return {"text": part.text} if part.text.strip() else None

    def _reasoning(self, block: Reasoning) -> json.Object | None:
        """Only what this dialect's models signed goes back to them."""
        own = _own(block.opaque)
        if own is None:
            self._losses.add("messages.reasoning")
            return None
        if own.kind == "redacted":
            return {"reasoningContent": {"redactedContent": own.data}}
        return {"reasoningContent": {"reasoningText": {"text": block.text, "signature": own.data}}}

    def _server_tool(self, block: ServerTool) -> json.Object | None:
        if block.origin == NAME and isinstance(block.raw, dict):
            return block.raw
        self._losses.add(block.kind)
        return None


def _cache_of(block: Block) -> Cache | None:
    return block.cache if isinstance(block, Text | Media | ToolCall | ToolResult) else None


def _object(arguments: str) -> json.Fragment | None:
    """The text of a call's arguments as an object, its numbers as written; None when it is no object."""
    if not arguments.strip():
        return json.Fragment(b"{}")
    try:
        json.loads_object(arguments)
    except Malformed:
        return None
    return json.Fragment(arguments.encode())


def _own(kept: Opaque | None) -> Opaque | None:
    if kept is None or kept.origin == NAME:
        return kept
    carried = opaque.unwrap(kept.data)
    return carried if carried is not None and carried.origin == NAME else None
