"""Puts the exchange's cost into the `usage` object of an answer, for clients that ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.engine.pipe import blocks
from costspan.errors import Malformed
from costspan.wire import json, sse
from costspan.wire.patch import fields, patch

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal


def in_reply(body: bytes, cost: Decimal | None) -> bytes:
    """A whole answer with `usage.cost`: USD as a JSON number with all its digits, null when unpriced."""
    try:
        span = fields(body).get("usage")
        if span is None or body[span[0] : span[0] + 1] != b"{":
            return body
        start, end = span
        return body[:start] + patch(body[start:end], {"cost": _number(cost)}) + body[end:]
    except Malformed:
        return body


def in_events(events: bytes, cost: Callable[[], Decimal | None]) -> bytes:
    """Whole stream events, with the cost in each that has a `usage` object at its top.

    Lines may end in any way; the last event may lack its blank line. What is not changed passes as it is.
    """
    if b'"usage"' not in events:
        return events
    known = cost()
    return b"".join(_event(raw, known) for raw in blocks(events))


def _event(raw: bytes, cost: Decimal | None) -> bytes:
    event = sse.parse(raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")) if b'"usage"' in raw else None
    if event is None or not event.data.startswith(b"{"):
        return raw
    data = in_reply(event.data, cost)
    return raw if data == event.data else sse.write(data, event.name)


def _number(cost: Decimal | None) -> json.Fragment | None:
    return None if cost is None else json.Fragment(format(cost, "f").encode())
