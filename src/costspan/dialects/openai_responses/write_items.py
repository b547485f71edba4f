"""A canonical conversation as `input`, for an upstream."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, assert_never

from costspan.dialects.openai_responses import sealed
from costspan.dialects.openai_responses.annotations import annotation
from costspan.dialects.openai_responses.media import write_media
from costspan.dialects.openai_responses.vocabulary import NAME, call_id
from costspan.errors import Malformed, Untranslatable
from costspan.ir.request import Media, Reasoning, Refusal, ServerTool, Text, ToolCall, ToolResult
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from costspan.ir.request import Block, Cache, Message

TTLS_OUT: Final[Mapping[str, str]] = MappingProxyType({"1h": "12h"})
"""OpenAI keeps for half an hour or for twelve; each promises at least what was asked for."""


class Writer:
    """Writes one request's items. `losses` names what they could not carry, each once."""

    def __init__(self, *, breakpoints: bool) -> None:
        self.losses: dict[str, None] = {}
        self.sealed = False
        """Whether the conversation holds sealed reasoning of this dialect."""
        self._breakpoints = breakpoints

    def items(self, messages: Sequence[Message]) -> Iterator[json.Object]:
        """Items in the order of the blocks."""
        for message in messages:
            if message.name is not None:
                self.lose("messages.name")
            match message.role:
                case "assistant":
                    yield from self._assistant(message.blocks)
                case "system":
                    texts = [block for block in message.blocks if isinstance(block, Text)]
                    yield {"role": "system", "content": self.joined(texts)}
                case "user":
                    yield from self._user(message.blocks)
                case _:
                    assert_never(message.role)

    def lose(self, name: str) -> None:
        """Note that `name` is left out."""
        self.losses[name] = None

    def joined(self, texts: Sequence[Text]) -> str:
        """Instructions, which have no parts."""
        if any(text.cache for text in texts):
            self.lose("cache_control")
        return "\n\n".join(text.text for text in texts)

    def _user(self, blocks: Sequence[Block]) -> Iterator[json.Object]:
        content: list[Text | Media] = []
        for block in blocks:
            match block:
                case Text() | Media():
                    content.append(block)
                case ToolResult():
                    yield from self._user_message(content)
                    content = []
                    yield self._result(block)
                case ServerTool():
                    yield from self._user_message(content)
                    content = []
                    yield from self._server_tool(block)
                case ToolCall() | Reasoning() | Refusal():
                    raise Untranslatable("only the assistant calls tools or reasons", param="messages.content")
                case _:
                    assert_never(block)
        yield from self._user_message(content)

    def _user_message(self, content: Sequence[Text | Media]) -> Iterator[json.Object]:
        if content:
            yield {"role": "user", "content": self._content(content)}

    def _content(self, content: Sequence[Text | Media]) -> str | list[json.Object]:
        """Plain text as a string, anything else as the list of parts."""
        parts = [self._part(part) for part in content]
        if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
            text: str = parts[0]["text"]
            return text
        return parts

    def _part(self, part: Text | Media) -> json.Object:
        shown: json.Object = {"type": "input_text", "text": part.text} if isinstance(part, Text) else write_media(part)
        if isinstance(part, Text) and part.opaque is not None:
            self.lose("messages.reasoning_details")
        return self._cached(shown, part.cache)

    def _cached(self, shown: json.Object, cache: Cache | None) -> json.Object:
        """`shown` with its cache marker, where the model knows such; else OpenAI caches as it thinks best."""
        if cache is None:
            return shown
        if not self._breakpoints:
            self.lose("cache_control")
            return shown
        marker: json.Object = {"mode": "explicit"}
        if ttl := TTLS_OUT.get(cache.ttl or ""):
            marker["ttl"] = ttl
        return shown | {"prompt_cache_breakpoint": marker}

    def _result(self, result: ToolResult) -> json.Object:
        if result.is_error:
            self.lose("tool_result.is_error")
        if result.cache is not None:
            self.lose("cache_control")
        output = self._content(result.blocks) if result.blocks else ""
        return {"type": "function_call_output", "call_id": call_id(result.call_id), "output": output}

    def _assistant(self, blocks: Sequence[Block]) -> Iterator[json.Object]:
        said: list[Text | Refusal] = []
        for before, block, after in zip((None, *blocks), blocks, (*blocks[1:], None), strict=False):
            if said and not _goes_with(said, block):
                yield self._message(said)
                said = []
            if isinstance(block, Text | Refusal):
                said.append(block)
            elif isinstance(block, Reasoning):
                if not _is_summary_of(block, after):
                    yield from self._reasoning(block, before if _is_summary_of(before, block) else None)
            else:
                yield from self._item(block)
        if said:
            yield self._message(said)

    def _item(self, block: ToolCall | ServerTool | Media | ToolResult) -> Iterator[json.Object]:
        match block:
            case ToolCall():
                yield self._call(block)
            case ServerTool():
                yield from self._server_tool(block)
            case Media() | ToolResult():
                raise Untranslatable("the target takes only text from the assistant", param="messages.content")
            case _:
                assert_never(block)

    def _message(self, said: Sequence[Text | Refusal]) -> json.Object:
        """Without an id: one that the server does not know would be looked up."""
        parts = [self._said(block) for block in said]
        content: str | list[json.Object] = parts
        if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
            content = parts[0]["text"]
        phase = next((_phase(block) for block in said if isinstance(block, Text)), None)
        return {"role": "assistant", "content": content} | ({"phase": phase} if phase else {})

    def _said(self, block: Text | Refusal) -> json.Object:
        if isinstance(block, Refusal):
            return {"type": "refusal", "refusal": block.text}
        if block.cache is not None:
            self.lose("cache_control")
        if block.opaque is not None and block.opaque.origin != NAME:
            self.lose("messages.reasoning_details")
        cited = [annotation(citation, len(block.text), self._lose_citation) for citation in block.citations]
        annotations = [shown for shown in cited if shown is not None]
        return {"type": "output_text", "text": block.text} | ({"annotations": annotations} if annotations else {})

    def _lose_citation(self, _: str) -> None:
        self.lose("messages.annotations")

    def _call(self, call: ToolCall) -> json.Object:
        if call.cache is not None:
            self.lose("cache_control")
        if call.opaque is not None:
            self.lose("messages.reasoning_details")
        return {
            "type": "function_call",
            "call_id": call_id(call.id),
            "name": call.name,
            "arguments": call.arguments or "{}",
        }

    def _server_tool(self, block: ServerTool) -> Iterator[json.Object]:
        if block.origin == NAME and isinstance(block.raw, dict):
            yield block.raw
        else:
            self.lose("messages.server_tool")

    def _reasoning(self, block: Reasoning, summary: Block | None) -> Iterator[json.Object]:
        """Only what this dialect's models sealed goes back to them."""
        kept = sealed.native(block.opaque)
        if kept is None:
            self.lose("messages.reasoning" if block.text else "messages.reasoning_details")
            return
        self.sealed = True
        shown = summary if kept.in_full else block
        parts = [{"type": "summary_text", "text": shown.text}] if isinstance(shown, Reasoning) and shown.text else []
        item: json.Object = {"type": "reasoning", **kept.fields, "summary": parts}
        if block.text and kept.in_full:
            item["content"] = [{"type": "reasoning_text", "text": block.text}]
        yield item


def _is_summary_of(summary: Block | None, block: Block | None) -> bool:
    """Whether both are of one item, which shows its reasoning besides."""
    if not (isinstance(summary, Reasoning) and isinstance(block, Reasoning)):
        return False
    kept = sealed.native(block.opaque)
    return summary.opaque is None and kept is not None and kept.in_full


def _goes_with(said: Sequence[Text | Refusal], block: Block) -> bool:
    """Whether `block` is of the same message."""
    if not isinstance(block, Text):
        return isinstance(block, Refusal)
    return all(_phase(before) == _phase(block) for before in said if isinstance(before, Text))


def _phase(block: Text) -> str | None:
    """The label under which its model said a text."""
    kept = block.opaque
    if kept is None or kept.origin != NAME:
        return None
    try:
        value = json.loads_object(kept.data).get("phase")
    except Malformed:
        return None
    return value if isinstance(value, str) else None
