from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import CLIENT_DIALECTS, openai_chat
from costspan.dialects.types import Peek
from costspan.errors import ClientError

HI = [{"role": "user", "content": "Hi"}]


def test_a_small_request_is_understood() -> None:
    assert openai_chat.peek({"model": "m", "messages": HI}) == Peek("m", False, None, prompt_chars=2)


def test_everything_that_routing_needs_is_found() -> None:
    body = {
        "model": "openai/gpt-5",
        "messages": [
            {"role": "developer", "content": "Be kind"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What?"},
                    {"type": "image_url", "image_url": {"url": "https://e.org/a.png"}},
                    {"type": "file", "file": {"file_id": "f"}},
                ],
            },
            {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "function": {"arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "42"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 5,
        "max_completion_tokens": 7,
        "temperature": 0,
        "n": 2,
        "tools": [{}],
        "response_format": {"type": "json_schema"},
    }

    assert openai_chat.peek(body) == Peek(
        model="openai/gpt-5",
        stream=True,
        max_output_tokens=7,
        prompt_chars=7 + 5 + 2 + 2 + 4,
        media=2,
        wants_usage=True,
        tools=True,
        json_schema=True,
        n=2,
    )


def test_usage_of_a_stream_is_for_those_who_ask() -> None:
    assert not openai_chat.peek({"model": "m", "messages": HI, "stream": True}).wants_usage


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no model": ({"model": None}, "missing_model", "model"),
    "empty model": ({"model": ""}, "missing_model", "model"),
    "model is a number": ({"model": 5}, "missing_model", "model"),
    "model too long": ({"model": "m" * 257}, "missing_model", "model"),
    "model with a line break": ({"model": "a\nb"}, "missing_model", "model"),
    "no messages": ({"messages": None}, "invalid_messages", "messages"),
    "empty messages": ({"messages": []}, "invalid_messages", "messages"),
    "messages is text": ({"messages": "Hi"}, "invalid_messages", "messages"),
    "too many messages": ({"messages": HI * 100_001}, "invalid_messages", "messages"),
    "message is text": ({"messages": ["Hi"]}, "invalid_messages", "messages[0].role"),
    "unknown role": ({"messages": [*HI, {"role": "robot", "content": ""}]}, "invalid_messages", "messages[1].role"),
    "no content": ({"messages": [{"role": "user", "content": None}]}, "invalid_messages", "messages[0].content"),
    "content is empty": ({"messages": [{"role": "user", "content": []}]}, "invalid_messages", "messages[0].content"),
    "part is text": (
        {"messages": [{"role": "user", "content": ["Hi"]}]},
        "invalid_messages",
        "messages[0].content[0]",
    ),
    "tool calls are text": (
        {"messages": [{"role": "assistant", "tool_calls": "x"}]},
        "invalid_messages",
        "messages[0].tool_calls",
    ),
    "stream is text": ({"stream": "true"}, "invalid_type", "stream"),
    "stream is a number": ({"stream": 1}, "invalid_type", "stream"),
    "limit below 1": ({"max_tokens": 0}, "invalid_value", "max_tokens"),
    "negative limit": ({"max_completion_tokens": -1}, "invalid_value", "max_completion_tokens"),
    "limit is a fraction": ({"max_tokens": 1.5}, "invalid_value", "max_tokens"),
    "limit is true": ({"max_tokens": True}, "invalid_value", "max_tokens"),
    "limit is text": ({"max_tokens": "10"}, "invalid_value", "max_tokens"),
    "limit is huge": ({"max_tokens": 2**63}, "invalid_value", "max_tokens"),
    "temperature is text": ({"temperature": "hot"}, "invalid_value", "temperature"),
    "temperature is no number": ({"temperature": float("nan")}, "invalid_value", "temperature"),
    "too many choices": ({"n": 129}, "invalid_value", "n"),
    "tools is text": ({"tools": "x"}, "invalid_type", "tools"),
    "stream options are text": ({"stream": True, "stream_options": "x"}, "invalid_type", "stream_options"),
    "base url": ({"base_url": "http://evil"}, "forbidden_parameter", "base_url"),
    "api key": ({"api_key": None}, "forbidden_parameter", "api_key"),
}


@pytest.mark.parametrize("stream", [{}, {"stream": True}], ids=["whole", "stream"])
@pytest.mark.parametrize(("change", "code", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_field_is_named(change: dict[str, Any], code: str, param: str, stream: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as caught:
        openai_chat.peek({"model": "m", "messages": HI} | stream | change)

    assert (caught.value.status, caught.value.code, caught.value.param) == (400, code, param)


@pytest.mark.parametrize("name", ["stream", "max_tokens", "temperature", "n", "tools", "stream_options"])
def test_null_is_absent(name: str) -> None:
    assert openai_chat.peek({"model": "m", "messages": HI, name: None}).model == "m"


@pytest.mark.parametrize(
    ("fields", "tier"), [({"service_tier": "flex"}, "flex"), ({"service_tier": 1}, None), ({}, None)]
)
def test_the_tier_that_is_asked_for_is_told(fields: dict[str, Any], tier: str | None) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}

    assert CLIENT_DIALECTS["openai-chat"].peek(body | fields).service_tier == tier
