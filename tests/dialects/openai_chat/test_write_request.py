from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import openai_chat
from costspan.dialects.types import Profile
from costspan.errors import Untranslatable
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
from costspan.wire import json

if TYPE_CHECKING:
    from costspan.ir.request import Effort

HI = (Message("user", (Text("Hi"),)),)
BASE = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
OPENROUTER = Profile(name="openrouter", rename=MappingProxyType({"reasoning": "reasoning", "top_k": "top_k"}))
OLDER = Profile(
    name="older",
    rename=MappingProxyType({"max_completion_tokens": "max_tokens", "seed": "random_seed"}),
    rejects=frozenset({"user", "stream_options", "tools", "response_format", "n", "reasoning_effort"}),
    quirks=frozenset({"takes_reasoning_effort"}),
)


def encode(profile: Profile | None = None, model: str = "m", **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    encoded = openai_chat.encode_request(Request(model, HI, **fields), profile or Profile())
    return json.loads_object(encoded.body), encoded.losses


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "nothing else": ({}, {}, ()),
    "limit": ({"max_output_tokens": 5}, {"max_completion_tokens": 5}, ()),
    "stream": ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}, ()),
    "sampling": (
        {"sampling": Sampling(temperature=0, top_p=0.5, presence_penalty=1, seed=3, logit_bias={"1": 2})},
        {"temperature": 0, "top_p": 0.5, "presence_penalty": 1, "seed": 3, "logit_bias": {"1": 2}},
        (),
    ),
    "sampling that it lacks": (
        {"sampling": Sampling(top_k=1, min_p=0.5, repetition_penalty=1.5)},
        {},
        ("top_k", "min_p", "repetition_penalty"),
    ),
    "five stop sequences": ({"stop": ("a", "b", "c", "d", "e")}, {"stop": ["a", "b", "c", "d"]}, ("stop",)),
    "tools": (
        {
            "tools": (Tool("f", "d", {"type": "object", "properties": {}}, strict=True), Tool("g", cache=Cache())),
            "tool_choice": ToolChoice("named", "f"),
            "parallel_tool_calls": False,
        },
        {
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "f",
                        "description": "d",
                        "parameters": {"type": "object", "properties": {}},
                        "strict": True,
                    },
                },
                {"type": "function", "function": {"name": "g"}},
            ],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "parallel_tool_calls": False,
        },
        ("cache_control",),
    ),
    "a tool choice without tools": ({"tool_choice": ToolChoice("required")}, {}, ("tool_choice",)),
    "json": ({"output_format": OutputFormat()}, {"response_format": {"type": "json_object"}}, ()),
    "schema": (
        {"output_format": OutputFormat({"x": 1}, strict=True)},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "response", "schema": {"x": 1}, "strict": True},
            }
        },
        (),
    ),
    "effort": ({"model": "o3", "reasoning": ReasoningOptions("high")}, {"model": "o3", "reasoning_effort": "high"}, ()),
    "budget": (
        {
            "model": "gpt-5",
            "reasoning": ReasoningOptions(budget_tokens=2000, exclude=True),
            "max_output_tokens": 10_000,
        },
        {"model": "gpt-5", "max_completion_tokens": 10_000, "reasoning_effort": "low"},
        ("reasoning.exclude",),
    ),
    "dynamic": ({"reasoning": ReasoningOptions(dynamic=True, summary="auto")}, {}, ("reasoning.summary",)),
    "choices and logprobs": (
        {"n": 2, "logprobs": True, "top_logprobs": 3},
        {"n": 2, "logprobs": True, "top_logprobs": 3},
        (),
    ),
    "about the caller": (
        {"end_user": "ann", "metadata": {"k": "v"}, "service_tier": "flex"},
        {"user": "ann", "metadata": {"k": "v"}, "service_tier": "flex"},
        (),
    ),
    "another's tier": ({"service_tier": "standard_only"}, {}, ("service_tier",)),
    "extensions": (
        {
            "extensions": {
                "openai-chat": {"modalities": ["text"]},
                "anthropic-messages": {"container": "c", "mcp_servers": []},
            }
        },
        {"modalities": ["text"]},
        ("container", "mcp_servers"),
    ),
    "what both of OpenAI's dialects know": (
        {"extensions": {"openai": {"store": True, "verbosity": "low"}}},
        {"store": True, "verbosity": "low"},
        (),
    ),
}


