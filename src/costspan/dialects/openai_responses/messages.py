"""A stream's messages: texts and refusals that follow each other are parts of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from costspan.dialects.openai_responses import items
from costspan.dialects.openai_responses.annotations import annotation, is_placed
from costspan.dialects.openai_responses.logprobs import from_chat, of_refusal

if TYPE_CHECKING:
    from costspan.dialects.losses import AnswerLosses
    from costspan.dialects.openai_responses.output import Output
    from costspan.ir.request import Citation
    from costspan.wire import json


class _Message:
    """A message: its place, and its parts as far as they are done."""

    __slots__ = ("done", "id", "open", "parts", "place")

    def __init__(self, place: int, id_: str) -> None:
        self.place = place
        self.id = id_
        self.parts: list[json.Object] = []
        """Empty where a part is not done yet."""
        self.open = 0
        """How many parts that is."""
        self.done = False


class Said:
    """A text or refusal. `message` is None as long as it has said nothing."""

    __slots__ = ("annotations", "head", "kind", "later", "logprobs", "message", "number", "texts")

    def __init__(self, kind: Literal["text", "refusal"]) -> None:
        self.kind = kind
        self.message: _Message | None = None
        self.number = 0
        self.head = b""
        self.texts: list[str] = []
        self.annotations: list[json.Object] = []
        self.later: list[Citation] = []
        """Citations that say nothing of their place: the whole text is meant, so they wait for it."""
        self.logprobs: list[json.Object] = []


class Messages:
    """Writes what is said."""

    def __init__(self, output: Output, losses: AnswerLosses) -> None:
        self._output = output
        self._losses = losses
        self._message: _Message | None = None
        """That to which the next text belongs."""
        self._last: Said | None = None
        """The text that was opened last, as long as it is open."""

    def text(self, block: Said, text: str) -> bytes:
        """More of a text or refusal."""
        data = b"" if block.message is not None else self._open(block)
        block.texts.append(text)
        return data + self._output.delta(block.head, text)

    def citation(self, block: Said, citation: Citation) -> bytes:
        """A citation of a text."""
        data = b"" if block.message is not None else self._open(block)
        if is_placed(citation):
            return data + self._annotate(block, citation)
        block.later.append(citation)
        return data

    def logprobs(self, logprobs: Any) -> bytes:  # noqa: ANN401 - OpenAI chat's object
        """They follow the text they are of, which is still open. Those of a refusal have no place."""
        block, tokens = self._last, from_chat(logprobs)
        known = block is not None and block.kind == "text"
        if of_refusal(logprobs) or (tokens and not known):
            self._losses.add("logprobs")
        if block is None or not known or not tokens:
            return b""
        block.logprobs += tokens
        return self._write("response.output_text.delta", block, delta="", logprobs=tokens)

    def finish(self, block: Said) -> bytes:
        """A text or refusal is whole. One that said nothing does not appear."""
        message = block.message
        if message is None:
            return b""
        data = b"".join(self._annotate(block, citation) for citation in block.later)
        text = "".join(block.texts)
        if block.kind == "refusal":
            part = items.refusal_part(text)
            data += self._write("response.refusal.done", block, refusal=text)
        else:
            part = items.text_part(text, block.annotations, block.logprobs)
            data += self._write("response.output_text.done", block, text=text, logprobs=block.logprobs)
        data += self._write("response.content_part.done", block, part=part)
        message.parts[block.number] = part
        message.open -= 1
        if self._last is block:
            self._last = None
        return data if message is self._message else data + self._done(message)

    def end(self) -> bytes:
        """Something else begins: no more parts of the last message come."""
        message, self._message = self._message, None
        return b"" if message is None else self._done(message)

    def _open(self, block: Said) -> bytes:
        """The block's part of a message, and the message where there is none yet."""
        data, message = b"", self._message
        if message is None:
            message = self._message = _Message(*self._output.next("msg"))
            data = self._output.add(items.message_item(message.id, (), items.IN_PROGRESS))
        block.message, block.number = message, len(message.parts)
        message.parts.append({})
        message.open += 1
        self._last = block
        place = {"item_id": message.id, "output_index": message.place, "content_index": block.number}
        if block.kind == "refusal":
            block.head, empty = self._output.head("response.refusal.delta", **place), items.refusal_part("")
        else:
            block.head = self._output.head("response.output_text.delta", **place, logprobs=[])
            empty = items.text_part("", (), ())
        return data + self._write("response.content_part.added", block, part=empty)

    def _annotate(self, block: Said, citation: Citation) -> bytes:
        length = sum(map(len, block.texts))
        shown = annotation(citation, length, self._losses.add)
        if shown is None:
            return b""
        number = len(block.annotations)
        block.annotations.append(shown)
        return self._write("response.output_text.annotation.added", block, annotation_index=number, annotation=shown)

    def _done(self, message: _Message) -> bytes:
        if message.open or message.done:
            return b""
        message.done = True
        return self._output.done(message.place, items.message_item(message.id, message.parts))

    def _write(self, name: str, block: Said, **fields: object) -> bytes:
        message = block.message
        if message is None:
            return b""
        return self._output.write(
            name, item_id=message.id, output_index=message.place, content_index=block.number, **fields
        )
