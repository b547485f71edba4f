from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from costspan.dialects import openai_responses
from costspan.dialects.openai_responses.models import fitting, seals, takes_breakpoints
from costspan.dialects.types import PLAIN, Profile
from costspan.errors import Untranslatable
from costspan.ir.profile import TAKES_REASONING_EFFORT
from costspan.ir.request import (
    Cache,
    Citation,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Reasoning,
    ReasoningOptions,
    Refusal,
    Request,
    Sampling,
    ServerTool,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from costspan.wire import json
from dialects.openai_responses.samples import REQUEST

HI = (Message("user", (Text("Hi"),)),)
BASE = {"model": "m", "input": [{"role": "user", "content": "Hi"}], "store": False}
SEALED = Opaque("openai-responses", "encrypted", '{"id":"rs_1","encrypted_content":"s"}')
IN_FULL = Opaque("openai-responses", "encrypted", '{"id":"rs_1","encrypted_content":"s","in_full":true}')
FOREIGN = Opaque("gemini-generate", "signature", "sig")
EFFORT = Profile(quirks=frozenset({TAKES_REASONING_EFFORT}))


def encode(profile: Profile = PLAIN, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    encoded = openai_responses.encode_request(Request(**({"model": "m", "messages": HI} | fields)), profile)
    return json.loads_object(encoded.body), encoded.losses


def items(*blocks: Any, role: Any = "assistant") -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    body, losses = encode(messages=(Message(role, blocks),))
    return body["input"], losses


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "nothing else": ({}, {}, ()),
    "instructions": ({"instructions": (Text("a"), Text("b"))}, {"instructions": "a\n\nb"}, ()),
    "sampling": (
        {"sampling": Sampling(0.5, 0.9, 3, 0.1, 1, -1, 1.1, 42, {"5": -100})},
        {"temperature": 0.5, "top_p": 0.9},
        (
            "top_k",
            "min_p",
            "seed",
            "presence_penalty",
            "frequency_penalty",
            "repetition_penalty",
            "logit_bias",
        ),
    ),
    "sampling by default": ({"sampling": Sampling(presence_penalty=0, repetition_penalty=1)}, {}, ()),
    "stop sequences": ({"stop": ("END",)}, {}, ("stop",)),
    "a limit": ({"max_output_tokens": 16}, {"max_output_tokens": 16}, ()),
    "a limit below the lowest": ({"max_output_tokens": 5}, {"max_output_tokens": 16}, ("max_tokens",)),
    "log probabilities": (
        {"logprobs": True, "top_logprobs": 2},
        {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
        (),
    ),
    "about the caller": (
        {"end_user": "ann", "metadata": {"k": "v"}, "service_tier": "flex"},
        {"safety_identifier": "ann", "metadata": {"k": "v"}, "service_tier": "flex"},
        (),
    ),
    "a long name": (
        {"end_user": "a" * 65},
        {"safety_identifier": "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0"},
        (),
    ),
    "another's tier": ({"service_tier": "standard_only"}, {}, ("service_tier",)),
    "a stream": ({"stream": True}, {"stream": True}, ()),
    "any JSON": ({"output_format": OutputFormat()}, {"text": {"format": {"type": "json_object"}}}, ()),
    "a schema of one who always keeps to it": (
        {"output_format": OutputFormat({"type": "object", "properties": {}, "additionalProperties": False})},
        {
            "text": {
                "format": {
                    "type": "json_schema",
                    "name": "response",
                    "schema": {"type": "object", "properties": {}, "additionalProperties": False},
                    "strict": True,
                }
            }
        },
        (),
    ),
    "a schema beyond what is strict": (
        {"output_format": OutputFormat({"type": "object"})},
        {"text": {"format": {"type": "json_schema", "name": "response", "schema": {"type": "object"}}}},
        ("response_format.strict",),
    ),
    "a named schema": (
        {"output_format": OutputFormat({"type": "object"}, "n", "d")},
        {"text": {"format": {"type": "json_schema", "name": "n", "description": "d", "schema": {"type": "object"}}}},
        (),
    ),
    "what both of OpenAI's dialects know": (
        {"extensions": {"openai": {"store": True, "verbosity": "low", "prompt_cache_key": "p"}}},
        {"store": True, "text": {"verbosity": "low"}, "prompt_cache_key": "p"},
        (),
    ),
    "what they know at another time": ({"extensions": {"openai": {"dream": 1}}}, {}, ("dream",)),
    "others' extensions": (
        {"extensions": {"anthropic-messages": {"container": "c", "tools": []}}},
        {},
        ("container", "tools"),
    ),
}


@pytest.mark.parametrize(("fields", "expected", "losses"), CASES.values(), ids=CASES.keys())
def test_a_request_is_written_with_its_losses_named(
    fields: dict[str, Any], expected: dict[str, Any], losses: tuple[str, ...]
) -> None:
    assert encode(**fields) == (BASE | expected, losses)


def test_tools_are_not_made_strict_unless_asked() -> None:
    schema = {"type": "object", "properties": {}}
    body, losses = encode(
        tools=(Tool("f", "d", schema, strict=True), Tool("g", parameters=schema, cache=Cache()), Tool("h")),
        tool_choice=ToolChoice("named", "g"),
        parallel_tool_calls=False,
    )

    assert body["tools"] == [
        {"type": "function", "name": "f", "description": "d", "parameters": schema, "strict": True},
        {"type": "function", "name": "g", "parameters": schema, "strict": False},
        {
            "type": "function",
            "name": "h",
            "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
            "strict": False,
        },
    ]
    assert body["tool_choice"] == {"type": "function", "name": "g"}
    assert body["parallel_tool_calls"] is False
    assert losses == ("cache_control",)


def test_without_tools_there_is_no_choice_of_them() -> None:
    assert encode(tool_choice=ToolChoice("auto"), parallel_tool_calls=True) == (BASE, ())
    assert encode(tool_choice=ToolChoice("required")) == (BASE, ("tool_choice",))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "several answers": ({"n": 2}, "n"),
    "no answer": ({"max_output_tokens": 0}, "max_tokens"),
    "a long name": ({"tools": (Tool("f" * 65),)}, "tools"),
    "another provider's tools": ({"extensions": {"gemini-generate": {"tools": [{"googleSearch": {}}]}}}, "tools"),
    "a call by the user": ({"messages": (Message("user", (ToolCall("c", "f", "{}"),)),)}, "messages.content"),
    "a picture by the assistant": (
        {"messages": (Message("assistant", (Media("image", url="https://example.org"),)),)},
        "messages.content",
    ),
    "sound": ({"messages": (Message("user", (Media("audio", data="AA"),)),)}, "messages.content"),
    "a video": ({"messages": (Message("user", (Media("video", url="https://example.org"),)),)}, "messages.content"),
    "a file kept elsewhere": (
        {"messages": (Message("user", (Media("document", file_id="file_011"),)),)},
        "messages.content",
    ),
}


@pytest.mark.parametrize(("fields", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_change_the_meaning_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        encode(**fields)

    assert caught.value.param == param


def test_what_a_host_rejects_is_left_out_unless_it_matters() -> None:
    profile = Profile("host", rename={"safety_identifier": "user"}, rejects=frozenset({"store", "metadata", "text"}))

    body, losses = encode(profile, end_user="ann", metadata={"k": "v"})
    assert body == {"model": "m", "input": BASE["input"], "user": "ann"}
    assert losses == ("metadata",)
    with pytest.raises(Untranslatable, match="host does not accept 'text'"):
        encode(profile, output_format=OutputFormat())
    assert encode(profile, extensions={"openai": {"store": True}})[1] == ("store",)


THINKING: dict[str, tuple[str, ReasoningOptions | None, Any, Any, tuple[str, ...]]] = {
    "a model that thinks, not asked": ("gpt-5.1", None, None, ["reasoning.encrypted_content"], ()),
    "one that does not": ("gpt-4.1", None, None, None, ()),
    "one that is not known": ("m", None, None, None, ()),
    "asked of one that does not": (
        "gpt-4.1",
        ReasoningOptions("low", summary="auto"),
        None,
        None,
        ("reasoning", "reasoning.summary"),
    ),
    "an effort": ("gpt-5", ReasoningOptions("low"), {"effort": "low"}, ["reasoning.encrypted_content"], ()),
    "an effort beyond": ("o3", ReasoningOptions("max"), {"effort": "high"}, ["reasoning.encrypted_content"], ()),
    "a budget": (
        "o3",
        ReasoningOptions(budget_tokens=25_600),
        {"effort": "high"},
        ["reasoning.encrypted_content"],
        (),
    ),
    "not to think, where that is impossible": (
        "o3",
        ReasoningOptions("none"),
        {"effort": "low"},
        ["reasoning.encrypted_content"],
        ("reasoning",),
    ),
    "a summary": (
        "gpt-6-astra",
        ReasoningOptions(dynamic=True, summary="auto"),
        {"summary": "auto"},
        ["reasoning.encrypted_content"],
        (),
    ),
    "a summary not to be shown": (
        "o3",
        ReasoningOptions("low", summary="auto", exclude=True),
        {"effort": "low"},
        ["reasoning.encrypted_content"],
        (),
    ),
    "grok": ("grok-4.3", None, None, ["reasoning.encrypted_content"], ()),
    "an open model": ("openai/gpt-oss-120b", ReasoningOptions("low"), {"effort": "low"}, None, ()),
}


@pytest.mark.parametrize(("model", "options", "reasoning", "include", "losses"), THINKING.values(), ids=THINKING.keys())
def test_thinking(
    model: str, options: ReasoningOptions | None, reasoning: Any, include: Any, losses: tuple[str, ...]
) -> None:
    body, found = encode(model=model, reasoning=options)

    assert body.get("reasoning") == reasoning
    assert body.get("include") == include
    assert found == losses


def test_a_host_that_takes_any_effort_is_told_it_as_it_was_asked() -> None:
    body, _ = encode(EFFORT, reasoning=ReasoningOptions("minimal", summary="auto"))

    assert body["reasoning"] == {"effort": "minimal", "summary": "auto"}
    assert body["include"] == ["reasoning.encrypted_content"]
    assert "include" not in encode(EFFORT, reasoning=ReasoningOptions("none"))[0]


def test_a_conversation_with_sealed_reasoning_asks_for_more_of_it() -> None:
    body, _ = encode(messages=(*HI, Message("assistant", (Reasoning(opaque=SEALED), Text("a"))), *HI))

    assert body["include"] == ["reasoning.encrypted_content"]


MODELS = {
    "gpt-5.6-luna": (True, True),
    "gpt-5.5": (True, False),
    "gpt-5-chat-latest": (False, False),
    "o4-mini": (True, False),
    "codex-mini-latest": (True, False),
    "gpt-4o": (False, False),
    "gpt-6-astra": (True, True),
    "openai/gpt-5.10": (True, True),
    "gpt-oss-20b": (False, False),
    "o3x": (False, False),
    "grok-4": (True, False),
}


@pytest.mark.parametrize(("model", "traits"), MODELS.items())
def test_what_is_known_of_models(model: str, traits: tuple[bool, bool]) -> None:
    assert (seals(model), takes_breakpoints(model)) == traits


def test_an_effort_that_fits() -> None:
    assert fitting("gpt-5", "max") == ("high", True)
    assert fitting("gpt-5.1", "none") == ("none", True)
    assert fitting("gpt-5-pro", "low") == ("high", True)
    assert fitting("gpt-4.1", "none") == (None, True)


def test_sealed_reasoning_goes_back_as_it_came() -> None:
    assert items(Reasoning("Hm.", summary=True, opaque=SEALED), ToolCall("c", "f", "")) == (
        [
            {
                "type": "reasoning",
                "id": "rs_1",
                "encrypted_content": "s",
                "summary": [{"type": "summary_text", "text": "Hm."}],
            },
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        ],
        (),
    )


def test_a_summary_and_the_text_of_one_item_stay_one_item() -> None:
    found, losses = items(Reasoning("Short.", summary=True), Reasoning("Long.", opaque=IN_FULL), Text("So."))

    assert found == [
        {
            "type": "reasoning",
            "id": "rs_1",
            "encrypted_content": "s",
            "summary": [{"type": "summary_text", "text": "Short."}],
            "content": [{"type": "reasoning_text", "text": "Long."}],
        },
        {"role": "assistant", "content": "So."},
    ]
    assert losses == ()


def test_a_summary_that_went_through_another_dialect_is_still_one() -> None:
    (item,), _ = items(Reasoning("Hm.", opaque=SEALED))

    assert item["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert "content" not in item


LOST: dict[str, tuple[Any, str]] = {
    "plain reasoning": (Reasoning("Hm."), "messages.reasoning"),
    "a plain summary": (Reasoning("Hm.", summary=True), "messages.reasoning"),
    "foreign reasoning": (Reasoning("Hm.", opaque=FOREIGN), "messages.reasoning"),
    "foreign reasoning without text": (Reasoning(opaque=FOREIGN), "messages.reasoning_details"),
    "reasoning that cannot be read": (
        Reasoning(opaque=Opaque("openai-responses", "encrypted", "{")),
        "messages.reasoning_details",
    ),
    "a foreign tool": (ServerTool("anthropic-messages", "server_tool_use", {}), "messages.server_tool"),
}


@pytest.mark.parametrize(("block", "loss"), LOST.values(), ids=LOST.keys())
def test_what_means_nothing_here_is_left_out(block: Any, loss: str) -> None:
    assert items(block, Text("So.")) == ([{"role": "assistant", "content": "So."}], (loss,))


def test_signatures_of_others_are_left_out() -> None:
    _, losses = items(Text("a", opaque=FOREIGN), ToolCall("c", "f", "{}", opaque=FOREIGN))

    assert losses == ("messages.reasoning_details",)


def test_the_parts_of_a_message() -> None:
    search = {"type": "web_search_call", "id": "ws_1"}
    found, losses = items(
        Text("a", opaque=Opaque("openai-responses", "signature", '{"phase":"commentary"}')),
        Refusal("No."),
        ServerTool("openai-responses", "web_search_call", search),
        Text("b", (Citation("https://example.org"), Citation(title="t"))),
    )

    assert found == [
        {
            "role": "assistant",
            "content": [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "No."}],
            "phase": "commentary",
        },
        search,
        {
            "role": "assistant",
            "content": [
                {
                    "type": "output_text",
                    "text": "b",
                    "annotations": [
                        {
                            "type": "url_citation",
                            "start_index": 0,
                            "end_index": 1,
                            "title": "",
                            "url": "https://example.org",
                        }
                    ],
                }
            ],
        },
    ]
    assert losses == ("messages.annotations",)


def test_results_stand_where_they_are() -> None:
    found, losses = items(
        Text("First"),
        ToolResult("c" * 65, (Text("a"), Media("image", url="https://example.org")), is_error=True),
        ToolResult("d", ()),
        Text("Last", cache=Cache()),
        role="user",
    )

    assert found == [
        {"role": "user", "content": "First"},
        {
            "type": "function_call_output",
            "call_id": "call_695687d9cd753a43f0bc8cbd2fbf64cf",
            "output": [
                {"type": "input_text", "text": "a"},
                {"type": "input_image", "image_url": "https://example.org"},
            ],
        },
        {"type": "function_call_output", "call_id": "d", "output": ""},
        {"role": "user", "content": "Last"},
    ]
    assert losses == ("tool_result.is_error", "cache_control")


def test_a_call_and_its_result_keep_one_id_however_long() -> None:
    body, _ = encode(
        messages=(
            Message("assistant", (ToolCall("c" * 65, "f", "{}"),)),
            Message("user", (ToolResult("c" * 65, ()),)),
        )
    )

    assert body["input"][0]["call_id"] == body["input"][1]["call_id"]
    assert len(body["input"][0]["call_id"]) <= 64


def test_cache_markers_for_models_that_take_them() -> None:
    body, losses = encode(
        model="gpt-5.6", messages=(Message("user", (Text("a", cache=Cache("1h")), Text("b", cache=Cache("5m")))),)
    )

    assert body["input"][0]["content"] == [
        {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
        {"type": "input_text", "text": "b", "prompt_cache_breakpoint": {"mode": "explicit"}},
    ]
    assert losses == ()


def test_where_no_cache_marker_can_stand_it_is_lost() -> None:
    marked: list[Any] = [
        Text("a", cache=Cache()),
        ToolCall("c", "f", "{}", cache=Cache()),
    ]
    for block in marked:
        assert items(block)[1] == ("cache_control",)
    assert items(ToolResult("c", (), cache=Cache()), role="user")[1] == ("cache_control",)
    assert encode(instructions=(Text("a", cache=Cache()),))[1] == ("cache_control",)


def test_messages_that_were_said_in_different_phases_stay_apart() -> None:
    phases = [
        Opaque("openai-responses", "signature", f'{{"phase":"{word}"}}') for word in ("commentary", "final_answer")
    ]
    found, _ = items(Text("a", opaque=phases[0]), Text("b", opaque=phases[1]), Refusal("No."))

    assert [item["phase"] for item in found] == ["commentary", "final_answer"]
    assert [part["type"] for part in found[1]["content"]] == ["output_text", "refusal"]
    assert items(Text("a", opaque=Opaque("openai-responses", "signature", "{")))[0] == [
        {"role": "assistant", "content": "a"}
    ]


def test_what_the_user_says_around_a_tool_of_the_provider() -> None:
    output = {"type": "computer_call_output", "call_id": "c"}
    found, losses = items(
        Text("a", opaque=FOREIGN),
        ServerTool("openai-responses", "computer_call_output", output),
        Text("b"),
        role="user",
    )

    assert found == [{"role": "user", "content": "a"}, output, {"role": "user", "content": "b"}]
    assert losses == ("messages.reasoning_details",)


def test_instructions_alone_become_what_the_user_says() -> None:
    body, losses = encode(messages=(), instructions=(Text("Hi"),))

    assert body["input"] == [{"role": "user", "content": "Hi"}]
    assert "instructions" not in body
    assert losses == ("messages.system",)


def test_names_of_speakers_have_no_place() -> None:
    assert encode(messages=(Message("user", (Text("Hi"),), "ann"),)) == (BASE, ("messages.name",))


def test_its_own_request_means_the_same_when_written_again() -> None:
    """A conversation that holds another dialect's thinking is read and written anew for the same dialect."""
    encoded = openai_responses.encode_request(openai_responses.decode_request(REQUEST), EFFORT)
    body = json.loads_object(encoded.body)

    assert encoded.losses == ()
    before, again = openai_responses.decode_request(REQUEST), openai_responses.decode_request(body)
    assert again == replace(before, instructions=(Text("Be kind.\n\nBe brief."),))
    same = REQUEST.keys() - {"instructions", "input", "tools", "include"}
    assert {name: body[name] for name in same} == {name: REQUEST[name] for name in same}
    assert body["instructions"] == "Be kind.\n\nBe brief."
    assert set(body["include"]) == set(REQUEST["include"])
    assert [tool.get("defer_loading") for tool in body["tools"]] == [None, True, None]
    assert [item.get("type", item.get("role")) for item in body["input"]] == [
        "user",
        "reasoning",
        "assistant",
        "web_search_call",
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
        "system",
    ]


def test_a_client_that_does_not_say_so_is_kept() -> None:
    body = {"model": "m", "input": "Hi"}

    assert "store" not in json.loads_object(openai_responses.encode_request(openai_responses.decode_request(body)).body)
    refused = openai_responses.encode_request(openai_responses.decode_request(body | {"store": False}))
    assert json.loads_object(refused.body)["store"] is False


@pytest.mark.parametrize(
    ("model", "effort", "sent", "losses"),
    [
        ("gpt-5.2", "high", {"reasoning": {"effort": "high"}}, ("temperature", "top_p", "logprobs", "top_logprobs")),
        ("o3", None, {}, ("temperature", "top_p", "logprobs", "top_logprobs")),
        (
            "gpt-5.2",
            "none",
            {"reasoning": {"effort": "none"}, "temperature": 0.5, "top_p": 0.95, "top_logprobs": 2},
            (),
        ),
    ],
)
def test_a_model_that_thinks_is_not_sent_what_it_refuses(
    model: str, effort: Any, sent: dict[str, Any], losses: tuple[str, ...]
) -> None:
    body, lost = encode(
        model=model,
        reasoning=None if effort is None else ReasoningOptions(effort),
        sampling=Sampling(0.5, 0.95),
        logprobs=True,
        top_logprobs=2,
    )

    asked_for = ["reasoning.encrypted_content"] + ["message.output_text.logprobs"] * (not losses)
    assert body == {**BASE, "model": model, "include": asked_for, **sent}
    assert lost == losses


def test_a_default_that_is_not_sent_is_no_loss() -> None:
    body, lost = encode(model="gpt-5", sampling=Sampling(1, 1))

    assert (body.keys() & {"temperature", "top_p"}, lost) == (set(), ())


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

    assert body["tools"][0]["parameters"] == sent
