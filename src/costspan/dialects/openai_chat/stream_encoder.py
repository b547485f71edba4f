"""Chat completion streams for a client: canonical events to chunks that the official SDK's helpers accept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from costspan.dialects.losses import AnswerLosses, name_of, name_of_kind
from costspan.dialects.openai_chat import reasoning
from costspan.dialects.openai_chat.media import write_picture
from costspan.dialects.openai_chat.usage import write_usage
from costspan.dialects.openai_chat.vocabulary import ENCODED_FINISH, FINISHES_WITHOUT_A_WORD, SERVICE_TIERS
from costspan.ir import events
from costspan.wire import json, sse

if TYPE_CHECKING:
    from costspan.dialects.types import StreamOptions
    from costspan.ir.usage import Usage

_DONE: Final = b"data: [DONE]\n\n"


class _Choice:
    """What has to be remembered of one choice."""

    __slots__ = ("annotations", "calling", "calls", "finished", "kinds", "lengths", "offset", "pictures", "waiting")

    def __init__(self) -> None:
        self.annotations = 0
        """How many were written."""
        self.pictures = 0
        """Likewise."""
        self.kinds: dict[int, events.BlockStarted] = {}
        self.calls: dict[int, int] = {}
        """Dense tool index by block index."""
        self.calling: int | None = None
        """The call whose turn it is, by block index."""
        self.waiting: dict[int, list[json.Object]] = {}
        """What is to be said of calls whose turn has not come, in their order."""
        self.finished: set[int] = set()
        """Those of them that are complete."""
        self.lengths: dict[int, tuple[int, int]] = {}
        """Where a text block starts in the answer's text, and its length so far; by block index."""
        self.offset = 0


