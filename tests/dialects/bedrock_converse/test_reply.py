"""Whole answers: what is read, and what the client is told of that is not."""

from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import CLIENT_DIALECTS
from costspan.dialects import bedrock_converse as dialect
from costspan.dialects.types import StreamOptions
from costspan.errors import Malformed
from costspan.ir.reply import FinishReason
from costspan.ir.request import Citation, Media, Opaque, Reasoning, ServerTool, Text, ToolCall
from costspan.ir.usage import Usage
from costspan.wire import json

USAGE = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}


def answer(*content: Any, **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": list(content)}
    return {
        "output": {"message": message},
        "stopReason": "end_turn",
        "usage": USAGE,
        "metrics": {"latencyMs": 1},
    } | more


CITED: dict[str, Any] = {
    "content": [{"text": "High water "}, {"text": "is at noon."}],
    "citations": [
        {
            "title": "Almanac",
            "sourceContent": [{"text": "at noon"}],
            "location": {"documentChar": {"documentIndex": 0, "start": 3, "end": 9}},
        },
        {"source": "https://example.org/tides", "location": {"searchResultLocation": {"searchResultIndex": 0}}},
        {"source": "internal-7", "location": {"web": {"url": "https://example.org/w", "domain": "example.org"}}},
    ],
}

BLOCKS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "text": ({"text": "Hi"}, (Text("Hi"),)),
    "empty text": ({"text": ""}, ()),
    "call": (
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"x": [1.5, "ä"]}, "type": "tool_use"}},
        (ToolCall("t", "f", '{"x":[1.5,"ä"]}'),),
    ),
    "call without arguments": ({"toolUse": {"toolUseId": "t", "name": "f"}}, (ToolCall("t", "f", "{}"),)),
    "signed thinking": (
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        (Reasoning("hm", opaque=Opaque("bedrock-converse", "signature", "c2ln")),),
    ),
    "thinking": ({"reasoningContent": {"reasoningText": {"text": "hm"}}}, (Reasoning("hm"),)),
    "no thinking": ({"reasoningContent": {"reasoningText": {"text": ""}}}, ()),
    "redacted thinking": (
        {"reasoningContent": {"redactedContent": "c2Vj"}},
        (Reasoning(opaque=Opaque("bedrock-converse", "redacted", "c2Vj")),),
    ),
    "image": ({"image": {"format": "png", "source": {"bytes": "AAAA"}}}, (Media("image", "image/png", data="AAAA"),)),
    "cited text": (
        {"citationsContent": CITED},
        (
            Text(
                "High water is at noon.",
                (
                    Citation(
                        title="Almanac", cited_text="at noon", origin="bedrock-converse", raw=CITED["citations"][0]
                    ),
                    Citation("https://example.org/tides", origin="bedrock-converse", raw=CITED["citations"][1]),
                    Citation("https://example.org/w", origin="bedrock-converse", raw=CITED["citations"][2]),
                ),
            ),
        ),
    ),
    "call of the provider's own tool": (
        {"toolUse": {"toolUseId": "t", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}},
        (
            ServerTool(
                "bedrock-converse",
                "toolUse",
                {"toolUse": {"toolUseId": "t", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}},
            ),
        ),
    ),
    "of a new kind": ({"dream": {"x": 1}}, (ServerTool("bedrock-converse", "dream", {"dream": {"x": 1}}),)),
    "no block": (5, ()),
}


@pytest.mark.parametrize(("raw", "blocks"), BLOCKS.values(), ids=BLOCKS.keys())
def test_a_block_is_read(raw: Any, blocks: tuple[Any, ...]) -> None:
    assert dialect.decode_reply(answer(raw)).choices[0].blocks == blocks


FINISHES = {
    "end_turn": FinishReason.STOP,
    "tool_use": FinishReason.TOOL_CALLS,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "stop_sequence": FinishReason.STOP_SEQUENCE,
    "guardrail_intervened": FinishReason.CONTENT_FILTER,
    "content_filtered": FinishReason.CONTENT_FILTER,
    "malformed_tool_use": FinishReason.MALFORMED_TOOL_CALL,
    "malformed_model_output": FinishReason.OTHER,
    "tomorrow": FinishReason.OTHER,
}


