"""How stream events add up to a whole answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.ir import events
from costspan.ir.reply import Choice, Reply
from costspan.ir.request import Reasoning, Refusal, ServerTool, Text, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costspan.ir.request import Block, Citation, Opaque
    from costspan.ir.usage import Usage


class _Block:
    __slots__ = ("citations", "opaque", "parts", "started")

    def __init__(self, started: events.BlockStarted) -> None:
        self.started = started
        self.parts: list[str] = []
        self.citations: list[Citation] = []
        self.opaque: Opaque | None = started.opaque


class _Choice:
    def __init__(self) -> None:
        self.blocks: dict[int, _Block] = {}
        self.finished: events.Finished | None = None
        self.logprobs: Any = None


class _Fold:
    def __init__(self) -> None:
        self.started: events.Started | None = None
        self.usage: Usage | None = None
        self.choices: dict[int, _Choice] = {}
        self.unread: set[str] = set()

    def add(self, event: events.Event) -> None:
        match event:
            case events.Started():
                self.started = event
            case events.UsageReported(usage):
                self.usage = usage
            case events.Unread(name):
                self.unread.add(name)
            case events.Failed() | events.Ended():
                pass
            case _:
                _add_to_choice(self.choices.setdefault(event.choice, _Choice()), event)

    def reply(self) -> Reply:
        started = self.started or events.Started("", "")
        return Reply(
            id=started.id,
            model=started.model,
            choices=tuple(_choice(self.choices[number]) for number in sorted(self.choices)),
            usage=self.usage,
            created=started.created,
            service_tier=self.usage.service_tier if self.usage else None,
            unread=frozenset(self.unread),
        )


def fold(stream: Iterable[events.Event]) -> Reply:
    """The answer that `stream` tells; as far as it goes where it breaks off. Deltas of no block are skipped."""
    folded = _Fold()
    for event in stream:
        folded.add(event)
    return folded.reply()


def _add_to_choice(choice: _Choice, event: events.Event) -> None:
    match event:
        case events.BlockStarted():
            choice.blocks[event.index] = _Block(event)
        case events.Finished():
            choice.finished = event
        case events.LogprobsAdded(logprobs):
            choice.logprobs = _joined(choice.logprobs, logprobs)
        case events.TextDelta() | events.ReasoningDelta() | events.ArgumentsDelta():
            if block := choice.blocks.get(event.index):
                block.parts.append(event.json if isinstance(event, events.ArgumentsDelta) else event.text)
        case events.OpaqueDelta() | events.CitationAdded():
            if block := choice.blocks.get(event.index):
                _annotate(block, event)
        case _:
            pass


def _annotate(block: _Block, event: events.OpaqueDelta | events.CitationAdded) -> None:
    if isinstance(event, events.OpaqueDelta):
        block.opaque = event.opaque
    else:
        block.citations.append(event.citation)


def _joined(before: Any, after: Any) -> Any:  # noqa: ANN401 - OpenAI's object, not ours to type
    """Log probabilities come piecewise: lists under the same names, to be put end to end."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after
    joined = dict(before)
    for name, value in after.items():
        known = joined.get(name)
        joined[name] = [*known, *value] if isinstance(known, list) and isinstance(value, list) else value or known
    return joined


def _choice(choice: _Choice) -> Choice:
    found = (_block(choice.blocks[index]) for index in sorted(choice.blocks))
    blocks = tuple(block for block in found if block is not None)
    if choice.finished is None:
        return Choice(blocks, logprobs=choice.logprobs)
    finished = choice.finished
    return Choice(blocks, finished.reason, finished.native, finished.stop_sequence, choice.logprobs)


def _block(block: _Block) -> Block | None:
    """The block; None where it stayed empty and so says nothing."""
    started, text = block.started, "".join(block.parts)
    match started.kind:
        case "text":
            said = text or block.citations or block.opaque
            return Text(text, tuple(block.citations), opaque=block.opaque) if said else None
        case "refusal":
            return Refusal(text) if text else None
        case "reasoning":
            return Reasoning(text, started.summary, block.opaque) if text or block.opaque else None
        case "tool_call":
            return ToolCall(started.id, started.name, text or "{}", block.opaque)
        case "media":
            return started.media
        case "server_tool":
            kind = started.raw.get("type", "") if isinstance(started.raw, dict) else ""
            return ServerTool(started.origin, started.name or kind, started.raw)
