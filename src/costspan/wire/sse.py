"""Server-sent events, sans-IO. https://html.spec.whatwg.org/multipage/server-sent-events.html (read 2026-11-23).

A parser is fed chunks cut anywhere and yields an event once its blank line came. Lines may end in LF, CRLF or CR.
Comments (`: ping`) are not events. An event that the stream's end cuts off is never yielded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from costspan.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterator

# Larger than any event a provider sends; an upstream that never ends a line
# must not be able to fill our memory.
MAX_EVENT_BYTES = 8 * 1024 * 1024

COMMENT = b": costspan\n\n"
"""Keeps a silent stream alive through proxies; clients skip it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatched event. `name` is empty when the stream does not name events."""

    name: str
    data: bytes


class Parser:
    """Feed it chunks cut anywhere; it yields each event once it is complete."""

    def __init__(self) -> None:
        self._buffer = b""

    @property
    def pending(self) -> bytes:
        """What came after the last complete event."""
        return self._buffer

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events that `chunk` completes. Raises `Malformed` on an event over the size limit."""
        buffer = self._buffer + chunk
        held = b""
        if b"\r" in buffer:
            if buffer.endswith(b"\r"):  # may be the first half of CRLF
                buffer, held = buffer[:-1], b"\r"
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *blocks, rest = buffer.split(b"\n\n")
        self._buffer = rest + held
        if len(rest) > MAX_EVENT_BYTES:
            raise Malformed(f"event larger than {MAX_EVENT_BYTES} bytes")
        for block in blocks:
            event = parse(block)
            if event is not None:
                yield event


def parse(block: bytes) -> Event | None:
    """Parse one block of `field: value` lines; None if it held only comments or no data."""
    name = b""
    data: list[bytes] = []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line.startswith(b"event:"):
            name = line[6:].strip()
        elif line == b"data":
            data.append(b"")
    if not data:
        return None
    return Event(name.decode(errors="replace"), data[0] if len(data) == 1 else b"\n".join(data))


def write(data: bytes, name: str = "") -> bytes:
    """One event as bytes. `data` is one line of JSON."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data) if name else b"data: %s\n\n" % data
