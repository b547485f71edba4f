"""pricing.foreign.litellm: LiteLLM's cost map becomes rows. The fixtures are ours, the keys LiteLLM's of 2026-11-25."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from costspan.pricing import foreign
from costspan.pricing.foreign.draft import Names
from costspan.pricing.foreign.rows import values, written
from costspan.providers.price_lists import INCLUSIVE, LITELLM, MADE_OF_ONE_WORD
from costspan.wire import json

if TYPE_CHECKING:
    from costspan.pricing.foreign.draft import Imported

KNOWN = Names(LITELLM, single=MADE_OF_ONE_WORD, inclusive=INCLUSIVE)
KEYS = '"litellm_provider": "openai", "mode": "chat"'


def read(text: str, names: Names = KNOWN) -> Imported:
    return foreign.read(json.loads_exactly(text), "litellm", names)


def rows(text: str, names: Names = KNOWN) -> list[dict[str, Any]]:
    """What the rows say, amounts as text."""
    return [texts({**values(draft, "", None)}) for draft in read(text, names).drafts]


def texts(value: Any) -> Any:
    match value:
        case dict():
            return {key: texts(each) for key, each in value.items() if key != "source"}
        case list():
            return [texts(each) for each in value]
    return value if isinstance(value, str | int) else format(value.normalize(), "f")


def one(keys: str, more: str = KEYS) -> dict[str, Any]:
    """What the only row of an entry with these keys says besides its name."""
    (row,) = rows(f'{{"m": {{{more}, {keys}}}}}')
    return {key: value for key, value in row.items() if key not in {"provider", "model"}}


ENTRIES: dict[str, tuple[str, dict[str, Any]]] = {
    "digits that a float would lose": (
        '"input_cost_per_token": 1.2345678901234567891e-06, "output_cost_per_token": 0.1e-5',
        {"input": "1.2345678901234567891", "output": "1"},
    ),
    "every rate for tokens": (
        """"input_cost_per_token": 4e-06, "output_cost_per_token": 1.6e-05, "output_cost_per_reasoning_token": 2e-05,
        "cache_read_input_token_cost": 4e-07, "cache_creation_input_token_cost": 5e-06,
        "cache_creation_input_token_cost_above_1hr": 8e-06, "cache_read_input_audio_token_cost": 3e-07,
        "input_cost_per_audio_token": 3.2e-05, "input_cost_per_image_token": 1e-05,
        "input_cost_per_video_token": 1.1e-05, "output_cost_per_audio_token": 6.4e-05,
        "output_cost_per_image_token": 4e-05""",
        {
            "input": "4",
            "cache_read": "0.4",
            "cache_write": "5",
            "cache_write_1h": "8",
            "output": "16",
            "reasoning": "20",
            "input_audio": "32",
            "cache_read_audio": "0.3",
            "input_image": "10",
            "input_video": "11",
            "output_audio": "64",
            "output_image": "40",
        },
    ),
    "long prompts": (
        """"input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05,
        "input_cost_per_token_above_200k_tokens": 2.5e-06, "output_cost_per_token_above_200k_tokens": 1.5e-05,
        "input_cost_per_token_above_128k_tokens": 2e-06,
        "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 9e-06""",
        {
            "input": "1.25",
            "output": "10",
            "tiers": [
                {"above": 128_000, "input": "2"},
                {"above": 200_000, "input": "2.5", "cache_write_1h": "9", "output": "15"},
            ],
        },
    ),
    "service tiers, in either order": (
        """"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1.5e-05, "input_cost_per_token_flex": 1.25e-06,
        "input_cost_per_token_batches": 1.2e-06, "output_cost_per_token_batches": 7e-06,
        "input_cost_per_token_priority": 5e-06, "input_cost_per_token_above_272k_tokens_priority": 1e-05,
        "output_cost_per_token_priority_above_272k_tokens": 4e-05""",
        {
            "input": "2.5",
            "output": "15",
            "service_tiers": {
                "flex": {"input": "1.25"},
                "batch": {"input": "1.2", "output": "7"},
                "priority": {"input": "5", "tiers": [{"above": 272_000, "input": "10", "output": "40"}]},
                "fast": {"input": "5", "tiers": [{"above": 272_000, "input": "10", "output": "40"}]},
            },
        },
    ),
    "a factor on tokens, not on calls": (
        """"input_cost_per_token": 5e-06, "output_cost_per_token": 2.5e-05, "provider_specific_entry": {"fast": 6.0},
        "input_cost_per_token_above_200k_tokens": 1e-05, "input_cost_per_request": 0.5""",
        {
            "input": "5",
            "output": "25",
            "per_request": "0.5",
            "tiers": [{"above": 200_000, "input": "10"}],
            "service_tiers": {"fast": {"input": "30", "output": "150", "tiers": [{"above": 200_000, "input": "60"}]}},
        },
    ),
    "an older name for cache reads": (
        '"input_cost_per_token": 1e-06, "input_cost_per_token_cache_hit": 1e-07',
        {"input": "1", "cache_read": "0.1"},
    ),
    "both names, of which the newer counts": (
        '"cache_read_input_token_cost": 2e-07, "input_cost_per_token_cache_hit": 1e-07',
        {"cache_read": "0.2"},
    ),
    "ranges": (
        """"tiered_pricing": [{"range": [0, 32000.0], "input_cost_per_token": 5e-07, "output_cost_per_token": 1e-06},
        {"range": [32000.0, 128000.0], "input_cost_per_token": 7e-07, "output_cost_per_token": 2e-06}]""",
        {"input": "0.5", "output": "1", "tiers": [{"above": 32_000, "input": "0.7", "output": "2"}]},
    ),
    "hours": (
        """"input_cost_per_token": 2.7e-07, "off_peak_pricing": {"hours_utc": ["16:30-00:30", "04:00-06:00"],
        "input_cost_per_token": 1.35e-07}""",
        {
            "input": "0.27",
            "hours": [{"utc": "16:30-00:30", "input": "0.135"}, {"utc": "04:00-06:00", "input": "0.135"}],
        },
    ),
    "a search that costs the same in each size": (
        """"input_cost_per_token": 1e-06, "search_context_cost_per_query": {"search_context_size_low": 0.01,
        "search_context_size_medium": 0.01, "search_context_size_high": 1e-2}""",
        {"input": "1", "web_search": "0.01"},
    ),
    "a thousand file searches": (
        '"input_cost_per_token": 1e-06, "file_search_cost_per_1k_calls": 2.5',
        {"input": "1", "file_search": "0.0025"},
    ),
    "a request": ('"input_cost_per_request": 0.005', {"per_request": "0.005"}),
    "nothing to pay": ('"input_cost_per_token": 0.0, "output_cost_per_token": 0', {"input": "0", "output": "0"}),
    "what is null is not there": ('"input_cost_per_token": 1e-06, "output_cost_per_token": null', {"input": "1"}),
}


