"""Words of the OpenAI chat dialect and what they mean in canonical form.

Finish reasons: the types of the official SDK (openai 3.54.0); `function_call` is the legacy word of `tool_calls`,
`model_length` is Mistral's (its OpenAPI document 1.0.0, by docs.rs/crate/mistral-openapi-client, read 2026-11-23).
"""

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast, get_args

from costspan.dialects.losses import NO_WORD_ANYWHERE
from costspan.ir.reply import FinishReason
from costspan.ir.request import Effort

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "openai-chat"

FAMILY: Final = "openai"
"""The key of `Request.extensions` for what both of OpenAI's chat dialects know."""
FAMILY_FIELDS: Final = frozenset(
    {"verbosity", "store", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"}
)

ROLES: Final = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
INSTRUCTION_ROLES: Final = frozenset({"system", "developer"})

EFFORTS: Final[frozenset[str]] = frozenset(get_args(Effort))

SERVICE_TIERS: Final = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})

DECODED_FINISH: Final[Mapping[str, FinishReason]] = MappingProxyType(
    {
        "stop": FinishReason.STOP,
        "length": FinishReason.LENGTH,
        "model_length": FinishReason.LENGTH,
        "tool_calls": FinishReason.TOOL_CALLS,
        "function_call": FinishReason.TOOL_CALLS,
        "content_filter": FinishReason.CONTENT_FILTER,
    }
)

# Only the words that the official SDK's types know; `error` would not validate there.
ENCODED_FINISH: Final[Mapping[FinishReason, str]] = MappingProxyType(
    {
        FinishReason.STOP: "stop",
        FinishReason.STOP_SEQUENCE: "stop",
        FinishReason.LENGTH: "length",
        FinishReason.TOOL_CALLS: "tool_calls",
        FinishReason.CONTENT_FILTER: "content_filter",
        FinishReason.PAUSE: "stop",
        FinishReason.MALFORMED_TOOL_CALL: "stop",
        FinishReason.OTHER: "stop",
    }
)

# `reasoning_details[].format` by the dialect that issued the opaque part (openrouter.ai/docs, reasoning-tokens,
# read 2026-08-22).
REASONING_FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "anthropic-messages": "anthropic-claude-v1",
        "bedrock-converse": "anthropic-claude-v1",
        "gemini-generate": "google-gemini-v1",
        "openai-responses": "openai-responses-v1",
    }
)

# What the reader of an answer knows. Any other field that holds something is a loss for a client of another dialect.
# The second set of each is not read and no loss: bookkeeping of the host, or what it says twice.
# Towards this dialect, two things change and are no losses either: the order among text, reasoning and calls, which a
# message keeps apart, and what a citation holds for its own provider only (Anthropic's `encrypted_index`).
ANSWER_FIELDS: Final = frozenset(
    {"id", "object", "created", "model", "choices", "usage", "service_tier", "citations", "search_results"}
) | frozenset(
    {
        "system_fingerprint",  # OpenAI: the version of the backend
        "metadata",  # OpenAI: the request's own, repeated
        "obfuscation",  # OpenAI: padding against guessing by length; Mistral's is `p`
        "p",
        "latency_checkpoint",  # OpenAI: timings
        "x_groq",  # Groq: an id, and the usage, which is read
        "provider",  # OpenRouter: whom it asked
    }
)
CHOICE_FIELDS: Final = frozenset({"index", "message", "delta", "finish_reason", "logprobs"}) | frozenset(
    {
        "native_finish_reason",  # OpenRouter: the same in its provider's word
        "seed",  # Together: the one it chose
        "text",  # Together: the content once more
    }
)
DELTA_FIELDS: Final = frozenset(
    {
        "role",
        "content",
        "refusal",
        "annotations",
        "images",
        "tool_calls",
        "function_call",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
    }
) | frozenset({"token_id"})  # Together: the token's number
MESSAGE_FIELDS: Final = DELTA_FIELDS | {"audio"}
"""Sound is read of whole answers only."""

FINISHES_WITHOUT_A_WORD: Final = NO_WORD_ANYWHERE | {FinishReason.PAUSE}
"""Written as `stop`, which says less."""

# Quirks of a host's `Profile` that this dialect knows.
REASONING_OUTSIDE_COMPLETION: Final = "reasoning_outside_completion"
"""xAI: `completion_tokens` lacks the reasoning tokens, unless `total_tokens` says otherwise."""
RESEARCH_APART: Final = "research_apart"
"""Perplexity's deep research: `citation_tokens` and `reasoning_tokens` beside the totals, in neither of them (its
SDK's `UsageInfo`, and genai-prices 0.2.3's extractor; read 2026-11-25)."""
ENDS_WITHOUT_DONE: Final = "ends_without_done"
"""Perplexity: no `[DONE]`; the stream is complete once every choice has a finish reason."""
ACCEPTS_REASONING: Final = "accepts_reasoning"
"""OpenRouter: `reasoning` and `reasoning_details` on assistant messages of a request."""
ACCEPTS_REASONING_CONTENT: Final = "accepts_reasoning_content"
"""DeepSeek and others: `reasoning_content` on assistant messages of a request."""
ACCEPTS_CACHE_CONTROL: Final = "accepts_cache_control"
"""OpenRouter: `cache_control` on content parts and tools."""
ACCEPTS_FILE_URLS: Final = "accepts_file_urls"
"""OpenRouter: a plain URL in `file.file_data`."""
NINE_CHARACTER_TOOL_IDS: Final = "nine_character_tool_ids"
"""Mistral: tool-call ids are nine of `a-zA-Z0-9`."""


def finish_reason(native: str, *, calls_tools: bool) -> FinishReason:
    """The canonical reason. OpenAI says `stop` after a forced tool call; whoever reads on needs `tool_calls`."""
    reason = DECODED_FINISH.get(native, FinishReason.OTHER)
    return FinishReason.TOOL_CALLS if calls_tools and reason is FinishReason.STOP else reason


def effort(value: str) -> Effort | None:
    """`value` as an effort, None when it is not one."""
    return cast("Effort", value) if value in EFFORTS else None


def derived_id(*parts: object) -> str:
    """A tool-call id for a call that came without: the same for the same parts."""
    digest = hashlib.blake2s("/".join(map(str, parts)).encode(errors="replace"), digest_size=12)
    return f"call_{digest.hexdigest()}"
