"""Whole responses, to a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.losses import AnswerLosses, name_of
from costspan.dialects.openai_responses import items, sealed
from costspan.dialects.openai_responses.annotations import annotation
from costspan.dialects.openai_responses.logprobs import from_chat, of_refusal
from costspan.dialects.openai_responses.vocabulary import NAME, item_id
from costspan.dialects.types import Encoded
from costspan.ir.reply import Choice
from costspan.ir.request import Media, Reasoning, Refusal, ServerTool, Text, ToolCall, ToolResult
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costspan.dialects.types import StreamOptions
    from costspan.ir.reply import Reply
    from costspan.ir.request import Block, Opaque


def encode_reply(reply: Reply, options: StreamOptions) -> Encoded:
    """Write a whole answer for the client. There is one choice; a second one has no place."""
    losses = AnswerLosses()
    choice = reply.choices[0] if reply.choices else Choice(())
    if len(reply.choices) > 1:
        losses.add("choices")
    head = items.Head(reply.id or options.exchange_id, reply.model or options.model, reply.created or options.created)
    writer = _Writer(head.id, choice, losses)
    output = writer.output()
    items.note_finish(choice.finish, choice.stop_sequence, losses)
    losses.add_all(reply.unread)
    body = items.response(head, output, choice.finish, reply.usage, reply.service_tier)
    return Encoded(json.dumps(body), losses.names())


class _Writer:
    """Writes one choice's blocks as items. Texts that follow each other are parts of one message."""

    def __init__(self, answer_id: str, choice: Choice, losses: AnswerLosses) -> None:
        self._answer_id = answer_id
        self._blocks = choice.blocks
        self._losses = losses
        self._logprobs = from_chat(choice.logprobs)
        if of_refusal(choice.logprobs):
            losses.add("logprobs")
        self._output: list[json.Object] = []
        self._parts: list[json.Object] = []

    def output(self) -> Sequence[json.Object]:
        """All items."""
        for block in self._blocks:
            self._block(block)
        self._end_message()
        if self._logprobs:  # of no text
            self._losses.add("logprobs")
        return self._output

    def _block(self, block: Block) -> None:
        match block:
            case Text():
                self._text(block)
            case Refusal(text):
                self._parts.append(items.refusal_part(text))
            case ToolCall():
                self._signature(block.opaque)
                self._end_message()
                self._add(items.call_item(self._id("fc"), block.id, block.name, block.arguments or "{}"))
            case Reasoning():
                self._reasoning(block)
            case ServerTool(origin=origin, raw=dict(raw)) if origin == NAME:
                self._end_message()
                self._add(raw)
            case Media():
                self._end_message()
                self._media(block)
            case ServerTool() | ToolResult():
                self._losses.add(name_of(block))

    def _text(self, block: Text) -> None:
        self._signature(block.opaque)
        if not block.text and not block.citations:
            return
        cited = [annotation(citation, len(block.text), self._losses.add) for citation in block.citations]
        annotations = [shown for shown in cited if shown is not None]
        # They come without the text they are of: the first has them all.
        logprobs, self._logprobs = self._logprobs, []
        self._parts.append(items.text_part(block.text, annotations, logprobs))

    def _signature(self, kept: Opaque | None) -> None:
        """What signs a text or a call has no place beside it: it is shown as reasoning before it."""
        if kept is not None and kept.origin != NAME:
            self._reasoning(Reasoning(opaque=kept))

    def _reasoning(self, block: Reasoning) -> None:
        if not block.text and block.opaque is None:
            return
        self._end_message()
        own = sealed.native(block.opaque)
        if own is not None:
            id_, carried, in_full = own.fields["id"], own.fields.get("encrypted_content"), own.in_full
        else:
            id_, carried, in_full = self._id("rs"), sealed.carry(block.opaque, block.text), False
        self._add(items.reasoning_item(id_, block.text, in_full=in_full, sealed=carried))

    def _media(self, block: Media) -> None:
        item = items.image_item(self._id("ig"), block)
        if item is None:
            self._losses.add(name_of(block))
        else:
            self._add(item)

    def _end_message(self) -> None:
        if self._parts:
            parts, self._parts = self._parts, []
            self._add(items.message_item(self._id("msg"), parts))

    def _add(self, item: json.Object) -> None:
        self._output.append(item)

    def _id(self, kind: str) -> str:
        return item_id(kind, self._answer_id, len(self._output))
