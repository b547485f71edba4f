from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from anthropic.types import MessageParam, ToolUnionParam
from pydantic import TypeAdapter

from costspan.dialects import anthropic_messages as dialect
from costspan.dialects.types import Profile
from costspan.errors import Untranslatable
from costspan.ir.opaque import wrap
from costspan.ir.request import (
    Block,
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

NAME = "anthropic-messages"
HI = Message("user", (Text("hi"),))
TOOL = Tool("f", "d", {"type": "object", "properties": {}})


def encode(*messages: Message, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    encoded = dialect.encode_request(Request("claude", messages or (HI,), **fields))
    return json.loads_object(encoded.body), encoded.losses


def user(*blocks: Block) -> Message:
    return Message("user", blocks)


def assistant(*blocks: Block) -> Message:
    return Message("assistant", blocks)


def test_a_plain_request_gets_the_limit_that_the_api_insists_on() -> None:
    assert encode() == (
        {"model": "claude", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4096},
        (),
    )


def test_messages_of_one_role_are_merged_and_empty_ones_dropped() -> None:
    body, losses = encode(HI, user(Text("there")), assistant(Text("")), user(Text("?")))

    assert body["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "hi"},
                {"type": "text", "text": "there"},
                {"type": "text", "text": "?"},
            ],
        }
    ]
    assert losses == ()


def test_tool_results_come_first_in_their_turn() -> None:
    body, _ = encode(
        HI,
        assistant(ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}")),
        user(Text("look"), ToolResult("a", (Text("1"),))),
        user(ToolResult("b", (Text("2"),))),
    )

    assert [block["type"] for block in body["messages"][2]["content"]] == ["tool_result", "tool_result", "text"]


def test_a_system_message_amid_the_conversation_becomes_a_marked_user_block() -> None:
    body, losses = encode(HI, Message("system", (Text("be brief"),)))

    assert body["messages"][0]["content"][1] == {"type": "text", "text": "<system>\nbe brief\n</system>"}
    assert losses == ("messages.system",)


def test_instructions_alone_become_the_message_that_the_api_needs() -> None:
    encoded = dialect.encode_request(Request("claude", (), instructions=(Text("go"),)))

    assert json.loads_object(encoded.body)["messages"] == [{"role": "user", "content": "go"}]
    assert encoded.losses == ("messages.system",)


def test_instructions_with_a_cache_marker_are_blocks() -> None:
    assert encode(instructions=(Text("a"),))[0]["system"] == "a"
    assert encode(instructions=(Text("a"), Text("b", cache=Cache("1h"))))[0]["system"] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]


def test_numbers_in_arguments_stay_as_written() -> None:
    encoded = dialect.encode_request(
        Request("claude", (HI, assistant(ToolCall("a", "f", '{"n": 1.50, "big": 123456789012345678901234567890}'))))
    )

    assert b'"input":{"n": 1.50, "big": 123456789012345678901234567890}' in encoded.body


@pytest.mark.parametrize("arguments", ["", " ", "{}"])
def test_no_arguments_are_an_empty_object(arguments: str) -> None:
    body, losses = encode(HI, assistant(ToolCall("a", "f", arguments)))

    assert body["messages"][1]["content"][0]["input"] == {}
    assert losses == ()


@pytest.mark.parametrize("arguments", ['{"a":', "[1]", "5", "oops"])
def test_arguments_that_are_no_object_are_quoted(arguments: str) -> None:
    body, losses = encode(HI, assistant(ToolCall("a", "f", arguments)))

    assert body["messages"][1]["content"][0]["input"] == {"arguments": arguments}
    assert losses == ("tool_calls.arguments",)


def test_ids_that_the_api_refuses_are_mapped_alike_in_call_and_result() -> None:
    body, _ = encode(HI, assistant(ToolCall("call:1/é", "f", "{}")), user(ToolResult("call:1/é", (Text("x"),))))

    id_ = body["messages"][1]["content"][0]["id"]
    assert id_ == body["messages"][2]["content"][0]["tool_use_id"]
    assert id_.startswith("toolu_")
    assert id_.isascii()
    assert len(id_) == 30


def test_ids_that_the_api_takes_are_kept() -> None:
    body, _ = encode(HI, assistant(ToolCall("call_A-1", "f", "{}")))

    assert body["messages"][1]["content"][0]["id"] == "call_A-1"


