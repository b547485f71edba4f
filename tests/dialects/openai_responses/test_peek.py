from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import openai_responses
from costspan.dialects.types import Peek
from costspan.errors import ClientError

BASE: dict[str, Any] = {"model": "m", "input": "Hello"}


def test_a_bare_request() -> None:
    assert openai_responses.peek(BASE) == Peek("m", stream=False, max_output_tokens=None, prompt_chars=5)


def test_what_routing_needs() -> None:
    body = {
        "model": "m",
        "stream": True,
        "max_output_tokens": 9,
        "instructions": "Be",
        "input": [
            {"role": "user", "content": "abc"},
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "de"},
                    {"type": "input_image", "image_url": "https://example.org/a.png"},
                    {"type": "input_file", "file_id": "f"},
                ],
            },
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "xyz"}]},
        ],
        "tools": [{"type": "function", "name": "f"}],
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}},
        "service_tier": "flex",
    }

    assert openai_responses.peek(body) == Peek(
        "m",
        stream=True,
        max_output_tokens=9,
        prompt_chars=2 + 3 + 2 + 2 + 3 + len('[{"type":"function","name":"f"}]'),
        media=2,
        tools=True,
        json_schema=True,
        service_tier="flex",
    )


STORED: dict[str, tuple[dict[str, Any], str, str]] = {
    "an earlier answer": ({"previous_response_id": "resp_1"}, "previous_response_id", "resp_1"),
    "a conversation": ({"conversation": "conv_1"}, "conversation", "conv_1"),
    "a conversation as an object": ({"conversation": {"id": "conv_1"}}, "conversation", "conv_1"),
    "a prompt": ({"prompt": {"id": "pmpt_1", "version": "2"}}, "prompt", "pmpt_1"),
    "an item": ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input", "msg_1"),
    "an item without a type": ({"input": [{"id": "msg_1"}, {"role": "user", "content": "x"}]}, "input", "msg_1"),
}


@pytest.mark.parametrize(("fields", "name", "id_"), STORED.values(), ids=STORED.keys())
def test_what_is_stored_elsewhere_is_told(fields: dict[str, Any], name: str, id_: str) -> None:
    found = openai_responses.peek(BASE | fields)

    assert (found.stored, found.stored_id) == (name, id_)


def test_what_is_stored_needs_no_input() -> None:
    inputs: tuple[dict[str, Any], ...] = ({}, {"input": ""}, {"input": []})
    body = {"model": "m", "previous_response_id": "resp_1"}

    assert [openai_responses.peek(body | given).prompt_chars for given in inputs] == [0, 0, 0]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no model": ({"model": None}, "model"),
    "a destination": ({"base_url": "https://example.org"}, "base_url"),
    "no input": ({"input": None}, "input"),
    "empty input": ({"input": ""}, "input"),
    "an empty list": ({"input": []}, "input"),
    "input of a wrong type": ({"input": 3}, "input"),
    "too much input": ({"input": [{}] * 100_001}, "input"),
    "an item that is none": ({"input": ["x"]}, "input[0]"),
    "an item of no kind": ({"input": [{"content": "x"}]}, "input[0].type"),
    "an item of an odd kind": ({"input": [{"type": 3}]}, "input[0].type"),
    "an odd role": ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
    "a stream of no kind": ({"stream": 1}, "stream"),
    "no room": ({"max_output_tokens": 0}, "max_output_tokens"),
    "warm words": ({"temperature": "hot"}, "temperature"),
    "tools that are none": ({"tools": {}}, "tools"),
    "instructions that are none": ({"instructions": []}, "instructions"),
    "text that is none": ({"text": "json"}, "text"),
    "an answer without a name": ({"previous_response_id": {"id": "x"}}, "previous_response_id"),
    "a conversation without a name": ({"conversation": {}}, "conversation"),
}


@pytest.mark.parametrize(("fields", "param"), BAD.values(), ids=BAD.keys())
def test_a_flaw_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientError) as caught:
        openai_responses.peek(BASE | fields)

    assert caught.value.param == param
    assert caught.value.status == 400
