"""A whole answer, in no provider's dialect, and how stream events add up to one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from costspan.ir.request import Block
    from costspan.ir.usage import Usage


class FinishReason(StrEnum):
    """Why a choice ended."""

    STOP = "stop"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    PAUSE = "pause"
    MALFORMED_TOOL_CALL = "malformed_tool_call"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Choice:
    """One alternative answer. `native` is the provider's own word for the finish reason."""

    blocks: tuple[Block, ...]
    finish: FinishReason | None = None
    native: str | None = None
    stop_sequence: str | None = None
    logprobs: Any = None


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `created` is epoch seconds where the provider gave it.

    `unread` names what the answer held beyond this form, in its dialect's words: losses, whoever the client is.
    """

    id: str
    model: str
    choices: tuple[Choice, ...]
    usage: Usage | None = None
    created: int | None = None
    service_tier: str | None = None
    unread: frozenset[str] = frozenset()
