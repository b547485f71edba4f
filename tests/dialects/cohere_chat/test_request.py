from __future__ import annotations

import inspect
from typing import Any

import pytest
from cohere import ClientV2

from costspan.dialects import cohere_chat as dialect
from costspan.dialects.types import Profile
from costspan.errors import Untranslatable
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
from costspan.wire import json

HI = Message("user", (Text("hi"),))
OBJECT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
EMPTY = {"type": "object", "properties": {}}
F, G = Tool("f", "d", OBJECT, strict=True), Tool("g")
WIRE_F = {"type": "function", "function": {"name": "f", "description": "d", "parameters": OBJECT}}
WIRE_G = {"type": "function", "function": {"name": "g", "parameters": EMPTY}}


def encode(model: str = "command-a-plus", **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body but for its model and messages, and the losses."""
    encoded = dialect.encode_request(Request(model, (HI,), **fields))
    body = json.loads_object(encoded.body)
    assert (body.pop("model"), body.pop("messages")) == (model, [{"role": "user", "content": "hi"}])
    return body, encoded.losses


def sampled(**knobs: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    return encode(sampling=Sampling(**knobs))


def test_where_it_is_served() -> None:
    assert dialect.path("command-a", stream=True) == "/chat"


def test_a_plain_request_says_no_more_than_it_must() -> None:
    assert encode() == ({}, ())
    assert encode(stream=True, max_output_tokens=9) == ({"stream": True, "max_tokens": 9}, ())


def test_every_field_is_one_that_the_official_sdk_sends() -> None:
    body, _ = encode(
        tools=(F,),
        tool_choice=ToolChoice("required"),
        max_output_tokens=9,
        sampling=Sampling(0.5, 0.5, 7, presence_penalty=0.5, seed=1),
        stop=("a",),
        reasoning=ReasoningOptions("low"),
        logprobs=True,
    )

    assert body.keys() | {"response_format"} <= inspect.signature(ClientV2.chat).parameters.keys()
    assert len(body) == 12


def test_knobs_have_names_of_their_own() -> None:
    assert sampled(temperature=0.5, top_p=0.9, top_k=7, frequency_penalty=0.25, seed=0) == (
        {"temperature": 0.5, "p": 0.9, "k": 7, "frequency_penalty": 0.25, "seed": 0},
        (),
    )


@pytest.mark.parametrize(
    ("knobs", "sent", "losses"),
    [
        ({"temperature": 1.5}, {"temperature": 1}, ("temperature",)),
        ({"top_p": 1}, {"p": 0.99}, ("top_p",)),
        ({"top_p": 0}, {"p": 0.01}, ("top_p",)),
        ({"top_k": 501}, {"k": 500}, ("top_k",)),
        ({"presence_penalty": 2}, {"presence_penalty": 1}, ("presence_penalty",)),
        ({"frequency_penalty": -1}, {}, ("frequency_penalty",)),
        ({"frequency_penalty": 0, "presence_penalty": 0.5}, {"presence_penalty": 0.5}, ()),
        ({"frequency_penalty": 0.5, "presence_penalty": 0.5}, {"frequency_penalty": 0.5}, ("presence_penalty",)),
        ({"seed": -1}, {}, ("seed",)),
        ({"min_p": 0.1}, {}, ("min_p",)),
        ({"repetition_penalty": 1}, {}, ()),
        ({"repetition_penalty": 1.1}, {}, ("repetition_penalty",)),
        ({"logit_bias": {"1": 2}}, {}, ("logit_bias",)),
    ],
)
def test_knobs_are_kept_within_bounds_and_what_is_changed_is_named(
    knobs: dict[str, Any], sent: dict[str, Any], losses: tuple[str, ...]
) -> None:
    assert sampled(**knobs) == (sent, losses)


def test_five_stop_sequences_at_most() -> None:
    assert encode(stop=("a", "b", "c", "d", "e")) == ({"stop_sequences": ["a", "b", "c", "d", "e"]}, ())
    assert encode(stop=("a", "b", "c", "d", "e", "f")) == ({"stop_sequences": ["a", "b", "c", "d", "e"]}, ("stop",))


def test_a_tool_without_a_schema_takes_no_parameters() -> None:
    assert encode(tools=(G,), tool_choice=ToolChoice("auto")) == ({"tools": [WIRE_G]}, ())


@pytest.mark.parametrize(("mode", "word"), [("required", "REQUIRED"), ("none", "NONE")])
def test_choices_of_tools_are_words(mode: Any, word: str) -> None:
    assert encode(tools=(G,), tool_choice=ToolChoice(mode)) == ({"tools": [WIRE_G], "tool_choice": word}, ())


def test_a_named_tool_is_the_only_one_and_forced() -> None:
    body, losses = encode(tools=(F, G), tool_choice=ToolChoice("named", "g"))

    assert (body, losses) == ({"tools": [WIRE_G], "tool_choice": "REQUIRED"}, ())


def test_a_tool_that_is_named_and_missing_is_refused() -> None:
    with pytest.raises(Untranslatable) as caught:
        encode(tools=(F,), tool_choice=ToolChoice("named", "g"))
    assert caught.value.param == "tool_choice"


def test_a_forced_tool_without_tools_is_lost() -> None:
    assert encode(tool_choice=ToolChoice("required")) == ({}, ("tool_choice",))
    assert encode(tool_choice=ToolChoice("none")) == ({}, ())


def test_tools_are_strict_together_or_not_at_all() -> None:
    optional = Tool("h", parameters={**OBJECT, "required": []}, strict=True)

    assert encode(tools=(F,)) == ({"tools": [WIRE_F], "strict_tools": True}, ())
    assert encode(tools=(F, G)) == ({"tools": [WIRE_F, WIRE_G]}, ("tools.strict",))
    assert encode(tools=(F, Tool("h", parameters=OBJECT)))[1] == ("tools.strict",)
    assert encode(tools=(optional,))[1] == ("tools.strict",)


def test_one_call_at_a_time_cannot_be_asked_for() -> None:
    assert encode(tools=(G,), parallel_tool_calls=False)[1] == ("parallel_tool_calls",)
    assert encode(tools=(G,), parallel_tool_calls=True)[1] == ()
    assert encode(parallel_tool_calls=False)[1] == ()


def test_json_is_a_format_and_a_schema_goes_with_it() -> None:
    assert encode(output_format=OutputFormat()) == ({"response_format": {"type": "json_object"}}, ())
    assert encode(output_format=OutputFormat(OBJECT, "n", "An x.")) == (
        {"response_format": {"type": "json_object", "json_schema": {"description": "An x.", **OBJECT}}},
        (),
    )


@pytest.mark.parametrize(
    ("schema", "sent", "losses"),
    [
        (
            {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {}, "c": {}}}}},
            {
                "type": "object",
                "properties": {"a": {"type": "object", "properties": {"b": {}, "c": {}}, "required": ["b", "c"]}},
                "required": ["a"],
            },
            (),
        ),
        (
            {**OBJECT, "properties": {"x": {"type": "integer", "minimum": 1}, "format": {"type": "string"}}},
            {**OBJECT, "properties": {"x": {"type": "integer"}, "format": {"type": "string"}}},
            ("response_format",),
        ),
        (
            {**OBJECT, "properties": {"x": {"type": "string", "format": "date"}}},
            {**OBJECT, "properties": {"x": {"type": "string", "format": "date"}}},
            (),
        ),
        (
            {**OBJECT, "properties": {"x": {"type": "string", "format": {"odd": 1}}}},
            {**OBJECT, "properties": {"x": {"type": "string"}}},
            ("response_format",),
        ),
        (
            {
                **OBJECT,
                "properties": {"x": {"items": {"oneOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]}}},
            },
            {**OBJECT, "properties": {"x": {"items": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}},
            ("response_format",),
        ),
        ({**OBJECT, "oneOf": 1}, {**OBJECT, "oneOf": 1}, ()),
        ({**OBJECT, "oneOf": [EMPTY], "anyOf": {}}, {**OBJECT, "oneOf": [EMPTY], "anyOf": {}}, ()),
        (
            {**OBJECT, "$defs": {"y": {"type": "array", "minItems": 1}}, "additionalProperties": False},
            {**OBJECT, "$defs": {"y": {"type": "array"}}, "additionalProperties": False},
            ("response_format",),
        ),
    ],
)
def test_a_schema_is_fitted_and_what_it_no_longer_promises_is_named(
    schema: dict[str, Any], sent: dict[str, Any], losses: tuple[str, ...]
) -> None:
    body, lost = encode(output_format=OutputFormat(schema))

    assert body["response_format"]["json_schema"] == sent
    assert lost == losses


@pytest.mark.parametrize(
    "schema", [{"type": "array"}, {"allOf": [{}]}, {**OBJECT, "properties": {"x": {"not": {"type": "null"}}}}]
)
def test_a_schema_that_cannot_be_kept_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(Untranslatable) as caught:
        encode(output_format=OutputFormat(schema))
    assert caught.value.param == "response_format"


def test_there_is_no_structured_output_beside_tools() -> None:
    with pytest.raises(Untranslatable) as caught:
        encode(output_format=OutputFormat(), tools=(F,))
    assert caught.value.param == "response_format"


@pytest.mark.parametrize(
    ("options", "thinking"),
    [
        (ReasoningOptions("none"), {"type": "disabled"}),
        (ReasoningOptions(budget_tokens=0), {"type": "disabled"}),
        (ReasoningOptions("low"), {"type": "enabled", "token_budget": 6400}),
        (ReasoningOptions("medium"), {"type": "enabled", "token_budget": 16000}),
        (ReasoningOptions("high"), {"type": "enabled"}),
        (ReasoningOptions("max"), {"type": "enabled"}),
        (ReasoningOptions(dynamic=True), {"type": "enabled"}),
        (ReasoningOptions(budget_tokens=500), {"type": "enabled", "token_budget": 500}),
        (ReasoningOptions("high", budget_tokens=500), {"type": "enabled", "token_budget": 500}),
    ],
)
def test_effort_and_budget_become_thinking(options: ReasoningOptions, thinking: dict[str, Any]) -> None:
    assert encode(reasoning=options) == ({"thinking": thinking}, ())


def test_an_effort_is_a_part_of_what_may_be_answered() -> None:
    assert encode(reasoning=ReasoningOptions("medium"), max_output_tokens=8000)[0]["thinking"]["token_budget"] == 4000


@pytest.mark.parametrize(
    "model",
    ["command-r-plus-08-2024", "command-r7b-12-2024", "command-a-03-2025", "command-a-vision-07-2025", "command"],
)
def test_models_without_thinking_are_not_asked_to_think(model: str) -> None:
    assert encode(model, reasoning=ReasoningOptions("high")) == ({}, ("reasoning",))
    assert encode(model, reasoning=ReasoningOptions("none")) == ({}, ())


@pytest.mark.parametrize(
    "model", ["command-a-reasoning-08-2025", "command-a-plus-05-2026", "cohere/command-a-plus", "mine"]
)
def test_other_models_are(model: str) -> None:
    assert encode(model, reasoning=ReasoningOptions("high")) == ({"thinking": {"type": "enabled"}}, ())


@pytest.mark.parametrize(
    ("fields", "losses"),
    [
        ({"end_user": "ann"}, ("user",)),
        ({"metadata": {"a": "b"}}, ("metadata",)),
        ({"service_tier": "auto"}, ()),
        ({"service_tier": "priority"}, ("service_tier",)),
        (
            {"reasoning": ReasoningOptions("high", summary="concise", exclude=True)},
            ("reasoning.summary", "reasoning.exclude"),
        ),
        ({"reasoning": ReasoningOptions("high", summary="auto")}, ()),
        ({"logprobs": True, "top_logprobs": 2}, ("top_logprobs",)),
        ({"logprobs": True, "top_logprobs": 0}, ()),
        ({"extensions": {"openai": {"store": True}, "anthropic-messages": {"container": "c"}}}, ("store", "container")),
    ],
)
def test_what_has_no_word_is_named(fields: dict[str, Any], losses: tuple[str, ...]) -> None:
    assert encode(**fields)[1] == losses


def test_its_own_extensions_go_out_again() -> None:
    assert encode(extensions={"cohere-chat": {"safety_mode": "OFF"}}) == ({"safety_mode": "OFF"}, ())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"max_output_tokens": 0}, "max_tokens"),
        ({"extensions": {"openai": {"tools": [{"type": "web_search"}]}}}, "tools"),
    ],
)
def test_what_would_change_the_meaning_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        encode(**fields)
    assert caught.value.param == param


def test_a_host_has_its_own_names_and_refusals() -> None:
    host = Profile("mine", {"max_tokens": "limit"}, frozenset({"k", "tools"}))
    request = Request("m", (HI,), max_output_tokens=9, sampling=Sampling(top_k=5))

    encoded = dialect.encode_request(request, host)

    assert json.loads_object(encoded.body).keys() == {"model", "messages", "limit"}
    assert encoded.losses == ("k",)
    with pytest.raises(Untranslatable, match="mine does not accept tools"):
        dialect.encode_request(Request("m", (HI,), tools=(F,)), host)


def test_a_request_that_cannot_be_written_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"items": deep}
    with pytest.raises(Untranslatable, match="nested too deeply"):
        encode(tools=(Tool("f", parameters=deep),))
