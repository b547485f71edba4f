"""billing.exports.openrouter: the answer of the API and two tables."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from costspan.billing.exports import openrouter
from costspan.billing.exports.charge import Charge
from costspan.billing.exports.rows import Row
from costspan.errors import Malformed

DAY = date(2026, 8, 24)

ACTIVITY = {
    "date": "2026-08-24",
    "model": "openai/gpt-4.1",
    "model_permaslug": "openai/gpt-4.1-2025-04-14",
    "usage": Decimal("0.015"),
    "byok_usage_inference": Decimal("0.012"),
    "requests": 5,
    "prompt_tokens": 50,
    "completion_tokens": 125,
    "reasoning_tokens": 25,
}
BY_DAY = {
    "Date": "2026-08-24 00:00:00",
    "Slug": "openai/gpt-4.1",
    "Usage": "0.015",
    "BYOK Usage": "0.012",
    "Prompt Tokens": "50",
    "Completion Tokens": "125",
    "Reasoning Tokens": "25",
}
BY_GENERATION = {
    "generation_id": "gen-1",
    "created_at": "2026-08-24 18:54:30.040",
    "cost_total": "0.015",
    "byok_usage_inference": "0.012",
    "tokens_prompt": "50",
    "tokens_completion": "125",
    "model_permaslug": "openai/gpt-4.1",
    "variant": "standard",
}

SHAPES = {
    "the API": Row({"data": [ACTIVITY]}, "line 1"),
    "by day": Row(BY_DAY, "line 2"),
    "by generation": Row(BY_GENERATION, "line 2"),
}


@pytest.mark.parametrize("row", SHAPES.values(), ids=SHAPES)
def test_credits_and_the_providers_own_bill_are_one_amount(row: Row) -> None:
    assert openrouter.recognises(row)
    assert list(openrouter.charges(row)) == [
        Charge(DAY, "openai/gpt-4.1", usd=Decimal("0.027")),
        Charge(DAY, "openai/gpt-4.1", "input", Decimal(50)),
        Charge(DAY, "openai/gpt-4.1", "output", Decimal(125)),
    ]


def test_a_variant_is_part_of_the_models_name() -> None:
    charges = openrouter.charges(Row({**BY_GENERATION, "variant": "free"}, "line 2"))

    assert {charge.model for charge in charges} == {"openai/gpt-4.1:free"}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no cost": ({**BY_GENERATION, "cost_total": ""}, "usage must be a number"),
    "no model": ({**BY_GENERATION, "model_permaslug": ""}, "model must be text"),
    "no day": ({**BY_GENERATION, "created_at": ""}, "date must be a date"),
}


@pytest.mark.parametrize(("values", "said"), BAD.values(), ids=BAD)
def test_what_is_needed_is_insisted_on(values: dict[str, Any], said: str) -> None:
    with pytest.raises(Malformed, match=f"line 2: {said}"):
        list(openrouter.charges(Row(values, "line 2")))
