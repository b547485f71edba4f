from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import gemini_generate as dialect
from costspan.errors import ClientError

HI = [{"role": "user", "parts": [{"text": "Hello"}]}]
ASKED = {"model": "m", "contents": HI}


def test_a_plain_request() -> None:
    found = dialect.peek({**ASKED, "stream": True})

    assert (found.model, found.stream, found.n, found.media, found.tools, found.json_schema) == (
        "m",
        True,
        1,
        0,
        False,
        False,
    )
    assert (found.max_output_tokens, found.service_tier, found.stored, found.wants_usage) == (None, None, None, True)


@pytest.mark.parametrize("snake", [False, True])
def test_what_routing_needs_is_found_under_either_spelling(snake: bool) -> None:
    config = {"maxOutputTokens": 9, "candidateCount": 2, "responseSchema": {"type": "OBJECT"}}
    body = {"generationConfig": config, "serviceTier": "PRIORITY", "cachedContent": "cachedContents/a"}
    if snake:
        config = {"max_output_tokens": 9, "candidate_count": 2, "response_schema": {"type": "OBJECT"}}
        body = {"generation_config": config, "service_tier": "PRIORITY", "cached_content": "cachedContents/a"}

    found = dialect.peek({**ASKED, **body, "tools": [{"googleSearch": {}}]})

    assert (found.max_output_tokens, found.n, found.json_schema, found.service_tier) == (9, 2, True, "priority")
    assert (found.tools, found.stored, found.stored_id) == (True, "cachedContent", "cachedContents/a")


@pytest.mark.parametrize(("given", "word"), [("standard", "default"), ("unspecified", None), ("flex", "flex")])
def test_a_tier_is_told_in_openai_s_word(given: str, word: str | None) -> None:
    assert dialect.peek({**ASKED, "serviceTier": given}).service_tier == word


def test_text_is_weighed_and_base64_is_not() -> None:
    data, sealed = "A" * 10_000, "S" * 10_000
    parts = [{"text": "x" * 100, "thoughtSignature": sealed}, {"inline_data": {"mime_type": "image/png", "data": data}}]

    found = dialect.peek(
        {"model": "m", "contents": [{"parts": parts}], "systemInstruction": {"parts": [{"text": "y"}]}}
    )

    assert found.media == 1
    assert 101 <= found.prompt_chars < 200


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no model": ({"contents": HI}, "model", "missing_model"),
    "no contents": ({"model": "m"}, "contents", "invalid_messages"),
    "no turn": ({"model": "m", "contents": []}, "contents", "invalid_messages"),
    "a turn that is none": ({"model": "m", "contents": ["Hello"]}, "contents[0]", "invalid_messages"),
    "an unknown role": (
        {"model": "m", "contents": [{"role": "x", "parts": []}]},
        "contents[0].role",
        "invalid_messages",
    ),
    "a role that is none": (
        {"model": "m", "contents": [{"role": ["user"], "parts": []}]},
        "contents[0].role",
        "invalid_messages",
    ),
    "no parts": ({"model": "m", "contents": [{"role": "user"}]}, "contents[0].parts", "invalid_messages"),
    "a part that is none": ({"model": "m", "contents": [{"parts": ["Hi"]}]}, "contents[0].parts", "invalid_messages"),
    "a key": ({**ASKED, "api_key": "k"}, "api_key", "forbidden_parameter"),
    "a stream of words": ({**ASKED, "stream": "yes"}, "stream", "invalid_type"),
    "an odd limit": (
        {**ASKED, "generationConfig": {"maxOutputTokens": 0}},
        "generationConfig.maxOutputTokens",
        "invalid_value",
    ),
    "odd tools": ({**ASKED, "tools": {}}, "tools", "invalid_type"),
    "odd configuration": ({**ASKED, "generationConfig": []}, "generationConfig", "invalid_type"),
    "an odd temperature": (
        {**ASKED, "generationConfig": {"temperature": "hot"}},
        "generationConfig.temperature",
        "invalid_value",
    ),
}


@pytest.mark.parametrize(("body", "param", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_wrong_is_named(body: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(ClientError) as refused:
        dialect.peek(body)

    assert (refused.value.param, refused.value.code, refused.value.status) == (param, code, 400)


PATHS = {
    "gemini-3-flash": "/models/gemini-3-flash",
    "models/gemini-3-flash": "/models/gemini-3-flash",
    "tunedModels/mine-1": "/tunedModels/mine-1",
    "odd/../model?x": "/models/odd%2F..%2Fmodel%3Fx",
}


@pytest.mark.parametrize(("model", "place"), PATHS.items())
def test_the_path_names_the_model_as_one_segment(model: str, place: str) -> None:
    assert dialect.path(model, stream=False) == f"{place}:generateContent"
    assert dialect.path(model, stream=True) == f"{place}:streamGenerateContent?alt=sse"


DEFAULTS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "into the configuration": (
        {},
        {"max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "stop": "END", "n": 2},
        {
            "generationConfig": {
                "maxOutputTokens": 9,
                "temperature": 0.5,
                "topP": 0.9,
                "stopSequences": ["END"],
                "candidateCount": 2,
            }
        },
    ),
    "beside what is there": (
        {"generationConfig": {"topK": 5, "maxOutputTokens": 3}},
        {"max_completion_tokens": 9, "seed": 7},
        {"generationConfig": {"topK": 5, "maxOutputTokens": 3, "seed": 7}},
    ),
    "under the client's spelling": (
        {"generation_config": {"max_output_tokens": 3}},
        {"max_tokens": 9, "seed": 7},
        {"generation_config": {"max_output_tokens": 3, "seed": 7}},
    ),
    "a whole configuration": (
        {"generationConfig": {"topK": 5}},
        {"generationConfig": {"topK": 1, "seed": 7}},
        {"generationConfig": {"topK": 5, "seed": 7}},
    ),
    "nothing missing": ({"generationConfig": {"temperature": 1}}, {"temperature": 0}, {}),
    "beside the configuration": (
        {"safety_settings": []},
        {"service_tier": "default", "safetySettings": [1], "labels": {"a": "b"}},
        {"serviceTier": "standard", "labels": {"a": "b"}},
    ),
    "an effort for a model with levels": (
        {"model": "gemini-3-flash"},
        {"reasoning_effort": "low"},
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}},
    ),
    "an effort for a model with budgets": (
        {"model": "gemini-2.5-flash", "generationConfig": {"maxOutputTokens": 10_000}},
        {"reasoning_effort": "medium"},
        {"generationConfig": {"maxOutputTokens": 10_000, "thinkingConfig": {"thinkingBudget": 5000}}},
    ),
}


@pytest.mark.parametrize(("body", "params", "found"), DEFAULTS.values(), ids=DEFAULTS.keys())
def test_params_of_a_route_fill_what_is_missing(
    body: dict[str, Any], params: dict[str, Any], found: dict[str, Any]
) -> None:
    assert dialect.defaults(body, params) == found