@pytest.mark.parametrize(("keys", "expected"), ENTRIES.values(), ids=ENTRIES.keys())
def test_keys_become_the_words_of_a_row(keys: str, expected: dict[str, Any]) -> None:
    assert one(keys) == expected


MODES: dict[str, tuple[str, str, dict[str, str]]] = {
    "a rerank": ("rerank", '"input_cost_per_query": 0.002, "input_cost_per_token": 0', {"per_search": "0.002"}),
    "a page": ("ocr", '"ocr_cost_per_page": 1e-3', {"per_page": "0.001"}),
    "a picture": ("image_generation", '"output_cost_per_image": 0.04', {"per_image": "0.04"}),
    "a character": ("audio_speech", '"input_cost_per_character": 1.5e-05', {"per_million_characters": "15"}),
    "a second": (
        "audio_transcription",
        '"input_cost_per_second": 0.0001, "output_cost_per_second": 0.0001',
        {"per_audio_second": "0.0001"},
    ),
    "a second, this way nothing": (
        "audio_transcription",
        '"input_cost_per_second": 0.0, "output_cost_per_second": 0.0001',
        {"per_audio_second": "0.0001"},
    ),
    "a second, the other way nothing": (
        "audio_transcription",
        '"input_cost_per_second": 3.083e-05, "output_cost_per_second": 0.0',
        {"per_audio_second": "0.00003083"},
    ),
}


