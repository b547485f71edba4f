"""A canonical conversation as `contents`, for an upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from costspan.dialects.gemini_generate.media import write_media
from costspan.dialects.gemini_generate.signatures import own
from costspan.dialects.gemini_generate.vocabulary import NAME
from costspan.errors import Malformed, Untranslatable
from costspan.ir.request import Media, Reasoning, Refusal, ServerTool, Text, ToolCall, ToolResult
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from costspan.dialects.gemini_generate.models import Traits
    from costspan.dialects.losses import Losses
    from costspan.ir.request import Block, Cache, Message, Request

UNSIGNED: Final = "skip_thought_signature_validator"
"""What Google lets a function call be signed with that another model made, or whose signature is lost
(ai.google.dev/gemini-api/docs/thought-signatures, FAQ, read 2026-11-25; its own CLI sends it as it stands here)."""


def arguments_object(arguments: str) -> json.Fragment | None:
    """The text of a call's arguments as an object, its numbers as written; None when it is no object."""
    if not arguments.strip():
        return json.Fragment(b"{}")
    try:
        json.loads_object(arguments)
    except Malformed:
        return None
    return json.Fragment(arguments.encode())


def wrapped_arguments(arguments: str) -> json.Object:
    """An object around arguments that are none."""
    return {"arguments": arguments}