@pytest.mark.parametrize(("native", "reason"), FINISHES.items())
def test_why_it_ended_is_read_and_kept_in_the_provider_s_word(native: str, reason: FinishReason) -> None:
    choice = dialect.decode_reply(answer({"text": "Hi"}, stopReason=native)).choices[0]

    assert (choice.finish, choice.native) == (reason, native)


def test_the_stop_sequence_that_was_met_is_read() -> None:
    fields = {"stop_sequence": "END"}
    reply = dialect.decode_reply(answer(stopReason="stop_sequence", additionalModelResponseFields=fields))

    assert reply.choices[0].stop_sequence == "END"
    assert reply.unread == frozenset()


def test_an_answer_names_no_model_unless_a_router_chose_it() -> None:
    model = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0"
    routed = answer({"text": "Hi"}, trace={"promptRouter": {"invokedModelId": model}})

    assert dialect.decode_reply(answer({"text": "Hi"})).model == ""
    assert dialect.decode_reply(routed).model == "anthropic.claude-3-haiku-20240307-v1:0"
    assert dialect.summarize(routed).model == "anthropic.claude-3-haiku-20240307-v1:0"


UNREAD: dict[str, tuple[dict[str, Any], set[str]]] = {
    "bookkeeping": (
        answer({"text": "Hi"}, performanceConfig={"latency": "standard"}, serviceTier={"type": "x"}),
        set(),
    ),
    "verdicts of a guardrail": (answer(trace={"guardrail": {"actionReason": "masked"}}), {"trace.guardrail"}),
    "a field of the model": (
        answer(additionalModelResponseFields={"mood": "calm"}),
        {"additionalModelResponseFields.mood"},
    ),
    "a new field": (answer(mood="calm"), {"mood"}),
    "a field of a call": (answer({"toolUse": {"toolUseId": "t", "name": "f", "caller": "x"}}), {"toolUse.caller"}),
    "an image that failed": (answer({"image": {"format": "png", "error": {"message": "no"}}}), {"image.error"}),
}


@pytest.mark.parametrize(("body", "names"), UNREAD.values(), ids=UNREAD.keys())
def test_what_is_not_read_is_named(body: dict[str, Any], names: set[str]) -> None:
    assert dialect.decode_reply(body).unread == names


@pytest.mark.parametrize("body", [{}, {"output": None}, {"output": {"message": {"content": "Hi"}}}, {"message": "no"}])
def test_an_answer_without_content_is_malformed(body: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        dialect.decode_reply(body)
    with pytest.raises(Malformed):
        dialect.summarize(body)


def test_the_books_need_no_id_and_no_content() -> None:
    summary = dialect.summarize(answer({"text": "Hi"}))

    assert (summary.id, summary.model, summary.finish_reasons) == ("", "", ("end_turn",))
    assert summary.usage == Usage({"input": 10, "output": 5})


USAGES: dict[str, tuple[dict[str, Any], dict[str, int], bool]] = {
    "plain": (USAGE, {"input": 10, "output": 5}, False),
    "cache read": (
        {"inputTokens": 37, "outputTokens": 379, "totalTokens": 1839, "cacheReadInputTokens": 1423},
        {"input": 37, "cache_read": 1423, "output": 379},
        False,
    ),
    "cache written": (
        {"inputTokens": 1, "outputTokens": 2, "totalTokens": 103, "cacheWriteInputTokens": 100},
        {"input": 1, "cache_write": 100, "output": 2},
        False,
    ),
    "cache written for an hour": (
        {
            "inputTokens": 1,
            "outputTokens": 2,
            "totalTokens": 103,
            "cacheWriteInputTokens": 100,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 70}, {"ttl": "5m", "inputTokens": 30}],
        },
        {"input": 1, "cache_write_1h": 70, "cache_write": 30, "output": 2},
        False,
    ),
    "more for an hour than was written": (
        {
            "inputTokens": 1,
            "outputTokens": 2,
            "totalTokens": 13,
            "cacheWriteInputTokens": 10,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 70}, 5],
        },
        {"input": 1, "cache_write_1h": 10, "output": 2},
        True,
    ),
    "a total without the cache": (
        {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3, "cacheReadInputTokens": 9},
        {"input": 1, "cache_read": 9, "output": 2},
        False,
    ),
    "a total of neither": ({"inputTokens": 1, "outputTokens": 2, "totalTokens": 4}, {"input": 1, "output": 2}, True),
    "garbage": ({"inputTokens": -1, "outputTokens": "2", "totalTokens": True}, {}, True),
}


