"""Cohere's chat streams: server-sent events to canonical events.

`message-end` is the last event that says something; the `[DONE]` that follows it today is not waited for, since it did
not before (the SDK needs neither: cohere 7.3.1, v2/raw_client.py). Contents and calls are numbered apart. A block ends
when the next one begins, not at its `content-end`: citations may still come for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.cohere_chat.reply import items_of, read_call, read_citation, read_logprobs, read_usage, text_of
from costspan.dialects.cohere_chat.vocabulary import END_FIELDS, FINISH, GAVE_UP
from costspan.dialects.losses import Unread, beyond
from costspan.dialects.types import PLAIN
from costspan.errors import Category, Malformed
from costspan.ir import events
from costspan.ir.reply import FinishReason
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.dialects.types import Profile
    from costspan.ir.usage import Usage
    from costspan.wire import sse

MARKERS: tuple[bytes, ...] = (b"message-end",)

_DONE: Final = b"[DONE]"
_SILENT: Final = frozenset({"content-end", "citation-end", "debug"})
"""They tell nothing, or (`debug`) what was asked."""


class Decoder:
    """One per upstream stream. Feed it every event in order, then close it."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.id: str | None = None
        self.ended = False
        self._count = 0
        self._open: int | None = None
        """The block that is being said; calls are apart."""
        self._contents: dict[int, int] = {}
        """Our block by the wire's content index."""
        self._kinds: dict[int, str] = {}
        self._plan: int | None = None
        self._calls: dict[int, int] = {}
        """Open calls by the wire's index."""
        self._filled: set[int] = set()
        """Calls with arguments."""
        self._unread = Unread()

    def feed(self, event: sse.Event) -> Iterator[events.Event]:
        """Decode one event. Raises `Malformed` when its JSON cannot be read. Of an unknown kind the name is told."""
        if event.data.strip() == _DONE:
            return
        value = json.loads(event.data)
        if not isinstance(value, dict):
            return
        kind = text_of(value.get("type")) or event.name
        if kind in {"content-delta", "content-start"}:  # nearly every event of an answer
            yield from self._content(kind, value)
        elif kind in {"message-start", "message-end"}:
            yield from self._start_or_end(kind, value)
        else:
            yield from self._step(kind, value)

    def close(self) -> None:
        """Raise `Malformed` unless `message-end` came."""
        if not self.ended:
            raise Malformed("the stream ended before message-end")

    def _start_or_end(self, kind: str, value: json.Object) -> Iterator[events.Event]:
        if kind == "message-end":
            yield from self._end(value.get("delta"))
            return
        self.id = text_of(value.get("id")) or None
        yield events.Started(self.id or "", "")

    def _step(self, kind: str, value: json.Object) -> Iterator[events.Event]:
        message, index = _message(value), _index(value)
        match kind:
            case "tool-call-delta":
                yield from self._arguments(index, message.get("tool_calls"))
            case "tool-plan-delta":
                yield from self._planned(text_of(message.get("tool_plan")))
            case "tool-call-start":
                yield from self._call(index, message.get("tool_calls"))
            case "tool-call-end":
                yield from self._call_ended(index)
            case "citation-start":
                yield from self._cited(message.get("citations"))
            case _:
                yield from self._other(kind, value)

    def _content(self, kind: str, value: json.Object) -> Iterator[events.Event]:
        content = _message(value).get("content")
        if not isinstance(content, dict):
            return
        text, thinking, index = text_of(content.get("text")), text_of(content.get("thinking")), _index(value)
        block = self._contents.get(index)
        if block is None or block != self._open or kind == "content-start":
            type_ = text_of(content.get("type")) or ("thinking" if thinking else "text")
            if type_ not in {"text", "thinking"}:
                yield from self._unread.tell((f"content.{type_}",))
                return
            block = self._contents[index] = self._count
            yield from self._start("text" if type_ == "text" else "reasoning")
        if text:
            yield events.TextDelta(block, text)
        if thinking:
            yield events.ReasoningDelta(block, thinking)
        if "logprobs" in value and (logprobs := read_logprobs([value["logprobs"]])) is not None:
            yield events.LogprobsAdded(logprobs)

    def _planned(self, text: str) -> Iterator[events.Event]:
        if not text:
            return
        if self._plan is None or self._plan != self._open:
            self._plan = self._count
            yield from self._start("text")
        yield events.TextDelta(self._plan, text)

    def _start(self, kind: events.BlockKind) -> Iterator[events.Event]:
        yield from self._finish()
        self._open = self._next()
        self._kinds[self._open] = kind
        yield events.BlockStarted(self._open, kind)

    def _next(self) -> int:
        self._count += 1
        return self._count - 1

    def _finish(self) -> Iterator[events.Event]:
        if self._open is not None:
            yield events.BlockFinished(self._open)
            self._open = None

    def _call(self, index: int, call: Any) -> Iterator[events.Event]:  # noqa: ANN401 - JSON
        call = _only(call)
        if not isinstance(call, dict):
            return
        yield from self._finish()
        yield from self._call_ended(index)  # should its end not have come
        block = self._calls[index] = self._next()
        id_, name, _ = read_call(call, block)
        yield events.BlockStarted(block, "tool_call", id_, name)
        yield from self._arguments(index, call)

    def _arguments(self, index: int, call: Any) -> Iterator[events.Event]:  # noqa: ANN401 - JSON
        block = self._calls.get(index)
        match call:
            case {"function": {"arguments": str(part)}} if part and block is not None:
                self._filled.add(block)
                yield events.ArgumentsDelta(block, part)
            case _:
                pass

    def _call_ended(self, index: int) -> Iterator[events.Event]:
        block = self._calls.pop(index, None)
        if block is not None:
            if block not in self._filled:
                yield events.ArgumentsDelta(block, "{}")
            yield events.BlockFinished(block)

    def _cited(self, found: Any) -> Iterator[events.Event]:  # noqa: ANN401 - JSON
        for raw in found if isinstance(found, list) else [found]:
            block = self._cited_block(raw) if isinstance(raw, dict) else None
            if block is None:
                yield from self._unread.tell(("citations",))
                continue
            for citation in read_citation(raw):
                yield events.CitationAdded(block, citation)

    def _cited_block(self, raw: json.Object) -> int | None:
        """The plan, the content that is named, or the text that came last."""
        kind, named = raw.get("type"), raw.get("content_index")
        if kind in ("PLAN", "THINKING_CONTENT"):
            return self._plan if kind == "PLAN" else None
        block = self._contents.get(named) if type(named) is int else None
        if block is not None and self._kinds[block] == "text":
            return block
        texts = [block for block in self._contents.values() if self._kinds[block] == "text"]
        return texts[-1] if texts else None

    def _end(self, delta: object) -> Iterator[events.Event]:
        """Usage before the reason: whoever stops reading there has both."""
        yield from self._finish()
        for index in list(self._calls):
            yield from self._call_ended(index)
        delta = delta if isinstance(delta, dict) else {}
        self.usage = read_usage(delta)
        if self.usage is not None:
            yield events.UsageReported(self.usage)
        yield from self._unread.tell(beyond(delta, END_FIELDS))
        native, error = text_of(delta.get("finish_reason")), text_of(delta.get("error"))
        if error or native in GAVE_UP:
            category = GAVE_UP.get(native, Category.SERVER_ERROR)
            yield events.Failed(error or "the provider gave up on the answer", str(category))
            return
        yield events.Finished(FINISH.get(native, FinishReason.OTHER), native or None)
        self.ended = True
        yield events.Ended()

    def _other(self, kind: str, value: json.Object) -> Iterator[events.Event]:
        if kind in _SILENT:
            return
        if kind in {"", "error"} and (message := text_of(value.get("message"))):  # shaped as an error answer
            yield events.Failed(message, str(Category.SERVER_ERROR))
        elif kind:
            yield from self._unread.tell((kind,))


def _message(value: json.Object) -> json.Object:
    match value:
        case {"delta": {"message": dict(message)}}:
            return message
        case _:
            return {}


def _index(value: json.Object) -> int:
    index = value.get("index")
    return index if type(index) is int else 0


def _only(value: Any) -> Any:  # noqa: ANN401 - JSON
    """One call, also where it stands in a list."""
    found = items_of(value)
    return found[0] if found else value


def new_decoder(profile: Profile = PLAIN) -> Decoder:  # noqa: ARG001 - no host of this dialect has quirks yet
    """A decoder for one upstream stream."""
    return Decoder()
