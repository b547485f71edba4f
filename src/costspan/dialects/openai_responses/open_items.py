"""A stream's calls and thoughts: items of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.openai_responses import items, sealed

if TYPE_CHECKING:
    from costspan.dialects.openai_responses.output import Output
    from costspan.ir.request import Opaque
    from costspan.wire import json


class Call:
    """A call of a function."""

    __slots__ = ("_arguments", "_call_id", "_head", "_id", "_name", "_output", "_place")

    def __init__(self, output: Output, call_id: str, name: str) -> None:
        self._output = output
        self._call_id = call_id
        self._name = name
        self._place, self._id = output.next("fc")
        self._arguments: list[str] = []
        self._head = output.head("response.function_call_arguments.delta", item_id=self._id, output_index=self._place)

    def start(self) -> bytes:
        """The call is told, its arguments are still to come."""
        return self._output.add(items.call_item(self._id, self._call_id, self._name, "", items.IN_PROGRESS))

    def add(self, part: str) -> bytes:
        """More of its arguments."""
        self._arguments.append(part)
        return self._output.delta(self._head, part)

    def finish(self) -> bytes:
        """The arguments are whole; `{}` where there are none."""
        data = b"" if self._arguments else self.add("{}")
        arguments = "".join(self._arguments)
        done = "response.function_call_arguments.done"
        data += self._output.write(done, item_id=self._id, output_index=self._place, arguments=arguments)
        return data + self._output.done(self._place, items.call_item(self._id, self._call_id, self._name, arguments))


class Thought:
    """Thinking. It appears once there is any: its place is that of its first word, or of what seals it."""

    __slots__ = ("_head", "_id", "_output", "_place", "_summary", "_texts", "opaque")

    def __init__(self, output: Output, *, summary: bool, opaque: Opaque | None = None) -> None:
        self.opaque = opaque
        self._output = output
        self._place = 0
        self._id = ""
        self._head = b""
        self._summary = summary
        self._texts: list[str] = []

    @property
    def begun(self) -> bool:
        """Whether it has appeared."""
        return bool(self._texts)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not self._texts and self.opaque is None

    def add(self, text: str) -> bytes:
        """More thinking."""
        data = b"" if self._texts else self._start() + self._write("part.added", part=self._part(""))
        self._texts.append(text)
        return data + self._output.delta(self._head, text)

    def finish(self) -> bytes:
        """It is whole. Its id was told before what seals it was known, so that is wrapped, whosever it is."""
        text = "".join(self._texts)
        if text:
            data = self._write("text.done", text=text) + self._write("part.done", part=self._part(text))
        else:
            data = self._start()
        carried = sealed.carry(self.opaque, text)
        item = items.reasoning_item(self._id, text, summary=self._summary, sealed=carried)
        return data + self._output.done(self._place, item)

    def _start(self) -> bytes:
        self._place, self._id = self._output.next("rs")
        self._head = self._output.head(self._name("text.delta"), **self._where())
        return self._output.add(items.reasoning_item(self._id, "", summary=self._summary, status=items.IN_PROGRESS))

    def _part(self, text: str) -> dict[str, str]:
        return items.summary_part(text) if self._summary else items.thought_part(text)

    def _write(self, step: str, **fields: object) -> bytes:
        return self._output.write(self._name(step), **self._where(), **fields)

    def _name(self, step: str) -> str:
        """A summary has events of its own; a part of reasoning in full is content like any other."""
        if self._summary:
            return f"response.reasoning_summary_{step}"
        return f"response.reasoning_{step}" if step.startswith("text") else f"response.content_{step}"

    def _where(self) -> json.Object:
        number = "summary_index" if self._summary else "content_index"
        return {"item_id": self._id, "output_index": self._place, number: 0}
