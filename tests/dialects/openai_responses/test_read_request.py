from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import openai_responses
from costspan.errors import ClientError, Untranslatable
from costspan.ir.request import (
    Message,
    OutputFormat,
    ReasoningOptions,
    Request,
    Sampling,
    Text,
    Tool,
    ToolChoice,
)

BASE: dict[str, Any] = {"model": "m", "input": "Hi"}
HI = (Message("user", (Text("Hi"),)),)
KEPT: dict[str, dict[str, Any]] = {"openai-responses: kept": {}}
FUNCTION: dict[str, Any] = {"type": "function", "name": "f"}
SEARCH: dict[str, Any] = {"type": "web_search", "filters": {"allowed_domains": ["example.org"]}}


def read(**fields: Any) -> Request:
    return openai_responses.decode_request(BASE | fields)


def own(**fields: Any) -> dict[str, Any]:
    return read(**fields).extensions.get("openai-responses", {})


def test_a_bare_request_asks_for_nothing_but_to_be_kept() -> None:
    assert read() == Request("m", HI, extensions=KEPT)


def test_every_field() -> None:
    request = read(
        instructions="Be kind.",
        input=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        tools=[
            FUNCTION | {"description": "d", "parameters": {"type": "object"}, "strict": True, "defer_loading": True},
            SEARCH,
        ],
        tool_choice="required",
        parallel_tool_calls=False,
        max_output_tokens=9,
        max_tool_calls=3,
        temperature=0,
        top_p=0.5,
        top_logprobs=2,
        include=["reasoning.encrypted_content", "message.output_text.logprobs", "file_search_call.results"],
        text={"verbosity": "low", "format": {"type": "json_object"}},
        reasoning={"effort": "low", "summary": "auto", "context": "all_turns"},
        service_tier="flex",
        user="ann",
        metadata={"k": "v"},
        store=False,
        prompt_cache_key="p",
        truncation="auto",
        stream=True,
        stream_options={"include_obfuscation": False},
        background=False,
    )

    assert request == Request(
        model="m",
        messages=HI,
        instructions=(Text("Be kind."), Text("Be brief.")),
        tools=(Tool("f", "d", {"type": "object"}, strict=True),),
        tool_choice=ToolChoice("required"),
        parallel_tool_calls=False,
        max_output_tokens=9,
        sampling=Sampling(temperature=0, top_p=0.5),
        output_format=OutputFormat(),
        reasoning=ReasoningOptions("low", summary="auto"),
        logprobs=True,
        top_logprobs=2,
        end_user="ann",
        metadata={"k": "v"},
        service_tier="flex",
        stream=True,
        extensions={
            "openai-responses": {
                "max_tool_calls": 3,
                "truncation": "auto",
                "stream_options": {"include_obfuscation": False},
                "include": ["file_search_call.results"],
                "tools.defer_loading": {"f": True},
                "tools": [SEARCH],
                "reasoning.context": "all_turns",
            },
            "openai": {"prompt_cache_key": "p", "verbosity": "low"},
        },
    )


def test_what_a_target_does_anyway_asks_for_nothing() -> None:
    request = read(
        store=False, truncation="disabled", include=["reasoning.encrypted_content"], text={"format": {"type": "text"}}
    )

    assert request == Request("m", HI)


def test_to_be_kept_is_asked_of_those_who_know_it() -> None:
    assert read(store=True).extensions == {"openai": {"store": True}}


STRICT: dict[str, tuple[dict[str, Any], bool | None]] = {
    "asked for": ({"strict": True}, True),
    "refused": ({"strict": False}, None),
    "left to the server, which can": (
        {"parameters": {"type": "object", "properties": {}, "additionalProperties": False}},
        True,
    ),
    "left to the server, which cannot": ({"parameters": {"type": "object", "patternProperties": {}}}, None),
    "left to the server, without parameters": ({}, None),
}


@pytest.mark.parametrize(("fields", "strict"), STRICT.values(), ids=STRICT.keys())
def test_whether_a_schema_is_strict(fields: dict[str, Any], strict: bool | None) -> None:
    (tool,) = read(tools=[FUNCTION | fields]).tools

    assert tool.strict is strict


CHOICES: dict[str, tuple[Any, ToolChoice | None]] = {
    "auto": ("auto", ToolChoice("auto")),
    "none": ("none", ToolChoice("none")),
    "a function": ({"type": "function", "name": "f"}, ToolChoice("named", "f")),
    "one of the provider's": ({"type": "web_search"}, None),
}


@pytest.mark.parametrize(("given", "choice"), CHOICES.values(), ids=CHOICES.keys())
def test_tool_choice(given: Any, choice: ToolChoice | None) -> None:
    assert read(tools=[FUNCTION, SEARCH], tool_choice=given).tool_choice == choice
    assert own(tools=[FUNCTION, SEARCH], tool_choice=given).get("tool_choice") == (None if choice else given)


