"""How one host of a dialect differs from the dialect's inventor, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Profile:
    """The differences of one host. From the table in `providers/hosts.py`.

    `rename` maps a top-level request field to the host's name for it (`max_completion_tokens` to `max_tokens`).
    `rejects` are top-level request fields that the host refuses: left out when translating, a loss.
    `quirks` are named peculiarities of its usage report or stream (`reasoning_outside_completion`).
    """

    name: str = ""
    rename: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    rejects: frozenset[str] = frozenset()
    quirks: frozenset[str] = frozenset()


TAKES_REASONING_EFFORT = "takes_reasoning_effort"
"""Quirk: `reasoning_effort` as it was asked for, whatever the model; else only where the model is known to take it."""

PLAIN = Profile()
