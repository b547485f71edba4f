"""A canonical conversation as Mistral's `messages`: stricter than OpenAI's in order, wider in what contents may be.

Who may follow whom: Mistral's own validator (github.com/mistralai/mistral-common, protocol/instruct/validator.py), and
its API, "Unexpected role 'user' after role 'tool'"; read 2026-11-25. After a tool comes the assistant, a system message
comes at the start or after a user, and an assistant that has the last word is continued (`prefix`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from costspan.dialects.mistral_chat.vocabulary import NAME, QUIRKS
from costspan.dialects.openai_chat.tool_ids import tool_id
from costspan.errors import Untranslatable
from costspan.ir.request import Media, Reasoning, Refusal, ServerTool, Text, ToolCall, ToolResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from costspan.dialects.losses import Losses
    from costspan.ir.request import Block, Message, Request
    from costspan.wire import json

# What a tool message says where the tool gave only images: they follow in a user message, the sure place for them.
_SEE_BELOW: Final = "The result follows in the next user message."
_BRIDGE: Final = {"role": "assistant", "content": "OK."}
"""Between a tool's result and a user. An empty message of the assistant is refused."""

_DETAILS: Final = frozenset({"low", "auto", "high"})
_OPENAI_FILE: Final = ("file-", "file_")
"""How ids begin of files that OpenAI and Anthropic keep; Mistral's are UUIDs."""


def write_messages(request: Request, losses: Losses, *, thinks: bool) -> list[json.Object]:
    """One of ours may be several here: each tool result is its own. `thinks`: whether earlier thinking goes along."""
    writer = _Writer(losses, thinks=thinks)
    messages: list[json.Object] = []
    if system := writer.joined(request.instructions):
        messages.append({"role": "system", "content": system})
    for message in request.messages:
        for written in writer.message(message, messages):
            if messages and messages[-1]["role"] == "tool" and written["role"] == "user":
                losses.add("messages.role")
                messages.append(_BRIDGE)
            messages.append(written)
    if messages and messages[-1]["role"] == "assistant" and "tool_calls" not in messages[-1]:
        messages[-1] = messages[-1] | {"prefix": True}
    return messages


