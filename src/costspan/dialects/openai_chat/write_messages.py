"""A canonical conversation as `messages`, for an upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from costspan.dialects.openai_chat import reasoning
from costspan.dialects.openai_chat.cache import breakpoint_of, cache_control
from costspan.dialects.openai_chat.media import write_media
from costspan.dialects.openai_chat.tool_ids import tool_id
from costspan.dialects.openai_chat.vocabulary import (
    ACCEPTS_CACHE_CONTROL,
    ACCEPTS_FILE_URLS,
    ACCEPTS_REASONING,
    ACCEPTS_REASONING_CONTENT,
    NAME,
)
from costspan.errors import Untranslatable
from costspan.ir.request import Media, Reasoning, Refusal, ServerTool, Text, ToolCall, ToolResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from costspan.ir.request import Block, Cache, Message, Opaque, Request
    from costspan.wire import json

# What a tool message says where the tool gave only images: they follow in a user message, the one place for them.
_SEE_BELOW = "The result follows in the next user message."


class Writer:
    """Writes one request's messages. `losses` names what they could not carry, each once.

    `breakpoints`: whether the model takes OpenAI's markers of the cache.
    """

    def __init__(self, quirks: frozenset[str], *, breakpoints: bool = False) -> None:
        self.losses: dict[str, None] = {}
        self._quirks = quirks
        self._marks = breakpoints or ACCEPTS_CACHE_CONTROL in quirks

    def messages(self, request: Request) -> Iterator[json.Object]:
        """One of ours may be several here: each tool result is its own."""
        if request.instructions:
            yield {"role": "system", "content": self._joined(request.instructions)}
        for message in request.messages:
            match message.role:
                case "assistant":
                    yield from self._assistant(message)
                case "system":
                    texts = [block for block in message.blocks if isinstance(block, Text)]
                    yield {"role": "system", "content": self._joined(texts)}
                case "user":
                    yield from self._user(message)
                case _:
                    assert_never(message.role)

    def cached_tool(self, tool: json.Object, cache: Cache | None) -> json.Object:
        """`tool` with its cache marker, where the host knows such; OpenAI does on parts of content only."""
        if cache is not None and ACCEPTS_CACHE_CONTROL in self._quirks:
            return tool | cache_control(cache)
        return self._unmarked(tool, cache)

    def _cached(self, part: json.Object, cache: Cache | None) -> json.Object:
        """`part` with its cache marker, where the host or the model knows such."""
        if cache is None or not self._marks:
            return self._unmarked(part, cache)
        return part | (cache_control(cache) if ACCEPTS_CACHE_CONTROL in self._quirks else breakpoint_of(cache))

    def _unmarked(self, holder: json.Object, cache: Cache | None) -> json.Object:
        if cache is not None:
            self._lose("cache_control")
        return holder

    def _lose(self, name: str) -> None:
        self.losses[name] = None

    def _joined(self, texts: Sequence[Text]) -> str | list[json.Object]:
        """One string, because chat templates of open models take no more; parts only to carry cache markers."""
        if self._marks and any(text.cache for text in texts):
            return [self._text(text) for text in texts]
        for text in texts:
            self._unmarked({}, text.cache)
        return "\n\n".join(text.text for text in texts)

    def _text(self, text: Text) -> json.Object:
        return self._cached({"type": "text", "text": text.text}, text.cache)

    def _media(self, media: Media) -> json.Object:
        part = write_media(media, file_urls=ACCEPTS_FILE_URLS in self._quirks)
        return self._cached(part, media.cache)

    def _user(self, message: Message) -> Iterator[json.Object]:
        """Tool results first: they have to follow their calls at once."""
        content: list[Text | Media] = []
        for block in message.blocks:
            match block:
                case ToolResult():
                    yield self._tool_result(block)
                    content += (part for part in block.blocks if isinstance(part, Media))
                case Text() | Media():
                    content.append(block)
                case ServerTool():
                    self._lose("messages.server_tool")
                case ToolCall() | Reasoning() | Refusal():
                    raise Untranslatable("only the assistant calls tools or reasons", param="messages.content")
                case _:
                    assert_never(block)
        if content:
            yield _named({"role": "user", "content": self._content(content)}, message.name)

    def _content(self, content: Sequence[Text | Media]) -> str | list[json.Object]:
        match content:
            case [Text(cache=None) as text]:
                return text.text
            case _:
                return [self._text(part) if isinstance(part, Text) else self._media(part) for part in content]

    def _tool_result(self, result: ToolResult) -> json.Object:
        if result.is_error:
            self._lose("tool_result.is_error")
        texts = [block for block in result.blocks if isinstance(block, Text)]
        content: str | list[json.Object] = self._content(texts) if texts else ""
        if not texts and result.blocks:
            content = _SEE_BELOW
        message: json.Object = {"role": "tool", "tool_call_id": tool_id(result.call_id, self._quirks)}
        return message | {"content": self._marked(content, result.cache)}

    def _marked(self, content: str | list[json.Object], cache: Cache | None) -> str | list[json.Object]:
        """The marker of a whole message is that of its last part."""
        if cache is None or not self._marks:
            self._unmarked({}, cache)
            return content
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        return [*parts[:-1], self._cached(parts[-1], cache)]

    def _assistant(self, message: Message) -> Iterator[json.Object]:
        blocks = message.blocks
        said = [block for block in blocks if isinstance(block, Text)]
        refusals = [block.text for block in blocks if isinstance(block, Refusal)]
        calls = [block for block in blocks if isinstance(block, ToolCall)]
        sealed = [block for block in blocks if isinstance(block, Text | ToolCall) and block.opaque is not None]
        thoughts = [block for block in blocks if isinstance(block, Reasoning)]
        written: json.Object = {"content": self._said(said)} if said else {}
        for block in blocks:
            self._check_said(block)
        if refusals:
            written["refusal"] = "".join(refusals)
        if calls:
            written["tool_calls"] = [self._call(call) for call in calls]
        if written:  # reasoning alone is no message
            shown = {"role": "assistant", "content": None} | written | self._reasoning(thoughts, sealed)
            yield _named(shown, message.name)

    def _check_said(self, block: Block) -> None:
        match block:
            case ServerTool():
                self._lose("messages.server_tool")
            case Media() | ToolResult():
                raise Untranslatable("the target takes only text from the assistant", param="messages.content")
            case Text() | Refusal() | ToolCall() | Reasoning():
                pass
            case _:
                assert_never(block)

    def _said(self, texts: Sequence[Text]) -> str | list[json.Object]:
        """One string, for the same reason as in `_joined`."""
        if any(text.citations for text in texts):
            self._lose("citations")
        if self._marks and any(text.cache for text in texts):
            return [self._text(text) for text in texts]
        for text in texts:
            self._unmarked({}, text.cache)
        return "".join(text.text for text in texts)

    def _call(self, call: ToolCall) -> json.Object:
        if call.cache is not None:  # no host has a place for it
            self._lose("cache_control")
        return {
            "id": tool_id(call.id, self._quirks),
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments or "{}"},
        }

    def _reasoning(self, thoughts: Sequence[Reasoning], sealed: Sequence[Text | ToolCall]) -> json.Object:
        """Earlier thinking, and what seals a text or a call, where the host takes it back.

        Others answer 400 to it, Groq for one: github.com/janhq/jan/issues/8136, read 2026-11-23.
        """
        if not thoughts and not sealed:
            return {}
        text = "".join(thought.text for thought in thoughts)
        if ACCEPTS_REASONING in self._quirks:
            details = [item for number, thought in enumerate(thoughts) for item in self._items(thought, number)]
            details += [
                reasoning.sealed_item(
                    block.opaque, len(details) + number, block.id if isinstance(block, ToolCall) else None
                )
                for number, block in enumerate(sealed)
                if block.opaque is not None and self._is_native(block.opaque)
            ]
            shown: json.Object = {"reasoning": text} if text else {}
            return shown | {"reasoning_details": details} if details else shown
        self._lose("messages.reasoning_details" if not text or self._takes_text() else "messages.reasoning")
        return {"reasoning_content": text} if text and self._takes_text() else {}

    def _takes_text(self) -> bool:
        return ACCEPTS_REASONING_CONTENT in self._quirks

    def _items(self, thought: Reasoning, number: int) -> list[json.Object]:
        if thought.opaque is not None and not self._is_native(thought.opaque):
            thought = Reasoning(thought.text, thought.summary)
        return reasoning.items(thought, number)

    def _is_native(self, opaque: Opaque) -> bool:
        """Another dialect's opaque part means nothing to this target."""
        if opaque.origin == NAME:
            return True
        self._lose("messages.reasoning_details")
        return False


def _named(message: json.Object, name: str | None) -> json.Object:
    return message if name is None else message | {"name": name}
