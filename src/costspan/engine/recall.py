"""A memory of sealed reasoning, for clients that do not send it back.

Most code that speaks openai-chat drops `reasoning_details`, and Anthropic and Gemini refuse to go on with a tool loop
whose thinking is gone, or go on without. What a provider sealed is kept here by the id of the tool call that it came
with, for a while, in this process only: a help, no promise. A client that sends its reasoning back is always believed.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from costspan.ir import events
from costspan.ir.request import Reasoning, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from costspan.ir.reply import Reply
    from costspan.ir.request import Block, Message, Opaque, Request

MAX_CALLS = 10_000
MAX_CHARS = 16 * 1024 * 1024
"""Of all that is kept, text and seals together. The oldest goes first."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What came with one tool call: the reasoning since the call before it, and what it was signed with itself."""

    reasoning: tuple[Reasoning, ...]
    opaque: Opaque | None

    @property
    def chars(self) -> int:
        """How much of the memory it takes, its id apart."""
        own = 0 if self.opaque is None else len(self.opaque.data)
        return own + sum(len(one.text) + len(one.opaque.data) for one in self.reasoning if one.opaque is not None)


class Recall:
    """The memory. `owner` is the name of the client key: nobody gets what was sealed for somebody else."""

    def __init__(self, max_calls: int = MAX_CALLS, max_chars: int = MAX_CHARS) -> None:
        self._kept: OrderedDict[tuple[str, str], Sealed] = OrderedDict()
        self._chars = 0
        self._max_calls = max_calls
        self._max_chars = max_chars

    def learn(self, owner: str, reply: Reply) -> None:
        """Keep what `reply` sealed."""
        for choice in reply.choices:
            self.keep(owner, choice.blocks)

    def keep(self, owner: str, blocks: Iterable[Block]) -> None:
        """Keep what is sealed among the blocks of one answer."""
        reasoning: list[Reasoning] = []
        for block in blocks:
            if isinstance(block, Reasoning) and block.opaque is not None:
                reasoning.append(block)
            elif isinstance(block, ToolCall):
                if reasoning or block.opaque is not None:
                    self._put((owner, block.id), Sealed(tuple(reasoning), block.opaque))
                reasoning = []

    def _put(self, key: tuple[str, str], sealed: Sealed) -> None:
        if (before := self._kept.pop(key, None)) is not None:
            self._chars -= before.chars + len(key[1])
        self._kept[key] = sealed
        self._chars += sealed.chars + len(key[1])
        while len(self._kept) > self._max_calls or self._chars > self._max_chars:
            (_, id_), oldest = self._kept.popitem(last=False)
            self._chars -= oldest.chars + len(id_)

    def restore(self, owner: str, request: Request, origin: str) -> Request:
        """`request` with what `origin`, the target's dialect, had sealed and the client left out."""
        if not self._kept:
            return request
        messages = tuple(self._message(owner, message, origin) for message in request.messages)
        return request if messages == request.messages else replace(request, messages=messages)

    def _message(self, owner: str, message: Message, origin: str) -> Message:
        if message.role != "assistant" or any(
            isinstance(b, Reasoning) and b.opaque is not None for b in message.blocks
        ):
            return message
        blocks: list[Block] = []
        recalled = ""
        called = False
        for block in message.blocks:
            if isinstance(block, ToolCall):
                thoughts, restored = self._call(owner, block, origin)
                at = len(blocks) if called else 0  # thinking stands before what was said with the first call
                blocks[at:at] = thoughts
                recalled += "".join(thought.text for thought in thoughts)
                blocks.append(restored)
                called = True
            else:
                blocks.append(block)
        return replace(message, blocks=tuple(block for block in blocks if not _is_bare(block, recalled)))

    def _call(self, owner: str, call: ToolCall, origin: str) -> tuple[list[Reasoning], ToolCall]:
        sealed = self._kept.get((owner, call.id))
        if sealed is None:
            return [], call
        thoughts = [one for one in sealed.reasoning if one.opaque is not None and one.opaque.origin == origin]
        if call.opaque is None and sealed.opaque is not None and sealed.opaque.origin == origin:
            return thoughts, replace(call, opaque=sealed.opaque)
        return thoughts, call


def _is_bare(block: Block, recalled: str) -> bool:
    """Whether the client sent this of what was `recalled`, without its seal. With it, nothing of that is lost."""
    return isinstance(block, Reasoning) and block.opaque is None and bool(recalled) and block.text in recalled


class Witness:
    """Collects what a stream seals, event by event. Text is not its business."""

    def __init__(self, recall: Recall, owner: str) -> None:
        self._recall = recall
        self._owner = owner
        self._begun: dict[tuple[int, int], events.BlockStarted] = {}
        self._texts: dict[tuple[int, int], list[str]] = {}
        self._opaque: dict[tuple[int, int], Opaque] = {}

    def see(self, event: events.Event) -> None:
        """Take note of `event`."""
        match event:
            case events.BlockStarted(kind="reasoning" | "tool_call"):
                self._begun[event.choice, event.index] = event
                if event.opaque is not None:
                    self._opaque[event.choice, event.index] = event.opaque
            case events.ReasoningDelta(index=index, text=text, choice=choice):
                self._texts.setdefault((choice, index), []).append(text)
            case events.OpaqueDelta(index=index, opaque=opaque, choice=choice):
                self._opaque[choice, index] = opaque
            case _:
                pass

    def end(self) -> None:
        """The stream is complete: keep what it sealed."""
        if not self._opaque:
            return
        for choice in {choice for choice, _ in self._begun}:
            self._recall.keep(self._owner, self._blocks(choice))

    def _blocks(self, choice: int) -> Iterator[Block]:
        for place in sorted(place for place in self._begun if place[0] == choice):
            begun, opaque = self._begun[place], self._opaque.get(place)
            if begun.kind == "tool_call":
                yield ToolCall(begun.id, begun.name, "", opaque)
            else:
                yield Reasoning("".join(self._texts.get(place, ())), begun.summary, opaque)
