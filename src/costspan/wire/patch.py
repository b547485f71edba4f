"""Change top-level fields of a JSON object and leave every other byte alone.

Number formats, escapes, key order and fields we have never heard of survive, because nested values are copied as
bytes and never printed again. The common change (one string, found once) costs a search and a parse of the shorter
side; anything unusual takes the scan of all top-level fields, which also finds duplicate keys.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from costspan.errors import Malformed
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]', re.DOTALL)
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")

Span = tuple[int, int]


def patch(body: bytes, changes: Mapping[str, object], *, insert: Mapping[str, object] | None = None) -> bytes:
    """Return `body` with `changes` made: present fields are replaced in place, missing ones put at the front.

    `insert` holds fields that are put in only where they are missing (defaults). `body` must be valid JSON with an
    object at the top (already parsed by the caller); duplicate top-level keys raise `Malformed`.
    """
    spans = fields(body)
    edits = [(spans[name], json.dumps(value)) for name, value in changes.items() if name in spans]
    added = {name: value for name, value in {**(insert or {}), **changes}.items() if name not in spans}
    for (start, end), value in sorted(edits, reverse=True):
        body = body[:start] + value + body[end:]
    return _prepend(body, added, empty=not spans) if added else body


def prepend(body: bytes, added: Mapping[str, object]) -> bytes:
    """Return `body` with the fields of `added` at its front; the caller knows that it has none of them."""
    return _prepend(body, added, empty=not body[body.index(b"{") + 1 :].lstrip().startswith(b'"'))


def insert(body: bytes, added: Mapping[str, object]) -> bytes:
    """Return `body` with those fields of `added` at its front that it lacks. Raises `Malformed` on duplicate keys."""
    if _hides_keys(body) or any(b'"%s"' % name.encode() in body for name in added):
        return patch(body, {}, insert=added)
    return prepend(body, added)


def remove(body: bytes, *names: str) -> bytes:
    """Return `body` without the top-level fields `names`. Raises `Malformed` on duplicate keys."""
    for name in names:
        body = _without(body, name)
    return body


def _without(body: bytes, name: str) -> bytes:
    if b'"%s"' % name.encode() not in body and not _hides_keys(body):
        return body
    found = _scalar(name).search(body) if _once(body, name) else None
    if found is not None and _at_top(body, *found.span(1)):
        before, after = body[: found.start(1)].rstrip(), body[found.end(1) :].lstrip()
        if after.startswith(b","):
            return before + after[1:].lstrip()
        return before.removesuffix(b",") + after
    kept = [(key, body[slice(*span)]) for key, span in fields(body).items() if key != name]
    return b"{%s}" % b",".join(b"%s:%s" % (json.dumps(key), value) for key, value in kept)


def replace_string(body: bytes, name: str, old: str, new: str) -> bytes:
    """Return `body` with the top-level string field `name`, known to be `old`, set to `new`."""
    if not _once(body, name):
        return patch(body, {name: new})
    if old == new:
        return body
    found = _member(name).search(body)
    if found is None or found[1] != json.dumps(old) or not _at_top(body, found.start(), found.end()):
        return patch(body, {name: new})
    return b"%s%s:%s%s" % (body[: found.start()], json.dumps(name), json.dumps(new), body[found.end() :])


@functools.lru_cache(maxsize=8)
def _member(name: str) -> re.Pattern[bytes]:
    return re.compile(rb'"%s"\s*:\s*("[^"\\]*")' % re.escape(name.encode()))


@functools.lru_cache(maxsize=8)
def _scalar(name: str) -> re.Pattern[bytes]:
    return re.compile(rb'("%s"\s*:\s*(?:"[^"\\]*"|[a-z]++|[-+.0-9eE]++))\s*[,}]' % re.escape(name.encode()))


def _once(body: bytes, name: str) -> bool:
    """Whether the key's plain spelling occurs once and no key can be hiding behind an escape."""
    return body.count(b'"%s"' % name.encode()) == 1 and not _hides_keys(body)


def _hides_keys(body: bytes) -> bool:
    """Whether a letter of a key may be written as an escape. Those of other alphabets hide no name of ours."""
    return b"\\u00" in body and _ESCAPED_LETTER.search(body) is not None


def _at_top(body: bytes, start: int, end: int) -> bool:
    """Whether the member `body[start:end]` belongs to the outermost object: only then is one side of it JSON."""
    before, after = body[:start], body[end:]
    probe = before + b'"":0}' if len(before) < len(after) else b'{"":0' + after
    try:
        json.loads(probe)
    except Malformed:
        return False
    return True


def fields(body: bytes) -> dict[str, Span]:
    """Where the value of each top-level field of the JSON object `body` stands. Raises `Malformed` on duplicates."""
    spans: dict[str, Span] = {}
    depth = 0
    name: str | None = None
    last: bytes = b""
    start = 0
    for token in _TOKEN.finditer(body):
        mark = token.group()[:1]
        if mark in b"{[":
            depth += 1
        elif mark in b"}]":
            depth -= 1
        if depth > 1:
            continue
        if mark == b'"' and name is None:
            last = token.group()
        elif mark == b":" and name is None:
            name, start = _key(last, spans), token.end()
        elif name is not None and (mark == b"," or depth == 0):
            spans[name] = _trim(body, start, token.start())
            name = None
    return spans


def _key(raw: bytes, seen: Mapping[str, Span]) -> str:
    key = str(json.loads(raw))
    if key in seen:
        raise Malformed("a top-level key occurs twice")
    return key


def _trim(body: bytes, start: int, end: int) -> Span:
    raw = body[start:end]
    return start + len(raw) - len(raw.lstrip()), start + len(raw.rstrip())


def _prepend(body: bytes, added: Mapping[str, object], *, empty: bool) -> bytes:
    start = body.index(b"{") + 1
    members = json.dumps(dict(added))[1:-1]
    return b"%s%s%s%s" % (body[:start], members, b"" if empty else b",", body[start:])
