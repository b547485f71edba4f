"""Words of Mistral's chat dialect that differ from OpenAI's.

Source, where nothing else is named: the types of the official SDK (mistralai 3.7.0), read 2026-11-25.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, get_args

from costspan.dialects.openai_chat.vocabulary import NINE_CHARACTER_TOOL_IDS
from costspan.ir.profile import TAKES_REASONING_EFFORT
from costspan.ir.request import Effort

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "mistral-chat"

RENAMED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "max_completion_tokens": "max_tokens",
        "seed": "random_seed",
        "top_k": "top_k",  # which OpenAI lacks
        "repetition_penalty": "repetition_penalty",
    }
)
REFUSED: Final = frozenset({"user", "logit_bias", "stream_options"})
"""Of what OpenAI's dialect writes: unknown fields are answered with 422 "Extra inputs are not permitted". A stream's
last chunk has the usage unasked."""
EXTRAS: Final = frozenset(
    {
        "guardrails",
        "min_tokens",
        "prediction",
        "prompt_cache_key",
        "prompt_logprobs",
        "prompt_mode",
        "safe_prompt",
        "top_prompt_logprobs",
    }
)
"""Fields that canonical form has no place for and Mistral knows: they go out if a client gave them."""
QUIRKS: Final = frozenset({NINE_CHARACTER_TOOL_IDS, TAKES_REASONING_EFFORT})

TIERS: Final[Mapping[str, str]] = MappingProxyType({"auto": "auto", "priority": "auto", "default": "standard_only"})
"""`auto` is served with priority where the account has it; that cannot be insisted on."""

GAVE_UP: Final = "error"
"""Finish reason of an answer that could not be given."""

# Read 2026-11-25: docs.mistral.ai/capabilities/reasoning; the API's own list for a word it does not take, `none` and
# `high` (github.com/architects-toolkit/SmartHopper/issues/647); models that were tried (models.dev, pull 1986). Older
# ones and those for code take no effort, Magistral always thinks. That `mistral-medium-latest` is 3.5 is a guess.
_EFFORTS: Final[tuple[tuple[re.Pattern[str], tuple[Effort, ...]], ...]] = (
    (re.compile(r"mistral-large-4(?!\d)"), ("none", "low", "medium", "high")),
    (re.compile(r"mistral-small-(2[6-9]|[4-9](?!\d)|latest)"), ("none", "high")),
    (re.compile(r"mistral-medium-(2604|2[7-9]|3([-.]5)?(?![-.\d])|latest)"), ("none", "high")),
)
_ALWAYS_THINK: Final = re.compile(r"magistral")
_ORDER: Final[tuple[Effort, ...]] = get_args(Effort)


def fitting(model: str, asked: Effort) -> tuple[Effort | None, bool]:
    """The word for `model` that is nearest to `asked`, None for no field at all, and whether the wish is met.

    As for OpenAI's models: more than the highest is the highest, less than the lowest the lowest.
    """
    name = model.rpartition("/")[2].lower()
    levels = next((levels for family, levels in _EFFORTS if family.match(name)), ())
    if not levels:
        return None, (asked == "none") != (_ALWAYS_THINK.match(name) is not None)
    if asked in levels:
        return asked, True
    thinking = [level for level in levels if level != "none"]
    below = [level for level in thinking if _ORDER.index(level) < _ORDER.index(asked)]
    return (below[-1] if below else thinking[0]), True


def always_thinks(model: str) -> bool:
    """Whether `model` thinks without being asked."""
    return _ALWAYS_THINK.match(model.rpartition("/")[2].lower()) is not None