@pytest.mark.parametrize(("mode", "keys", "expected"), MODES.values(), ids=MODES.keys())
def test_units_are_priced_where_the_mode_says_what_they_are(mode: str, keys: str, expected: dict[str, str]) -> None:
    row = one(keys, f'"litellm_provider": "cohere", "mode": "{mode}"')

    assert {word: row[word] for word in expected} == expected


LEFT_OUT: dict[str, tuple[str, list[str]]] = {
    "what has no bucket": ('"citation_cost_per_token": 2e-06', ["citation_cost_per_token"]),
    "input pictures by number": ('"input_cost_per_image": 5e-06', ["input_cost_per_image"]),
    "seconds of something else": ('"output_cost_per_second": 0.5', ["output_cost_per_second"]),
    "a region's factor": (
        '"regional_processing_uplift_multiplier_eu": 1.1',
        ["regional_processing_uplift_multiplier_eu"],
    ),
    "other factors": ('"provider_specific_entry": {"us": 1.1}', ["provider_specific_entry.us"]),
    "a search by size": (
        '"search_context_cost_per_query": {"search_context_size_low": 0.03, "search_context_size_high": 0.05}',
        ["search_context_cost_per_query"],
    ),
    "a search by prompt": (
        '"search_context_cost_per_query": {"search_context_size_low": 0.03}, "web_search_billing_unit": "per_prompt"',
        ["search_context_cost_per_query (per_prompt)"],
    ),
    "hours by weekday": (
        '"off_peak_pricing": {"windows": [{"weekdays": ["sat"]}], "input_cost_per_token": 1}',
        ["off_peak_pricing"],
    ),
    "seconds beside tokens": (
        '"mode": "audio_transcription", "input_cost_per_second": 0.0001',
        ["per_audio_second (its tokens are priced)"],
    ),
    "a key of a later version": ('"input_cost_per_thought": 1e-06', ["input_cost_per_thought"]),
    "a price that is a table": ('"output_cost_per_pixel": {"a": 1}', ["output_cost_per_pixel"]),
    "nothing of it": ('"output_cost_per_pixel": 0.0, "max_tokens": 5, "supports_vision": true', []),
}


