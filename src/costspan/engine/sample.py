"""How much text an answer gave: for one whose usage never came. A stream's is estimated from its beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects import DIALECTS
from costspan.errors import Malformed
from costspan.ir import events
from costspan.ir.request import Reasoning, Refusal, Text, ToolCall
from costspan.wire import sse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costspan.dialects.types import Profile, StreamDecoder
    from costspan.ir.request import Block
    from costspan.wire import json

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


def chars_of_whole(dialect: str, body: json.Object, profile: Profile) -> int:
    """Characters of output in a whole answer of a chat dialect; 0 in any other."""
    if dialect not in DIALECTS:
        return 0
    try:
        reply = DIALECTS[dialect].decode_reply(body, profile)
    except Malformed:
        return 0
    return sum(_chars_of_block(block) for choice in reply.choices for block in choice.blocks)


def _chars_of_block(block: Block) -> int:
    match block:
        case Text(text) | Reasoning(text) | Refusal(text):
            return len(text)
        case ToolCall():
            return len(block.arguments)
    return 0
