"""Response streams for a client: canonical events to events that the official SDK's helpers accept.

Every item is added, fed and done at its place in the output. Items may interleave, as blocks do. Numbers are dense: of
events (`sequence_number`), of items (`output_index`), of a message's parts (`content_index`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.losses import AnswerLosses, name_of, name_of_kind
from costspan.dialects.openai_responses import items
from costspan.dialects.openai_responses.messages import Messages, Said
from costspan.dialects.openai_responses.open_items import Call, Thought
from costspan.dialects.openai_responses.output import Output
from costspan.dialects.openai_responses.vocabulary import INCOMPLETE, NAME
from costspan.ir import events

if TYPE_CHECKING:
    from costspan.dialects.types import StreamOptions
    from costspan.ir.request import Opaque
    from costspan.ir.usage import Usage


class Encoder:
    """One per client stream. Only the first choice has a place."""

    def __init__(self, options: StreamOptions) -> None:
        self._head = items.Head(options.exchange_id, options.model, options.created)
        self._begun = False
        self._ended = False
        self._losses = AnswerLosses()
        self._output = Output()
        self._messages = Messages(self._output, self._losses)
        self._blocks: dict[int, Said | Call | Thought] = {}
        """Those that are open."""
        self._late: dict[int, Opaque] = {}
        """What signs texts that had begun when it came."""
        self._usage: Usage | None = None
        self._finished: events.Finished | None = None

    @property
    def losses(self) -> tuple[str, ...]:
        """What could not be carried so far."""
        return self._losses.names()

    def feed(self, event: events.Event) -> bytes:
        """Encode one event. Usage and the finish reason wait for the end, so that they are complete."""
        if self._ended:
            return b""
        if getattr(event, "choice", 0) != 0:
            self._losses.add("choices")
            return b""
        match event:  # most frequent first
            case events.TextDelta(index=index, text=part) | events.ReasoningDelta(index=index, text=part):
                return self._delta(index, part)
            case events.ArgumentsDelta(index=index, json=part):
                return self._delta(index, part)
            case events.BlockStarted():
                return self._begin() + self._start(event)
            case events.BlockFinished(index=index):
                return self._finish(index)
            case events.Started():
                return self._started(event)
            case _:
                return self._rare(event)

    def close(self) -> bytes:
        """The rest of the stream: open blocks end, then the whole answer is told once more."""
        if self._ended:
            return b""
        data = self._begin()
        for index in tuple(self._blocks):
            data += self._finish(index)
        data += self._messages.end()
        self._ended = True
        reason = self._finished.reason if self._finished else None
        tier = self._usage.service_tier if self._usage else None
        answer = items.response(self._head, self._output.items, reason, self._usage, tier)
        name = "response.incomplete" if reason in INCOMPLETE else "response.completed"
        return data + self._output.write(name, response=answer)

    def _rare(self, event: events.Event) -> bytes:
        match event:
            case events.UsageReported(usage=usage):
                self._usage = usage
            case events.Finished(reason=reason, stop_sequence=sequence):
                self._finished = event
                items.note_finish(reason, sequence, self._losses)
            case events.OpaqueDelta(index=index, opaque=opaque):
                self._seal(index, opaque)
            case events.CitationAdded():
                return self._citation(event)
            case events.LogprobsAdded(logprobs=logprobs):
                return self._messages.logprobs(logprobs)
            case events.Unread(name):
                self._losses.add(name)
            case _:  # Failed is the caller's to write, and `close` ends the stream
                pass
        return b""

    def _started(self, event: events.Started) -> bytes:
        head = self._head
        self._head = items.Head(event.id or head.id, event.model or head.model, event.created or head.created)
        return self._begin()

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        self._output.answer_id = self._head.id
        answer = items.begun(self._head)
        write = self._output.write
        return write("response.created", response=answer) + write("response.in_progress", response=answer)

    def _start(self, event: events.BlockStarted) -> bytes:
        match event.kind:
            case "text" | "refusal":
                self._blocks[event.index] = Said(event.kind)
                return self._signature(event.opaque)
            case "reasoning":
                self._blocks[event.index] = Thought(self._output, event.opaque)
                return b""
            case "tool_call":
                data = self._signature(event.opaque) + self._messages.end()
                call = self._blocks[event.index] = Call(self._output, event.id, event.name)
                return data + call.start()
            case _:
                return self._whole(event)

    def _whole(self, event: events.BlockStarted) -> bytes:
        """What comes at once: what this dialect's own providers' tools did, and pictures."""
        media, item = event.media, None
        if media is not None:
            item = items.image_item(self._output.next("ig")[1], media)
        elif event.origin == NAME and isinstance(event.raw, dict):
            item = event.raw
        if item is None:
            self._losses.add(name_of_kind(event.name) if media is None else name_of(media))
            return b""
        return self._messages.end() + self._output.whole(item)

    def _delta(self, index: int, part: str) -> bytes:
        block = self._blocks.get(index)
        if not part or block is None:
            return b""
        if isinstance(block, Said):
            return self._messages.text(block, part)
        data = self._messages.end() if isinstance(block, Thought) and not block.begun else b""
        return data + block.add(part)

    def _citation(self, event: events.CitationAdded) -> bytes:
        block = self._blocks.get(event.index)
        if isinstance(block, Said) and block.kind == "text":
            return self._messages.citation(block, event.citation)
        self._losses.add("citations")
        return b""

    def _seal(self, index: int, opaque: Opaque) -> None:
        block = self._blocks.get(index)
        if isinstance(block, Thought):
            block.opaque = opaque  # told when the block ends: the item holds it then
        elif isinstance(block, Said):  # too late to stand before what it signs, so it stands behind
            self._late[index] = opaque
        elif opaque.origin != NAME:  # behind a call it would be taken for what signs the next one
            self._losses.add("reasoning_details")

    def _signature(self, kept: Opaque | None) -> bytes:
        """What signs a text or a call has no place beside it: it is shown as reasoning before it."""
        if kept is None or kept.origin == NAME:
            return b""
        return self._messages.end() + Thought(self._output, kept).finish()

    def _finish(self, index: int) -> bytes:
        signature = self._late.pop(index, None)
        match self._blocks.pop(index, None):
            case Said() as said:
                return self._messages.finish(said) + self._signature(signature)
            case Call() as call:
                return call.finish()
            case Thought(is_empty=False) as thought:
                data = b"" if thought.begun else self._messages.end()
                return data + thought.finish()
            case _:
                return b""
