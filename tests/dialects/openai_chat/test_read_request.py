from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.dialects import openai_chat
from costspan.errors import ClientError, CostspanError, Untranslatable
from costspan.ir.request import (
    Cache,
    Message,
    OutputFormat,
    ReasoningOptions,
    Request,
    Sampling,
    Text,
    Tool,
    ToolChoice,
)

BASE: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
HI = (Message("user", (Text("Hi"),)),)
FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}


def test_every_field_has_its_place() -> None:
    body = BASE | {
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 5,
        "max_completion_tokens": 7,
        "temperature": 0,
        "top_p": 0.5,
        "top_k": 3,
        "min_p": 0.1,
        "presence_penalty": 1,
        "frequency_penalty": -1,
        "repetition_penalty": 1.1,
        "seed": 42,
        "logit_bias": {"5": -100},
        "stop": "END",
        "n": 2,
        "logprobs": True,
        "top_logprobs": 3,
        "tools": [{"type": "function", "function": FUNCTION, "cache_control": {"type": "ephemeral"}}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "user": "ann",
        "metadata": {"k": "v"},
        "service_tier": "flex",
        "store": False,
        "prompt_cache_key": "p",
        "verbosity": None,
    }

    assert openai_chat.decode_request(body) == Request(
        model="m",
        messages=HI,
        tools=(Tool("f", "d", {"type": "object"}, strict=True, cache=Cache()),),
        tool_choice=ToolChoice("required"),
        parallel_tool_calls=False,
        max_output_tokens=7,
        sampling=Sampling(0, 0.5, 3, 0.1, 1, -1, 1.1, 42, {"5": -100}),
        stop=("END",),
        n=2,
        logprobs=True,
        top_logprobs=3,
        end_user="ann",
        metadata={"k": "v"},
        service_tier="flex",
        stream=True,
        extensions={"openai": {"store": False, "prompt_cache_key": "p"}},
    )


def test_a_bare_request_asks_for_nothing_else() -> None:
    assert openai_chat.decode_request(BASE) == Request("m", HI)


def test_legacy_functions_are_tools() -> None:
    request = openai_chat.decode_request(BASE | {"functions": [{"name": "f"}], "function_call": {"name": "f"}})

    assert request.tools == (Tool("f"),)
    assert request.tool_choice == ToolChoice("named", "f")


CHOICES: dict[str, tuple[Any, ToolChoice]] = {
    "auto": ("auto", ToolChoice("auto")),
    "none": ("none", ToolChoice("none")),
    "named": ({"type": "function", "function": {"name": "f"}}, ToolChoice("named", "f")),
}


@pytest.mark.parametrize(("given_", "expected"), CHOICES.values(), ids=CHOICES.keys())
def test_a_tool_choice_is_read(given_: Any, expected: ToolChoice) -> None:
    assert openai_chat.decode_request(BASE | {"tool_choice": given_}).tool_choice == expected


FORMATS: dict[str, tuple[Any, OutputFormat | None]] = {
    "text": ({"type": "text"}, None),
    "object": ({"type": "json_object"}, OutputFormat()),
    "schema": (
        {"type": "json_schema", "json_schema": {"name": "a", "description": "b", "strict": True, "schema": {"x": 1}}},
        OutputFormat({"x": 1}, "a", "b", strict=True),
    ),
}


@pytest.mark.parametrize(("given_", "expected"), FORMATS.values(), ids=FORMATS.keys())
def test_a_response_format_is_read(given_: Any, expected: OutputFormat | None) -> None:
    assert openai_chat.decode_request(BASE | {"response_format": given_}).output_format == expected


REASONING: dict[str, tuple[dict[str, Any], ReasoningOptions | None]] = {
    "effort": ({"reasoning_effort": "low"}, ReasoningOptions("low")),
    "object with effort": (
        {"reasoning": {"effort": "xhigh", "exclude": True}},
        ReasoningOptions("xhigh", exclude=True),
    ),
    "object with budget": (
        {"reasoning": {"max_tokens": 2000, "summary": "auto"}},
        ReasoningOptions(budget_tokens=2000, summary="auto"),
    ),
    "enabled": ({"reasoning": {"enabled": True}}, ReasoningOptions(dynamic=True)),
    "disabled": ({"reasoning": {"enabled": False}}, ReasoningOptions("none")),
    "both": ({"reasoning": {"exclude": True}, "reasoning_effort": "high"}, ReasoningOptions("high", exclude=True)),
    "include": ({"include_reasoning": True}, ReasoningOptions(dynamic=True)),
    "do not include": ({"include_reasoning": False}, ReasoningOptions(dynamic=True, exclude=True)),
    "nothing": ({"reasoning": None}, None),
}


@pytest.mark.parametrize(("fields", "expected"), REASONING.values(), ids=REASONING.keys())
def test_reasoning_options_are_read(fields: dict[str, Any], expected: ReasoningOptions | None) -> None:
    assert openai_chat.decode_request(BASE | fields).reasoning == expected


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "stop": ({"stop": 5}, "stop"),
    "stops": ({"stop": [5]}, "stop"),
    "bias": ({"logit_bias": {"5": "x"}}, "logit_bias.5"),
    "top_p": ({"top_p": "x"}, "top_p"),
    "seed": ({"seed": 1.5}, "seed"),
    "user": ({"user": 5}, "user"),
    "metadata": ({"metadata": []}, "metadata"),
    "tool": ({"tools": [5]}, "tools[0].type"),
    "tool without name": ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    "tool parameters": ({"functions": [{"name": "f", "parameters": 5}]}, "functions[0].parameters"),
    "tool choice": ({"tool_choice": "always"}, "tool_choice"),
    "response format": ({"response_format": "json"}, "response_format.type"),
    "schema": ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
    "effort": ({"reasoning_effort": "extreme"}, "reasoning_effort"),
    "object's effort": ({"reasoning": {"effort": 5}}, "reasoning.effort"),
    "budget": ({"reasoning": {"max_tokens": -1}}, "reasoning.max_tokens"),
}


@pytest.mark.parametrize(("fields", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientError) as caught:
        openai_chat.decode_request(BASE | fields)

    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "web_search"}]},
        {"tool_choice": {"type": "custom"}},
        {"response_format": {"type": "grammar"}},
    ],
    ids=["server tool", "custom choice", "grammar"],
)
def test_what_only_this_dialect_knows_and_changes_the_meaning_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Untranslatable):
        openai_chat.decode_request(BASE | fields)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
FIELDS = [
    "model",
    "messages",
    "stop",
    "tools",
    "functions",
    "tool_choice",
    "response_format",
    "reasoning",
    "logit_bias",
    "metadata",
    "stream_options",
    "n",
    "temperature",
]
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "function", "system"])},
    optional=dict.fromkeys(
        ("content", "tool_calls", "function_call", "reasoning_details", "annotations", "name", "audio"), JSON
    ),
)


@given(
    fields=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4),
    messages=st.lists(MESSAGE, min_size=1, max_size=3),
)
def test_nothing_but_our_errors_leaves_the_codec(fields: dict[str, Any], messages: list[Any]) -> None:
    body = BASE | {"messages": messages} | fields
    for read in (openai_chat.peek, openai_chat.decode_request):
        try:
            read(body)
        except CostspanError as error:
            assert isinstance(error, ClientError)  # noqa: PT017 - most inputs raise, and the class is the point
