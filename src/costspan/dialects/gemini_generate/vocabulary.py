"""The dialect's words and ours: names, tables.

Source: the types of the official SDK, google-genai 3.4.0 (`google.genai.types`), read 2026-11-25.
"""

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from costspan.ir.reply import FinishReason

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "gemini-generate"

_FILTERED: Final = (
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
    "ESCALATION",
    "PUP_LIMITED_DISABLED",
)

DECODED_FINISH: Final[Mapping[str, FinishReason]] = MappingProxyType(
    {
        "STOP": FinishReason.STOP,
        "MAX_TOKENS": FinishReason.LENGTH,
        "CONTINUATION": FinishReason.LENGTH,  # the limit of one request, with a token to go on from
        "MALFORMED_FUNCTION_CALL": FinishReason.MALFORMED_TOOL_CALL,
        "UNEXPECTED_TOOL_CALL": FinishReason.MALFORMED_TOOL_CALL,
        **dict.fromkeys(_FILTERED, FinishReason.CONTENT_FILTER),
    }
)
"""What is not here is `OTHER`."""

ENCODED_FINISH: Final[Mapping[FinishReason, str]] = MappingProxyType(
    {
        FinishReason.STOP: "STOP",
        FinishReason.STOP_SEQUENCE: "STOP",
        FinishReason.LENGTH: "MAX_TOKENS",
        FinishReason.TOOL_CALLS: "STOP",
        FinishReason.CONTENT_FILTER: "SAFETY",
        FinishReason.PAUSE: "STOP",
        FinishReason.MALFORMED_TOOL_CALL: "MALFORMED_FUNCTION_CALL",
        FinishReason.OTHER: "OTHER",
    }
)
REFUSED: Final = "SAFETY"
UNSPECIFIED: Final = frozenset({"FINISH_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED"})

TIERS_IN: Final[Mapping[str, str | None]] = MappingProxyType({"standard": "default", "unspecified": None})
"""Service tiers a request asks for, in the canonical form's words (which are OpenAI's); others are the same."""
TIERS_OUT: Final[Mapping[str, str]] = MappingProxyType({"default": "standard", "flex": "flex", "priority": "priority"})
TRAFFIC_TIERS: Final[Mapping[str, str | None]] = MappingProxyType(
    {"ON_DEMAND_PRIORITY": "priority", "ON_DEMAND_FLEX": "flex", "TRAFFIC_TYPE_UNSPECIFIED": None}
)
"""Vertex tells the tier that served as `trafficType`; other words are kept, in lower case."""
TRAFFIC_OF: Final[Mapping[str, str]] = MappingProxyType({"priority": "ON_DEMAND_PRIORITY", "flex": "ON_DEMAND_FLEX"})

SERVER_TOOL_PARTS: Final = ("executableCode", "codeExecutionResult", "toolCall", "toolResponse")
"""Parts that tell of a tool which Google ran itself."""

# What the reader of an answer knows. Any other field that holds something is a loss for a client of another dialect.
# The second set of each is not read and no loss: bookkeeping.
ANSWER_FIELDS: Final = frozenset(
    {"candidates", "usageMetadata", "modelVersion", "responseId", "createTime", "promptFeedback"}
) | frozenset({"modelStatus"})
FEEDBACK_FIELDS: Final = frozenset({"blockReason"})
CANDIDATE_FIELDS: Final = frozenset(
    {"content", "finishReason", "index", "groundingMetadata", "citationMetadata", "logprobsResult"}
) | frozenset(
    {
        "avgLogprobs",  # the mean of what `logprobsResult` tells
        "finishMessage",  # the finish reason in a sentence
        "tokenCount",  # part of the usage
    }
)
GROUNDING_FIELDS: Final = frozenset({"groundingChunks", "groundingSupports", "webSearchQueries"}) | frozenset(
    {"retrievalMetadata", "retrievalQueries", "imageSearchQueries"}  # how it searched, not what it found
)
PART_FIELDS: Final = frozenset(
    {"text", "thought", "thoughtSignature", "functionCall", "inlineData", "fileData", *SERVER_TOOL_PARTS}
)


def finish_reason(native: str, *, calls_tools: bool) -> FinishReason:
    """The canonical reason. Gemini says `STOP` after function calls too; whoever reads on needs `tool_calls`."""
    reason = DECODED_FINISH.get(native, FinishReason.OTHER)
    return FinishReason.TOOL_CALLS if calls_tools and reason is FinishReason.STOP else reason


def derived_id(*parts: object) -> str:
    """An id for a function call that came without: the same for the same parts."""
    digest = hashlib.blake2s("/".join(map(str, parts)).encode(errors="replace"), digest_size=12)
    return f"call_{digest.hexdigest()}"
