"""Losses in the words of this dialect's clients. Paths are those of the official SDK (openai 3.54.0)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cache_control": "input.content.prompt_cache_breakpoint",
        "citations": "input.content.annotations",
        "file.filename": "input.content.filename",
        "image_url.detail": "input.content.detail",
        "logprobs": "include",  # message.output_text.logprobs
        "max_tokens": "max_output_tokens",
        "messages": "input",
        "messages.annotations": "input.content.annotations",
        "messages.audio": "input.content.input_audio",
        "messages.document": "input.content.input_file",
        "messages.file": "input.content.input_file",
        "messages.image": "input.content.input_image",
        "messages.reasoning_details": "input.encrypted_content",
        "messages.system": "input.role",  # amid the conversation: `instructions` stand before it everywhere
        "messages.tool_call_id": "input.call_id",
        "messages.tool_calls": "input.function_call",
        "response_format": "text.format",
        "tool_calls.arguments": "input.arguments",
        "user": "safety_identifier",
        "verbosity": "text.verbosity",
    }
)
