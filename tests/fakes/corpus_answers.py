"""Recorded answers in canonical form, and as they are shown to clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects import CLIENT_DIALECTS, DIALECTS
from costspan.dialects.types import StreamOptions
from costspan.ir.fold import fold
from costspan.ir.opaque import unwrap
from costspan.ir.request import Reasoning, Text, ToolCall
from costspan.providers.hosts import KINDS
from costspan.wire import json, sse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from costspan.ir import events
    from costspan.ir.reply import Reply
    from costspan.ir.request import Block, Opaque
    from fakes.corpus import Row


def decode(dialect: str, data: bytes, kind: str = "openai") -> list[events.Event]:
    """The events of a whole stream."""
    decoder = DIALECTS[dialect].new_decoder(KINDS[kind].profile)
    found = [event for raw in sse.Parser().feed(data) for event in decoder.feed(raw)]
    decoder.close()
    return found


def reply_of(row: Row) -> Reply:
    """A recorded answer in canonical form."""
    if row.stream:
        return fold(decode(row.dialect, row.sse, row.kind))
    return DIALECTS[row.dialect].decode_reply(json.loads_object(row.raw), KINDS[row.kind].profile)


def shown(row: Row, client: str) -> tuple[bytes, set[str]]:
    """What a client gets, and what it is told that it does not get."""
    reply = reply_of(row)
    created = 1700000000 if reply.created is None else reply.created
    options = StreamOptions("cs_1", reply.model, created, prompt_tokens=7)
    if row.stream:
        encoder = CLIENT_DIALECTS[client].new_encoder(options)
        data = b"".join(map(encoder.feed, decode(row.dialect, row.sse, row.kind))) + encoder.close()
        return data, set(encoder.losses)
    encoded = CLIENT_DIALECTS[client].encode_reply(reply, options)
    return encoded.body, set(encoded.losses)


def back(row: Row, client: str, data: bytes) -> Reply:
    """What the client's dialect makes of it."""
    return fold(decode(client, data)) if row.stream else DIALECTS[client].decode_reply(json.loads_object(data))


def seals(blocks: Iterable[Block]) -> list[Opaque]:
    """What a provider wants back unchanged, wherever it hangs, unwrapped as it is when the client returns it."""
    return sorted(_seals(blocks), key=lambda opaque: opaque.data)


def _seals(blocks: Iterable[Block]) -> Iterator[Opaque]:
    for block in blocks:
        if isinstance(block, Reasoning | Text | ToolCall) and (opaque := block.opaque):
            yield unwrap(opaque.data) or opaque
