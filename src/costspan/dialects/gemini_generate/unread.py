"""What an answer holds beyond the fields that are read: names, for the client to be told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.gemini_generate.vocabulary import (
    ANSWER_FIELDS,
    CANDIDATE_FIELDS,
    FEEDBACK_FIELDS,
    GROUNDING_FIELDS,
    PART_FIELDS,
)
from costspan.dialects.losses import beyond

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.wire import json


def of_answer(body: json.Object) -> Iterator[str]:
    """Of a whole answer or a chunk, its candidates apart."""
    yield from beyond(body, ANSWER_FIELDS)
    feedback = body.get("promptFeedback")
    if isinstance(feedback, dict):
        yield from (f"promptFeedback.{name}" for name in beyond(feedback, FEEDBACK_FIELDS))


def of_candidate(candidate: json.Object) -> Iterator[str]:
    """Of a candidate, its parts apart."""
    yield from beyond(candidate, CANDIDATE_FIELDS)
    grounding = candidate.get("groundingMetadata")
    if isinstance(grounding, dict):
        yield from beyond(grounding, GROUNDING_FIELDS)


def of_part(part: json.Object) -> Iterator[str]:
    """Of a part whose kind is read."""
    yield from beyond(part, PART_FIELDS)
