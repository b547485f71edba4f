"""The blocks of one streamed choice, rebuilt from deltas that do not number them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.dialects.openai_chat.vocabulary import derived_id
from costspan.ir import events
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.dialects.openai_chat.reasoning import Detail
    from costspan.ir.events import BlockKind
    from costspan.ir.request import Citation, Media, Opaque


class Blocks:
    """Numbers blocks densely and pairs their starts with their ends.

    At most one text, refusal or reasoning block is open at a time. Tool calls stay open until the choice ends,
    because hosts send parallel calls interleaved.
    """

    def __init__(self, choice: int, answer_id: str) -> None:
        self.choice = choice
        self.finished = False
        self.calls: dict[str | None, int] = {}
        """Block index by tool-call id. Never holds the key None."""
        self._answer_id = answer_id
        self._count = 0
        self._open: int | None = None
        self._open_kind: tuple[BlockKind, object] | None = None
        self._last_text: int | None = None
        self._slots: dict[int, int] = {}
        """The wire's tool index to the block that had it last."""
        self._open_calls: list[int] = []
        self._last_call: int | None = None

    @property
    def calls_tools(self) -> bool:
        """Whether the choice holds a tool call."""
        return bool(self.calls)

    def text(self, kind: BlockKind, text: str) -> Iterator[events.Event]:
        """More text of a text or refusal block."""
        if self._open_kind != (kind, None):
            yield from self._start(kind)
        if kind == "text":
            self._last_text = self._open
        yield events.TextDelta(self._open or 0, text, self.choice)

    def reasoning(self, detail: Detail) -> Iterator[events.Event]:
        """More thinking, or its opaque part. A part with another number than the open one is a new block."""
        if self._open_kind != ("reasoning", (detail.index, detail.summary)) and not self._continues(detail):
            yield from self._start("reasoning", (detail.index, detail.summary), summary=detail.summary)
        if detail.text:
            yield events.ReasoningDelta(self._open or 0, detail.text, self.choice)
        if detail.opaque is not None:
            yield events.OpaqueDelta(self._open or 0, detail.opaque, self.choice)

    def _continues(self, detail: Detail) -> bool:
        """An opaque part alone belongs to the open reasoning of its number, be that text or summary."""
        if detail.text or self._open_kind is None or self._open_kind[0] != "reasoning":
            return False
        return self._open_kind[1] in {(detail.index, True), (detail.index, False)}

    def citation(self, citation: Citation) -> Iterator[events.Event]:
        """A citation of the text that came last."""
        if self._last_text is None:
            yield from self._start("text")
            self._last_text = self._open
        yield events.CitationAdded(self._last_text or 0, citation, self.choice)

    def picture(self, media: Media) -> Iterator[events.Event]:
        """A picture, which comes whole."""
        yield from self._finish_open()
        block = self._next()
        yield events.BlockStarted(block, "media", choice=self.choice, media=media)
        yield events.BlockFinished(block, self.choice)

    def tool_call(self, call: json.Object, sealed: Opaque | None = None) -> Iterator[events.Event]:
        """One entry of `delta.tool_calls`: the start of a call, more arguments, or both. `sealed` came beside it."""
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        id_, name = _text(call.get("id")), _text(function.get("name"))
        block = self._known_call(call.get("index"), id_, name)
        if block is None:
            yield from self._finish_open()
            block = self._next()
            id_ = id_ or derived_id(self._answer_id, self.choice, block)
            slot = call.get("index")
            if type(slot) is int:
                self._slots[slot] = block
            self.calls[id_] = block
            self._open_calls.append(block)
            yield events.BlockStarted(block, "tool_call", id_, name, self.choice, opaque=sealed)
        elif sealed is not None:
            yield events.OpaqueDelta(block, sealed, self.choice)
        self._last_call = block
        arguments = function.get("arguments")
        if isinstance(arguments, dict):  # some hosts send the object itself
            arguments = json.text(arguments)
        if isinstance(arguments, str) and arguments:
            yield events.ArgumentsDelta(block, arguments, self.choice)

    def _known_call(self, slot: Any, id_: str, name: str) -> int | None:  # noqa: ANN401 - JSON
        """The block that a delta continues; None when it begins a call.

        An index says which call it is, unless another id comes with a name: then a host numbers all calls alike.
        Without an index the id says it, and without an id it is the last call, unless a name begins another.
        """
        if id_ and id_ in self.calls:
            return self.calls[id_]
        if type(slot) is int:
            known = self._slots.get(slot)
            return None if id_ and name else known
        return None if id_ or name else self._last_call

    def finish_all(self) -> Iterator[events.Event]:
        """Close what is open, in the order of its start."""
        open_ = self._open_calls if self._open is None else [*self._open_calls, self._open]
        self._open = self._open_kind = None
        self._open_calls = []
        yield from (events.BlockFinished(block, self.choice) for block in sorted(open_))

    def _start(self, kind: BlockKind, part: object = None, *, summary: bool = False) -> Iterator[events.Event]:
        yield from self._finish_open()
        self._open = self._next()
        self._open_kind = (kind, part)
        yield events.BlockStarted(self._open, kind, choice=self.choice, summary=summary)

    def _finish_open(self) -> Iterator[events.Event]:
        if self._open is not None:
            yield events.BlockFinished(self._open, self.choice)
        self._open = self._open_kind = None

    def _next(self) -> int:
        self._count += 1
        return self._count - 1


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    return value if isinstance(value, str) else ""