@pytest.mark.parametrize(("keys", "expected"), LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_what_a_row_cannot_say_is_named(keys: str, expected: list[str]) -> None:
    (draft,) = read(f'{{"m": {{{KEYS}, "input_cost_per_token": 1e-06, {keys}}}}}').drafts

    assert draft.left_out == expected


NAMES: dict[str, tuple[str, str, str | None]] = {
    "bare": ("gpt-5", "openai", "openai/gpt-5"),
    "with the provider": ("openai/gpt-5", "openai", "openai/gpt-5"),
    "with the provider's other name": (
        "vertex_ai/claude-sonnet-5",
        "vertex_ai-anthropic_models",
        "vertex/claude-sonnet-5",
    ),
    "with a maker": ("groq/openai/gpt-oss-120b", "groq", "groq/openai/gpt-oss-120b"),
    "a maker that is a provider too": (
        "openrouter/anthropic/claude-sonnet-5",
        "openrouter",
        "openrouter/anthropic/claude-sonnet-5",
    ),
    "with a colon": ("us.anthropic.claude-v1:0", "bedrock_converse", "bedrock/us.anthropic.claude-v1:0"),
    "fine-tuned": ("ft:gpt-4o-2024-08-06", "openai", "openai/ft:gpt-4o-2024-08-06:*"),
    "a region": ("azure/eu/gpt-5", "azure", None),
    "a size": ("high/1024-x-1024/gpt-image-1", "openai", None),
    "a pattern": ("openai/*", "openai", None),
    "a reference": ("${HOME}", "openai", None),
    "an escape": ("a\\u001b[31mb", "openai", None),
    "nothing": ("openai/", "openai", None),
}


@pytest.mark.parametrize(("name", "seller", "expected"), NAMES.values(), ids=NAMES.keys())
def test_names_become_what_requests_have(name: str, seller: str, expected: str | None) -> None:
    found = read(f'{{"{name}": {{"litellm_provider": "{seller}", "mode": "chat", "input_cost_per_token": 1e-06}}}}')

    assert [f"{draft.provider}/{draft.model}" for draft in found.drafts] == ([expected] if expected else [])
    assert len(found.skipped) == (0 if expected else 1)


SKIPPED: dict[str, tuple[str, str]] = {
    "no price": ('"max_tokens": 5', "no price that a row can say"),
    "none that a row has": (
        '"input_cost_per_pixel": 1.9e-08',
        "no price that a row can say: input_cost_per_pixel",
    ),
    "a negative one": ('"input_cost_per_token": -1', "a negative price: it is decided with each request"),
    "a word": ('"input_cost_per_token": "much"', "a price that is no sensible number"),
    "beyond sense": ('"input_cost_per_token": 1e400', "a price that is no sensible number"),
    "below sense": ('"input_cost_per_token": 1e-40', "a price that is no sensible number"),
    "two for a second": (
        '"mode": "audio_transcription", "input_cost_per_second": 1, "output_cost_per_second": 2',
        "two prices for per_audio_second",
    ),
}


@pytest.mark.parametrize(("keys", "reason"), SKIPPED.values(), ids=SKIPPED.keys())
def test_what_cannot_be_a_row_is_told_with_the_reason(keys: str, reason: str) -> None:
    found = read(f'{{"m": {{"litellm_provider": "openai", {keys}}}}}')

    assert (found.drafts, found.skipped) == ([], [("m", reason)])


def test_a_price_twice_is_one_row_unless_the_prices_differ() -> None:
    found = read(
        """{"bedrock/m": {"litellm_provider": "bedrock", "input_cost_per_token": 1e-06},
        "m": {"litellm_provider": "bedrock_converse", "input_cost_per_token": 0.000001},
        "bedrock_converse/m": {"litellm_provider": "bedrock_converse", "input_cost_per_token": 2e-06}}"""
    )

    assert [draft.name for draft in found.drafts] == ["bedrock/m"]
    assert found.skipped == [("bedrock_converse/m", "another price than bedrock/m, for the same model")]


LIST = """{"sample_spec": {"litellm_provider": "one of", "input_cost_per_token": 0.0},
"a": {"litellm_provider": "openai", "input_cost_per_token": 1e-06},
"together_ai/b": {"litellm_provider": "together_ai", "input_cost_per_token": 1e-06},
"databricks/c": {"litellm_provider": "databricks", "input_cost_per_token": 1e-06}}"""


@pytest.mark.parametrize(
    ("only", "expected", "foreign_"),
    [
        (None, ["openai/a", "together/b"], {"databricks": 1}),
        ("together", ["together/b"], {}),
        ("together_ai", ["together/b"], {}),
        ("databricks", ["databricks/c"], {}),
        ("nobody", [], {}),
    ],
)
def test_one_provider_may_be_asked_for_in_either_word(
    only: str | None, expected: list[str], foreign_: dict[str, int]
) -> None:
    found = read(LIST, Names(LITELLM, only))

    assert [f"{draft.provider}/{draft.model}" for draft in found.drafts] == expected
    assert (found.foreign, found.skipped) == (foreign_, [])


def test_thresholds_that_count_when_they_are_reached_are_one_lower() -> None:
    (row,) = rows(
        '{"xai/grok-5": {"litellm_provider": "xai", "input_cost_per_token": 2e-06,'
        ' "input_cost_per_token_above_200k_tokens": 4e-06}}'
    )

    assert row["tiers"] == [{"above": 199_999, "input": "4"}]


def test_a_row_is_written_for_people() -> None:
    (draft,) = read(
        """{"gpt-5": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.25e-06,
        "output_cost_per_token": 1e-05, "input_cost_per_token_above_272k_tokens": 2.5e-06,
        "input_cost_per_token_flex": 6.25e-07, "input_cost_per_image": 0.1,
        "off_peak_pricing": {"hours_utc": "16:30-00:30", "input_cost_per_token": 1e-06}}}"""
    ).drafts

    assert written(values(draft, 'a "list"', None), draft.left_out) == (
        """- provider: "openai"
  model: "gpt-5"
  source: "a \\"list\\""
  input: 1.25
  output: 10
  tiers:
    - {above: 272000, input: 2.5}
  service_tiers:
    "flex": {input: 0.625}
  hours:
    - {utc: "16:30-00:30", input: 1}
  # not in this row: input_cost_per_image
"""
    )
