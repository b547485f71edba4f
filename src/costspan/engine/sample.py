"""How much text a stream gave, estimated from its beginning: for one that is cut before its usage came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.errors import Malformed
from costspan.ir import events
from costspan.wire import sse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costspan.dialects.types import StreamDecoder

BYTES = 64 * 1024
"""How much of a stream is kept."""


def chars(decoder: StreamDecoder, kept: Sequence[bytes], passed: int) -> tuple[int, bool]:
    """Characters of output in `passed` bytes that began with `kept`, scaled up; whether bytes had to count for them.

    Of an event that fills most of what was kept, and so is cut off by it, each byte counts.
    """
    parser = sse.Parser()
    data = b"".join(kept)
    count = 0
    try:
        for event in parser.feed(data):
            count += sum(chars_of(one) for one in decoder.feed(event))
    except Malformed:
        pass
    cut = len(parser.pending)
    by_bytes = len(data) >= BYTES and cut > len(data) // 2
    if by_bytes:
        count += cut
    return (count * passed // len(data) if data else 0), by_bytes


def chars_of(event: events.Event) -> int:
    """Characters of output in one event."""
    match event:
        case events.TextDelta(_, text) | events.ReasoningDelta(_, text) | events.ArgumentsDelta(_, text):
            return len(text)
    return 0