REASONING: dict[str, tuple[Reasoning, dict[str, Any] | None]] = {
    "signed here": (
        Reasoning("hm", opaque=Opaque(NAME, "signature", "s")),
        {"type": "thinking", "thinking": "hm", "signature": "s"},
    ),
    "redacted here": (
        Reasoning(opaque=Opaque(NAME, "redacted", "d")),
        {"type": "redacted_thinking", "data": "d"},
    ),
    "signed here, carried by another": (
        Reasoning("hm", opaque=Opaque("openai-chat", "signature", wrap(Opaque(NAME, "signature", "s")))),
        {"type": "thinking", "thinking": "hm", "signature": "s"},
    ),
    "of another": (Reasoning("hm", opaque=Opaque("gemini-generate", "signature", "g")), None),
    "without a signature": (Reasoning("hm"), None),
}


@pytest.mark.parametrize("block", [Text("so", opaque=Opaque("x", "signature", "s")), ToolCall("a", "f", "{}")])
def test_a_foreign_seal_of_a_text_or_a_call_is_lost(block: Text | ToolCall) -> None:
    sealed = replace(block, opaque=Opaque("x", "signature", "s"))

    body, losses = encode(HI, assistant(sealed))

    assert body == encode(HI, assistant(replace(block, opaque=None)))[0]
    assert losses == ("reasoning",)


@pytest.mark.parametrize(("block", "raw"), REASONING.values(), ids=REASONING.keys())
def test_only_own_reasoning_goes_back(block: Reasoning, raw: dict[str, Any] | None) -> None:
    body, losses = encode(HI, assistant(block, Text("so")))

    text = {"type": "text", "text": "so"}
    assert body["messages"][1]["content"] == ([raw, text] if raw else "so")
    assert losses == (() if raw else ("reasoning",))


def test_media() -> None:
    body, losses = encode(
        user(
            Media("image", "image/png", data="AA==", detail="auto"),
            Media("image", url="https://i"),
            Media("document", "application/pdf", data="AA==", name="a.pdf"),
            Media("document", "text/plain", data="aGk="),
            Media("document", file_id="f", cache=Cache()),
        )
    )

    assert body["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
        {"type": "image", "source": {"type": "url", "url": "https://i"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="},
            "title": "a.pdf",
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}},
        {"type": "document", "source": {"type": "file", "file_id": "f"}, "cache_control": {"type": "ephemeral"}},
    ]
    assert losses == ()


UNTRANSLATABLE: dict[str, tuple[Request, str]] = {
    "two choices": (Request("claude", (HI,), n=2), "n"),
    "sound": (Request("claude", (user(Media("audio", "audio/wav", data="AA==")),)), "messages"),
    "video": (Request("claude", (user(Media("video", url="https://v")),)), "messages"),
    "a spreadsheet": (Request("claude", (user(Media("document", "application/x-xls", data="AA==")),)), "messages"),
    "JSON without a schema": (Request("claude", (HI,), output_format=OutputFormat()), "response_format"),
    "a schema for an old model": (
        Request("claude-opus-4-1", (HI,), output_format=OutputFormat({"type": "null"})),
        "response_format",
    ),
    "a TIFF": (Request("claude", (user(Media("image", "image/tiff", data="AA==")),)), "messages.image"),
    "a file of Google": (Request("claude", (user(Media("document", file_id="gs://b/a")),)), "messages.file"),
    "a file of OpenAI": (Request("claude", (user(Media("document", file_id="file-a")),)), "messages.file"),
    "text that is none": (Request("claude", (user(Media("document", "text/plain", data="/w==")),)), "messages"),
}


@pytest.mark.parametrize(("request_", "param"), UNTRANSLATABLE.values(), ids=UNTRANSLATABLE.keys())
def test_what_would_change_the_meaning_is_refused(request_: Request, param: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        dialect.encode_request(request_)

    assert caught.value.param == param


CHOICES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "auto": ({"tool_choice": ToolChoice("auto")}, {"type": "auto"}),
    "required": ({"tool_choice": ToolChoice("required")}, {"type": "any"}),
    "named": ({"tool_choice": ToolChoice("named", "f")}, {"type": "tool", "name": "f"}),
    "none": ({"tool_choice": ToolChoice("none"), "parallel_tool_calls": False}, {"type": "none"}),
    "serial": ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
}


@pytest.mark.parametrize(("fields", "raw"), CHOICES.values(), ids=CHOICES.keys())
def test_tool_choice(fields: dict[str, Any], raw: dict[str, Any]) -> None:
    body, losses = encode(tools=(TOOL,), **fields)

    assert body["tool_choice"] == raw
    assert losses == ()


def test_a_choice_without_tools_is_left_out() -> None:
    assert encode(tool_choice=ToolChoice("auto")) == (encode()[0], ())
    assert encode(tool_choice=ToolChoice("required")) == (encode()[0], ("tool_choice",))


