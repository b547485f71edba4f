"""The dialect's words and ours: names, tables, limits.

Source: the types of the official SDK, anthropic 2.12.0 (`anthropic.types`), read 2026-11-23.
"""

from __future__ import annotations

import hashlib
import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from costspan.ir.reply import FinishReason

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "anthropic-messages"

UNSIGNED = "cs1.none.signature."
"""Stands where the signature of thinking would that nobody signed: wrapped as all that is not Anthropic's, holding
nothing. An empty one is the mark of a stream that was cut; pydantic-ai 2.68 makes the user's words of such thinking
(`models/anthropic`, read 2026-11-25).
"""

FINISH_REASONS: Mapping[str, FinishReason] = MappingProxyType(
    {
        "end_turn": FinishReason.STOP,
        "stop_sequence": FinishReason.STOP_SEQUENCE,
        "max_tokens": FinishReason.LENGTH,
        "model_context_window_exceeded": FinishReason.LENGTH,
        "tool_use": FinishReason.TOOL_CALLS,
        "refusal": FinishReason.CONTENT_FILTER,
        "pause_turn": FinishReason.PAUSE,
    }
)

STOP_REASONS: Mapping[FinishReason, str] = MappingProxyType(
    {
        FinishReason.STOP: "end_turn",
        FinishReason.STOP_SEQUENCE: "stop_sequence",
        FinishReason.LENGTH: "max_tokens",
        FinishReason.TOOL_CALLS: "tool_use",
        FinishReason.CONTENT_FILTER: "refusal",
        FinishReason.PAUSE: "pause_turn",
        FinishReason.MALFORMED_TOOL_CALL: "end_turn",
        FinishReason.OTHER: "end_turn",
    }
)

TIERS_IN: Mapping[str, str] = MappingProxyType({"standard_only": "default"})
"""Service tiers a request asks for, in the canonical form's words (which are OpenAI's)."""
TIERS_OUT: Mapping[str, str] = MappingProxyType({"auto": "auto", "default": "standard_only"})
SERVED_TIERS: Mapping[str, str] = MappingProxyType(
    {"standard": "standard", "default": "standard", "priority": "priority", "batch": "batch"}
)
"""Service tiers an answer reports: the provider's word to the dialect's."""

# What the reader of an answer knows. Any other field that holds something is a loss for a client of another dialect.
# Not losses, since they are no part of what the model said: the service tier and the details of usage (the record of
# the attempt has them), and the `caller` of a tool that the model itself called.
MESSAGE_FIELDS = frozenset(
    {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage", "service_tier"}
)
BLOCK_FIELDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "text": frozenset({"type", "text", "citations"}),
        "thinking": frozenset({"type", "thinking", "signature"}),
        "redacted_thinking": frozenset({"type", "data"}),
        "tool_use": frozenset({"type", "id", "name", "input"}),
    }
)
"""By type; a block of another type is kept whole."""
CALLED_BY_THE_MODEL = {"type": "direct"}

_CALL_ID = re.compile(r"[a-zA-Z0-9_-]+")


def call_id(foreign: str) -> str:
    """The id of a tool call as this dialect accepts it. Pure: a call and its result get the same one."""
    if _CALL_ID.fullmatch(foreign):
        return foreign
    return f"toolu_{hashlib.sha256(foreign.encode(errors='surrogatepass')).hexdigest()[:24]}"


def finish_reason(native: str) -> FinishReason:
    """Our word for `stop_reason`; what is not known yet is `OTHER`."""
    return FINISH_REASONS.get(native, FinishReason.OTHER)


def stop_reason(reason: FinishReason | None, native: str | None, *, called: bool, refused: bool) -> str:
    """The dialect's word for why the answer ended. `called`: it holds tool calls; `refused`: it holds a refusal.

    Clients loop on `tool_use`, and some hosts say `stop` after tool calls.
    """
    if refused:
        return "refusal"
    if native is not None and reason is not None and FINISH_REASONS.get(native) is reason:
        return native
    if called and reason in (None, FinishReason.STOP, FinishReason.OTHER):
        return "tool_use"
    return STOP_REASONS[reason or FinishReason.STOP]
