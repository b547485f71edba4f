"""Sampling, limits and thinking: what each family of models takes."""

from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import bedrock_converse as dialect
from costspan.dialects.bedrock_converse.models import Traits, traits_of
from costspan.ir.request import (
    Message,
    Opaque,
    Reasoning,
    ReasoningOptions,
    Request,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from costspan.wire import json
from fakes.bedrock_requests import problems

SONNET_45 = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
OPUS_47 = "anthropic.claude-opus-4-7"
OPUS_5 = "global.anthropic.claude-opus-5"
NOVA_1 = "amazon.nova-pro-v1:0"
NOVA_2 = "us.amazon.nova-2-lite-v1:0"
GPT_OSS = "openai.gpt-oss-120b-1:0"
HIDDEN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123def456"

_OTHER = Traits(
    caches=False, caches_tools=False, caches_for_an_hour=False, failed_tools=False, schemas=False, strict_tools=False
)
MODELS: dict[str, Traits] = {
    SONNET_45: Traits(claude=True, one_tool_at_a_time=True),
    "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0": Traits(
        claude=True, caches_for_an_hour=False, schemas=False, strict_tools=False
    ),
    OPUS_47: Traits(claude=True, schemas=False, strict_tools=False, one_tool_at_a_time=True),
    OPUS_5: Traits(claude=True, strict_tools=False, one_tool_at_a_time=True),
    NOVA_1: Traits(nova=True, caches_tools=False, caches_for_an_hour=False, schemas=False, strict_tools=False),
    "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-2-lite-v1:0": Traits(
        nova=True,
        reasoning_config=True,
        caches_tools=False,
        caches_for_an_hour=False,
        schemas=False,
        strict_tools=False,
    ),
    "us.meta.llama3-3-70b-instruct-v1:0": _OTHER,
    "eu.mistral.pixtral-large-2502-v1:0": _OTHER,
    HIDDEN: Traits(),
    "the-model": Traits(),
}


@pytest.mark.parametrize(("model", "traits"), MODELS.items())
def test_an_id_tells_what_its_model_takes(model: str, traits: Traits) -> None:
    assert traits_of(model) == traits


def encode(model: str, **fields: Any) -> tuple[dict[str, Any], list[str]]:
    messages = fields.pop("messages", (Message("user", (Text("hi"),)),))
    encoded = dialect.encode_request(Request(model, messages, **fields))
    body = json.loads_object(encoded.body)
    assert problems(body) == ""
    del body["messages"]
    return body, list(encoded.losses)


SHOWN = {"type": "adaptive", "display": "summarized"}

ENCODED: dict[str, tuple[str, dict[str, Any], dict[str, Any], list[str]]] = {
    "nothing asked for": (SONNET_45, {}, {}, []),
    "limit": (NOVA_1, {"max_output_tokens": 9}, {"inferenceConfig": {"maxTokens": 9}}, []),
    "temperature above the range": (
        NOVA_1,
        {"sampling": Sampling(temperature=1.5, top_p=0.5)},
        {"inferenceConfig": {"temperature": 1, "topP": 0.5}},
        ["temperature"],
    ),
    "stop": (
        NOVA_1,
        {"stop": ("END", " ")},
        {"inferenceConfig": {"stopSequences": ["END"]}},
        ["stop"],
    ),
    "stop of claude, which tells the one that it met": (
        SONNET_45,
        {"stop": ("END",)},
        {"inferenceConfig": {"stopSequences": ["END"]}, "additionalModelResponseFieldPaths": ["/stop_sequence"]},
        [],
    ),
    "top_k of claude": (SONNET_45, {"sampling": Sampling(top_k=5)}, {"additionalModelRequestFields": {"top_k": 5}}, []),
    "top_k of nova": (
        NOVA_1,
        {"sampling": Sampling(top_k=5)},
        {"additionalModelRequestFields": {"inferenceConfig": {"topK": 5}}},
        [],
    ),
    "top_k elsewhere": (GPT_OSS, {"sampling": Sampling(top_k=5)}, {}, ["top_k"]),
    "budget of claude": (
        SONNET_45,
        {"reasoning": ReasoningOptions(budget_tokens=2000), "max_output_tokens": 5000},
        {
            "inferenceConfig": {"maxTokens": 5000},
            "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        },
        [],
    ),
    "budget of claude without a limit": (
        SONNET_45,
        {"reasoning": ReasoningOptions(budget_tokens=2000)},
        {
            "inferenceConfig": {"maxTokens": 18384},
            "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        },
        [],
    ),
    "budget of claude above the limit": (
        SONNET_45,
        {"reasoning": ReasoningOptions(budget_tokens=9000), "max_output_tokens": 5000},
        {
            "inferenceConfig": {"maxTokens": 5000},
            "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 4999}},
        },
        ["reasoning"],
    ),
    "no room to think": (
        SONNET_45,
        {"reasoning": ReasoningOptions("high"), "max_output_tokens": 500},
        {"inferenceConfig": {"maxTokens": 500}},
        ["reasoning"],
    ),
    "what claude refuses beside thinking": (
        SONNET_45,
        {
            "reasoning": ReasoningOptions(budget_tokens=2000),
            "max_output_tokens": 5000,
            "sampling": Sampling(temperature=0.5, top_k=5),
            "tools": (Tool("clock"),),
            "tool_choice": ToolChoice("required"),
        },
        {
            "inferenceConfig": {"maxTokens": 5000},
            "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2000}},
            "toolConfig": {
                "tools": [
                    {"toolSpec": {"name": "clock", "inputSchema": {"json": {"type": "object", "properties": {}}}}}
                ]
            },
        },
        ["tool_choice", "temperature", "top_k"],
    ),
    "effort of newer claude": (
        OPUS_47,
        {"reasoning": ReasoningOptions("high")},
        {"additionalModelRequestFields": {"thinking": SHOWN, "output_config": {"effort": "high"}}},
        [],
    ),
    "newer claude is not to think": (
        OPUS_5,
        {"reasoning": ReasoningOptions("none")},
        {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}},
        [],
    ),
    "effort of nova": (
        NOVA_2,
        {"reasoning": ReasoningOptions("medium"), "max_output_tokens": 500},
        {
            "inferenceConfig": {"maxTokens": 500},
            "additionalModelRequestFields": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}},
        },
        [],
    ),
    "budget of nova": (
        NOVA_2,
        {"reasoning": ReasoningOptions(budget_tokens=2000), "max_output_tokens": 10_000},
        {
            "inferenceConfig": {"maxTokens": 10_000},
            "additionalModelRequestFields": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}},
        },
        [],
    ),
    "high effort of nova takes no sampling": (
        NOVA_2,
        {"reasoning": ReasoningOptions("max"), "sampling": Sampling(temperature=0.5, top_k=3)},
        {"additionalModelRequestFields": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}},
        ["temperature", "top_k"],
    ),
    "high effort of nova takes no limit, which goes before": (
        NOVA_2,
        {"reasoning": ReasoningOptions("high"), "max_output_tokens": 500},
        {
            "inferenceConfig": {"maxTokens": 500},
            "additionalModelRequestFields": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}},
        },
        ["reasoning"],
    ),
    "nova is not to think": (NOVA_2, {"reasoning": ReasoningOptions("none")}, {}, []),
    "older nova does not think": (NOVA_1, {"reasoning": ReasoningOptions("low")}, {}, ["reasoning"]),
    "effort of gpt-oss": (
        GPT_OSS,
        {"reasoning": ReasoningOptions("minimal", summary="auto")},
        {"additionalModelRequestFields": {"reasoning_effort": "low"}},
        ["reasoning.summary"],
    ),
    "gpt-oss always thinks": (GPT_OSS, {"reasoning": ReasoningOptions("none")}, {}, ["reasoning"]),
    "hidden model": (HIDDEN, {"reasoning": ReasoningOptions("low")}, {}, ["reasoning"]),
    "no counterpart": (
        NOVA_1,
        {
            "sampling": Sampling(
                min_p=0.1,
                presence_penalty=1,
                frequency_penalty=1,
                repetition_penalty=2,
                seed=0,
                logit_bias={"1": 1},
            ),
            "logprobs": True,
            "top_logprobs": 2,
            "end_user": "u",
        },
        {},
        [
            "seed",
            "presence_penalty",
            "frequency_penalty",
            "repetition_penalty",
            "min_p",
            "logit_bias",
            "logprobs",
            "top_logprobs",
            "user",
        ],
    ),
    "defaults ask for nothing": (
        NOVA_1,
        {"sampling": Sampling(presence_penalty=0, frequency_penalty=0, repetition_penalty=1, logit_bias={})},
        {},
        [],
    ),
}