@pytest.mark.parametrize(("fields", "expected", "losses"), CASES.values(), ids=CASES.keys())
def test_a_request_is_written_with_its_losses_named(
    fields: dict[str, Any], expected: dict[str, Any], losses: tuple[str, ...]
) -> None:
    assert encode(**fields) == (BASE | expected, losses)


def test_a_host_gets_its_own_names_and_nothing_that_it_refuses() -> None:
    body, losses = encode(
        OLDER,
        stream=True,
        max_output_tokens=5,
        end_user="ann",
        sampling=Sampling(seed=3),
        reasoning=ReasoningOptions("low"),
    )

    assert body == BASE | {"stream": True, "max_tokens": 5, "random_seed": 3}
    assert losses == ("user", "reasoning_effort")


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"tools": (Tool("f"),)}, "tools"), ({"output_format": OutputFormat()}, "response_format"), ({"n": 2}, "n")],
    ids=["tools", "structured output", "choices"],
)
def test_a_host_that_refuses_what_the_answer_depends_on_is_not_asked(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        encode(OLDER, **fields)

    assert caught.value.param == param


def test_fields_that_the_profile_names_are_sent() -> None:
    options = ReasoningOptions(budget_tokens=2000, exclude=True, summary="auto")
    body, losses = encode(OPENROUTER, reasoning=options, sampling=Sampling(top_k=4))

    assert body == BASE | {"top_k": 4, "reasoning": {"max_tokens": 2000, "summary": "auto", "exclude": True}}
    assert losses == ()


@pytest.mark.parametrize(
    ("options", "expected"),
    [(ReasoningOptions("none"), {"effort": "none"}), (ReasoningOptions(dynamic=True), {"enabled": True})],
)
def test_the_reasoning_object_says_effort_or_merely_yes(options: ReasoningOptions, expected: dict[str, Any]) -> None:
    assert encode(OPENROUTER, reasoning=options)[0]["reasoning"] == expected


def test_what_is_decoded_is_written_as_it_was() -> None:
    body = BASE | {
        "messages": [
            {"role": "system", "content": "Be kind"},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1.0}'}}],
            },
            {"role": "tool", "tool_call_id": "a", "content": "42"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
        "tool_choice": "auto",
        "max_completion_tokens": 5,
        "stop": ["END"],
        "prompt_cache_key": "p",
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    encoded = openai_chat.encode_request(openai_chat.decode_request(body))

    assert json.loads(encoded.body) == body
    assert encoded.losses == ()


def test_tools_that_another_provider_runs_itself_cannot_be_left_out() -> None:
    server_tool = {"type": "web_search_20250305", "name": "web_search"}
    request = Request("m", HI, extensions={"anthropic-messages": {"tools": [server_tool]}})

    with pytest.raises(Untranslatable) as caught:
        openai_chat.encode_request(request)

    assert caught.value.param == "tools"


EFFORTS: dict[str, tuple[str, Effort, str | None, tuple[str, ...]]] = {
    "a model that does not think": ("gpt-4o", "high", None, ("reasoning",)),
    "a model that does not think, told so": ("gpt-4o", "none", None, ()),
    "an unknown one": ("llama-3.3-70b-versatile", "low", None, ("reasoning",)),
    "o-series": ("o3-mini", "high", "high", ()),
    "before efforts": ("o1-mini", "high", None, ("reasoning",)),
    "a name that only begins alike": ("o3x", "low", None, ("reasoning",)),
    "above the highest": ("o4-mini", "max", "high", ()),
    "below the lowest": ("o4-mini", "minimal", "low", ()),
    "thinks always": ("o3", "none", "low", ("reasoning",)),
    "thinks always, with a word for little": ("gpt-5-mini-2025-08-07", "none", "minimal", ("reasoning",)),
    "can stop": ("gpt-5.1", "none", "none", ()),
    "can stop, newer": ("gpt-5.4-mini", "none", "none", ()),
    "has no minimal": ("gpt-5.4", "minimal", "low", ()),
    "very high": ("gpt-5.2", "max", "xhigh", ()),
    "codex": ("gpt-5.1-codex", "none", "low", ("reasoning",)),
    "pro": ("gpt-5-pro", "low", "high", ()),
    "chat": ("gpt-5.2-chat-latest", "low", None, ("reasoning",)),
    "under a host's name": ("openai/gpt-oss-120b", "medium", "medium", ()),
    "under another": ("accounts/fireworks/models/gpt-oss-20b", "xhigh", "high", ()),
}


@pytest.mark.parametrize(("model", "asked", "sent", "losses"), EFFORTS.values(), ids=EFFORTS.keys())
def test_an_effort_goes_only_to_models_that_take_it(
    model: str, asked: Effort, sent: str | None, losses: tuple[str, ...]
) -> None:
    body, lost = encode(model=model, reasoning=ReasoningOptions(asked))

    assert (body.get("reasoning_effort"), lost) == (sent, losses)


CLOSED = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
OPEN = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
SCHEMAS: dict[str, tuple[dict[str, Any], bool]] = {
    "closed": (CLOSED, True),
    "open": (OPEN, False),
    "an optional property": (CLOSED | {"required": []}, False),
    "no object": ({"type": "array", "items": CLOSED}, False),
    "an open one inside": (CLOSED | {"properties": {"a": {"anyOf": [{"type": "null"}, OPEN]}}}, False),
    "an open one in a list": (CLOSED | {"properties": {"a": {"type": ["array", "null"], "items": OPEN}}}, False),
    "an open definition": (CLOSED | {"$defs": {"x": OPEN}}, False),
    "a keyword that it lacks": (CLOSED | {"properties": {"a": {"allOf": [CLOSED]}}}, False),
    "a property that is called like a keyword": (
        {"type": "object", "properties": {"not": CLOSED}, "required": ["not"], "additionalProperties": False},
        True,
    ),
    "nonsense": (CLOSED | {"properties": []}, False),
}


@pytest.mark.parametrize(("schema", "strict"), SCHEMAS.values(), ids=SCHEMAS.keys())
def test_a_promised_schema_is_strict_where_it_can_be_or_the_promise_is_lost(
    schema: dict[str, Any], *, strict: bool
) -> None:
    body, losses = encode(output_format=OutputFormat(schema))

    assert body["response_format"]["json_schema"].get("strict", False) is strict
    assert losses == (() if strict else ("response_format.strict",))


def test_a_named_format_keeps_what_it_said_of_strictness() -> None:
    body, losses = encode(output_format=OutputFormat(OPEN, name="n"))

    assert body["response_format"]["json_schema"] == {"name": "n", "schema": OPEN}
    assert losses == ()


def test_a_long_name_of_a_user_is_hashed() -> None:
    assert encode(end_user="u" * 64)[0]["user"] == "u" * 64
    assert encode(end_user="u" * 65)[0]["user"] == "f20e249d15fa4b9f44ba21d154f62e1efa76ddfdce5d25139a33a4787cee5a8b"


def test_a_tool_name_that_is_too_long_is_refused() -> None:
    encode(tools=(Tool("f" * 64),))

    with pytest.raises(Untranslatable) as caught:
        encode(tools=(Tool("f" * 65),))

    assert caught.value.param == "tools"


def test_a_request_for_no_output_is_not_one_that_this_dialect_has() -> None:
    with pytest.raises(Untranslatable) as caught:
        openai_chat.encode_request(Request("m", HI, max_output_tokens=0))

    assert caught.value.param == "max_tokens"


@pytest.mark.parametrize(
    ("model", "parts", "losses"),
    [
        ("gpt-5.5", "Hi", ("cache_control",)),
        ("openai/gpt-5.6-sol", [{"type": "text", "text": "Hi", "prompt_cache_breakpoint": {"mode": "explicit"}}], ()),
        ("gpt-6", [{"type": "text", "text": "Hi", "prompt_cache_breakpoint": {"mode": "explicit"}}], ()),
    ],
)
def test_the_end_of_the_cached_part_is_told_to_models_that_ask_for_it(
    model: str, parts: object, losses: tuple[str, ...]
) -> None:
    body, lost = encode(model=model, instructions=(Text("Hi", cache=Cache()),))

    assert body["messages"][0] == {"role": "system", "content": parts}
    assert lost == losses


def test_a_tool_has_no_end_of_the_cached_part_at_openai() -> None:
    body, lost = encode(model="gpt-5.6", tools=(Tool("g", cache=Cache()),))

    assert body["tools"] == [{"type": "function", "function": {"name": "g"}}]
    assert lost == ("cache_control",)


EVERYTHING: dict[str, Any] = {
    "sampling": Sampling(0.5, 0.9, None, None, 0.1, 0.2, None, 42, {"5": -100}),
    "stop": ("END",),
    "logprobs": True,
    "top_logprobs": 2,
}
SAMPLED = {"temperature": 0.5, "top_p": 0.9, "logprobs": True, "top_logprobs": 2}
PENALTIES = ("presence_penalty", "frequency_penalty", "logit_bias")
REFUSED: dict[str, tuple[str, Effort | None, dict[str, Any], tuple[str, ...]]] = {
    "thinks always": ("gpt-5-mini", None, {}, ("temperature", "top_p", *PENALTIES, "stop", "logprobs", "top_logprobs")),
    "thinks, asked to": (
        "openai/gpt-5.2",
        "low",
        {"reasoning_effort": "low"},
        ("temperature", "top_p", *PENALTIES, "stop", "logprobs", "top_logprobs"),
    ),
    "thinks unless told not to": (
        "gpt-5.6-terra",
        None,
        {},
        ("temperature", "top_p", *PENALTIES, "stop", "logprobs", "top_logprobs"),
    ),
    "codex": ("gpt-5.1-codex", None, {}, ("temperature", "top_p", *PENALTIES, "stop", "logprobs", "top_logprobs")),
    "told not to": ("gpt-5.6", "none", {"reasoning_effort": "none", **SAMPLED}, (*PENALTIES, "stop")),
    "not asked to": ("gpt-5.2-2025-12-11", None, SAMPLED, (*PENALTIES, "stop")),
    "takes stop": ("o1", None, {"stop": ["END"]}, ("temperature", "top_p", *PENALTIES, "logprobs", "top_logprobs")),
}


@pytest.mark.parametrize(("model", "effort", "sent", "losses"), REFUSED.values(), ids=REFUSED.keys())
def test_a_model_that_thinks_is_not_sent_what_it_refuses(
    model: str, effort: Effort | None, sent: dict[str, Any], losses: tuple[str, ...]
) -> None:
    reasoning = None if effort is None else ReasoningOptions(effort)
    body, lost = encode(model=model, reasoning=reasoning, **EVERYTHING)

    assert body == {"model": model, "messages": BASE["messages"], "seed": 42, **sent}
    assert lost == losses


@pytest.mark.parametrize("model", ["gpt-4.1", "gpt-5-chat-latest", "gpt-oss-120b", "o3x"])
def test_other_models_are_sent_all_of_it(model: str) -> None:
    body, lost = encode(model=model, **EVERYTHING)

    assert body.keys() >= {"temperature", "top_p", *PENALTIES, "stop", "logprobs", "top_logprobs"}
    assert lost == ()


def test_a_default_that_is_not_sent_is_no_loss() -> None:
    body, lost = encode(model="gpt-5", sampling=Sampling(1, 1, None, None, 0, 0, None, None, {}))

    assert (body, lost) == ({"model": "gpt-5", "messages": BASE["messages"]}, ())


def test_a_host_that_has_openrouters_object_leaves_out_itself_what_a_model_refuses() -> None:
    body, lost = encode(OPENROUTER, model="openai/gpt-5", sampling=Sampling(0.5))

    assert (body["temperature"], lost) == (0.5, ())


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        ({"type": "object"}, {"type": "object", "properties": {}}),
        ({"type": "object", "properties": None}, {"type": "object", "properties": {}}),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        ({"type": "array", "items": {}}, {"type": "array", "items": {}}),
    ],
)
def test_parameters_are_an_object_with_properties_though_there_are_none(
    schema: dict[str, Any], sent: dict[str, Any]
) -> None:
    body, _ = encode(tools=(Tool("f", parameters=schema),))

    assert body["tools"][0]["function"]["parameters"] == sent


BESIDE_FUNCTIONS: dict[str, tuple[str, Effort | None, str | None, tuple[str, ...]]] = {
    "may think": ("gpt-5.2", "high", "high", ()),
    "may not think": ("gpt-5.4-mini", "high", None, ("reasoning",)),
    "does not think anyway": ("gpt-5.4", None, None, ()),
    "need not be told": ("gpt-5.4", "none", None, ()),
    "has to be told": ("openai/gpt-5.6-terra", "high", "none", ("reasoning",)),
    "has to be told though nobody asked": ("gpt-5.6", None, "none", ()),
    "takes no effort": ("gpt-5.5-chat-latest", None, None, ()),
}


@pytest.mark.parametrize(("model", "asked", "sent", "losses"), BESIDE_FUNCTIONS.values(), ids=BESIDE_FUNCTIONS.keys())
def test_later_models_call_functions_without_thinking(
    model: str, asked: Effort | None, sent: str | None, losses: tuple[str, ...]
) -> None:
    reasoning = None if asked is None else ReasoningOptions(asked)
    body, lost = encode(model=model, reasoning=reasoning, tools=(Tool("f"),))

    assert (body.get("reasoning_effort"), lost) == (sent, losses)
