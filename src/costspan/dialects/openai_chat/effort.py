"""Which models take `reasoning_effort`, and which words of it: any other answers 400 "Unrecognized request argument".

Sources: the docstring of `reasoning_effort` in Microsoft's copy of the API (learn.microsoft.com, @azure/ai-projects
`ReasoningEffort`, read 2026-11-23): `none` from gpt-5.1 on, gpt-5-pro high only, `xhigh` after gpt-5.1-codex-max; and
OpenAI's own error text for gpt-5.1 (openai-agents-python#2089): none, low, medium, high. `minimal` of gpt-5, the words
of the other pro and codex models and of gpt-oss are from memory. A host's prefix (`openai/gpt-oss-120b`) is left off.
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
        r"(o1|o3|o4)(?!\w)|gpt-oss": ("low", "medium", "high"),
    }
)
"""Families by the beginning of the name, the first that matches; each with its words, weakest first."""

_CALLING_WITHOUT_THOUGHT: Final = re.compile(r"gpt-5\.([4-9]|\d\d)(?!\d)(?!-(chat|search|pro|codex))")
_THINKING_UNASKED: Final = re.compile(r"gpt-5\.([5-9]|\d\d)(?!\d)")

_FAMILIES: Final = tuple((re.compile(pattern), levels) for pattern, levels in _LEVELS.items())


def fitting(model: str, asked: Effort) -> tuple[Effort | None, bool]:
    """The word for `model` that is nearest to `asked`, None for no field at all, and whether the wish is met.

    Levels above a model's highest become that, as those below its lowest become the lowest. Not to think is what a
    model without levels does anyway; one that always thinks is told its lowest, and the wish is lost.
    """
    name = model.rpartition("/")[2].lower()
    levels = next((levels for family, levels in _FAMILIES if family.match(name)), ())
    if asked in levels:
        return asked, True
    if not levels:
        return None, asked == "none"
    thinking = [level for level in levels if level != "none"]
    below = [level for level in thinking if _ORDER.index(level) <= _ORDER.index(asked)]
    return (below[-1] if below else thinking[0]), asked != "none"


def beside_functions(model: str, effort: Effort | None) -> tuple[Effort | None, bool]:
    """The effort that may stand beside functions, and whether that is no less than was asked for.

    From gpt-5.4 on functions are called without thinking in this dialect: "Function tools with reasoning_effort are not
    supported for gpt-5.6 in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to
    'none'", to requests without an effort too (github.com/BerriAI/litellm/pull/34569). gpt-5.4 takes those
    (recorded), but no effort (github.com/openai/openai-openapi/issues/541). Read 2026-11-26.
    """
    name = model.rpartition("/")[2].lower()
    if not _CALLING_WITHOUT_THOUGHT.match(name):
        return effort, True
    return ("none" if _THINKING_UNASKED.match(name) else None), effort in {None, "none"}