@pytest.mark.parametrize(("model", "fields", "expected", "losses"), ENCODED.values(), ids=ENCODED.keys())
def test_a_model_is_asked_for_what_it_takes(
    model: str, fields: dict[str, Any], expected: dict[str, Any], losses: list[str]
) -> None:
    assert encode(model, **fields) == (expected, losses)


def encode_amid(loop: tuple[Message, ...]) -> tuple[dict[str, Any], list[str]]:
    return encode(
        SONNET_45,
        messages=loop,
        tools=(Tool("clock"),),
        reasoning=ReasoningOptions(budget_tokens=2000),
        max_output_tokens=5000,
    )


def test_claude_does_not_think_amid_a_tool_loop_whose_thinking_is_lost() -> None:
    loop = (
        Message("user", (Text("What time is it?"),)),
        Message("assistant", (ToolCall("c", "clock", "{}"),)),
        Message("user", (ToolResult("c", (Text("12:00"),)),)),
    )

    body, losses = encode_amid(loop)

    assert "additionalModelRequestFields" not in body
    assert losses == ["reasoning"]


def test_claude_goes_on_thinking_amid_a_tool_loop_that_began_with_it() -> None:
    thought = Reasoning("Hm", opaque=Opaque("bedrock-converse", "signature", "s"))
    loop = (
        Message("user", (Text("What time is it?"),)),
        Message("assistant", (thought, ToolCall("c", "clock", "{}"))),
        Message("user", (ToolResult("c", (Text("12:00"),)),)),
        Message("assistant", (ToolCall("d", "clock", "{}"),)),
        Message("user", (ToolResult("d", (Text("12:01"),)),)),
    )

    body, losses = encode_amid(loop)

    assert body["additionalModelRequestFields"]["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert losses == []
