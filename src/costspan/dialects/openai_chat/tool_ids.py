"""Tool-call ids that a target accepts, by a pure function: call and result come out the same without memory."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from costspan.dialects.openai_chat.vocabulary import NINE_CHARACTER_TOOL_IDS, derived_id

# OpenAI answers 400 to longer ones ("string too long. Expected a string with maximum length 40":
# github.com/agno-agi/agno/issues/5382, read 2026-11-23).
MAX_LENGTH: Final = 40

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NINE: Final = re.compile(r"[a-zA-Z0-9]{9}", re.ASCII)


def tool_id(id_: str, quirks: frozenset[str]) -> str:
    """`id_` where the target accepts it, else one derived from it."""
    if NINE_CHARACTER_TOOL_IDS in quirks:
        return id_ if _NINE.fullmatch(id_) else _nine(id_)
    return id_ if 0 < len(id_) <= MAX_LENGTH else derived_id("long", id_)


def _nine(id_: str) -> str:
    number = int.from_bytes(hashlib.blake2s(id_.encode(errors="replace"), digest_size=8).digest())
    letters = []
    for _ in range(9):
        number, letter = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return "".join(letters)