def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    body, _ = encode(tools=(Tool("f", strict=True, cache=Cache("5m")),))

    assert body["tools"] == [
        {
            "name": "f",
            "input_schema": {"type": "object", "properties": {}},
            "strict": True,
            "cache_control": {"type": "ephemeral", "ttl": "5m"},
        }
    ]


KNOBS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "temperature in range": ({"sampling": Sampling(temperature=0.5)}, {"temperature": 0.5}, ()),
    "temperature above": ({"sampling": Sampling(temperature=1.7)}, {"temperature": 1}, ("temperature",)),
    "top_p and top_k": ({"sampling": Sampling(top_p=0.9, top_k=4)}, {"top_p": 0.9, "top_k": 4}, ()),
    "top_p of 1 beside a temperature": ({"sampling": Sampling(0.2, top_p=1)}, {"temperature": 0.2}, ()),
    "stop": ({"stop": ("a",)}, {"stop_sequences": ["a"]}, ()),
    "penalties": (
        {"sampling": Sampling(seed=0, presence_penalty=0.1, frequency_penalty=0, repetition_penalty=1.1, min_p=0.1)},
        {},
        ("seed", "presence_penalty", "repetition_penalty", "min_p"),
    ),
    "biases": ({"sampling": Sampling(logit_bias={"1": 5})}, {}, ("logit_bias",)),
    "logprobs": ({"logprobs": True, "top_logprobs": 2}, {}, ("logprobs", "top_logprobs")),
    "metadata": ({"metadata": {"a": "b"}}, {}, ("metadata",)),
    "end user": ({"end_user": "u"}, {"metadata": {"user_id": "u"}}, ()),
    "default tier": ({"service_tier": "default"}, {"service_tier": "standard_only"}, ()),
    "flexible tier": ({"service_tier": "flex"}, {}, ("service_tier",)),
    "stream": ({"stream": True}, {"stream": True}, ()),
    "schema": (
        {"output_format": OutputFormat({"type": "null"}, "n", strict=True)},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "null"}}}},
        (),
    ),
    "schema with a description beside it": (
        {"output_format": OutputFormat({"type": "null"}, description="Nothing")},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "null", "description": "Nothing"}}}},
        (),
    ),
    "schema with a description inside and beside it": (
        {"output_format": OutputFormat({"type": "null", "description": "Null"}, description="Nothing")},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "null", "description": "Null"}}}},
        (),
    ),
    "another dialect's fields": ({"extensions": {"openai-chat": {"prediction": {}}}}, {}, ("prediction",)),
    "own fields": (
        {"extensions": {NAME: {"container": "c", "messages.content.context": "x", "tools": [{"type": "bash"}]}}},
        {"container": "c", "tools": [{"type": "bash"}]},
        (),
    ),
    "own and canonical parts of one field": (
        {"extensions": {NAME: {"output_config": {"task_budget": 1}}}, "output_format": OutputFormat({})},
        {"output_config": {"task_budget": 1, "format": {"type": "json_schema", "schema": {}}}},
        (),
    ),
    "a limit": ({"max_output_tokens": 7}, {"max_tokens": 7}, ()),
}


@pytest.mark.parametrize(("fields", "added", "lost"), KNOBS.values(), ids=KNOBS.keys())
def test_knobs(fields: dict[str, Any], added: dict[str, Any], lost: tuple[str, ...]) -> None:
    assert encode(**fields) == ({**encode()[0], **added}, lost)


