"""Losses in the words of this dialect's clients. Paths are those of the official SDK (google-genai 3.4.0)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONFIG: Final = "generationConfig"
_PARTS: Final = "contents.parts"

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "frequency_penalty": f"{_CONFIG}.frequencyPenalty",
        "logprobs": f"{_CONFIG}.responseLogprobs",
        "max_tokens": f"{_CONFIG}.maxOutputTokens",
        "messages": "contents",
        "messages.audio": _PARTS,  # inlineData or fileData
        "messages.content": _PARTS,
        "messages.document": _PARTS,
        "messages.file": f"{_PARTS}.fileData",
        "messages.image": _PARTS,
        "messages.reasoning": f"{_PARTS}.thought",
        "messages.reasoning_details": f"{_PARTS}.thoughtSignature",
        "messages.server_tool": f"{_PARTS}.server_tool",  # ours: executableCode, codeExecutionResult, toolCall, ...
        "messages.system": "systemInstruction",
        "messages.tool_call_id": f"{_PARTS}.functionResponse",
        "messages.tool_calls": f"{_PARTS}.functionCall",
        "messages.video": _PARTS,
        "n": f"{_CONFIG}.candidateCount",
        "presence_penalty": f"{_CONFIG}.presencePenalty",
        "reasoning": f"{_CONFIG}.thinkingConfig",
        "reasoning.exclude": f"{_CONFIG}.thinkingConfig.includeThoughts",
        "reasoning.summary": f"{_CONFIG}.thinkingConfig.includeThoughts",
        "response_format": f"{_CONFIG}.responseMimeType",
        "response_format.strict": f"{_CONFIG}.responseMimeType",  # its schemas are always strict
        "seed": f"{_CONFIG}.seed",
        "service_tier": "serviceTier",
        "stop": f"{_CONFIG}.stopSequences",
        "temperature": f"{_CONFIG}.temperature",
        "tool_calls.arguments": f"{_PARTS}.functionCall.args",
        "tool_choice": "toolConfig.functionCallingConfig",
        "tool_result.is_error": f"{_PARTS}.functionResponse.response",  # {"error": ...}
        "top_k": f"{_CONFIG}.topK",
        "top_logprobs": f"{_CONFIG}.logprobs",
        "top_p": f"{_CONFIG}.topP",
    }
)
