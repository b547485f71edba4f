"""Items and answers as a client sees them, whole and streamed alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from costspan.dialects.openai_responses.usage import write_usage
from costspan.dialects.openai_responses.vocabulary import FINISHES_WITHOUT_A_WORD, INCOMPLETE, SERVICE_TIERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costspan.dialects.losses import AnswerLosses
    from costspan.ir.reply import FinishReason
    from costspan.ir.request import Media
    from costspan.ir.usage import Usage
    from costspan.wire import json

COMPLETED: Final = "completed"
IN_PROGRESS: Final = "in_progress"


def text_part(text: str, annotations: Sequence[json.Object], logprobs: Sequence[json.Object]) -> json.Object:
    """Text that was said."""
    return {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": list(logprobs)}


def refusal_part(text: str) -> json.Object:
    """A refusal."""
    return {"type": "refusal", "refusal": text}


def message_item(id_: str, parts: Sequence[json.Object], status: str = COMPLETED) -> json.Object:
    """What was said, in parts."""
    return {"type": "message", "id": id_, "role": "assistant", "status": status, "content": list(parts)}


def call_item(id_: str, call_id: str, name: str, arguments: str, status: str = COMPLETED) -> json.Object:
    """A call of a function."""
    return {
        "type": "function_call",
        "id": id_,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
        "status": status,
    }


def summary_part(text: str) -> json.Object:
    """A part of a summary."""
    return {"type": "summary_text", "text": text}


def thought_part(text: str) -> json.Object:
    """Reasoning in full."""
    return {"type": "reasoning_text", "text": text}


def reasoning_item(
    id_: str, text: str, *, in_full: bool = False, sealed: str | None = None, status: str = COMPLETED
) -> json.Object:
    """Thinking and what seals it.

    As a summary, whatever another provider calls it: that is how OpenAI shows its hosted models' thinking, and the AI
    SDK, LangChain and pydantic-ai show their users nothing else (make clients, 2026-11-25). `in_full` is for what a
    provider of this dialect gave as reasoning text.
    """
    item: json.Object = {
        "type": "reasoning",
        "id": id_,
        "status": status,
        "summary": [] if in_full or not text else [summary_part(text)],
    }
    if text and in_full:
        item["content"] = [thought_part(text)]
    return item if sealed is None else item | {"encrypted_content": sealed}


def image_item(id_: str, media: Media) -> json.Object | None:
    """A picture that came inline; None for any other media, which has no place."""
    if media.kind != "image" or media.data is None:
        return None
    return {"type": "image_generation_call", "id": id_, "status": COMPLETED, "result": media.data}


def note_finish(reason: FinishReason | None, stop_sequence: str | None, losses: AnswerLosses) -> None:
    """Name what of an end has no word."""
    if reason in FINISHES_WITHOUT_A_WORD:
        losses.add("finish_reason")
    if stop_sequence:
        losses.add("stop_sequence")


@dataclass(frozen=True, slots=True)
class Head:
    """What is the same in an answer from its beginning to its end. `created` is epoch seconds."""

    id: str
    model: str
    created: int


def begun(head: Head) -> json.Object:
    """An answer of which nothing has come yet."""
    return {**response(head, ()), "status": IN_PROGRESS}


def response(
    head: Head,
    output: Sequence[json.Object],
    reason: FinishReason | None = None,
    usage: Usage | None = None,
    tier: str | None = None,
) -> json.Object:
    """An answer. Of the request it repeats nothing but what it would say by default: it is not known here."""
    incomplete = None if reason is None else INCOMPLETE.get(reason)
    return {
        "id": head.id,
        "object": "response",
        "created_at": head.created,
        "status": "incomplete" if incomplete else COMPLETED,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": incomplete} if incomplete else None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": head.model,
        "output": list(output),
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": tier if tier in SERVICE_TIERS else None,
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "truncation": "disabled",
        "usage": None if usage is None else write_usage(usage),
    }
