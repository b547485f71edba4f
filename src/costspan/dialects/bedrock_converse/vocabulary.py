"""The dialect's words and ours: names, tables, limits.

Source: botocore 1.44.1, data/bedrock-runtime/2023-09-30 (read 2026-11-25), unless said otherwise.
"""

from __future__ import annotations

import hashlib
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from costspan.ir.reply import FinishReason

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME: Final = "bedrock-converse"

FINISH_REASONS: Final[Mapping[str, FinishReason]] = MappingProxyType(
    {
        "end_turn": FinishReason.STOP,
        "stop_sequence": FinishReason.STOP_SEQUENCE,
        "max_tokens": FinishReason.LENGTH,
        "model_context_window_exceeded": FinishReason.LENGTH,
        "tool_use": FinishReason.TOOL_CALLS,
        "guardrail_intervened": FinishReason.CONTENT_FILTER,
        "content_filtered": FinishReason.CONTENT_FILTER,
        "refusal": FinishReason.CONTENT_FILTER,  # Claude's own word; not in the model, in case that it passes
        "malformed_tool_use": FinishReason.MALFORMED_TOOL_CALL,
    }
)

SERVICE_TIERS: Final = frozenset({"default", "flex", "priority"})
"""Those that a request may ask for by OpenAI's words. `auto` asks for nothing, and so does saying nothing here."""

# What the reader of an answer knows. Any other field that holds something is a loss for the client.
# The second set of each is not read and no loss: bookkeeping, or what is said twice.
ANSWER_FIELDS: Final = frozenset(
    {"output", "stopReason", "usage", "serviceTier", "trace", "additionalModelResponseFields"}
) | frozenset({"metrics", "performanceConfig"})
EVENT_FIELDS: Final = ANSWER_FIELDS | frozenset({"p"})  # padding against guessing by length
TRACE_FIELDS: Final = frozenset({"promptRouter"})
MODEL_FIELDS: Final = frozenset({"stop_sequence"})
"""Of `additionalModelResponseFields`."""

IMAGE_FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
)
DOCUMENT_FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "application/pdf": "pdf",
        "text/plain": "txt",
        "text/markdown": "md",
        "text/csv": "csv",
        "text/html": "html",
        "application/msword": "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
        "application/vnd.ms-excel": "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    }
)
VIDEO_FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "video/mp4": "mp4",
        "video/quicktime": "mov",
        "video/x-matroska": "mkv",
        "video/webm": "webm",
        "video/x-flv": "flv",
        "video/mpeg": "mpeg",
        "video/x-ms-wmv": "wmv",
        "video/3gpp": "three_gp",
    }
)
AUDIO_FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "audio/mpeg": "mp3",
        "audio/mp3": "mp3",
        "audio/wav": "wav",
        "audio/x-wav": "wav",
        "audio/flac": "flac",
        "audio/ogg": "ogg",
        "audio/opus": "opus",
        "audio/aac": "aac",
        "audio/mp4": "m4a",
        "audio/m4a": "m4a",
        "audio/webm": "webm",
        "audio/pcm": "pcm",
        "audio/pcm16": "pcm",
    }
)

_TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)

# The service takes dots and colons too, Claude does not.
_CALL_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)


def call_id(foreign: str) -> str:
    """The id of a tool call as this dialect accepts it. Pure: a call and its result get the same one."""
    if _CALL_ID.fullmatch(foreign):
        return foreign
    return f"tooluse_{hashlib.sha256(foreign.encode(errors='surrogatepass')).hexdigest()[:24]}"


def is_tool_name(name: str) -> bool:
    """Whether a tool can be called `name`, also in an earlier call."""
    return bool(_TOOL_NAME.fullmatch(name))


def finish_reason(native: str) -> FinishReason:
    """Our word for `stopReason`; what is not known yet is `OTHER`."""
    return FINISH_REASONS.get(native, FinishReason.OTHER)
