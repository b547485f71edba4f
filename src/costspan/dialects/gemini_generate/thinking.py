"""How much to think: a level for models from 3 on, a budget for 2.5, never both.

Thoughts are shown wherever thinking is asked for and not to be hidden: they are billed in full either way, and the
other dialects show theirs too. A client of this dialect that does not say `includeThoughts` does not want them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast, get_args

from costspan.dialects.checks import invalid
from costspan.dialects.gemini_generate import fields
from costspan.dialects.gemini_generate.models import traits_of
from costspan.ir.reasoning import budget_of, effort_of
from costspan.ir.request import Effort, ReasoningOptions

if TYPE_CHECKING:
    from costspan.dialects.gemini_generate.models import Traits
    from costspan.dialects.losses import Losses
    from costspan.wire import json

_ORDER: Final[tuple[Effort, ...]] = get_args(Effort)
_ASSUMED_OUTPUT: Final = 32_000
"""What a budget is measured against when the request has no limit of its own."""
_DYNAMIC: Final = -1
_WHERE: Final = "generationConfig.thinkingConfig"


def read_thinking(raw: Any) -> ReasoningOptions | None:  # noqa: ANN401 - unchecked input
    """`thinkingConfig`; None where it asks for nothing."""
    config = fields.message(raw, _WHERE)
    shown = fields.flag(config.get("includeThoughts"), f"{_WHERE}.includeThoughts") is True
    budget = fields.integer(config.get("thinkingBudget"), f"{_WHERE}.thinkingBudget", _DYNAMIC)
    level = _level(fields.string(config.get("thinkingLevel"), f"{_WHERE}.thinkingLevel"))
    if budget == 0 and level is None:
        return ReasoningOptions("none")
    if level is None and budget is None and not shown:
        return None
    tokens = budget if budget is not None and budget > 0 else None
    dynamic = level is None and tokens is None
    # Who asks to see thoughts has to be shown them, or told of it, also where they come on demand only.
    return ReasoningOptions(level, tokens, dynamic=dynamic, summary="auto" if shown else None, exclude=not shown)


def _level(word: str | None) -> Effort | None:
    if word is None or word.upper() == "THINKING_LEVEL_UNSPECIFIED":
        return None
    if word.lower() in _ORDER:
        return cast("Effort", word.lower())
    raise invalid("unknown thinking level", f"{_WHERE}.thinkingLevel")


def thinking_config(options: ReasoningOptions, model: str, limit: int | None, losses: Losses) -> json.Object:
    """`thinkingConfig` for `model`; empty where there is nothing to say. A wish that is not met is named."""
    traits = traits_of(model)
    if options.effort == "none":
        return _least(traits, losses)
    if not traits.levels and traits.budget is None:
        losses.add("reasoning")
        return {}
    config = _by_level(options, traits, limit) if traits.levels else _by_budget(options, traits, limit, losses)
    return config if options.exclude else {**config, "includeThoughts": True}


def _least(traits: Traits, losses: Losses) -> json.Object:
    """Not to think, or as little as the model can."""
    if not traits.may_not_think:
        losses.add("reasoning")
    if traits.levels:
        return {"thinkingLevel": traits.levels[0].upper()}
    if traits.budget is None:
        return {}
    return {"thinkingBudget": 0 if traits.may_not_think else traits.budget[0]}


def _by_level(options: ReasoningOptions, traits: Traits, limit: int | None) -> json.Object:
    asked = options.effort
    if asked is None and options.budget_tokens is not None:
        asked = effort_of(options.budget_tokens, limit or _ASSUMED_OUTPUT)
    if asked is None:  # the model chooses, as it does unless told otherwise
        return {}
    below = [level for level in traits.levels if _ORDER.index(level) <= _ORDER.index(asked)]
    return {"thinkingLevel": (below[-1] if below else traits.levels[0]).upper()}


def _by_budget(options: ReasoningOptions, traits: Traits, limit: int | None, losses: Losses) -> json.Object:
    if options.budget_tokens is None and options.effort is None:
        return {"thinkingBudget": _DYNAMIC}
    wanted = options.budget_tokens or budget_of(options.effort or "medium", limit or _ASSUMED_OUTPUT)
    least, most = traits.budget or (wanted, wanted)
    fitting = min(max(wanted, least), most)
    if fitting != wanted and options.budget_tokens is not None:
        losses.add("reasoning")
    return {"thinkingBudget": fitting}
