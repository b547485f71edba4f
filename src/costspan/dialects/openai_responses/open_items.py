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
    """Thinking, shown as a summary (see `items.reasoning_item`).

    It appears once there is any: its place is that of its first word, or of what seals it.
    """

    __slots__ = ("_head", "_id", "_output", "_place", "_texts", "opaque")

    def __init__(self, output: Output, opaque: Opaque | None = None) -> None:
        self.opaque = opaque
        self._output = output
        self._place = 0
        self._id = ""
        self._head = b""
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
        data = b"" if self._texts else self._start() + self._write("part.added", part=items.summary_part(""))
        self._texts.append(text)
        return data + self._output.delta(self._head, text)

    def finish(self) -> bytes:
        """It is whole. Its id was told before what seals it was known, so that is wrapped, whosever it is."""
        text = "".join(self._texts)
        if text:
            data = self._write("text.done", text=text) + self._write("part.done", part=items.summary_part(text))
        else:
            data = self._start()
        carried = sealed.carry(self.opaque, text)
        item = items.reasoning_item(self._id, text, sealed=carried)
        return data + self._output.done(self._place, item)

    def _start(self) -> bytes:
        self._place, self._id = self._output.next("rs")
        self._head = self._output.head("response.reasoning_summary_text.delta", **self._where())
        return self._output.add(items.reasoning_item(self._id, "", status=items.IN_PROGRESS))

    def _write(self, step: str, **fields: object) -> bytes:
        return self._output.write(f"response.reasoning_summary_{step}", **self._where(), **fields)

    def _where(self) -> json.Object:
        return {"item_id": self._id, "output_index": self._place, "summary_index": 0}