class _Writer:
    def __init__(self, losses: Losses, *, thinks: bool) -> None:
        self._losses = losses
        self._thinks = thinks

    def message(self, message: Message, before: Sequence[json.Object]) -> Iterator[json.Object]:
        if message.name is not None:
            self._losses.add("messages.name")
        match message.role:
            case "assistant":
                yield from self._assistant(message.blocks)
            case "user":
                yield from self._user(message.blocks)
            case "system":
                text = self.joined(block for block in message.blocks if isinstance(block, Text))
                if text:
                    yield self._instruction(text, before)
            case _:
                assert_never(message.role)

    def joined(self, texts: Iterable[Text]) -> str:
        return "\n\n".join(self._text(text) for text in texts)

    def _instruction(self, text: str, before: Sequence[json.Object]) -> json.Object:
        if not before or before[-1]["role"] in {"system", "user"}:
            return {"role": "system", "content": text}
        self._losses.add("messages.system")
        return {"role": "user", "content": f"<system>\n{text}\n</system>"}

    def _text(self, text: Text) -> str:
        self._unmarked(text)
        if text.citations:
            self._losses.add("citations")
        if text.opaque is not None:
            self._losses.add("messages.reasoning")
        return text.text

    def _unmarked(self, block: Text | Media | ToolCall | ToolResult) -> None:
        if block.cache is not None:
            self._losses.add("cache_control")

    def _user(self, blocks: Sequence[Block]) -> Iterator[json.Object]:
        """Tool results first: they have to follow their calls at once."""
        content: list[Text | Media] = []
        for block in blocks:
            match block:
                case ToolResult():
                    yield self._tool_result(block)
                    content += (part for part in block.blocks if isinstance(part, Media))
                case Text() | Media():
                    content.append(block)
                case ServerTool():
                    self._losses.add("messages.server_tool")
                case ToolCall() | Reasoning() | Refusal():
                    raise Untranslatable("only the assistant calls tools or reasons", param="messages.content")
                case _:
                    assert_never(block)
        if content:
            yield {"role": "user", "content": self._content(content)}

    def _content(self, content: Sequence[Text | Media]) -> str | list[json.Object]:
        match content:
            case [Text() as text]:
                return self._text(text)
            case _:
                return [_said(self._text(part)) if isinstance(part, Text) else self._media(part) for part in content]

    def _media(self, media: Media) -> json.Object:
        self._unmarked(media)
        match media:
            case Media(kind="image", file_id=None):
                return {"type": "image_url", "image_url": self._image(media)}
            case Media(kind="document", file_id=str(id_)) if not id_.startswith(_OPENAI_FILE):
                return {"type": "file", "file_id": id_}
            case Media(kind="document", file_id=None):
                named = {"document_name": media.name} if media.name else {}
                return {"type": "document_url", "document_url": _url(media, "application/pdf")} | named
            case Media(kind="audio", file_id=None):
                return {"type": "input_audio", "input_audio": media.url or media.data or ""}
            case _:
                how = "of another provider" if media.file_id else "by URL" if media.url else "inline"
                raise Untranslatable(f"the target cannot be sent {media.kind} {how}", param="messages.content")

    def _image(self, media: Media) -> json.Object:
        image: json.Object = {"url": _url(media, "image/png")}
        if media.detail in _DETAILS:
            image["detail"] = media.detail
        elif media.detail is not None:
            self._losses.add("image_url.detail")
        return image

    def _tool_result(self, result: ToolResult) -> json.Object:
        self._unmarked(result)
        if result.is_error:
            self._losses.add("tool_result.is_error")
        texts = [block for block in result.blocks if isinstance(block, Text)]
        content = self._content(texts) if texts else _SEE_BELOW if result.blocks else ""
        return {"role": "tool", "tool_call_id": tool_id(result.call_id, QUIRKS), "content": content}

    def _assistant(self, blocks: Sequence[Block]) -> Iterator[json.Object]:
        for block in blocks:
            self._check_said(block)
        thoughts = [part for block in blocks if isinstance(block, Reasoning) for part in self._thought(block)]
        said = (block for block in blocks if isinstance(block, Text | Refusal))
        text = "".join(self._text(block) if isinstance(block, Text) else block.text for block in said)
        calls = [self._call(block) for block in blocks if isinstance(block, ToolCall)]
        if text or calls:
            yield {"role": "assistant"} | _message(thoughts, text, calls)
        elif thoughts:  # thinking alone is no message
            self._losses.add("messages.reasoning")

    def _check_said(self, block: Block) -> None:
        match block:
            case ServerTool():
                self._losses.add("messages.server_tool")
            case Media() | ToolResult():
                raise Untranslatable("the target takes only text from the assistant", param="messages.content")
            case Text() | Refusal() | ToolCall() | Reasoning():
                pass
            case _:
                assert_never(block)

    def _call(self, call: ToolCall) -> json.Object:
        self._unmarked(call)
        if call.opaque is not None:
            self._losses.add("messages.reasoning")
        function = {"name": call.name, "arguments": call.arguments or "{}"}
        return {"id": tool_id(call.id, QUIRKS), "type": "function", "function": function}

    def _thought(self, thought: Reasoning) -> Iterator[json.Object]:
        """What another provider sealed goes along as text, without its seal."""
        own = thought.opaque is not None and thought.opaque.origin == NAME
        if not self._thinks or (thought.opaque is not None and not own):
            self._losses.add("messages.reasoning")
        if self._thinks and (thought.text or own):
            chunk: json.Object = {"type": "thinking", "thinking": [_said(thought.text)] if thought.text else []}
            yield chunk | ({"signature": thought.opaque.data} if own and thought.opaque is not None else {})


def _message(thoughts: list[json.Object], text: str, calls: list[json.Object]) -> json.Object:
    """What an assistant's message holds beside its role."""
    parts = [*thoughts, _said(text)] if text else thoughts
    said: json.Object = {"content": parts if thoughts else text} if parts else {}
    return said | {"tool_calls": calls} if calls else said


def _said(text: str) -> json.Object:
    return {"type": "text", "text": text}


def _url(media: Media, mime: str) -> str:
    """By reference, or inline as a `data:` URL (RFC 2397)."""
    return media.url or f"data:{media.mime or mime};base64,{media.data}"