@pytest.mark.parametrize(("report", "tokens", "inconsistent"), USAGES.values(), ids=USAGES.keys())
def test_usage_is_disjoint_buckets(report: dict[str, Any], tokens: dict[str, int], inconsistent: bool) -> None:
    usage = dialect.read_usage({"usage": report})

    assert usage is not None
    assert dict(usage.tokens) == tokens
    assert usage.inconsistent is inconsistent
    assert usage.reported_cost is None
    assert sum(usage.tokens.values()) == usage.prompt_tokens + usage.completion_tokens


@pytest.mark.parametrize(
    "body",
    [{}, {"usage": None}, {"usage": [1]}, {"usage": {}}, {"usage": {"inputTokens": None, "outputTokens": None}}],
)
def test_an_answer_may_report_no_usage(body: dict[str, Any]) -> None:
    assert dialect.read_usage(body) is None


def test_the_tier_that_served_is_kept() -> None:
    reply = dialect.decode_reply(answer({"text": "Hi"}, serviceTier={"type": "flex"}))

    assert reply.service_tier == "flex"
    assert reply.usage is not None
    assert reply.usage.service_tier == "flex"


LOOP = answer(
    {"reasoningContent": {"reasoningText": {"text": "I need the clock.", "signature": "c2ln"}}},
    {"reasoningContent": {"redactedContent": "c2Vj"}},
    {"toolUse": {"toolUseId": "tooluse_1", "name": "clock", "input": {}}},
    stopReason="tool_use",
)


def looped(client: str) -> dict[str, Any]:
    """The request with the tool's result, after the answer went to a client of another dialect and came back."""
    options = StreamOptions("cs_1", "m", 0)
    told = json.loads_object(CLIENT_DIALECTS[client].encode_reply(dialect.decode_reply(LOOP), options).body)
    model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    if client == "openai-chat":
        message = told["choices"][0]["message"]
        result: dict[str, Any] = {"role": "tool", "tool_call_id": "tooluse_1", "content": "12:00"}
        tool = {"type": "function", "function": {"name": "clock"}}
        more = {"reasoning_effort": "low", "max_completion_tokens": 8000}
    else:
        message = {"role": "assistant", "content": told["content"]}
        block = {"type": "tool_result", "tool_use_id": "tooluse_1", "content": "12:00"}
        result = {"role": "user", "content": [block]}
        tool = {"name": "clock", "input_schema": {"type": "object"}}
        more = {"thinking": {"type": "enabled", "budget_tokens": 1600}, "max_tokens": 8000}
    messages = [{"role": "user", "content": "What time is it?"}, message, result]
    request = CLIENT_DIALECTS[client].decode_request({"model": model, "messages": messages, "tools": [tool], **more})
    encoded = dialect.encode_request(request)
    assert encoded.losses == ()
    return json.loads_object(encoded.body)


@pytest.mark.parametrize("client", ["anthropic-messages", "openai-chat"])
def test_thinking_returns_to_the_model_through_a_client_of_another_dialect(client: str) -> None:
    body = looped(client)

    assert body["messages"][1]["content"] == LOOP["output"]["message"]["content"]
    assert body["additionalModelRequestFields"]["thinking"] == {"type": "enabled", "budget_tokens": 1600}