THINKING: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "none": ({"reasoning": ReasoningOptions("none")}, {"max_tokens": 4096, "thinking": {"type": "disabled"}}, ()),
    "effort within a limit": (
        {"reasoning": ReasoningOptions("medium"), "max_output_tokens": 8000},
        {"max_tokens": 8000, "thinking": {"type": "enabled", "budget_tokens": 4000}},
        (),
    ),
    "effort without a limit leaves room for the answer": (
        {"reasoning": ReasoningOptions("high")},
        {"max_tokens": 13107 + 4096, "thinking": {"type": "enabled", "budget_tokens": 13107}},
        (),
    ),
    "budget without a limit": (
        {"reasoning": ReasoningOptions(budget_tokens=6000)},
        {"max_tokens": 10096, "thinking": {"type": "enabled", "budget_tokens": 6000}},
        (),
    ),
    "budget above the limit": (
        {"reasoning": ReasoningOptions(budget_tokens=6000), "max_output_tokens": 5000},
        {"max_tokens": 5000, "thinking": {"type": "enabled", "budget_tokens": 4999}},
        ("reasoning",),
    ),
    "budget as large as the limit": (
        {"reasoning": ReasoningOptions(budget_tokens=5000), "max_output_tokens": 5000},
        {"max_tokens": 5000, "thinking": {"type": "enabled", "budget_tokens": 4999}},
        ("reasoning",),
    ),
    "a limit without room to think": (
        {"reasoning": ReasoningOptions("high"), "max_output_tokens": 500},
        {"max_tokens": 500},
        ("reasoning",),
    ),
    "dynamic": (
        {"reasoning": ReasoningOptions("high", dynamic=True, summary="auto")},
        {
            "max_tokens": 20_480,
            "thinking": {"type": "adaptive", "display": "summarized"},
            "output_config": {"effort": "high"},
        },
        (),
    ),
    "hidden": (
        {"reasoning": ReasoningOptions(budget_tokens=2000, exclude=True), "max_output_tokens": 4000},
        {"max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}},
        (),
    ),
    "sampling that the api refuses beside it": (
        {
            "reasoning": ReasoningOptions(budget_tokens=2000),
            "max_output_tokens": 4000,
            "sampling": Sampling(0.2, 0.5, 3),
        },
        {"max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 2000}},
        ("temperature", "top_p", "top_k"),
    ),
    "sampling that it takes": (
        {"reasoning": ReasoningOptions(budget_tokens=2000), "max_output_tokens": 4000, "sampling": Sampling(1, 0.95)},
        {
            "max_tokens": 4000,
            "thinking": {"type": "enabled", "budget_tokens": 2000},
            "temperature": 1,
            "top_p": 0.95,
        },
        (),
    ),
    "a forced tool": (
        {
            "reasoning": ReasoningOptions(budget_tokens=2000),
            "max_output_tokens": 4000,
            "tools": (Tool("f"),),
            "tool_choice": ToolChoice("named", "f"),
            "parallel_tool_calls": False,
        },
        {
            "max_tokens": 4000,
            "thinking": {"type": "enabled", "budget_tokens": 2000},
            "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        },
        ("tool_choice",),
    ),
}


@pytest.mark.parametrize(("fields", "added", "lost"), THINKING.values(), ids=THINKING.keys())
def test_thinking_and_what_it_forbids(fields: dict[str, Any], added: dict[str, Any], lost: tuple[str, ...]) -> None:
    assert encode(**fields) == ({**encode()[0], **added}, lost)


def test_a_tool_loop_whose_thinking_was_lost_goes_on_without_thinking() -> None:
    turns = (HI, assistant(ToolCall("a", "f", "{}")), user(ToolResult("a", (Text("1"),))))

    body, losses = encode(*turns, reasoning=ReasoningOptions("high"), tools=(TOOL,))

    assert "thinking" not in body
    assert losses == ("reasoning",)


def test_a_tool_loop_with_its_thinking_goes_on_thinking() -> None:
    thought = Reasoning("hm", opaque=Opaque(NAME, "signature", "s"))
    turns = (HI, assistant(thought, ToolCall("a", "f", "{}")), user(ToolResult("a", (Text("1"),))))

    body, losses = encode(*turns, reasoning=ReasoningOptions("high"), tools=(TOOL,))

    assert body["thinking"]["type"] == "enabled"
    assert losses == ()


def test_a_tool_loop_that_began_with_thinking_goes_on_thinking_though_a_later_step_had_none() -> None:
    thought = Reasoning("hm", opaque=Opaque(NAME, "signature", "s"))
    first, second = user(ToolResult("a", (Text("1"),))), user(ToolResult("b", (Text("2"),)))
    turns = (HI, assistant(thought, ToolCall("a", "f", "{}")), first, assistant(ToolCall("b", "f", "{}")), second)

    body, losses = encode(*turns, reasoning=ReasoningOptions("high"), tools=(TOOL,))

    assert body["thinking"]["type"] == "enabled"
    assert losses == ()


def test_the_thinking_of_an_earlier_turn_is_none_of_a_tool_loop() -> None:
    thought = Reasoning("hm", opaque=Opaque(NAME, "signature", "s"))
    turns = (HI, assistant(thought, Text("Hi")), HI, assistant(ToolCall("a", "f", "{}")), user(ToolResult("a", ())))

    body, losses = encode(*turns, reasoning=ReasoningOptions("high"), tools=(TOOL,))

    assert "thinking" not in body
    assert losses == ("reasoning",)


def test_small_things_that_are_lost_are_named() -> None:
    _, losses = encode(
        Message("user", (Text("x"), Media("image", url="u", detail="high")), name="bob"),
        assistant(
            Text("y", (Citation(url="https://c"),)),
            ServerTool("openai-responses", "web_search_call", {}),
            Refusal("no"),
        ),
    )

    assert losses == ("messages.name", "image_url.detail", "messages.annotations", "web_search_call")


def test_a_host_may_refuse_and_rename_fields() -> None:
    profile = Profile(rename={"max_tokens": "limit"}, rejects=frozenset({"top_k"}))
    encoded = dialect.encode_request(Request("claude", (HI,), sampling=Sampling(top_k=3)), profile)

    assert encoded.losses == ("top_k",)
    assert json.loads_object(encoded.body)["limit"] == 4096


def test_a_host_that_refuses_tools_is_no_target_for_them() -> None:
    with pytest.raises(Untranslatable) as caught:
        dialect.encode_request(Request("claude", (HI,), tools=(TOOL,)), Profile(rejects=frozenset({"tools"})))

    assert caught.value.param == "tools"


FULL = Request(
    model="claude",
    messages=(
        user(
            Text("look", cache=Cache("5m")),
            Media("image", "image/png", data="AA=="),
            Media("image", url="https://i"),
            Media("document", "application/pdf", data="AA==", name="a"),
            Media("document", "text/plain", data="aGk="),
        ),
        assistant(
            Reasoning("hm", opaque=Opaque(NAME, "signature", "s")),
            Reasoning(opaque=Opaque(NAME, "redacted", "d")),
            Text("I call"),
            ToolCall("a", "f", '{"x":1}', cache=Cache()),
            ToolCall("b", "f", "{}"),
        ),
        user(
            ToolResult("a", (Text("1"), Media("image", url="https://j"))),
            ToolResult("b", (Text("bad"),), is_error=True, cache=Cache("1h")),
            Text("and now?"),
        ),
    ),
    instructions=(Text("be kind"), Text("really", cache=Cache("1h"))),
    tools=(Tool("f", "d", {"type": "object", "properties": {"x": {"type": "number"}}}, strict=True, cache=Cache()),),
    tool_choice=ToolChoice("auto"),
    parallel_tool_calls=False,
    max_output_tokens=9000,
    sampling=Sampling(temperature=1, top_p=0.95),
    stop=("END",),
    output_format=OutputFormat({"type": "object", "properties": {}, "additionalProperties": False}),
    reasoning=ReasoningOptions(budget_tokens=2000, summary="auto"),
    end_user="u",
    service_tier="default",
    stream=True,
    extensions={NAME: {"container": "c", "tools": [{"type": "web_search_20250305", "name": "web_search"}]}},
)


def test_what_the_dialect_can_express_comes_back_the_same() -> None:
    encoded = dialect.encode_request(FULL)

    assert encoded.losses == ()
    assert dialect.decode_request(json.loads_object(encoded.body)) == FULL


def test_the_official_types_accept_what_is_sent() -> None:
    body = json.loads_object(dialect.encode_request(FULL).body)

    TypeAdapter(list[MessageParam]).validate_python(body["messages"])
    TypeAdapter(list[ToolUnionParam]).validate_python(body["tools"])


def test_blank_text_is_left_out_and_a_message_of_nothing_else_is_named() -> None:
    body, losses = encode(HI, assistant(Text(" "), Text("yes")), user(Text("\n")), assistant(Text("\t"), Text("sure")))

    assert body["messages"][1] == {
        "role": "assistant",
        "content": [{"type": "text", "text": "yes"}, {"type": "text", "text": "sure"}],
    }
    assert losses == ("messages.content",)


def test_blank_stop_sequences_are_left_out() -> None:
    assert encode(stop=("\n\n", "END", " ")) == ({**encode()[0], "stop_sequences": ["END"]}, ("stop",))
    assert encode(stop=("\n",)) == (encode()[0], ("stop",))


def test_a_jpg_is_a_jpeg() -> None:
    body, losses = encode(user(Media("image", "image/jpg", data="AA=="), Media("image", "image/WebP", data="AA==")))

    assert [block["source"]["media_type"] for block in body["messages"][0]["content"]] == ["image/jpeg", "image/webp"]
    assert losses == ()


def test_tools_that_another_provider_runs_are_refused_by_name() -> None:
    request = Request("claude-sonnet-4-5", (HI,), extensions={"gemini-generate": {"tools": [{"googleSearch": {}}]}})

    with pytest.raises(Untranslatable) as caught:
        dialect.encode_request(request)

    assert caught.value.param == "tools"
