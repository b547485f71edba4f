from __future__ import annotations

from typing import Any

import pytest
from google.genai import types as sdk

from costspan.dialects.gemini_generate.models import traits_of
from costspan.dialects.gemini_generate.thinking import read_thinking, thinking_config
from costspan.dialects.losses import Losses
from costspan.errors import ClientError
from costspan.ir.request import ReasoningOptions

LOST = ("reasoning",)
SHOWN = {"includeThoughts": True}


def asked(effort: Any = None, budget: int | None = None, **more: Any) -> ReasoningOptions:
    return ReasoningOptions(effort, budget, **more)


WRITTEN: dict[str, tuple[str, ReasoningOptions, dict[str, Any], tuple[str, ...]]] = {
    "a level": ("gemini-3-flash-preview", asked("medium"), {"thinkingLevel": "MEDIUM", **SHOWN}, ()),
    "a level that is too high": ("gemini-3-flash", asked("max"), {"thinkingLevel": "HIGH", **SHOWN}, ()),
    "a level that 3 Pro lacks": ("gemini-3-pro-preview", asked("medium"), {"thinkingLevel": "LOW", **SHOWN}, ()),
    "the same of 3.1 Pro": ("models/gemini-3.1-pro-preview", asked("medium"), {"thinkingLevel": "MEDIUM", **SHOWN}, ()),
    "a level that is too low": ("gemini-3.8-flash", asked("minimal"), {"thinkingLevel": "LOW", **SHOWN}, ()),
    "a level of the newest": ("gemini-flash-latest", asked("high"), {"thinkingLevel": "HIGH", **SHOWN}, ()),
    "a budget as a level": ("gemini-3-flash", asked(budget=1600), {"thinkingLevel": "LOW", **SHOWN}, ()),
    "as the model likes": ("gemini-3-flash", asked(dynamic=True), SHOWN, ()),
    "not at all, which it cannot": ("gemini-3.5-flash", asked("none"), {"thinkingLevel": "MINIMAL"}, LOST),
    "not to be shown": ("gemini-3-flash", asked("low", exclude=True), {"thinkingLevel": "LOW"}, ()),
    "a budget": ("gemini-2.5-flash", asked(budget=4000), {"thinkingBudget": 4000, **SHOWN}, ()),
    "an effort as a budget": ("gemini-2.5-flash", asked("medium"), {"thinkingBudget": 4000, **SHOWN}, ()),
    "a budget as the model likes": ("gemini-2.5-pro", asked(dynamic=True), {"thinkingBudget": -1, **SHOWN}, ()),
    "a budget below the least": ("gemini-2.5-pro", asked(budget=10), {"thinkingBudget": 128, **SHOWN}, LOST),
    "a budget above the most": ("gemini-2.5-flash", asked(budget=99_999), {"thinkingBudget": 24_576, **SHOWN}, LOST),
    "no thinking": ("gemini-2.5-flash-lite", asked("none"), {"thinkingBudget": 0}, ()),
    "no thinking, which 2.5 Pro cannot": ("gemini-2.5-pro-preview-06-05", asked("none"), {"thinkingBudget": 128}, LOST),
    "a model that does not think": ("gemini-2.0-flash-001", asked("low"), {}, LOST),
    "a model that does not think and need not": ("gemini-2.0-flash-001", asked("none"), {}, ()),
    "a voice": ("gemini-2.5-flash-preview-tts", asked("low"), {}, LOST),
    "a painter": ("gemini-2.5-flash-image", asked("low"), {}, LOST),
    "a name that tells nothing": ("my-endpoint", asked(budget=4000), {"thinkingBudget": 4000, **SHOWN}, ()),
}


@pytest.mark.parametrize(("model", "options", "config", "lost"), WRITTEN.values(), ids=WRITTEN.keys())
def test_each_generation_is_asked_in_its_way(
    model: str, options: ReasoningOptions, config: dict[str, Any], lost: tuple[str, ...]
) -> None:
    losses = Losses()

    assert thinking_config(options, model, 8000, losses) == config
    assert losses.names() == lost
    sdk.ThinkingConfig.model_validate(config)


def test_an_effort_above_what_the_model_can_is_met_by_the_most_it_can() -> None:
    losses = Losses()

    assert thinking_config(asked("high"), "gemini-2.5-flash", 99_999, losses)["thinkingBudget"] == 24_576
    assert losses.names() == ()


def test_without_a_limit_an_effort_is_a_share_of_an_assumed_one() -> None:
    assert thinking_config(asked("medium"), "gemini-2.5-flash", None, Losses())["thinkingBudget"] == 16_000


READ: dict[str, tuple[Any, tuple[Any, Any, bool, bool] | None]] = {
    "nothing": (None, None),
    "the default": ({"includeThoughts": False}, None),
    "an unspecified level": ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, None),
    "a budget": ({"thinkingBudget": 4000}, (None, 4000, False, True)),
    "a budget, shown": ({"thinking_budget": 4000, "include_thoughts": True}, (None, 4000, False, False)),
    "any budget": ({"thinkingBudget": -1}, (None, None, True, True)),
    "a level": ({"thinkingLevel": "low"}, ("low", None, False, True)),
    "a high level": ({"thinkingLevel": "XHIGH", "includeThoughts": True}, ("xhigh", None, False, False)),
    "shown": ({"includeThoughts": True}, (None, None, True, False)),
    "switched off": ({"thinkingBudget": 0}, ("none", None, False, False)),
}


@pytest.mark.parametrize(("config", "found"), READ.values(), ids=READ.keys())
def test_a_client_s_configuration_is_read(config: Any, found: tuple[Any, Any, bool, bool] | None) -> None:
    options = read_thinking(config)

    shown = options and (options.effort, options.budget_tokens, options.dynamic, options.exclude)
    assert shown == found


@pytest.mark.parametrize(
    ("config", "param"),
    [
        ({"thinkingLevel": "VERY"}, "generationConfig.thinkingConfig.thinkingLevel"),
        ({"thinkingBudget": "much"}, "generationConfig.thinkingConfig.thinkingBudget"),
        ({"thinkingBudget": -2}, "generationConfig.thinkingConfig.thinkingBudget"),
        ([], "generationConfig.thinkingConfig"),
    ],
)
def test_what_is_odd_is_named(config: Any, param: str) -> None:
    with pytest.raises(ClientError) as refused:
        read_thinking(config)

    assert refused.value.param == param


SIGNS = {
    "gemini-3-pro-preview": True,
    "publishers/google/models/gemini-3.5-flash": True,
    "gemini-pro-latest": True,
    "gemini-10.1-flash": True,
    "gemini-2.5-flash-preview-09-2025": False,
    "my-endpoint": False,
}


@pytest.mark.parametrize(("model", "signs"), SIGNS.items())
def test_models_from_3_on_want_their_calls_signed(model: str, signs: bool) -> None:
    assert traits_of(model).signs is signs
