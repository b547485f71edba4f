from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import anthropic_messages as dialect
from costspan.dialects.claude.models import Traits, traits_of
from costspan.ir.request import Message, ReasoningOptions, Request, Sampling, Text
from costspan.wire import json

OLDEST = Traits(adaptive=False, schemas=False, answer=16_384)
OLDER = Traits(adaptive=False, temperature_with_top_p=False, schemas=False, answer=16_384)
OLD = Traits(adaptive=False, temperature_with_top_p=False, answer=16_384)
BETWEEN = Traits(temperature_with_top_p=False, prefill=False, answer=16_384)
NEW = Traits(budgets=False, sampling=False, off="", prefill=False, answer=16_384)
NEWEST = Traits(budgets=False, sampling=False, by_default=True, prefill=False, answer=16_384)
ALWAYS = Traits(budgets=False, sampling=False, off=None, by_default=True, prefill=False, answer=16_384)

MODELS = {
    "claude-3-haiku-20240307": Traits(adaptive=False, schemas=False, answer=4096),
    "claude-3-5-sonnet-20241022": Traits(adaptive=False, schemas=False, answer=8192),
    "claude-3-7-sonnet-20250219": OLDEST,
    "claude-sonnet-4-20250514": OLDEST,
    "claude-opus-4@20250514": OLDEST,
    "claude-opus-4-1-20250805": OLDER,
    "claude-haiku-4-5-20251001": OLD,
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0": OLD,
    "claude-sonnet-4-6": BETWEEN,
    "anthropic.claude-opus-4-6-v1": BETWEEN,
    "claude-opus-4-7": NEW,
    "anthropic/claude-4.7-opus": NEW,
    "claude-opus-4-8": NEW,
    "claude-opus-5": NEWEST,
    "claude-sonnet-5-5": NEWEST,
    "claude-mythos-5-1": ALWAYS,
    "claude-fable-5": ALWAYS,
    "claude-mythos-preview": ALWAYS,
    "kimi-k2": Traits(),
    "claude": Traits(),
}


@pytest.mark.parametrize(("model", "traits"), MODELS.items())
def test_a_model_s_name_tells_what_it_takes(model: str, traits: Traits) -> None:
    assert traits_of(model) == traits


def encode(model: str, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    encoded = dialect.encode_request(Request(model, (Message("user", (Text("hi"),)),), **fields))
    body = json.loads_object(encoded.body)
    del body["model"], body["messages"]
    return body, encoded.losses


ADAPTIVE = {"type": "adaptive", "display": "summarized"}

ENCODED: dict[str, tuple[str, dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "effort of a new model": (
        "claude-opus-4-8",
        {"reasoning": ReasoningOptions("high"), "max_output_tokens": 500},
        {"max_tokens": 500, "thinking": ADAPTIVE, "output_config": {"effort": "high"}},
        (),
    ),
    "least effort of a new model": (
        "claude-opus-5",
        {"reasoning": ReasoningOptions("minimal", exclude=True)},
        {
            "max_tokens": 32_768,
            "thinking": {"type": "adaptive", "display": "omitted"},
            "output_config": {"effort": "low"},
        },
        (),
    ),
    "budget of a new model": (
        "claude-opus-4-7",
        {"reasoning": ReasoningOptions(budget_tokens=8000)},
        {"max_tokens": 32_768, "thinking": ADAPTIVE, "output_config": {"effort": "medium"}},
        (),
    ),
    "the model's choice, of an old one": (
        "claude-haiku-4-5",
        {"reasoning": ReasoningOptions(dynamic=True), "max_output_tokens": 8000},
        {"max_tokens": 8000, "thinking": {"type": "enabled", "budget_tokens": 4000}},
        (),
    ),
    "no thinking where that is so anyway": (
        "claude-opus-4-7",
        {"reasoning": ReasoningOptions("none")},
        {"max_tokens": 16_384},
        (),
    ),
    "no thinking where that must be said": (
        "claude-opus-5",
        {"reasoning": ReasoningOptions("none")},
        {"max_tokens": 16_384, "thinking": {"type": "disabled"}},
        (),
    ),
    "a budget of nothing is no thinking": (
        "claude-opus-5",
        {"reasoning": ReasoningOptions(budget_tokens=0)},
        {"max_tokens": 16_384, "thinking": {"type": "disabled"}},
        (),
    ),
    "a summary of what is thought anyway": (
        "claude-opus-5",
        {"reasoning": ReasoningOptions(summary="auto")},
        {"max_tokens": 32_768, "thinking": ADAPTIVE},
        (),
    ),
    "a summary where nothing is thought": (
        "claude-opus-4-8",
        {"reasoning": ReasoningOptions(summary="auto")},
        {"max_tokens": 16_384},
        (),
    ),
    "no thinking where that cannot be": (
        "claude-fable-5",
        {"reasoning": ReasoningOptions("none")},
        {"max_tokens": 32_768},
        ("reasoning",),
    ),
    "sampling of a new model": (
        "claude-opus-5",
        {"sampling": Sampling(temperature=0.2, top_p=0.9, top_k=4)},
        {"max_tokens": 32_768},
        ("temperature", "top_p", "top_k"),
    ),
    "nothing asked of one that thinks by default": ("claude-opus-5", {}, {"max_tokens": 32_768}, ()),
    "nothing asked of one that does not": ("claude-opus-4-8", {}, {"max_tokens": 16_384}, ()),
    "no more than the client allows": ("claude-opus-5", {"max_output_tokens": 9}, {"max_tokens": 9}, ()),
    "nothing, to fill the cache": ("claude-opus-5", {"max_output_tokens": 0}, {"max_tokens": 0}, ()),
    "sampling by default of a new model": (
        "claude-opus-5",
        {"sampling": Sampling(temperature=1, top_p=1)},
        {"max_tokens": 32_768},
        (),
    ),
    "temperature and top_p of one that takes either": (
        "claude-sonnet-4-5",
        {"sampling": Sampling(temperature=0.2, top_p=0.9)},
        {"max_tokens": 16_384, "temperature": 0.2},
        ("top_p",),
    ),
    "temperature and top_p of one that takes both": (
        "claude-sonnet-4-20250514",
        {"sampling": Sampling(temperature=0.2, top_p=0.9)},
        {"max_tokens": 16_384, "temperature": 0.2, "top_p": 0.9},
        (),
    ),
}


@pytest.mark.parametrize(("model", "fields", "body", "lost"), ENCODED.values(), ids=ENCODED.keys())
def test_a_request_is_fit_for_its_model(
    model: str, fields: dict[str, Any], body: dict[str, Any], lost: tuple[str, ...]
) -> None:
    assert encode(model, **fields) == (body, lost)