def test_of_allowed_tools_the_others_are_left_out() -> None:
    tools = [
        FUNCTION,
        {"type": "function", "name": "g"},
        {"type": "mcp", "server_label": "a", "server_url": "https://a"},
        {"type": "mcp", "server_label": "b", "server_url": "https://b"},
    ]
    allowed = {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "function", "name": "g"}, {"type": "mcp", "server_label": "b"}],
    }
    request = read(tools=tools, tool_choice=allowed)

    assert [tool.name for tool in request.tools] == ["g"]
    assert request.tool_choice == ToolChoice("required")
    assert request.extensions["openai-responses"] == {"tools": [tools[3]]}


def test_a_tool_with_an_input_of_its_own_is_its_provider_s() -> None:
    custom = {"type": "custom", "name": "patch", "format": {"type": "text"}}

    assert own(tools=[custom]) == {"tools": [custom]}


REASONING: dict[str, tuple[dict[str, Any], ReasoningOptions | None]] = {
    "nothing": ({}, None),
    "nothing, spelt out": ({"effort": None, "summary": None}, None),
    "an effort": ({"effort": "xhigh"}, ReasoningOptions("xhigh")),
    "not to": ({"effort": "none"}, ReasoningOptions("none")),
    "a summary": ({"summary": "detailed"}, ReasoningOptions(dynamic=True, summary="detailed")),
    "a summary by its older name": (
        {"generate_summary": "auto"},
        ReasoningOptions(dynamic=True, summary="auto"),
    ),
}


@pytest.mark.parametrize(("given", "options"), REASONING.values(), ids=REASONING.keys())
def test_reasoning(given: dict[str, Any], options: ReasoningOptions | None) -> None:
    assert read(reasoning=given).reasoning == options


def test_a_schema() -> None:
    output = {"type": "json_schema", "name": "n", "description": "d", "schema": {"type": "object"}, "strict": True}

    assert read(text={"format": output}).output_format == OutputFormat({"type": "object"}, "n", "d", strict=True)


def test_what_of_the_text_is_not_known_is_kept() -> None:
    assert own(text={"mood": "calm"}) == {"text.mood": "calm"}


def test_both_names_of_who_asks() -> None:
    request = read(safety_identifier="s", user="u")

    assert request.end_user == "s"
    assert request.extensions["openai-responses"] == {"user": "u"}
    assert read(safety_identifier="s", user="s").extensions == KEPT


def test_log_probabilities_are_asked_for_by_their_number_too() -> None:
    request = read(top_logprobs=3)

    assert (request.logprobs, request.top_logprobs) == (True, 3)
    assert read(top_logprobs=0).logprobs is False


UNTRANSLATABLE: dict[str, tuple[dict[str, Any], str]] = {
    "an earlier answer": ({"previous_response_id": "resp_1"}, "previous_response_id"),
    "a conversation": ({"conversation": "conv_1"}, "conversation"),
    "a prompt": ({"prompt": {"id": "p"}}, "prompt"),
    "in the background": ({"background": True}, "background"),
}


@pytest.mark.parametrize(("fields", "param"), UNTRANSLATABLE.values(), ids=UNTRANSLATABLE.keys())
def test_what_lives_at_one_provider_is_not_translated(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        read(**fields)

    assert caught.value.param == param


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "model": ({"model": ""}, "model"),
    "include": ({"include": "x"}, "include"),
    "format": ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
    "schema": ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
    "effort": ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
    "summary": ({"reasoning": {"summary": 3}}, "reasoning.summary"),
    "tools": ({"tools": "x"}, "tools"),
    "tool": ({"tools": [{"name": "f"}]}, "tools[0].type"),
    "function": ({"tools": [{"type": "function"}]}, "tools[0].name"),
    "parameters": ({"tools": [FUNCTION | {"parameters": []}]}, "tools[0].parameters"),
    "tool choice": ({"tool_choice": "any"}, "tool_choice"),
    "named choice": ({"tool_choice": {"type": "function"}}, "tool_choice"),
    "allowed tools": ({"tool_choice": {"type": "allowed_tools", "mode": "auto"}}, "tool_choice"),
    "mode": ({"tool_choice": {"type": "allowed_tools", "mode": [], "tools": []}}, "tool_choice"),
    "top_logprobs": ({"top_logprobs": -1}, "top_logprobs"),
    "metadata": ({"metadata": []}, "metadata"),
    "service_tier": ({"service_tier": 1}, "service_tier"),
}


@pytest.mark.parametrize(("fields", "param"), BAD.values(), ids=BAD.keys())
def test_a_flaw_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientError) as caught:
        read(**fields)

    assert caught.value.param == param
