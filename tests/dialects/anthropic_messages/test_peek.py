from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import CLIENT_DIALECTS
from costspan.dialects import anthropic_messages as dialect
from costspan.dialects.types import Peek
from costspan.errors import ClientError

HI = {"model": "claude", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}

REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no model": ({"model": None}, "missing_model", "model"),
    "empty model": ({"model": ""}, "missing_model", "model"),
    "numeric model": ({"model": 5}, "missing_model", "model"),
    "long model": ({"model": "m" * 257}, "missing_model", "model"),
    "model with a newline": ({"model": "a\nb"}, "missing_model", "model"),
    "no messages": ({"messages": None}, "invalid_messages", "messages"),
    "empty messages": ({"messages": []}, "invalid_messages", "messages"),
    "messages as text": ({"messages": "hello"}, "invalid_messages", "messages"),
    "message as text": ({"messages": ["hello"]}, "invalid_messages", "messages[0]"),
    "unknown role": ({"messages": [{"role": "wizard", "content": "x"}]}, "invalid_messages", "messages[0].role"),
    "role as a list": ({"messages": [{"role": [], "content": "x"}]}, "invalid_messages", "messages[0].role"),
    "null content": ({"messages": [{"role": "user", "content": None}]}, "invalid_messages", "messages[0].content"),
    "stream as text": ({"stream": "true"}, "invalid_type", "stream"),
    "stream as a number": ({"stream": 1}, "invalid_type", "stream"),
    "no max_tokens": ({"max_tokens": None}, "invalid_value", "max_tokens"),
    "max_tokens negative": ({"max_tokens": -1}, "invalid_value", "max_tokens"),
    "max_tokens fraction": ({"max_tokens": 1.5}, "invalid_value", "max_tokens"),
    "max_tokens 2^63": ({"max_tokens": 2**63}, "invalid_value", "max_tokens"),
    "max_tokens text": ({"max_tokens": "10"}, "invalid_value", "max_tokens"),
    "max_tokens true": ({"max_tokens": True}, "invalid_value", "max_tokens"),
    "temperature text": ({"temperature": "hot"}, "invalid_value", "temperature"),
    "temperature NaN": ({"temperature": float("nan")}, "invalid_value", "temperature"),
    "temperature above one": ({"temperature": 1.5}, "invalid_value", "temperature"),
    "another base url": ({"base_url": "http://x"}, "forbidden_parameter", "base_url"),
    "another key": ({"api_key": "x"}, "forbidden_parameter", "api_key"),
}


@pytest.mark.parametrize(("change", "code", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_a_malformed_request_is_refused_with_the_field_s_name(change: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(ClientError) as caught:
        dialect.peek({**HI, **change})

    assert (caught.value.status, caught.value.code, caught.value.param) == (400, code, param)


def test_peek_says_what_routing_needs() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 1000}}
    body = {
        **HI,
        "stream": True,
        "system": "be kind",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "what is it?"}, image]}],
        "tools": [{"name": "look", "input_schema": {"type": "object"}}],
        "output_config": {"format": {"type": "json_schema", "schema": {}}},
    }

    seen = dialect.peek(body)

    assert (seen.model, seen.stream, seen.max_output_tokens) == ("claude", True, 10)
    assert (seen.media, seen.tools, seen.json_schema, seen.n) == (1, True, True, 1)
    assert 18 < seen.prompt_chars < 200


def test_a_limit_of_zero_fills_the_cache_and_is_let_pass() -> None:
    assert dialect.peek({**HI, "max_tokens": 0}).max_output_tokens == 0


def test_null_stream_is_no_stream_and_plain_text_is_counted() -> None:
    assert dialect.peek({**HI, "stream": None}) == Peek("claude", stream=False, max_output_tokens=10, prompt_chars=20)


def test_text_of_a_document_counts_and_base64_does_not() -> None:
    text = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x" * 500}}
    pdf = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "x" * 5000}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [text, pdf]}

    seen = dialect.peek({**HI, "messages": [{"role": "user", "content": [result]}]})

    assert seen.media == 2
    assert 500 <= seen.prompt_chars < 600


def test_a_very_deep_request_is_weighed_without_recursion() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]

    assert dialect.peek({**HI, "system": deep}).prompt_chars == 21


@pytest.mark.parametrize(
    ("fields", "tier"),
    [
        ({"speed": "fast", "service_tier": "auto"}, "fast"),
        ({"speed": "standard", "service_tier": "auto"}, "auto"),
        ({"speed": 1}, None),
        ({}, None),
    ],
)
def test_the_tier_that_is_asked_for_is_told(fields: dict[str, Any], tier: str | None) -> None:
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}

    assert CLIENT_DIALECTS["anthropic-messages"].peek(body | fields).service_tier == tier
