"""A stream of events as the elements of one JSON array: what Google's API gives whoever does not ask for `alt=sse`."""

from __future__ import annotations

from costspan.wire import sse


class JsonArray:
    """Feed it whole events; it gives the array piece by piece."""

    def __init__(self) -> None:
        self._parser = sse.Parser()
        self._begun = False

    def feed(self, events: bytes) -> bytes:
        """The elements that `events` hold."""
        out = bytearray()
        for event in self._parser.feed(events):
            out += b",\r\n" if self._begun else b"["
            out += event.data
            self._begun = True
        return bytes(out)

    def end(self) -> bytes:
        """What closes the array."""
        return b"]" if self._begun else b"[]"
