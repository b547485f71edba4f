"""Response streams: upstream events to canonical events.

Text and arguments come in deltas and once more whole, when their part and their item are done. What no delta told is
taken from there: hosts leave out deltas of short calls, annotations, or the sealed content until the item is done.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from costspan.dialects.losses import Unread
from costspan.dialects.openai_responses import sealed, unread
from costspan.dialects.openai_responses.annotations import citation
from costspan.dialects.openai_responses.errors import failure
from costspan.dialects.openai_responses.logprobs import to_chat
from costspan.dialects.openai_responses.usage import read_usage
from costspan.dialects.openai_responses.vocabulary import (
    ITEM_FIELDS,
    NAME,
    finish_reason,
    list_of,
    native_finish,
    text_of,
    type_of,
)
from costspan.dialects.types import PLAIN
from costspan.errors import Malformed
from costspan.ir import events
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from costspan.dialects.types import Profile
    from costspan.ir.events import BlockKind
    from costspan.ir.usage import Usage
    from costspan.wire import sse

MARKERS: tuple[bytes, ...] = (
    b'"response":',  # the events of the answer itself: its beginning, its end, its failure
    b'"message":',  # of an error; the type `message` of an item has no colon behind it
    b'"error":',
)

_Key: TypeAlias = tuple[int, int | str]
"""The item, and within it the part: a number of its content, `call`, `summary` or `text`."""

_SAID: Final[Mapping[str, tuple[BlockKind, str]]] = MappingProxyType(
    {"output_text": ("text", "text"), "refusal": ("refusal", "refusal")}
)
"""Parts of a message: the block they are, and where their text stands."""

_BOOKKEEPING: Final = frozenset(
    {
        "response.content_part.added",
        "response.output_text.done",
        "response.refusal.done",
        "response.function_call_arguments.done",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done",
        "response.reasoning_summary_text.done",
        "response.reasoning_text.done",
        "keepalive",
        "ping",
        "",
    }
)
"""Events that say nothing that others do not say."""


class _Part:
    """A block: its number, and what of it has been told."""

    __slots__ = ("citations", "finished", "index", "logprobs", "said", "summary")

    def __init__(self, index: int) -> None:
        self.index = index
        self.said = False
        self.finished = False
        self.citations = 0
        self.logprobs = False
        self.summary = 0
        """The part of a summary that came last."""


class Decoder:
    """One per upstream stream. Feed it every event in order, then close it."""

    def __init__(self, profile: Profile = PLAIN) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.id: str | None = None
        self.ended = False
        self._profile = profile
        self._started = False
        self._parts: dict[_Key, _Part] = {}
        self._items: set[int] = set()
        """Items that have been told of."""
        self._whole: set[int] = set()
        """Those among them that are kept whole: what comes of them piecewise is not read."""
        self._unread = Unread()

    def feed(self, event: sse.Event) -> Iterator[events.Event]:
        """Decode one event. Raises `Malformed` when its JSON cannot be read."""
        if event.data == b"[DONE]":  # some hosts end every stream so, whatever its dialect
            return
        value = json.loads(event.data)
        if not isinstance(value, dict):
            return
        kind = value.get("type") or event.name
        read = self._READERS.get(kind) if isinstance(kind, str) else None
        if read is not None:
            yield from read(self, value)
        elif kind == "error" or value.get("error"):
            yield failure(value)
        elif isinstance(kind, str) and kind not in _BOOKKEEPING and not self._is_whole(value):
            yield from self._unread.tell((kind.removeprefix("response."),))

    def close(self) -> None:
        """Raise `Malformed` if the stream stopped before its terminal event."""
        if not self.ended:
            raise Malformed("the stream ended before response.completed")

    def _is_whole(self, value: json.Object) -> bool:
        """Whether the event is of an item that is kept whole."""
        return "output_index" in value and _number(value, "output_index") in self._whole

    def _begin(self, value: json.Object) -> Iterator[events.Event]:
        response = value.get("response")
        if not isinstance(response, dict):
            return
        self.id = text_of(response.get("id")) or self.id
        self.model = text_of(response.get("model")) or self.model
        if not self._started:
            self._started = True
            created = response.get("created_at")
            created = int(created) if isinstance(created, int | float) else None
            yield events.Started(self.id or "", self.model or "", created)
        yield from self._unread.tell(unread.of_answer(response))

    def _text(self, value: json.Object) -> Iterator[events.Event]:
        yield from self._said(value, "text")
        if found := to_chat(value.get("logprobs")):
            self._parts[_place(value)].logprobs = True
            yield events.LogprobsAdded(found)

    def _refusal(self, value: json.Object) -> Iterator[events.Event]:
        yield from self._said(value, "refusal")

    def _said(self, value: json.Object, kind: BlockKind) -> Iterator[events.Event]:
        key = _place(value)
        part = self._parts.get(key)
        if part is None:
            part = self._new(key)
            yield events.BlockStarted(part.index, kind)
        delta = value.get("delta")
        if isinstance(delta, str) and delta:
            part.said = True
            yield events.TextDelta(part.index, delta)

    def _annotation(self, value: json.Object) -> Iterator[events.Event]:
        key, annotation = _place(value), value.get("annotation")
        if not isinstance(annotation, dict):
            return
        part = self._parts.get(key)
        if part is None:
            part = self._new(key)
            yield events.BlockStarted(part.index, "text")
        part.citations += 1
        yield events.CitationAdded(part.index, citation(annotation))

    def _arguments(self, value: json.Object) -> Iterator[events.Event]:
        part, delta = self._parts.get((_number(value, "output_index"), "call")), value.get("delta")
        if part is not None and isinstance(delta, str) and delta:
            part.said = True
            yield events.ArgumentsDelta(part.index, delta)

    def _summary(self, value: json.Object) -> Iterator[events.Event]:
        yield from self._thought(value, "summary", _number(value, "summary_index"))

    def _thinking(self, value: json.Object) -> Iterator[events.Event]:
        yield from self._thought(value, "text", _number(value, "content_index"))

    def _thought(self, value: json.Object, name: str, number: int) -> Iterator[events.Event]:
        delta = value.get("delta")
        if not isinstance(delta, str) or not delta:
            return
        key = (_number(value, "output_index"), name)
        part = self._parts.get(key)
        if part is None:
            part = self._new(key)
            yield events.BlockStarted(part.index, "reasoning", summary=name == "summary")
        elif part.summary != number:
            yield events.ReasoningDelta(part.index, sealed.PARAGRAPH)
        part.said, part.summary = True, number
        yield events.ReasoningDelta(part.index, delta)

    def _item_added(self, value: json.Object) -> Iterator[events.Event]:
        item, number = value.get("item"), _number(value, "output_index")
        if not isinstance(item, dict):
            return
        self._items.add(number)
        kind = type_of(item)
        if kind == "function_call":
            yield from self._call(number, item)
        elif kind not in ITEM_FIELDS:
            self._whole.add(number)

    def _call(self, number: int, item: json.Object) -> Iterator[events.Event]:
        if (number, "call") not in self._parts:
            part = self._new((number, "call"))
            id_ = text_of(item.get("call_id")) or text_of(item.get("id"))
            yield events.BlockStarted(part.index, "tool_call", id_, text_of(item.get("name")))

    def _part_done(self, value: json.Object) -> Iterator[events.Event]:
        part = value.get("part")
        if isinstance(part, dict) and type_of(part) in _SAID:
            yield from self._close_said(_place(value), part)

    def _close_said(self, key: _Key, raw: json.Object) -> Iterator[events.Event]:
        """A part of a message is whole: tell what no delta has told, and end its block."""
        kind, slot = _SAID[type_of(raw)]
        text, annotations = text_of(raw.get(slot)), list_of(raw.get("annotations"))
        part = self._parts.get(key)
        if part is None:
            if not text and not annotations:
                return
            part = self._new(key)
            yield events.BlockStarted(part.index, kind)
        if part.finished:
            return
        if text and not part.said:
            yield events.TextDelta(part.index, text)
        for annotation in annotations[part.citations :]:
            if isinstance(annotation, dict):
                yield events.CitationAdded(part.index, citation(annotation))
        if not part.logprobs and (found := to_chat(raw.get("logprobs"))):
            yield events.LogprobsAdded(found)
        yield from _finish(part)

    def _item_done(self, value: json.Object) -> Iterator[events.Event]:
        item, number = value.get("item"), _number(value, "output_index")
        if not isinstance(item, dict):
            return
        self._items.add(number)
        match type_of(item):
            case "message":
                for position, part in enumerate(list_of(item.get("content"))):
                    if isinstance(part, dict) and type_of(part) in _SAID:
                        yield from self._close_said((number, position), part)
            case "function_call":
                yield from self._call(number, item)
                yield from self._close_call(self._parts[number, "call"], item)
            case "reasoning":
                yield from self._close_reasoning(number, item)
            case kind:
                yield from self._server_tool((number, "whole"), kind, item)
        yield from self._unread.tell(unread.of_item(item))

    def _close_call(self, part: _Part, item: json.Object) -> Iterator[events.Event]:
        if not part.finished:
            if not part.said:
                yield events.ArgumentsDelta(part.index, text_of(item.get("arguments")) or "{}")
            yield from _finish(part)

    def _close_reasoning(self, number: int, item: json.Object) -> Iterator[events.Event]:
        """The last block of the item gets the sealed part."""
        found = list(sealed.blocks(item))
        for block in found:
            key: _Key = (number, "summary" if block.summary else "text")
            part = self._parts.get(key)
            if part is None:
                part = self._new(key)
                yield events.BlockStarted(part.index, "reasoning", summary=block.summary)
            if part.finished:
                continue
            if block.text and not part.said:
                yield events.ReasoningDelta(part.index, block.text)
            if block.opaque is not None:
                yield events.OpaqueDelta(part.index, block.opaque)
            yield from _finish(part)

    def _server_tool(self, key: _Key, kind: str, item: json.Object) -> Iterator[events.Event]:
        if key not in self._parts:
            part = self._new(key)
            yield events.BlockStarted(part.index, "server_tool", name=kind, origin=NAME, raw=item)
            yield from _finish(part)

    def _ended(self, value: json.Object) -> Iterator[events.Event]:
        response = value.get("response")
        if not isinstance(response, dict):
            return
        yield from self._begin(value)
        output = list_of(response.get("output"))
        if not self._items:  # a host that tells all at the end
            for number, item in enumerate(output):
                yield from self._item_done({"item": item, "output_index": number})
        for part in self._parts.values():
            if not part.finished:
                yield from _finish(part)
        yield from self._report(response)
        native = native_finish(response) or "completed"
        called = any(name == "call" for _, name in self._parts) or _calls(output)
        yield events.Finished(finish_reason(native, calls_tools=called), native)
        self.ended = True
        yield events.Ended()

    def _failed(self, value: json.Object) -> Iterator[events.Event]:
        response = value.get("response")
        response = response if isinstance(response, dict) else {}
        yield from self._report(response)
        yield failure({"error": response.get("error") or {}})

    def _report(self, response: json.Object) -> Iterator[events.Event]:
        usage = read_usage(response, self._profile)
        if usage is not None:
            self.usage = usage
            yield events.UsageReported(usage)

    def _new(self, key: _Key) -> _Part:
        self._items.add(key[0])
        part = self._parts[key] = _Part(len(self._parts))
        return part

    _READERS: ClassVar[Mapping[str, Callable[[Decoder, json.Object], Iterator[events.Event]]]] = MappingProxyType(
        {
            "response.output_text.delta": _text,
            "response.function_call_arguments.delta": _arguments,
            "response.reasoning_summary_text.delta": _summary,
            "response.reasoning_text.delta": _thinking,
            "response.refusal.delta": _refusal,
            "response.output_text.annotation.added": _annotation,
            "response.output_item.added": _item_added,
            "response.content_part.done": _part_done,
            "response.output_item.done": _item_done,
            "response.created": _begin,
            "response.in_progress": _begin,
            "response.queued": _begin,
            "response.completed": _ended,
            "response.incomplete": _ended,
            "response.failed": _failed,
        }
    )


def _finish(part: _Part) -> Iterator[events.Event]:
    part.finished = True
    yield events.BlockFinished(part.index)


def _calls(output: list[Any]) -> bool:
    return any(type_of(item) == "function_call" for item in output)


def _place(value: json.Object) -> _Key:
    return _number(value, "output_index"), _number(value, "content_index")


def _number(value: json.Object, name: str) -> int:
    number = value.get(name)
    return number if type(number) is int else 0
