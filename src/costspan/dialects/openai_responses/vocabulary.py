"""Words of the Responses dialect and what they mean in canonical form.

Source: the types of the official SDK (openai 3.54.0, `openai.types.responses`), read 2026-11-25, and recorded traffic
of OpenAI, Azure and xAI (2025-10 to 2026-08).
"""

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.losses import NO_WORD_ANYWHERE
from costspan.ir.reply import FinishReason

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "openai-responses"

FAMILY: Final = "openai"
"""The key of `Request.extensions` for what both of OpenAI's chat dialects know."""
FAMILY_FIELDS: Final = frozenset({"store", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"})
"""Top-level fields that openai-chat has under the same name. `text.verbosity` is `verbosity` there."""

KEPT: Final = "openai-responses: kept"
"""The key of `Request.extensions`, with nothing in it, that says that the client lets its provider keep the answer.

That is this dialect's default, so a client of it may refer to the answer later. Towards other dialects it is no loss.
"""

ROLES: Final = frozenset({"user", "assistant", "system", "developer"})
INSTRUCTION_ROLES: Final = frozenset({"system", "developer"})

SERVICE_TIERS: Final = frozenset({"auto", "default", "flex", "scale", "priority", "fast", "ultrafast"})

FINISHES: Final[Mapping[str, FinishReason]] = MappingProxyType(
    {
        "completed": FinishReason.STOP,
        "max_output_tokens": FinishReason.LENGTH,
        "content_filter": FinishReason.CONTENT_FILTER,
    }
)
"""The status of an answer or, of an incomplete one, its reason."""

INCOMPLETE: Final[Mapping[FinishReason, str]] = MappingProxyType(
    {FinishReason.LENGTH: "max_output_tokens", FinishReason.CONTENT_FILTER: "content_filter"}
)
"""Reasons that make an answer `incomplete`; with any other it is `completed`."""

FINISHES_WITHOUT_A_WORD: Final = NO_WORD_ANYWHERE | {FinishReason.PAUSE}
"""Written as `completed`, which says less."""

# What the reader of an answer knows. Any other field that holds something is a loss for a client of another dialect.
# Not losses: what of the request is repeated, bookkeeping of the host, details of usage.
ANSWER_FIELDS: Final = frozenset(
    """
    id object created_at completed_at status model output output_text usage service_tier error incomplete_details
    access_programs background billing context_management conversation frequency_penalty image instructions
    max_output_tokens max_tool_calls metadata parallel_tool_calls presence_penalty previous_response_id prompt
    prompt_cache_diagnostics prompt_cache_key prompt_cache_options prompt_cache_retention reasoning safety_identifier
    store temperature text tool_choice tool_usage tools top_logprobs top_p truncation user
    """.split()  # noqa: SIM905 - a paragraph of names reads better than a page
)
# `phase` says whether a message is commentary or the final answer, which its place among the calls says too.
ITEM_FIELDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "message": frozenset({"id", "type", "role", "status", "content", "phase"}),
        "function_call": frozenset({"id", "type", "status", "call_id", "name", "arguments", "created_by"}),
        "reasoning": frozenset({"id", "type", "status", "summary", "content", "encrypted_content"}),
    }
)
"""By type; an item of another type is kept whole."""
PART_FIELDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "output_text": frozenset({"type", "text", "annotations", "logprobs"}),
        "refusal": frozenset({"type", "refusal"}),
    }
)
CALLED_BY_THE_MODEL: Final = {"type": "direct"}

MAX_CALL_ID: Final = 64
"""Longer ids of calls are answered with 400: github.com/fawney19/Aether/pull/829, read 2026-11-25."""


def finish_reason(native: str, *, calls_tools: bool) -> FinishReason:
    """The canonical reason. This dialect has no word for the end at a call: the items say it."""
    reason = FINISHES.get(native, FinishReason.OTHER)
    return FinishReason.TOOL_CALLS if calls_tools and reason is FinishReason.STOP else reason


def native_finish(response: Mapping[str, Any]) -> str | None:
    """Why an answer ended, in the dialect's own words; None where it does not say."""
    status, details = response.get("status"), response.get("incomplete_details")
    if status == "incomplete" and isinstance(details, dict) and isinstance(details.get("reason"), str):
        reason: str = details["reason"]
        return reason
    return status if isinstance(status, str) and status else None


def call_id(id_: str) -> str:
    """The id of a call as this dialect accepts it. Pure: a call and its result get the same one."""
    return id_ if 0 < len(id_) <= MAX_CALL_ID else f"call_{_digest(id_)}"


def item_id(kind: str, answer_id: str, position: int) -> str:
    """An id for an item, of `kind` `msg`, `fc`, `rs`, `ig`: the API takes back only ids that begin so."""
    return f"{kind}_{_digest(answer_id)}{position:04x}"


def _digest(text: str) -> str:
    return hashlib.blake2s(text.encode(errors="replace"), digest_size=16).hexdigest()


def text_of(value: object) -> str:
    """`value` where it is text, else none."""
    return value if isinstance(value, str) else ""


def list_of(value: object) -> list[Any]:
    """`value` where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def type_of(value: object) -> str:
    """The type that a part, an item or an annotation names."""
    return text_of(value.get("type")) if isinstance(value, dict) else ""
