"""Fingerprints of a request: what all turns of its conversation begin with, and what many conversations share.

By them routing knows which target holds a prompt in its cache. They are read off the client's own fields, whatever its
dialect, with bounded work, and are salted with the name of the client key: nobody learns through routing what somebody
else has asked. They stay in memory; no content can be read back from them.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from costspan.wire import json

if TYPE_CHECKING:
    from costspan.routing.asked import Asked

_INSTRUCTIONS: Final = ("system", "instructions", "systemInstruction", "system_instruction")
_TURNS: Final = ("messages", "contents", "input")
_INSTRUCTING: Final = frozenset({"system", "developer"})
"""Roles of turns that are instructions where they come first."""
_UNSAID: Final = frozenset({"cache_control", "role", "type", "id"})
"""Members that are no content. Clients move their cache markers on with each turn: the first must stay recognisable."""
_HEAD, _TAIL = 2048, 512
"""Characters of one text that count, beside its length: prompts that agree in all of this are the same ones."""
_MAX_VALUES: Final = 256
"""Values looked at in the instructions, and in the first turn."""


def recognised(asked: Asked, fields: json.Object, key: str | None) -> Asked:
    """`asked` with the fingerprints of the request with these `fields`, sent with the client key of that name."""
    prefix = blake2b((key or "").encode(), digest_size=16)
    instructions, first = _parts(fields)
    chars = sum(_add(prefix, value) for value in instructions)
    if tools := fields.get("tools") or fields.get("functions"):
        written = json.dumps(tools)
        _add_bytes(prefix, written, len(written))
        chars += len(written)
    conversation = None
    if first is not None:
        digest = prefix.copy()
        digest.update(b"\0first")
        _add(digest, first)
        conversation = digest.digest()
    return replace(asked, conversation=conversation, prefix=prefix.digest() if chars else None, prefix_chars=chars)


def _parts(fields: json.Object) -> tuple[list[Any], Any]:
    """The instructions, and the first turn that is none of them."""
    instructions = [fields[name] for name in _INSTRUCTIONS if fields.get(name)]
    turns = next((fields[name] for name in _TURNS if fields.get(name)), None)
    if not isinstance(turns, list):
        return instructions, turns
    for turn in turns:
        if not (isinstance(turn, dict) and turn.get("role") in _INSTRUCTING):
            return instructions, turn
        instructions.append(turn)
    return instructions, None


def _add(digest: blake2b, value: Any) -> int:  # noqa: ANN401 - unchecked input
    """Take in the texts in `value`, however deep, but not more than so many; how many characters they have."""
    chars = 0
    stack = [value]
    for _ in range(_MAX_VALUES):
        if not stack:
            break
        part = stack.pop()
        if isinstance(part, str):
            chars += len(part)
            text = part if len(part) <= _HEAD + _TAIL else part[:_HEAD] + part[-_TAIL:]
            _add_bytes(digest, text.encode(errors="surrogatepass"), len(part))
        elif isinstance(part, list):
            stack.extend(reversed(part))
        elif isinstance(part, dict):
            stack.extend(part[name] for name in sorted(part, reverse=True) if name not in _UNSAID)
    return chars


def _add_bytes(digest: blake2b, data: bytes, length: int) -> None:
    """Take in one text of that length, apart from what comes after it."""
    digest.update(b"%d:" % length)
    digest.update(data if len(data) <= 4 * (_HEAD + _TAIL) else data[: 4 * _HEAD] + data[-4 * _TAIL :])
