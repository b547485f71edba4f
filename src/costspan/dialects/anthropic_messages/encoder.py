"""The stream encoder: canonical events in, named server-sent events out, in the order that the official SDKs insist on.

`message_start`, then one block after the other (`content_block_start`, `_delta`, `_stop`, indexes dense from 0), then
`message_delta` with the reason and the usage in full, then `message_stop`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from costspan.dialects.anthropic_messages.arguments import Arguments
from costspan.dialects.anthropic_messages.citations import encode_citation
from costspan.dialects.anthropic_messages.reply import carry, encode_reasoning, encode_sealed
from costspan.dialects.anthropic_messages.usage import encode_usage
from costspan.dialects.anthropic_messages.vocabulary import NAME, call_id, stop_reason
from costspan.dialects.losses import NO_WORD_ANYWHERE, AnswerLosses, holds, name_of, name_of_kind
from costspan.ir import events
from costspan.wire import json, sse

if TYPE_CHECKING:
    from costspan.dialects.types import StreamOptions
    from costspan.ir.request import Opaque
    from costspan.ir.usage import Usage


class _Block:
    """A block that has started: what it is, and its deltas as long as it is not its turn."""

    __slots__ = ("arguments", "begun", "finished", "opaque", "started", "waiting")

    def __init__(self, started: events.BlockStarted) -> None:
        self.started = started
        self.arguments = Arguments()
        self.begun = False
        self.finished = False
        self.opaque: Opaque | None = started.opaque
        """What is still to be told of its seal."""
        self.waiting: list[json.Object] = []


class Encoder:
    """One per client stream. Only the first choice has a place; deltas of interleaved blocks wait for their turn."""

    def __init__(self, options: StreamOptions) -> None:
        self._options = options
        self._begun = False
        self._ended = False
        self._queue: deque[_Block] = deque()
        self._blocks: dict[int, _Block] = {}
        self._written = 0
        self._called = False
        self._refused = False
        self._usage: Usage | None = None
        self._finished: events.Finished | None = None
        self._losses = AnswerLosses()

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
            case events.TextDelta() | events.ReasoningDelta() | events.ArgumentsDelta() | events.CitationAdded():
                return self._delta(event)
            case events.Started():
                return self._start(event.id)
            case events.BlockStarted() | events.BlockFinished() | events.OpaqueDelta():
                return self._step(event)
            case events.UsageReported(usage):
                self._usage = usage
            case events.Ended():
                return self.close()
            case _:
                self._rare(event)
        return b""

    def _rare(self, event: events.Event) -> None:
        match event:
            case events.Finished(reason=reason):
                self._finished = event
                if reason in NO_WORD_ANYWHERE:
                    self._losses.add("finish_reason")
            case events.LogprobsAdded(logprobs=logprobs):
                if holds(logprobs):
                    self._losses.add("logprobs")
            case events.Unread(name):
                self._losses.add(name)
            case _:  # a failure is told by the engine
                pass

    def close(self) -> bytes:
        """The rest of the stream: open blocks end, then usage, then the terminal event."""
        if self._ended:
            return b""
        for block in self._queue:
            self._end(block)
        data = self._start("") + self._flush()
        self._ended = True
        finished = self._finished
        delta = {
            "stop_reason": stop_reason(
                finished.reason if finished else None,
                finished.native if finished else None,
                called=self._called,
                refused=self._refused,
            ),
            "stop_sequence": finished.stop_sequence if finished else None,
        }
        usage = encode_usage(self._usage, self._options.prompt_tokens)
        return data + _event("message_delta", delta=delta, usage=usage) + _event("message_stop")

    def _start(self, id_: str) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        usage = encode_usage(None, max(self._options.prompt_tokens, 1))
        message: json.Object = {
            "id": id_ or self._options.exchange_id,
            "type": "message",
            "role": "assistant",
            "model": self._options.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**usage, "output_tokens": 1},
        }
        return _event("message_start", message=message)

    def _step(self, event: events.BlockStarted | events.BlockFinished | events.OpaqueDelta) -> bytes:
        if isinstance(event, events.BlockStarted):
            block = _Block(event)
            self._blocks[event.index] = block
            self._queue.append(block)
            self._called = self._called or event.kind == "tool_call"
            self._refused = self._refused or event.kind == "refusal"
            if event.kind == "server_tool" and event.origin != NAME:
                self._losses.add(name_of_kind(event.name))
            if event.media is not None:
                self._losses.add(name_of(event.media))
            return self._start("") + self._flush()
        known = self._blocks.get(event.index)
        if known is None:
            return b""
        if isinstance(event, events.OpaqueDelta):
            known.opaque = event.opaque  # told when the block ends: whole, and after its text
            return b""
        self._end(known)
        return self._flush()

    def _end(self, block: _Block) -> None:
        """No more of `block` comes."""
        if block.finished:
            return
        block.finished = True
        if block.started.kind == "tool_call":
            if rest := _partial_json(block.arguments.end()):
                block.waiting.append(rest)
            if block.arguments.broken:
                self._losses.add("tool_calls.arguments")

    def _delta(
        self, event: events.TextDelta | events.ReasoningDelta | events.ArgumentsDelta | events.CitationAdded
    ) -> bytes:
        block = self._blocks.get(event.index)
        if block is None or block.finished:
            delta = None
        elif isinstance(event, events.ArgumentsDelta):
            delta = _partial_json(block.arguments.add(event.json))
        else:
            delta = _delta(event, self._losses)
        if block is None or delta is None:
            if isinstance(event, events.CitationAdded):
                self._losses.add("citations")
            return b""
        if block is not self._queue[0]:
            block.waiting.append(delta)
            return b""
        return self._open(block) + _event("content_block_delta", index=self._written, delta=delta)

    def _flush(self) -> bytes:
        """Write what can be written: the first block as far as it has come, and the next once that has finished."""
        data = b""
        while self._queue:
            block = self._queue[0]
            if block.waiting or _opens_at_once(block):
                data += self._open(block)
            for delta in block.waiting:
                data += _event("content_block_delta", index=self._written, delta=delta)
            block.waiting.clear()
            if not block.finished:
                break
            data += self._finish(block)
            self._queue.popleft()
        return data

    def _open(self, block: _Block) -> bytes:
        if block.begun:
            return b""
        block.begun = True
        data = self._sealed(block)
        return data + _event("content_block_start", index=self._written, content_block=_head(block))

    def _sealed(self, block: _Block) -> bytes:
        """What seals a text or a call, as a block of its own: before it, or after it where it comes too late."""
        kept = block.opaque
        if kept is None or block.started.kind == "reasoning":
            return b""
        block.opaque = None
        data = _event("content_block_start", index=self._written, content_block=encode_sealed(kept))
        data += _event("content_block_stop", index=self._written)
        self._written += 1
        return data

    def _finish(self, block: _Block) -> bytes:
        """Close a block. One that never had content was never opened and does not appear."""
        data = b""
        kept = block.opaque
        if block.started.kind == "reasoning" and (block.begun or kept is not None):
            data += self._open(block)
            if not _is_redacted(block):
                delta = {"type": "signature_delta", "signature": carry(kept)}
                data += _event("content_block_delta", index=self._written, delta=delta)
        if block.begun:
            data += _event("content_block_stop", index=self._written)
            self._written += 1
        return data + self._sealed(block)


_THINKING: json.Object = {"type": "thinking", "thinking": "", "signature": ""}


def _opens_at_once(block: _Block) -> bool:
    """Tools do. Text and reasoning wait for content, since clients may not send back empty blocks."""
    started = block.started
    return started.kind == "tool_call" or (started.kind == "server_tool" and started.origin == NAME)


def _is_redacted(block: _Block) -> bool:
    kept = block.opaque
    return kept is not None and kept.origin == NAME and kept.kind == "redacted"


def _head(block: _Block) -> json.Object:
    started = block.started
    match started.kind:
        case "tool_call":
            return {"type": "tool_use", "id": call_id(started.id), "name": started.name, "input": {}}
        case "reasoning":
            return encode_reasoning("", block.opaque) if _is_redacted(block) else _THINKING
        case "server_tool":
            raw: json.Object = started.raw
            return raw
        case _:
            return {"type": "text", "text": ""}


def _delta(
    event: events.TextDelta | events.ReasoningDelta | events.CitationAdded, losses: AnswerLosses
) -> json.Object | None:
    """The delta's object; None where there is nothing to say."""
    match event:
        case events.TextDelta(text=text):
            return {"type": "text_delta", "text": text} if text else None
        case events.ReasoningDelta(text=text):
            return {"type": "thinking_delta", "thinking": text} if text else None
        case events.CitationAdded(citation=citation):
            raw = encode_citation(citation, losses)
            return {"type": "citations_delta", "citation": raw} if raw else None


def _partial_json(part: str) -> json.Object | None:
    return {"type": "input_json_delta", "partial_json": part} if part else None


def _event(name: str, **fields: object) -> bytes:
    return sse.write(json.dumps({"type": name, **fields}), name)


def new_encoder(options: StreamOptions) -> Encoder:
    """An encoder for one client stream."""
    return Encoder(options)
