"""The stream decoder: events of ConverseStream, made into server-sent ones by `wire.event_stream`, in; ours out."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from costspan.dialects.bedrock_converse.blocks_decode import SERVER_SIDE, decode_citation, text_at, unread_of
from costspan.dialects.bedrock_converse.errors import category_of, is_exception, read_error
from costspan.dialects.bedrock_converse.reply import routed_model, stop_sequence_of, unread_beside
from costspan.dialects.bedrock_converse.usage import read_usage
from costspan.dialects.bedrock_converse.vocabulary import EVENT_FIELDS, NAME, finish_reason
from costspan.dialects.losses import Unread
from costspan.dialects.types import PLAIN
from costspan.errors import Malformed
from costspan.ir import events
from costspan.ir.request import Media, Opaque
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.dialects.types import Profile
    from costspan.ir.usage import Usage
    from costspan.wire import sse

MARKERS: tuple[bytes, ...] = (b'"usage"', b'"stopReason"', b'"message"')
"""The last is of exceptions, which only their event's name tells apart; it stands in no text, where quotes are escaped.
"""


class _Block:
    """An open block: our number for it, its kind, what it has collected."""

    __slots__ = ("called", "image", "index", "kind", "parts")

    def __init__(self, index: int, kind: events.BlockKind) -> None:
        self.index = index
        self.kind = kind
        self.called = False
        """Whether arguments have come."""
        self.image = ""
        self.parts: list[str] = []


class Decoder:
    """One per stream. Feed it every event (or every one with a marker) in order, then close it."""

    def __init__(self) -> None:
        self.model: str | None = None
        self.id: str | None = None
        self.ended = False
        self.usage: Usage | None = None
        self._blocks: dict[int, _Block] = {}
        self._started = 0
        self._stopped = False
        self._unread = Unread()

    def feed(self, event: sse.Event) -> Iterator[events.Event]:
        """Decode one event. Of an unknown kind only the name is told."""
        value = json.loads(event.data)
        if not isinstance(value, dict):
            return
        match event.name:  # most frequent first
            case "contentBlockDelta":
                yield from self._delta(value)
            case "contentBlockStart":
                yield from self._block_started(value)
            case "contentBlockStop":
                yield from self._block_stopped(value)
            case "messageStart":
                yield events.Started("", "")
            case "messageStop":
                yield from self._message_stopped(value)
            case "metadata":
                yield from self._metadata(value)
            case other:
                yield from self._other(other, value)

    def close(self) -> None:
        """Raise `Malformed` unless the message's end and `metadata` came."""
        if not self.ended:
            raise Malformed("stream ended before metadata" if self._stopped else "stream ended before messageStop")

    def _other(self, name: str, value: json.Object) -> Iterator[events.Event]:
        if is_exception(name):
            message = read_error(value)[1]
            yield events.Failed(message or "the provider reported an error", category_of(name, message), name)
        elif name:
            yield from self._unread.tell((name,))

    def _message_stopped(self, value: json.Object) -> Iterator[events.Event]:
        self._stopped = True
        for block in [*self._blocks.values()]:  # should their ends not have come
            yield from self._closed(block)
        self._blocks.clear()
        yield from self._unread.tell(unread_beside(value, EVENT_FIELDS))
        if native := text_at(value, "stopReason"):
            yield events.Finished(finish_reason(native), native, stop_sequence_of(value))
        if self.usage is not None:
            yield from self._end()

    def _metadata(self, value: json.Object) -> Iterator[events.Event]:
        self.model = routed_model(value) or None
        usage = read_usage(value)
        yield from self._unread.tell(unread_beside(value, EVENT_FIELDS))
        if usage is not None:
            self.usage = usage
            yield events.UsageReported(usage)
        if self._stopped:
            yield from self._end()

    def _end(self) -> Iterator[events.Event]:
        """Once: AWS sends `metadata` last, proxies need not."""
        if not self.ended:
            self.ended = True
            yield events.Ended()

    def _block_started(self, value: json.Object) -> Iterator[events.Event]:
        number, start = value.get("contentBlockIndex"), value.get("start")
        if not isinstance(number, int) or not isinstance(start, dict):
            return
        match start:
            case {"toolUse": {"toolUseId": str(id_), "name": str(name)} as use} if use.get("type") != SERVER_SIDE:
                block = self._open(number, "tool_call")
                yield events.BlockStarted(block.index, "tool_call", id=id_, name=name)
            case {"image": {"format": str(format_)}}:
                self._open(number, "media").image = format_
            case _ if start:
                block, kind = self._open(number, "server_tool"), next(iter(start))
                yield events.BlockStarted(block.index, "server_tool", name=kind, origin=NAME, raw=start)
            case _:
                pass
        yield from self._unread.tell(unread_of(start))

    def _open(self, number: int, kind: events.BlockKind) -> _Block:
        block = self._blocks[number] = _Block(self._started, kind)
        self._started += 1
        return block

    def _delta(self, value: json.Object) -> Iterator[events.Event]:
        number, delta = value.get("contentBlockIndex"), value.get("delta")
        if not isinstance(number, int) or not isinstance(delta, dict):
            return
        block = self._blocks.get(number)
        if block is None:  # text and thinking begin without a word
            kind: events.BlockKind = "reasoning" if "reasoningContent" in delta else "text"
            if not _begins(delta):
                yield from self._unread.tell(delta)
                return
            block = self._open(number, kind)
            yield events.BlockStarted(block.index, kind)
        yield from self._content(block, delta)

    def _content(self, block: _Block, delta: json.Object) -> Iterator[events.Event]:
        match delta:
            case {"text": str(text)} if block.kind == "text":
                yield events.TextDelta(block.index, text)
            case {"toolUse": {"input": str(part)}} if block.kind == "tool_call":
                if part:
                    block.called = True
                    yield events.ArgumentsDelta(block.index, part)
            case {"reasoningContent": dict(reasoning)} if block.kind == "reasoning":
                yield from _thought(block.index, reasoning)
            case {"citation": dict(citation)} if block.kind == "text":
                yield events.CitationAdded(block.index, decode_citation(citation))
            case {"image": {"source": {"bytes": str(part)}}} if block.kind == "media":
                block.parts.append(part)
            case _ if block.kind != "server_tool":  # whose name has been told
                yield from self._unread.tell(delta)
            case _:
                pass

    def _block_stopped(self, value: json.Object) -> Iterator[events.Event]:
        number = value.get("contentBlockIndex")
        block = self._blocks.pop(number, None) if isinstance(number, int) else None
        if block is not None:
            yield from self._closed(block)

    def _closed(self, block: _Block) -> Iterator[events.Event]:
        if block.kind == "media":
            media = Media("image", f"image/{block.image}", data=_joined(block.parts))
            yield events.BlockStarted(block.index, "media", media=media)
        elif block.kind == "tool_call" and not block.called:
            yield events.ArgumentsDelta(block.index, "{}")
        yield events.BlockFinished(block.index)


def _begins(delta: dict[str, Any]) -> bool:
    return any(name in delta for name in ("text", "reasoningContent", "citation"))


def _thought(index: int, reasoning: json.Object) -> Iterator[events.Event]:
    match reasoning:
        case {"text": str(text)}:
            yield events.ReasoningDelta(index, text)
        case {"signature": str(signature)}:
            yield events.OpaqueDelta(index, Opaque(NAME, "signature", signature))
        case {"redactedContent": str(data)}:
            yield events.OpaqueDelta(index, Opaque(NAME, "redacted", data))
        case _:
            pass


def _joined(parts: list[str]) -> str:
    """Pieces of bytes, each in base64 of its own, as one."""
    if len(parts) == 1:
        return parts[0]
    try:
        return base64.b64encode(b"".join(base64.b64decode(part, validate=True) for part in parts)).decode()
    except (binascii.Error, ValueError):
        raise Malformed("an image that is not base64") from None


def new_decoder(profile: Profile = PLAIN) -> Decoder:  # noqa: ARG001 - there is one host
    """A decoder for one upstream stream."""
    return Decoder()
