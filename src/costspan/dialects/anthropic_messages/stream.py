"""The stream decoder: server-sent events in, canonical events out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.dialects.anthropic_messages.blocks_decode import decode_opaque
from costspan.dialects.anthropic_messages.citations import decode_citation
from costspan.dialects.anthropic_messages.errors import category_of, read_error
from costspan.dialects.anthropic_messages.unread import of_block
from costspan.dialects.anthropic_messages.usage import UsageReader
from costspan.dialects.anthropic_messages.vocabulary import MESSAGE_FIELDS, NAME, UNSIGNED, finish_reason
from costspan.dialects.losses import Unread, beyond
from costspan.dialects.types import PLAIN
from costspan.errors import Malformed
from costspan.ir import events
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.dialects.types import Profile
    from costspan.ir.usage import Usage
    from costspan.wire import sse

MARKERS: tuple[bytes, ...] = (b'"usage"', b'"stop_reason"', b'"error"', b"message_stop")


class _Block:
    """An open block: its kind, our number for it, what it has collected."""

    __slots__ = ("arguments", "index", "kind", "raw")

    def __init__(self, index: int, kind: events.BlockKind, raw: json.Object) -> None:
        self.index = index
        self.kind = kind
        self.raw = raw
        self.arguments: list[str] = []


class Decoder:
    """One per stream. Feed it every event (or every one with a marker) in order, then close it."""

    def __init__(self) -> None:
        self.model: str | None = None
        self.id: str | None = None
        self.ended = False
        self.usage: Usage | None = None
        self._reader = UsageReader()
        self._blocks: dict[int, _Block] = {}
        self._started = 0
        self._unread = Unread()

    def feed(self, event: sse.Event) -> Iterator[events.Event]:
        """Decode one event. Of an unknown kind only the name is told."""
        if event.data == b"[DONE]":  # some compatible hosts end every stream so, whatever its dialect
            return
        value = json.loads(event.data)
        if not isinstance(value, dict):
            return
        match value.get("type") or event.name:  # most frequent first
            case "content_block_delta" | "content_block_start" | "content_block_stop" as step:
                yield from self._block_event(step, value)
            case "message_start":
                yield from self._message_started(value)
            case "message_delta":
                yield from self._message_delta(value)
            case "message_stop":
                self.ended = True
                yield events.Ended()
            case "error":
                kind, message = read_error(value)
                yield events.Failed(message or "the provider reported an error", category_of(kind, message), kind)
            case other:
                yield from self._unknown(other)

    def _unknown(self, kind: object) -> Iterator[events.Event]:
        if isinstance(kind, str) and kind not in {"", "ping"}:
            yield from self._unread.tell((kind,))

    def close(self) -> None:
        """Raise `Malformed` unless `message_stop` came."""
        if not self.ended:
            raise Malformed("stream ended before message_stop")

    def _message_started(self, value: json.Object) -> Iterator[events.Event]:
        message = value.get("message")
        if not isinstance(message, dict):
            return
        id_, model = message.get("id"), message.get("model")
        self.id = id_ if isinstance(id_, str) else None
        self.model = model if isinstance(model, str) else None
        yield events.Started(self.id or "", self.model or "")
        yield from self._unread.tell(beyond(message, MESSAGE_FIELDS))
        yield from self._report(message.get("usage"))

    def _message_delta(self, value: json.Object) -> Iterator[events.Event]:
        yield from self._report(value.get("usage"))
        delta = value.get("delta")
        yield from self._unread.tell(beyond(value, _DELTA_EVENT_FIELDS))
        yield from self._unread.tell(beyond(delta, MESSAGE_FIELDS) if isinstance(delta, dict) else ())
        match delta:
            case {"stop_reason": str(native), "stop_sequence": str(sequence)}:
                yield events.Finished(finish_reason(native), native, sequence)
            case {"stop_reason": str(native)}:
                yield events.Finished(finish_reason(native), native)
            case _:
                pass

    def _report(self, usage: object) -> Iterator[events.Event]:
        self._reader.add(usage)
        self.usage = self._reader.usage
        if usage and self.usage:
            yield events.UsageReported(self.usage)

    def _block_event(self, step: str, value: json.Object) -> Iterator[events.Event]:
        number = value.get("index")
        if not isinstance(number, int):
            return
        if step == "content_block_start":
            yield from self._block_started(number, value.get("content_block"))
            return
        block = self._blocks.get(number)
        if block is None:
            return
        if step == "content_block_delta":
            yield from self._delta(block, value.get("delta"))
        else:
            del self._blocks[number]
            yield from _stopped(block)

    def _block_started(self, number: int, raw: object) -> Iterator[events.Event]:
        if not isinstance(raw, dict) or not isinstance(type_ := raw.get("type"), str):
            return
        kind = _KINDS.get(type_, "server_tool")
        block = _Block(self._started, kind, raw)
        self._started += 1
        self._blocks[number] = block
        if kind == "server_tool":  # its input is still to come: it starts when it is whole
            return
        yield _opening(block)
        yield from _first_content(block)
        yield from self._unread.tell(of_block(raw))

    def _delta(self, block: _Block, delta: object) -> Iterator[events.Event]:
        index = block.index
        match delta:
            case {"type": "text_delta", "text": str(text)}:
                yield events.TextDelta(index, text)
            case {"type": "input_json_delta", "partial_json": str(part)}:
                yield from _arguments(block, part)
            case {"type": "thinking_delta", "thinking": str(text)}:
                yield events.ReasoningDelta(index, text)
            case {"type": "signature_delta", "signature": str(signature)}:
                if signature != UNSIGNED:
                    yield events.OpaqueDelta(index, decode_opaque("signature", signature))
            case {"type": "citations_delta", "citation": dict(citation)}:
                yield events.CitationAdded(index, decode_citation(citation))
            case {"type": str(unknown)}:
                yield from self._unread.tell((unknown,))
            case _:
                pass


_DELTA_EVENT_FIELDS = frozenset({"type", "delta", "usage"})

_KINDS: dict[str, events.BlockKind] = {
    "text": "text",
    "thinking": "reasoning",
    "redacted_thinking": "reasoning",
    "tool_use": "tool_call",
}


def _opening(block: _Block) -> events.BlockStarted:
    raw = block.raw
    if block.kind == "tool_call":
        return events.BlockStarted(block.index, block.kind, id=_text(raw, "id"), name=_text(raw, "name"))
    if block.kind == "server_tool":
        return events.BlockStarted(block.index, block.kind, name=_text(raw, "type"), origin=NAME, raw=raw)
    return events.BlockStarted(block.index, block.kind)


def _first_content(block: _Block) -> Iterator[events.Event]:
    """What the opening already holds: nothing at Anthropic itself, at times everything elsewhere."""
    raw, index = block.raw, block.index
    if text := _text(raw, "text"):
        yield events.TextDelta(index, text)
    if thinking := _text(raw, "thinking"):
        yield events.ReasoningDelta(index, thinking)
    if signature := _text(raw, "signature"):
        yield events.OpaqueDelta(index, decode_opaque("signature", signature))
    if data := _text(raw, "data"):
        yield events.OpaqueDelta(index, decode_opaque("redacted", data))
    citations = raw.get("citations")
    for citation in citations if isinstance(citations, list) else ():
        if isinstance(citation, dict):
            yield events.CitationAdded(index, decode_citation(citation))
    if isinstance(input_ := raw.get("input"), dict) and input_:
        yield from _arguments(block, json.text(input_))


def _stopped(block: _Block) -> Iterator[events.Event]:
    if block.kind == "server_tool":
        if block.arguments:
            block.raw = {**block.raw, "input": json.loads("".join(block.arguments))}
        yield _opening(block)
    elif block.kind == "tool_call" and not block.arguments:
        yield events.ArgumentsDelta(block.index, "{}")
    yield events.BlockFinished(block.index)


def _arguments(block: _Block, part: str) -> Iterator[events.Event]:
    if part:
        block.arguments.append(part)
        if block.kind == "tool_call":
            yield events.ArgumentsDelta(block.index, part)


def _text(raw: dict[str, Any], name: str) -> str:
    value = raw.get(name)
    return value if isinstance(value, str) else ""


def new_decoder(profile: Profile = PLAIN) -> Decoder:  # noqa: ARG001 - no host of this dialect has quirks yet
    """A decoder for one upstream stream."""
    return Decoder()
