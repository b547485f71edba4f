"""Puts the exchange's cost into the `usage` object of an answer, for clients that ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from costspan.engine.pipe import blocks
from costspan.errors import Malformed
from costspan.wire import json, sse
from costspan.wire.patch import fields, patch

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal


Paths: TypeAlias = tuple[tuple[str, ...], ...]
"""Where a dialect has its usage object, from the top (`Addressed.USAGE_PATHS`)."""


def in_reply(body: bytes, cost: Decimal | None, paths: Paths) -> bytes:
    """A whole answer with `cost` in its usage: USD as a JSON number with all its digits, null when unpriced."""
    try:
        for path in paths:
            body = _within(body, path, cost)
    except Malformed:
        pass
    return body


def _within(body: bytes, path: tuple[str, ...], cost: Decimal | None) -> bytes:
    if not path:
        return patch(body, {"cost": _number(cost)})
    span = fields(body).get(path[0])
    if span is None or body[span[0] : span[0] + 1] != b"{":
        return body
    start, end = span
    return body[:start] + _within(body[start:end], path[1:], cost) + body[end:]


def in_events(events: bytes, cost: Callable[[], Decimal | None], paths: Paths) -> bytes:
    """Whole stream events, with the cost in each that has a usage object at one of `paths`.

    Lines may end in any way; the last event may lack its blank line. What is not changed passes as it is.
    """
    mark = b'"%s"' % paths[0][-1].encode()
    if mark not in events:
        return events
    known = cost()
    return b"".join(_event(raw, known, paths, mark) for raw in blocks(events))


def _event(raw: bytes, cost: Decimal | None, paths: Paths, mark: bytes) -> bytes:
    event = sse.parse(raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")) if mark in raw else None
    if event is None or not event.data.startswith(b"{"):
        return raw
    data = in_reply(event.data, cost, paths)
    return raw if data == event.data else sse.write(data, event.name)


def _number(cost: Decimal | None) -> json.Fragment | None:
    return None if cost is None else json.Fragment(format(cost, "f").encode())
