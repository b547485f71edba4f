"""A stream's events and its items, each numbered without gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.openai_responses.vocabulary import item_id
from costspan.wire import json, sse

if TYPE_CHECKING:
    from collections.abc import Sequence


class Output:
    """What has been written of one answer."""

    def __init__(self) -> None:
        self.answer_id = ""
        self._sequence = 0
        self._items: list[json.Object] = []

    @property
    def items(self) -> Sequence[json.Object]:
        """Items in their places; empty ones are not done yet."""
        return self._items

    def write(self, name: str, **fields: object) -> bytes:
        """One event."""
        number = self._sequence
        self._sequence += 1
        return sse.write(json.dumps({"type": name, "sequence_number": number, **fields}), name)

    def head(self, name: str, **fields: object) -> bytes:
        """What is the same in all deltas of a block, written once."""
        return sse.write(json.dumps({"type": name, **fields, "delta": ""}), name)[:-5]

    def delta(self, head: bytes, text: str) -> bytes:
        """One more delta."""
        number = self._sequence
        self._sequence += 1
        return b'%s%s,"sequence_number":%d}\n\n' % (head, json.dumps(text), number)

    def next(self, kind: str) -> tuple[int, str]:
        """Where the next item stands, and its id."""
        place = len(self._items)
        return place, item_id(kind, self.answer_id, place)

    def add(self, item: json.Object) -> bytes:
        """An item begins."""
        place = len(self._items)
        self._items.append({})
        return self.write("response.output_item.added", output_index=place, item=item)

    def done(self, place: int, item: json.Object) -> bytes:
        """An item is whole."""
        self._items[place] = item
        return self.write("response.output_item.done", output_index=place, item=item)

    def whole(self, item: json.Object) -> bytes:
        """An item that comes at once."""
        place = len(self._items)
        return self.add(item) + self.done(place, item)
