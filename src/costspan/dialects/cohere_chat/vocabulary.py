"""Words of Cohere's chat dialect and what they mean in canonical form.

Source, where nothing else is named: the types of the official SDK (cohere 7.3.1), read 2026-11-25.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from costspan.errors import Category
from costspan.ir.reply import FinishReason

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "cohere-chat"

FINISH: Final[Mapping[str, FinishReason]] = MappingProxyType(
    {
        "COMPLETE": FinishReason.STOP,
        "STOP_SEQUENCE": FinishReason.STOP_SEQUENCE,
        "MAX_TOKENS": FinishReason.LENGTH,
        "ERROR_LIMIT": FinishReason.LENGTH,  # of the context window
        "TOOL_CALL": FinishReason.TOOL_CALLS,
        "ERROR_TOXIC": FinishReason.CONTENT_FILTER,
    }
)
GAVE_UP: Final[Mapping[str, Category]] = MappingProxyType({"ERROR": Category.SERVER_ERROR, "TIMEOUT": Category.TIMEOUT})
"""Finish reasons of an answer that the provider could not give."""

# docs.cohere.com/reference/errors, and Cohere's OpenAPI document for 498 ("a request or response contains a deny-listed
# token"; the SDK calls it InvalidTokenError) and 499 (cancelled); read 2026-11-25. We cancel by closing the connection,
# so a 499 that arrives is none of ours.
BY_STATUS: Final[Mapping[int, Category]] = MappingProxyType(
    {
        401: Category.AUTH,
        402: Category.AUTH,
        403: Category.AUTH,
        404: Category.NOT_FOUND,
        408: Category.TIMEOUT,
        429: Category.RATE_LIMIT,
        498: Category.CONTENT_FILTER,
        499: Category.SERVER_ERROR,
        503: Category.OVERLOADED,
        504: Category.TIMEOUT,
    }
)

# What the reader of an answer knows. Any other field that holds something is a loss.
ANSWER_FIELDS: Final = frozenset({"id", "finish_reason", "message", "usage", "logprobs"})
MESSAGE_FIELDS: Final = frozenset({"role", "content", "tool_plan", "tool_calls", "citations"})
END_FIELDS: Final = frozenset({"finish_reason", "usage", "error"})

# Models of before hybrid reasoning, which began with command-a-reasoning-08-2025 (docs.cohere.com/docs/reasoning, read
# 2026-11-25). Names that are not known are taken to think: the later ones do.
_NEVER_THINK: Final = re.compile(r"command(-r|-light|-nightly|-a-03|-a-vision|-a-translate|$)|c4ai-aya|aya")


def takes_thinking(model: str) -> bool:
    """Whether `model` knows `thinking`, as an option and as content. A host's prefix is left off."""
    return _NEVER_THINK.match(model.rpartition("/")[2].lower()) is None
