"""Losses in the words of this dialect's clients. Paths are those of the official SDK (anthropic 2.12.0)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTENT: Final = "messages.content"

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "citations": f"{_CONTENT}.citations",
        "file.filename": f"{_CONTENT}.title",
        "messages.annotations": f"{_CONTENT}.citations",
        "messages.document": f"{_CONTENT}.document",
        "messages.file": f"{_CONTENT}.source",
        "messages.image": f"{_CONTENT}.image",
        "messages.reasoning": f"{_CONTENT}.thinking",
        "messages.reasoning_details": f"{_CONTENT}.signature",
        "messages.server_tool": f"{_CONTENT}.server_tool_use",
        "messages.system": "messages.role",  # one amid the conversation: `system` stands before it everywhere
        "messages.tool_call_id": f"{_CONTENT}.tool_use_id",
        "messages.tool_calls": f"{_CONTENT}.tool_use",
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
        "reasoning": "thinking",
        "reasoning.exclude": "thinking.display",
        "reasoning.summary": "thinking.display",
        "response_format": "output_config.format",
        "response_format.strict": "output_config.format",  # which is always strict
        "stop": "stop_sequences",
        "tool_calls.arguments": f"{_CONTENT}.input",
        "tool_result.is_error": f"{_CONTENT}.is_error",
        "user": "metadata.user_id",
    }
)
