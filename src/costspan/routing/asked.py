"""What is visible of a request before it is sent, as far as its cost depends on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    `conversation` is a fingerprint of what all turns of one conversation begin with, `prefix` one of the instructions
    and tools that many conversations share; None where there are none. Both are salted by whoever asks.
    """

    prompt_chars: int
    media: int = 0
    max_output_tokens: int | None = None
    tools: bool = False
    json_schema: bool = False
    n: int = 1
    conversation: bytes | None = None
    prefix: bytes | None = None
    prefix_chars: int = 0
    """How many of `prompt_chars` are of the prefix."""
