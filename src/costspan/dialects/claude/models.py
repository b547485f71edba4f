"""What generations of Claude refuse, told by the model's name. Names that are none of Claude's are refused nothing.

Sources, read 2026-11-23:
docs.aws.amazon.com/bedrock, claude-messages-adaptive-thinking: 4.5 and older take only budgets, 4.7 and newer only
adaptive thinking, Mythos and Fable cannot be switched off.
platform.claude.com, migration guides: from Opus 4.7 on, sampling other than by default is refused; from Opus 5 on,
thinking is on unless switched off.
platform.claude.com, structured outputs: from 4.5 on; prefill removal: from 4.6 on.
platform.claude.com, models overview (most output): 4096 before 3.5, 8192 for 3.5, 32 000 and more from 3.7 on, of which
half is kept for thinking.
The API's error since Opus 4.1: "temperature and top_p cannot both be specified for this model".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NEWER = re.compile(r"claude-(?P<family>[a-z]+)-(?P<major>\d)(?:[-.](?P<minor>\d))?(?!\d)")
_OLDER = re.compile(r"claude-(?P<major>\d)(?:[-.](?P<minor>\d))?-(?P<family>[a-z]+)")

_ANSWER = 16_384
_ALWAYS_THINK = frozenset({"mythos", "fable"})


@dataclass(frozen=True, slots=True)
class Traits:
    """What a model takes. Budgets or adaptive thinking or both."""

    budgets: bool = True
    adaptive: bool = True
    sampling: bool = True
    """Whether temperature, top_p and top_k may differ from their defaults."""
    temperature_with_top_p: bool = True
    off: str | None = "disabled"
    """How not to think: this `thinking.type`, by saying nothing (empty), or not at all (None)."""
    schemas: bool = True
    """Whether an answer can be held to a schema."""
    by_default: bool = False
    """Whether it thinks unless told not to."""
    prefill: bool = True
    """Whether a conversation may end with the assistant's turn."""
    answer: int = 4096
    """Tokens of an answer where the client set no limit: the API insists on one, and refuses more than a model can."""


_ANY = Traits()


def traits_of(model: str) -> Traits:
    """What `model` takes, also by names that clouds give it (`anthropic.claude-opus-4-7`, `claude-sonnet-4@2025`)."""
    if "claude-mythos-preview" in model:
        return Traits(budgets=False, sampling=False, off=None, by_default=True, prefill=False, answer=_ANSWER)
    found = _NEWER.search(model) or _OLDER.search(model)
    if found is None:
        return _ANY
    version = (int(found["major"]), int(found["minor"] or 0))
    if version < (4, 6):
        answer = _ANSWER if version >= (3, 7) else 8192 if version >= (3, 5) else 4096
        schemas = version >= (4, 5)
        return Traits(adaptive=False, temperature_with_top_p=version < (4, 1), schemas=schemas, answer=answer)
    if version < (4, 7):
        return Traits(temperature_with_top_p=False, prefill=False, answer=_ANSWER)
    off = None if found["family"] in _ALWAYS_THINK else "disabled" if version >= (5, 0) else ""
    return Traits(budgets=False, sampling=False, off=off, by_default=off != "", prefill=False, answer=_ANSWER)
