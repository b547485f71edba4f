"""pricing.foreign.openrouter: OpenRouter's list of models becomes rows. The fixtures are ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from costspan.errors import Malformed
from costspan.pricing import foreign
from costspan.pricing.foreign.draft import Names
from costspan.pricing.foreign.rows import values
from costspan.wire import json

if TYPE_CHECKING:
    from costspan.pricing.foreign.draft import Imported

KNOWN = Names({"openrouter": "openrouter"})


def read(pricing: str, names: Names = KNOWN) -> Imported:
    text = f'{{"data": [{{"id": "maker/model", "pricing": {pricing}}}]}}'
    return foreign.read(json.loads_exactly(text), "openrouter", names)


def texts(value: Any) -> Any:
    match value:
        case dict():
            return {key: texts(each) for key, each in value.items() if key not in {"source", "provider", "model"}}
        case list():
            return [texts(each) for each in value]
    return value if isinstance(value, str | int) else format(value.normalize(), "f")


ENTRIES: dict[str, tuple[str, dict[str, Any]]] = {
    "tokens, as text": (
        """{"prompt": "0.00000125", "completion": "0.00001", "input_cache_read": "0.000000125",
        "input_cache_write": "0.0000015625", "input_cache_write_1h": "0.0000025", "internal_reasoning": "0.000012",
        "audio": "0.000032", "input_audio_cache": "0.0000004", "audio_output": "6.4e-5", "image_token": "0.000003"}""",
        {
            "input": "1.25",
            "cache_read": "0.125",
            "cache_write": "1.5625",
            "cache_write_1h": "2.5",
            "output": "10",
            "reasoning": "12",
            "input_audio": "32",
            "cache_read_audio": "0.4",
            "input_image": "3",
            "output_audio": "64",
        },
    ),
    "calls": (
        '{"prompt": "0.000001", "completion": "0.000001", "request": "0.005", "web_search": "0.01"}',
        {"input": "1", "output": "1", "per_request": "0.005", "web_search": "0.01"},
    ),
    "nothing that is a charge of its own": (
        """{"prompt": "0.000001", "completion": "0.000002", "request": "0", "image": "0", "web_search": "0",
        "internal_reasoning": "0", "input_cache_write": "0", "discount": 0}""",
        {"input": "1", "cache_write": "0", "output": "2"},
    ),
    "free": ('{"prompt": "0", "completion": "0"}', {"input": "0", "output": "0"}),
    "long prompts, each with what the shorter ones have": (
        """{"prompt": "0.000003", "completion": "0.000015", "overrides": [
        {"min_prompt_tokens": 500000, "prompt": "0.000009"},
        {"min_prompt_tokens": 200000, "prompt": "0.000006", "completion": "0.0000225"}]}""",
        {
            "input": "3",
            "output": "15",
            "tiers": [
                {"above": 200_000, "input": "6", "output": "22.5"},
                {"above": 500_000, "input": "9", "output": "22.5"},
            ],
        },
    ),
    "hours, the later first": (
        """{"prompt": "0.00000027", "completion": "0.0000011", "overrides": [
        {"utc_start": 1630, "utc_end": 30, "prompt": "0.000000135"},
        {"utc_start": 0, "utc_end": 1600, "completion": "0.000001"}]}""",
        {
            "input": "0.27",
            "output": "1.1",
            "hours": [{"utc": "00:00-16:00", "output": "1"}, {"utc": "16:30-00:30", "input": "0.135"}],
        },
    ),
}


@pytest.mark.parametrize(("pricing", "expected"), ENTRIES.values(), ids=ENTRIES.keys())
def test_prices_become_the_words_of_a_row(pricing: str, expected: dict[str, Any]) -> None:
    (draft,) = read(pricing).drafts

    assert texts(values(draft, "", None)) == expected
    assert (draft.provider, draft.model, draft.left_out) == ("openrouter", "maker/model", [])


BASE = '{"prompt": "0.000001", "completion": "0.000001", '
LEFT_OUT: dict[str, tuple[str, list[str]]] = {
    "pictures": (BASE + '"image": "0.001", "image_output": "0.04"}', ["image", "image_output"]),
    "a weekday": (
        BASE + '"overrides": [{"utc_days": ["sunday"], "prompt": "0"}]}',
        ["overrides (a condition that no row can say)"],
    ),
    "a condition of a later version": (
        BASE + '"overrides": [{"region": "eu", "prompt": "0.1"}, 7]}',
        ["overrides (a condition that no row can say)"] * 2,
    ),
    "long prompts by night": (
        BASE + '"overrides": [{"min_prompt_tokens": 9, "utc_start": 0, "utc_end": 100, "prompt": "0"}]}',
        ["overrides (conditions that no row can say together)"],
    ),
}


@pytest.mark.parametrize(("pricing", "expected"), LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_what_a_row_cannot_say_is_named(pricing: str, expected: list[str]) -> None:
    (draft,) = read(pricing).drafts

    assert draft.left_out == expected
    assert texts(values(draft, "", None)) == {"input": "1", "output": "1"}


SKIPPED: dict[str, tuple[str, str]] = {
    "a router's price": ('{"prompt": "-1", "completion": "-1"}', "a negative price: it is decided with each request"),
    "a discount": (
        '{"prompt": "1", "completion": "1", "discount": 0.25}',
        "a discount, of which the list does not say whether the prices are before or after it",
    ),
    "an hour that is none": (
        '{"prompt": "0", "overrides": [{"utc_start": 2430, "utc_end": 0, "prompt": "0"}]}',
        "an hour that is none",
    ),
    "no number": ('{"prompt": "NaN"}', "a price that is no sensible number"),
    "nothing": ("{}", "no price that a row can say"),
}


@pytest.mark.parametrize(("pricing", "reason"), SKIPPED.values(), ids=SKIPPED.keys())
def test_what_cannot_be_a_row_is_told_with_the_reason(pricing: str, reason: str) -> None:
    found = read(pricing)

    assert (found.drafts, found.skipped) == ([], [("maker/model", reason)])


def test_entries_without_a_name_or_prices_are_told() -> None:
    found = foreign.read({"data": [{"id": "a"}, {"pricing": {}}, 5]}, "openrouter", KNOWN)

    assert found.skipped == [("a", "no prices"), *[("an entry without an id", "no name")] * 2]


def test_a_list_of_another_form_is_refused() -> None:
    with pytest.raises(Malformed, match="the list `data`"):
        foreign.read({"models": []}, "openrouter", KNOWN)


def test_another_provider_has_nothing_in_it() -> None:
    assert read('{"prompt": "0"}', Names({"openrouter": "openrouter"}, "groq")).drafts == []