class Encoder:
    """One per client stream. Blocks may interleave; tool calls get a dense index of their own and come one by one.

    The official SDK takes a call for complete when the next one begins (openai 3.54.0, lib/streaming/chat).
    """

    def __init__(self, options: StreamOptions) -> None:
        self._options = options
        self._id = options.exchange_id
        self._model = options.model
        self._created = options.created
        self._usage: Usage | None = None
        self._choices: dict[int, _Choice] = {}
        self._begun: set[int] = set()
        """Choices whose role has been said."""
        self._head = b""
        self._losses = AnswerLosses()

    @property
    def losses(self) -> tuple[str, ...]:
        """What could not be carried so far."""
        return self._losses.names()

    def feed(self, event: events.Event) -> bytes:
        """Encode one event; empty where there is nothing to say (yet)."""
        match event:  # most frequent first
            case events.TextDelta():
                return self._text(event)
            case events.ReasoningDelta():
                return self._reasoning(event)
            case events.ArgumentsDelta(index=index, json=arguments, choice=number):
                tool = self._choice(number).calls.get(index, 0)
                return self._called(event, {"tool_calls": [{"index": tool, "function": {"arguments": arguments}}]})
            case events.BlockStarted():
                return self._block(event)
            case events.Started(id=id_, model=model, created=created):
                self._id = id_ or self._id
                self._model = model or self._model
                self._created = created or self._created
                return self._delta(0, {"content": None})
            case events.UsageReported(usage=usage):
                self._usage = usage
                return b""
            case events.Finished():
                return self._finish(event)
            case _:
                return self._rare(event)

    def close(self) -> bytes:
        """The usage chunk where the client asked for it, and the terminator."""
        if not self._options.include_usage or self._usage is None:
            return _DONE
        tier = self._usage.service_tier
        served = {"service_tier": tier} if tier in SERVICE_TIERS else {}
        return self._write([], {"usage": write_usage(self._usage)} | served) + _DONE

    def _rare(self, event: events.Event) -> bytes:
        match event:
            case events.BlockFinished(index=index, choice=number):
                return self._end_call(index, number)
            case events.OpaqueDelta(index=index, opaque=opaque, choice=number):
                call = self._choice(number).kinds.get(index)
                id_ = call.id if call is not None and call.kind == "tool_call" else None
                return self._called(event, {"reasoning_details": [reasoning.sealed_item(opaque, index, id_)]})
            case events.CitationAdded():
                return self._citation(event)
            case events.LogprobsAdded(logprobs=logprobs, choice=number):
                return self._delta(number, {}, logprobs=logprobs)
            case events.Unread(name):
                self._losses.add(name)
                return b""
            case _:  # Failed is the caller's to write, and `close` ends the stream
                return b""

    def _text(self, event: events.TextDelta) -> bytes:
        choice = self._choice(event.choice)
        block = choice.kinds.get(event.index)
        if block is not None and block.kind == "refusal":
            return self._delta(event.choice, {"refusal": event.text})
        start, length = choice.lengths.get(event.index, (choice.offset, 0))
        choice.lengths[event.index] = (start, length + len(event.text))
        choice.offset += len(event.text)
        return self._delta(event.choice, {"content": event.text})

    def _reasoning(self, event: events.ReasoningDelta) -> bytes:
        """The text under both names that clients look for, and as the item to send back."""
        block = self._choice(event.choice).kinds.get(event.index)
        item = reasoning.text_item(event.text, event.index, summary=block is not None and block.summary)
        delta: json.Object = {
            "reasoning": event.text,
            "reasoning_content": event.text,
            "reasoning_details": [item],
        }
        return self._delta(event.choice, delta)

    def _block(self, event: events.BlockStarted) -> bytes:
        choice = self._choice(event.choice)
        choice.kinds[event.index] = event
        if event.kind != "tool_call":
            return self._other_block(event, choice)
        tool = choice.calls[event.index] = len(choice.calls)
        call = {"index": tool, "id": event.id, "type": "function", "function": {"name": event.name, "arguments": ""}}
        delta = {"tool_calls": [call]} | _sealed(event, event.id)
        if choice.calling is not None:
            choice.waiting[event.index] = [delta]
            return b""
        choice.calling = event.index
        return self._delta(event.choice, delta)

    def _other_block(self, event: events.BlockStarted, choice: _Choice) -> bytes:
        """What there is to say when a block starts that is no call: a picture, which comes whole, or a seal."""
        if event.kind == "server_tool":
            self._losses.add(name_of_kind(event.name))
        if event.media is not None:
            picture = write_picture(event.media)
            if picture is None:
                self._losses.add(name_of(event.media))
                return b""
            choice.pictures += 1  # numbered, for the same reason as annotations
            return self._delta(event.choice, {"images": [picture | {"index": choice.pictures - 1}]})
        return self._delta(event.choice, _sealed(event)) if event.opaque is not None else b""

    def _called(self, event: events.ArgumentsDelta | events.OpaqueDelta, delta: json.Object) -> bytes:
        """Say more of a block, once the turn has come where it is a call."""
        waiting = self._choice(event.choice).waiting.get(event.index)
        if waiting is None:
            return self._delta(event.choice, delta)
        waiting.append(delta)
        return b""

    def _end_call(self, index: int, number: int) -> bytes:
        """A block is complete. If it was the call whose turn it is, the next one's comes; ends have no word here."""
        choice = self._choice(number)
        if index in choice.waiting:
            choice.finished.add(index)
        elif index == choice.calling:
            choice.calling = None
            return self._next_call(choice, number)
        return b""

    def _next_call(self, choice: _Choice, number: int) -> bytes:
        """What has waited of the next calls, up to one that is not complete."""
        data = b""
        while choice.waiting and choice.calling is None:
            index = next(iter(choice.waiting))
            data += b"".join(self._delta(number, delta) for delta in choice.waiting.pop(index))
            if index not in choice.finished:
                choice.calling = index
        return data

    def _citation(self, event: events.CitationAdded) -> bytes:
        choice = self._choice(event.choice)
        start, length = choice.lengths.get(event.index, (0, 0))
        annotation = reasoning.annotation(event.citation, start, length)
        if annotation is None:
            self._losses.add("citations")
            return b""
        # Without an index the official SDK cannot add a second one up (openai 3.54.0, lib/streaming/_deltas.py).
        annotation["index"] = choice.annotations
        choice.annotations += 1
        return self._delta(event.choice, {"annotations": [annotation]})

    def _finish(self, event: events.Finished) -> bytes:
        if event.reason in FINISHES_WITHOUT_A_WORD:
            self._losses.add("finish_reason")
        if event.stop_sequence:
            self._losses.add("stop_sequence")
        choice = self._choice(event.choice)
        choice.finished.update(choice.waiting)  # whatever is open now gets no end of its own
        choice.calling = None
        rest = self._next_call(choice, event.choice)
        return rest + self._delta(event.choice, {}, finish=ENCODED_FINISH[event.reason])

    def _choice(self, number: int) -> _Choice:
        choice = self._choices.get(number)
        if choice is None:
            choice = self._choices[number] = _Choice()
        return choice

    def _delta(self, number: int, delta: json.Object, *, finish: str | None = None, logprobs: object = None) -> bytes:
        if number not in self._begun:
            self._begun.add(number)
            delta = {"role": "assistant"} | delta
        return self._write([{"index": number, "delta": delta, "logprobs": logprobs, "finish_reason": finish}], {})

    def _write(self, choices: list[json.Object], more: json.Object) -> bytes:
        if not self._head:  # the same in every chunk, so written once
            head = {
                "id": self._id,
                "object": "chat.completion.chunk",
                "created": self._created,
                "model": self._model,
            }
            self._head = json.dumps(head)[:-1] + b","
        return sse.write(self._head + json.dumps({"choices": choices} | more)[1:])


def _sealed(event: events.BlockStarted, id_: str | None = None) -> json.Object:
    """What a block is sealed with from its start, as the item to send back."""
    if event.opaque is None:
        return {}
    return {"reasoning_details": [reasoning.sealed_item(event.opaque, event.index, id_)]}
