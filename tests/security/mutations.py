"""Small changes of JSON and of streams, by a seed: what a broken client or a broken provider may send."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

    Event = tuple[str, bytes]

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 1e300, 2**53, 2**63, 2**64 - 1, -(2**63), "", " ", "x", "\0", "\u202e"),
    *([], [None], [[]], [{}], {}, {"": None}, {"type": None}, {"type": "canary"}, {"type": []}, [0, "x", None, {}]),
    *("http://127.0.0.1:9/", "data:image/png;base64,%%%", "data:", "file:///etc/passwd", "{", "[]", '{"a":', "9" * 400),
    *("x" * 3000, "\U0001f600", "true", "auto", "none", "user", "tool", "base64", "2026-11-25", "é\u0301\ufeff"),
)


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every container with each of its keys, all the way down."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        found.append((value, key))
        _places(inner, found)
    return found


def mutated(body: Any, random: Random, *, keep: frozenset[str] = frozenset(), times: int = 1) -> Any:
    """`body` with `times` things in it changed. Top-level fields in `keep` stay as they are."""
    body = copy.deepcopy(body)
    for _ in range(times):
        places = [(where, key) for where, key in _places(body, []) if not (where is body and key in keep)]
        if not places:
            return body
        where, key = random.choice(places)
        _mutate(where, key, random, places)
    return body


def _mutate(where: Any, key: Any, random: Random, places: list[tuple[Any, Any]]) -> None:
    value = where[key]
    match random.randrange(8):
        case 0:
            del where[key]
        case 1:
            where[key] = [value]
        case 2:
            where[key] = {"type": value} if isinstance(value, str) else {"value": value}
        case 3 if isinstance(value, list):
            where[key] = value * 3
        case 4 if isinstance(where, dict):
            where[f"{key}_x"] = where.pop(key)
        case 5:
            other, name = random.choice(places)
            where[key] = copy.deepcopy(other[name])
        case 6 if isinstance(value, str) and value:
            cut = random.randrange(len(value))
            where[key] = value[:cut] + random.choice(["", "\0", "\n", '"', "\\", "\u2028"]) + value[cut + 1 :]
        case _:
            where[key] = copy.deepcopy(random.choice(ODD))


def disturbed(data: bytes, random: Random) -> bytes:
    """Bytes with one piece changed."""
    at = random.randrange(len(data) + 1)
    piece = random.choice([b"", b"\0", b"\xff", b"\xed\xa0\x80", b"{", b"}", b"[", b'"', b"\\", b"\r\n\r\n", b"canary"])
    return data[:at] + piece + data[at + random.randrange(6) :]


def shuffled(events: list[Event], random: Random) -> list[Event]:
    """Events with one lost, doubled, moved, renamed, emptied or left out from there on."""
    events = list(events)
    at, to = random.randrange(len(events)), random.randrange(len(events))
    name, data = events[at]
    match random.randrange(7):
        case 0:
            del events[at]
        case 1:
            events.insert(to, events[at])
        case 2:
            events[at], events[to] = events[to], events[at]
        case 3:
            del events[at:]
        case 4:
            events[at] = (events[to][0], data)
        case 5:
            events[at] = (name, random.choice([b"", b"null", b"[]", b"{}", b"1", b'"x"', b"[DONE]", b"canary"]))
        case _:
            events[at] = (name, disturbed(data, random))
    return events
