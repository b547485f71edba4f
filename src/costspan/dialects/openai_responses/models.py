"""Which models think, and which words of effort they take: to any other, `reasoning` and sealed content are a 400.

"Encrypted content is not supported with this model": github.com/NousResearch/hermes-agent/pull/24234 (read
2026-11-25), for models that do not think. xAI's all take it: github.com/openclaw/openclaw/pull/95686 (read 2026-11-25).
The levels are those of the same models in openai-chat: the docstring of `reasoning_effort` in Microsoft's copy of the
API (learn.microsoft.com, @azure/ai-projects, read 2026-11-23), openai-agents-python#2089 for gpt-5.1; `minimal` of
gpt-5, the words of the other pro and codex models and of gpt-oss are from memory, those of later models assumed.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, get_args

from costspan.ir.request import Effort

if TYPE_CHECKING:
    from collections.abc import Mapping

_ORDER: Final[tuple[Effort, ...]] = get_args(Effort)

_LEVELS: Final[Mapping[str, tuple[Effort, ...]]] = MappingProxyType(
    {
        r"o1-(mini|preview)|gpt-5[.\d]*-(chat|search)": (),
        r"gpt-5-pro": ("high",),
        r"gpt-5\.\d+-pro": ("medium", "high", "xhigh"),
        r"gpt-5\.1-codex-max": ("low", "medium", "high", "xhigh"),
        r"gpt-5[.\d]*-codex": ("low", "medium", "high"),
        r"gpt-5\.1(?!\d)": ("none", "low", "medium", "high"),
        r"gpt-5\.\d": ("none", "low", "medium", "high", "xhigh"),
        r"gpt-5(?![\d.])": ("minimal", "low", "medium", "high"),
        r"(o1|o3|o4|codex-mini)(?!\w)|gpt-oss|gpt-([6-9]|\d\d)": ("low", "medium", "high"),
    }
)
"""Families by the beginning of the name, the first that matches; each with its words, weakest first."""

_FAMILIES: Final = tuple((re.compile(pattern), levels) for pattern, levels in _LEVELS.items())
_SEALING: Final = re.compile(r"grok-|gpt-([6-9]|\d\d)")
_OPEN: Final = re.compile(r"gpt-oss")
_CACHING: Final = re.compile(r"gpt-(5\.([6-9]|\d\d)|[6-9]|\d\d)")


def _plain(model: str) -> str:
    """The model without a host's prefix (`openai/gpt-oss-120b`)."""
    return model.rpartition("/")[2].lower()


def _levels(model: str) -> tuple[Effort, ...]:
    name = _plain(model)
    return next((levels for family, levels in _FAMILIES if family.match(name)), ())


def seals(model: str) -> bool:
    """Whether the model is known to think and to give its thinking sealed. Hosts of open models do not."""
    name = _plain(model)
    return bool(_SEALING.match(name) or (_levels(model) and not _OPEN.match(name)))


def takes_breakpoints(model: str) -> bool:
    """Whether a prompt may say where its cached part ends: "gpt-5.6 and later" (SDK openai 3.54.0, read 2026-11-25)."""
    return bool(_CACHING.match(_plain(model)))


def fitting(model: str, asked: Effort) -> tuple[Effort | None, bool]:
    """The word for `model` that is nearest to `asked`, None for no field at all, and whether the wish is met.

    Levels above a model's highest become that, as those below its lowest become the lowest. Not to think is what a
    model without levels does anyway; one that always thinks is told its lowest, and the wish is lost.
    """
    levels = _levels(model)
    if asked in levels:
        return asked, True
    if not levels:
        return None, asked == "none"
    thinking = [level for level in levels if level != "none"]
    below = [level for level in thinking if _ORDER.index(level) <= _ORDER.index(asked)]
    return (below[-1] if below else thinking[0]), asked != "none"
