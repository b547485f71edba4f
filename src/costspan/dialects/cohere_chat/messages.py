"""A canonical conversation as Cohere's `messages`.

The system turn comes first and once (docs.cohere.com/reference/errors, read 2026-11-25: "system turn must be the first
in the list"). Beside `tool_calls` there is no text content: what the model says before it calls is its `tool_plan`
("text content is not allowed when tool_calls are provided": github.com/vercel/ai/issues/5794, read 2026-11-25).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from costspan.errors import Untranslatable
from costspan.ir.request import Media, Reasoning, Refusal, ServerTool, Text, ToolCall, ToolResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from costspan.dialects.losses import Losses
    from costspan.ir.request import Block, Message, Request
    from costspan.wire import json

# What a tool message says where the tool gave only images: they follow in a user message, the one place for them.
_SEE_BELOW: Final = "The result follows in the next user message."

_DETAILS: Final = frozenset({"auto", "low", "high"})


def write_messages(request: Request, losses: Losses, *, thinks: bool) -> list[json.Object]:
    """One of ours may be several here: each tool result is its own. `thinks`: whether earlier thinking goes along."""
    writer = _Writer(losses, thinks=thinks)
    messages = [shown for message in request.messages for shown in writer.message(message)]
    system = writer.joined(request.instructions)
    if not system:
        return messages
    if not messages:  # the model answers a user only
        losses.add("messages.system")
        return [{"role": "user", "content": system}]
    return [{"role": "system", "content": system}, *messages]


class _Writer:
    def __init__(self, losses: Losses, *, thinks: bool) -> None:
        self._losses = losses
        self._thinks = thinks

    def message(self, message: Message) -> Iterator[json.Object]:
        if message.name is not None:
            self._losses.add("messages.name")
        match message.role:
            case "assistant":
                yield from self._assistant(message.blocks)
            case "user":
                yield from self._user(message.blocks)
            case "system":
                self._losses.add("messages.system")
                text = self.joined(block for block in message.blocks if isinstance(block, Text))
                if text:
                    yield {"role": "user", "content": f"<system>\n{text}\n</system>"}
            case _:
                assert_never(message.role)

    def joined(self, texts: Iterable[Text]) -> str:
        return "\n\n".join(self._text(text) for text in texts)

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
                return [_said(self._text(part)) if isinstance(part, Text) else self._image(part) for part in content]

    def _image(self, media: Media) -> json.Object:
        """Images are the only media: by URL, or inline as a `data:` URL."""
        self._unmarked(media)
        url = media.url or (f"data:{media.mime or 'image/png'};base64,{media.data}" if media.data else None)
        if media.kind != "image" or url is None:
            how = "by id" if media.file_id else "by URL" if media.url else "inline"
            raise Untranslatable(f"the target cannot be sent {media.kind} {how}", param="messages.content")
        image: json.Object = {"url": url}
        if media.detail in _DETAILS:
            image["detail"] = media.detail
        elif media.detail is not None:
            self._losses.add("image_url.detail")
        return {"type": "image_url", "image_url": image}

    def _tool_result(self, result: ToolResult) -> json.Object:
        self._unmarked(result)
        if result.is_error:
            self._losses.add("tool_result.is_error")
        texts = [block for block in result.blocks if isinstance(block, Text)]
        content = self._content(texts) if texts else _SEE_BELOW if result.blocks else ""
        return {"role": "tool", "tool_call_id": result.call_id, "content": content}

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
        return {"id": call.id, "type": "function", "function": function}

    def _thought(self, thought: Reasoning) -> Iterator[json.Object]:
        """Cohere seals no thinking, so whatever is sealed is another's: its text goes along, its seal does not."""
        if thought.opaque is not None or not self._thinks:
            self._losses.add("messages.reasoning")
        if thought.text and self._thinks:
            yield {"type": "thinking", "thinking": thought.text}


def _message(thoughts: list[json.Object], text: str, calls: list[json.Object]) -> json.Object:
    """What an assistant's message holds beside its role."""
    if calls:
        said: json.Object = {"content": thoughts} if thoughts else {}
        return said | ({"tool_plan": text} if text else {}) | {"tool_calls": calls}
    return {"content": [*thoughts, _said(text)] if thoughts else text}


def _said(text: str) -> json.Object:
    return {"type": "text", "text": text}
