"""pricing.foreign.models_dev: models.dev's api.json becomes rows. The fixtures are ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from costspan.errors import Malformed
from costspan.pricing import foreign
from costspan.pricing.foreign.draft import Names
from costspan.pricing.foreign.rows import values
from costspan.providers.price_lists import MODELS_DEV
from costspan.wire import json

if TYPE_CHECKING:
    from costspan.pricing.foreign.draft import Imported


def read(facts: str, seller: str = "openai", only: str | None = None) -> Imported:
    text = f'{{"{seller}": {{"id": "{seller}", "models": {{"m": {facts}}}}}}}'
    return foreign.read(json.loads_exactly(text), "models-dev", Names(MODELS_DEV, only))


def texts(value: Any) -> Any:
    match value:
        case dict():
            return {key: texts(each) for key, each in value.items() if key not in {"source", "provider", "model"}}
        case list():
            return [texts(each) for each in value]
    return value if isinstance(value, str | int) else format(value.normalize(), "f")


ENTRIES: dict[str, tuple[str, dict[str, Any]]] = {
    "rates per million": (
        """{"cost": {"input": 1.25, "output": 10, "reasoning": 12, "cache_read": 0.125, "cache_write": 1.5625,
        "input_audio": 32, "output_audio": 64}}""",
        {
            "input": "1.25",
            "cache_read": "0.125",
            "cache_write": "1.5625",
            "output": "10",
            "reasoning": "12",
            "input_audio": "32",
            "output_audio": "64",
        },
    ),
    "tiers, not the older name for them": (
        """{"cost": {"input": 5, "output": 30, "tiers": [{"input": 10, "output": 45, "tier": {"type": "context",
        "size": 272000}}], "context_over_200k": {"input": 10, "output": 45}}}""",
        {"input": "5", "output": "30", "tiers": [{"above": 272_000, "input": "10", "output": "45"}]},
    ),
    "the older name alone": (
        '{"cost": {"input": 2, "output": 10, "context_over_200k": {"input": 3, "output": 15, "cache_read": 0.3}}}',
        {
            "input": "2",
            "output": "10",
            "tiers": [{"above": 200_000, "input": "3", "cache_read": "0.3", "output": "15"}],
        },
    ),
    "ways of being served": (
        """{"cost": {"input": 5, "output": 30}, "experimental": {"modes": {
        "fast": {"cost": {"input": 12.5, "output": 75}, "provider": {"body": {"service_tier": "priority"}}},
        "quick": {"cost": {"input": 30, "output": 150}, "provider": {"body": {"speed": "fast"}}}}}}""",
        {
            "input": "5",
            "output": "30",
            "service_tiers": {
                "priority": {"input": "12.5", "output": "75"},
                "fast": {"input": "30", "output": "150"},
            },
        },
    ),
    "minutes of audio": (
        '{"cost": {"input": 0, "output": 0, "per_minute": 0.006}, "modalities": {"input": ["audio"]}}',
        {"input": "0", "output": "0", "per_audio_minute": "0.006"},
    ),
    "reasoning without a charge of its own": (
        '{"cost": {"input": 1, "output": 2, "reasoning": 0}}',
        {"input": "1", "output": "2"},
    ),
}


@pytest.mark.parametrize(("facts", "expected"), ENTRIES.values(), ids=ENTRIES.keys())
def test_costs_become_the_words_of_a_row(facts: str, expected: dict[str, Any]) -> None:
    (draft,) = read(facts).drafts

    assert texts(values(draft, "", None)) == expected
    assert (draft.provider, draft.model, draft.left_out) == ("openai", "m", [])


LEFT_OUT: dict[str, tuple[str, list[str]]] = {
    "minutes of something": (
        '{"cost": {"input": 1, "per_minute": 0.1}, "modalities": {"input": ["video"]}}',
        ["per_minute"],
    ),
    "a tier of something": (
        '{"cost": {"input": 1, "tiers": [{"input": 2, "tier": {"type": "output", "size": 5}}]}}',
        ["tiers (by something else than the size of the prompt)"],
    ),
    "a mode that no request can say": (
        '{"cost": {"input": 1}, "experimental": {"modes": {"turbo": {"cost": {"input": 2}}}}}',
        ["experimental.modes.turbo"],
    ),
    "a rate of a later version": ('{"cost": {"input": 1, "per_thought": 2}}', ["per_thought"]),
}


@pytest.mark.parametrize(("facts", "expected"), LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_what_a_row_cannot_say_is_named(facts: str, expected: list[str]) -> None:
    (draft,) = read(facts).drafts

    assert (draft.left_out, texts(values(draft, "", None))) == (expected, {"input": "1"})


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ("{}", "no price"),
        ("5", "no price"),
        ('{"cost": {"input": -1}}', "a negative price: it is decided with each request"),
        ('{"cost": {"input": true}}', "a price that is no number"),
        (
            """{"cost": {"input": 1}, "experimental": {"modes": {"x": {"cost": {"input": 2}, "provider":
            {"body": {"service_tier": "${HOME}"}}}}}}""",
            "its name would be read as a pattern or a reference",
        ),
    ],
)
def test_what_cannot_be_a_row_is_told_with_the_reason(facts: str, reason: str) -> None:
    found = read(facts)

    assert (found.drafts, found.skipped) == ([], [("openai/m", reason)])


@pytest.mark.parametrize(
    ("seller", "only", "owner"),
    [
        ("google", None, "gemini"),
        ("google-vertex-anthropic", "vertex", "vertex"),
        ("amazon-bedrock", "amazon-bedrock", "bedrock"),
        ("somebody", "somebody", "somebody"),
        ("somebody", None, None),
        ("openai", "groq", None),
    ],
)
def test_providers_have_their_names_here(seller: str, only: str | None, owner: str | None) -> None:
    found = read('{"cost": {"input": 1}}', seller, only)

    assert [draft.provider for draft in found.drafts] == ([owner] if owner else [])
    assert found.foreign == ({"somebody": 1} if (seller, only) == ("somebody", None) else {})


def test_a_list_of_another_form_is_refused() -> None:
    with pytest.raises(Malformed, match="expected providers"):
        foreign.read({"a": 1}, "models-dev", Names(MODELS_DEV))


@pytest.mark.parametrize(
    ("document", "form"),
    [
        ({"data": [{"id": "a", "pricing": {}}]}, "openrouter"),
        ({"sample_spec": {"litellm_provider": "x"}}, "litellm"),
        ({"openai": {"models": {}}}, "models-dev"),
        ({"data": []}, None),
        ({}, None),
        ([], None),
        (5, None),
    ],
)
def test_a_format_is_known_by_its_form(document: object, form: str | None) -> None:
    assert foreign.guess(document) == form
