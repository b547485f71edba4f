"""Streams for a client: canonical events to chunks, each a `GenerateContentResponse` that the official SDK accepts.

Parts have no numbers, so one block follows the other: deltas of a block that is not the first wait for their turn. A
function call comes whole. The last chunk tells the finish reasons, the sources and the usage.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from costspan.dialects.gemini_generate.grounding import grounding_of
from costspan.dialects.gemini_generate.logprobs import write_logprobs
from costspan.dialects.gemini_generate.reply import note_citations, note_finish
from costspan.dialects.gemini_generate.usage import write_usage
from costspan.dialects.gemini_generate.vocabulary import ENCODED_FINISH, REFUSED
from costspan.dialects.gemini_generate.write_parts import call_part, lose_tool, media_part, text_part
from costspan.dialects.losses import AnswerLosses
from costspan.ir import events
from costspan.ir.reply import FinishReason
from costspan.wire import json, sse

if TYPE_CHECKING:
    from costspan.dialects.types import StreamOptions
    from costspan.ir.request import Citation, Opaque
    from costspan.ir.usage import Usage


class _Block:
    """A block that has started: what it is, and what of it waits."""

    __slots__ = ("citations", "finished", "opaque", "said", "started", "waiting")

    def __init__(self, started: events.BlockStarted) -> None:
        self.started = started
        self.opaque: Opaque | None = started.opaque
        self.finished = False
        self.waiting: list[str] = []
        """Deltas that are not written yet; all of them, of a call."""
        self.said: list[str] = []
        """The text so far: what citations point into."""
        self.citations: list[Citation] = []


class _Choice:
    def __init__(self) -> None:
        self.blocks: dict[int, _Block] = {}
        self.queue: deque[_Block] = deque()
        self.finish = FinishReason.STOP
        self.refused = False


class Encoder:
    """One per client stream."""

    def __init__(self, options: StreamOptions) -> None:
        self._options = options
        self._id = options.exchange_id
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None
        self._ended = False
        self._tail = b""
        self._losses = AnswerLosses()

    @property
    def losses(self) -> tuple[str, ...]:
        """What could not be carried so far."""
        return self._losses.names()

    def feed(self, event: events.Event) -> bytes:
        """Encode one event. Finish reasons, sources and usage wait for the end, so that they are complete."""
        if self._ended:
            return b""
        match event:  # most frequent first
            case events.TextDelta(index, text, number) | events.ReasoningDelta(index, text, number):
                return self._delta(number, index, text)
            case events.ArgumentsDelta() | events.OpaqueDelta() | events.CitationAdded():
                self._keep(event)
            case events.BlockStarted() | events.BlockFinished():
                return self._step(event)
            case events.LogprobsAdded(logprobs, number):
                if result := write_logprobs(logprobs):
                    return self._write(_content(text_part(""), number) | {"logprobsResult": result})
            case events.Ended():
                return self.close()
            case _:
                self._note(event)
        return b""

    def _keep(self, event: events.ArgumentsDelta | events.OpaqueDelta | events.CitationAdded) -> None:
        """What is told when its block ends, or the stream."""
        block = self._choice(event.choice).blocks.get(event.index)
        match event:
            case _ if block is None:
                return
            case events.ArgumentsDelta(json=part):
                block.waiting.append(part)
            case events.OpaqueDelta(opaque=sealed):
                block.opaque = sealed
            case events.CitationAdded(citation=citation):
                block.citations.append(citation)
                note_citations([citation], self._losses)

    def _note(self, event: events.Event) -> None:
        match event:
            case events.Started(id=id_):
                self._id = id_ or self._id
            case events.UsageReported(usage):
                self._usage = usage
            case events.Finished(reason, _, sequence, number):
                self._choice(number).finish = reason
                note_finish(reason, sequence, self._losses)
            case events.Unread(name):
                self._losses.add(name)
            case _:  # a failure is told by the engine
                pass

    def close(self) -> bytes:
        """The rest of the stream: what waits, then the chunk that ends it."""
        if self._ended:
            return b""
        data: list[bytes] = []
        for number, choice in sorted(self._choices.items()):
            for block in choice.queue:
                block.finished = True
            data.append(self._flush(number))
        self._ended = True
        self._choice(0)
        last: json.Object = {
            "candidates": [_ending(choice, number) for number, choice in sorted(self._choices.items())],
            "usageMetadata": write_usage(self._usage, self._options.prompt_tokens),
            "modelVersion": self._options.model,
            "responseId": self._id,
        }
        return b"".join(data) + sse.write(json.dumps(last))

    def _choice(self, number: int) -> _Choice:
        choice = self._choices.get(number)
        if choice is None:
            choice = self._choices[number] = _Choice()
        return choice

    def _step(self, event: events.BlockStarted | events.BlockFinished) -> bytes:
        choice = self._choice(event.choice)
        if isinstance(event, events.BlockStarted):
            block = choice.blocks[event.index] = _Block(event)
            choice.queue.append(block)
            choice.refused = choice.refused or event.kind == "refusal"
            return b""
        known = choice.blocks.get(event.index)
        if known is None:
            return b""
        known.finished = True
        return self._flush(event.choice)

    def _delta(self, number: int, index: int, text: str) -> bytes:
        choice = self._choice(number)
        block = choice.blocks.get(index)
        if block is None or block.finished or not text:
            return b""
        kind = block.started.kind
        if kind == "text":
            block.said.append(text)
        if block is not choice.queue[0]:
            block.waiting.append(text)
            return b""
        thought = b',"thought":true' if kind == "reasoning" else b""
        # Written by hand: this is nearly every chunk of an answer.
        return b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":%s%s}]},"index":%d}],%s\n\n' % (
            json.dumps(text),
            thought,
            number,
            self._end_of_chunk(),
        )

    def _end_of_chunk(self) -> bytes:
        """What all chunks end with, written once."""
        if not self._tail:
            self._tail = json.dumps({"modelVersion": self._options.model, "responseId": self._id})[1:]
        return self._tail

    def _flush(self, number: int) -> bytes:
        """Write what can be written: the first block as far as it has come, and the next once that has finished."""
        choice = self._choice(number)
        data: list[bytes] = []
        while choice.queue:
            block = choice.queue[0]
            data += [self._write(_content(part, number)) for part in self._parts(block)]
            if not block.finished:
                break
            choice.queue.popleft()
        return b"".join(data)

    def _parts(self, block: _Block) -> list[json.Object]:
        """What of a block is to be written now."""
        started = block.started
        match started.kind:
            case "text" | "reasoning" | "refusal":
                thought = started.kind == "reasoning"
                parts = [text_part(text, thought=thought) for text in block.waiting]
                block.waiting.clear()
                if block.finished and block.opaque is not None:
                    parts.append(text_part("", block.opaque, thought=thought))
                return parts
            case _ if not block.finished:
                return []
            case "tool_call":
                arguments = "".join(block.waiting)
                return [call_part(started.id, started.name, arguments, block.opaque, self._losses)]
            case "media" if started.media is not None:
                part = media_part(started.media, self._losses)
                return [] if part is None else [part]
            case _:
                lose_tool(started.name, self._losses)
                return []

    def _write(self, candidate: json.Object) -> bytes:
        return b"data: " + json.dumps({"candidates": [candidate]})[:-1] + b"," + self._end_of_chunk() + b"\n\n"


def _content(part: json.Object, number: int) -> json.Object:
    return {"content": {"role": "model", "parts": [part]}, "index": number}


def _ending(choice: _Choice, number: int) -> json.Object:
    """The last of a candidate. A chat of Google's SDK forgets a turn that has a chunk without parts (3.4.0)."""
    candidate: json.Object = {
        **_content(text_part(""), number),
        "finishReason": REFUSED if choice.refused else ENCODED_FINISH[choice.finish],
    }
    blocks = [block for block in choice.blocks.values() if block.started.kind == "text"]
    if grounding := grounding_of(("".join(block.said), block.citations) for block in blocks):
        candidate["groundingMetadata"] = grounding
    return candidate