class Writer:
    """Writes one request's contents."""

    def __init__(self, request: Request, traits: Traits, losses: Losses) -> None:
        self._request = request
        self._traits = traits
        self._losses = losses
        self._names = {
            block.id: block.name
            for message in request.messages
            for block in message.blocks
            if isinstance(block, ToolCall)
        }
        """The function of each call, by the call's id: a function response must name it."""

    def contents(self) -> list[json.Object]:
        """Turns as the API wants them: one role never twice in a row, none empty, function responses first."""
        turns: list[tuple[str, list[json.Object]]] = []
        for message in self._request.messages:
            if message.name is not None:
                self._losses.add("messages.name")
            role = "model" if message.role == "assistant" else "user"
            parts = list(self._parts(message))
            if not parts:
                continue
            if turns and turns[-1][0] == role:
                turns[-1][1].extend(parts)
            else:
                turns.append((role, parts))
        contents = [{"role": role, "parts": sorted(parts, key=_follows)} for role, parts in turns]
        if self._traits.signs:
            self._sign(contents)
        return contents

    def instructions(self) -> list[json.Object]:
        """The parts of `systemInstruction`."""
        for text in self._request.instructions:
            self._note_cache(text.cache)
        return [{"text": text.text} for text in self._request.instructions if text.text]

    def _parts(self, message: Message) -> Iterator[json.Object]:
        match message.role:
            case "assistant":
                yield from self._said(message.blocks)
            case "user":
                for block in message.blocks:
                    yield from self._given(block)
            case "system":  # only the leading ones have a place of their own
                self._losses.add("messages.system")
                text = "\n".join(block.text for block in message.blocks if isinstance(block, Text))
                if text:
                    yield {"text": f"<system>\n{text}\n</system>"}
            case _:
                assert_never(message.role)

    def _given(self, block: Block) -> Iterator[json.Object]:
        """What the user or a tool said."""
        match block:
            case Text():
                yield from self._text(block, None)
            case Media():
                self._note_cache(block.cache)
                yield write_media(block, self._losses)
            case ToolResult():
                yield from self._result(block)
            case ServerTool():
                yield from self._server_tool(block)
            case ToolCall() | Reasoning() | Refusal():
                raise Untranslatable("only the assistant calls tools or reasons", param="messages.content")
            case _:
                assert_never(block)

    def _said(self, blocks: Sequence[Block]) -> Iterator[json.Object]:
        """What the model said. A signature that stands alone belongs to the part that follows it."""
        kept: str | None = None
        for block in blocks:
            if isinstance(block, Reasoning) and not block.text:
                yield from _alone(kept)
                self._note_foreign(block)
                kept = own(block.opaque)
                continue
            if kept is not None and not _may_be_signed(block):
                yield from _alone(kept)
                kept = None
            yield from self._own_part(block, kept)
            kept = None
        yield from _alone(kept)

    def _own_part(self, block: Block, kept: str | None) -> Iterator[json.Object]:
        match block:
            case Text():
                yield from self._text(block, kept)
            case ToolCall():
                yield self._call(block, kept)
            case Reasoning():
                yield from self._thought(block)
            case Refusal(text=text):
                yield from self._text(Text(text), kept)
            case Media():
                yield _signed(write_media(block, self._losses), kept)
            case ServerTool():
                yield from self._server_tool(block)
            case ToolResult():
                raise Untranslatable("the assistant does not answer tool calls", param="messages.content")
            case _:
                assert_never(block)

    def _text(self, block: Text, kept: str | None) -> Iterator[json.Object]:
        """Empty text only where it is signed: the API refuses it otherwise."""
        self._note_cache(block.cache)
        self._note_foreign(block)
        if block.citations:
            self._losses.add("messages.annotations")
        signature = own(block.opaque) or kept
        if block.text or signature:
            yield _signed({"text": block.text}, signature)

    def _call(self, block: ToolCall, kept: str | None) -> json.Object:
        self._note_cache(block.cache)
        self._note_foreign(block)
        arguments: json.Fragment | json.Object | None = arguments_object(block.arguments)
        if arguments is None:
            self._losses.add("tool_calls.arguments")
            arguments = wrapped_arguments(block.arguments)
        call = {"id": block.id, "name": block.name, "args": arguments}
        return _signed({"functionCall": call}, own(block.opaque) or kept)

    def _thought(self, block: Reasoning) -> Iterator[json.Object]:
        """Thoughts go back as they were shown, as Google's own SDK sends them; only its own signatures do."""
        self._note_foreign(block)
        if block.text:
            yield _signed({"text": block.text, "thought": True}, own(block.opaque))

    def _note_foreign(self, block: Text | ToolCall | Reasoning) -> None:
        if block.opaque is not None and own(block.opaque) is None:
            self._losses.add("reasoning")

    def _server_tool(self, block: ServerTool) -> Iterator[json.Object]:
        if block.origin == NAME and isinstance(block.raw, dict):
            yield block.raw
        else:
            self._losses.add("messages.server_tool")

    def _result(self, block: ToolResult) -> Iterator[json.Object]:
        """A function response, an object by definition; its media inside it where the model takes them there."""
        self._note_cache(block.cache)
        name = self._names.get(block.call_id)
        if name is None:
            raise Untranslatable("each tool result must answer a tool call", param="messages.tool_call_id")
        text = "\n".join(part.text for part in block.blocks if isinstance(part, Text))
        media = [write_media(part, self._losses) for part in block.blocks if isinstance(part, Media)]
        for part in block.blocks:
            self._note_cache(part.cache)
        response: json.Object = {
            "id": block.call_id,
            "name": name,
            "response": {"error" if block.is_error else "result": text},
        }
        if media and self._traits.signs:
            response["parts"] = media
            media = []
        yield {"functionResponse": response}
        yield from media

    def _note_cache(self, cache: Cache | None) -> None:
        if cache is not None:  # what Google caches by itself needs no marker, and `cachedContent` is another thing
            self._losses.add("cache_control")

    def _sign(self, contents: list[json.Object]) -> None:
        """Sign the first call of each step of the running turn that has none: without, the answer is a 400."""
        start = 0
        for position, content in enumerate(contents):
            if content["role"] == "user" and any("functionResponse" not in part for part in content["parts"]):
                start = position
        for content in contents[start:]:
            first = next((part for part in content["parts"] if "functionCall" in part), None)
            if first is not None and "thoughtSignature" not in first:
                first["thoughtSignature"] = UNSIGNED
                self._losses.add("reasoning")


def _follows(part: Collection[str]) -> bool:
    """Function responses come first: they have to follow their calls at once."""
    return "functionResponse" not in part


def _may_be_signed(block: Block) -> bool:
    """Whether a signature that stands before `block` can be that of its part."""
    match block:
        case Text(opaque=kept) | ToolCall(opaque=kept):
            return own(kept) is None
        case _:
            return isinstance(block, Media | Refusal)


def _signed(part: json.Object, signature: str | None) -> json.Object:
    return {**part, "thoughtSignature": signature} if signature else part


def _alone(signature: str | None) -> Iterator[json.Object]:
    """A signature with nothing to sign stands on an empty text, as Gemini's streams send it."""
    if signature:
        yield {"text": "", "thoughtSignature": signature}
