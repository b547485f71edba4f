from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from costspan.dialects import CLIENT_DIALECTS
from costspan.dialects import mistral_chat as dialect
from costspan.dialects.types import StreamOptions
from costspan.errors import Category, Malformed
from costspan.ir.reply import FinishReason
from costspan.ir.request import Block, Opaque, Reasoning, Text, ToolCall
from costspan.ir.usage import Usage
from costspan.wire import json

OPTIONS = StreamOptions("cs_1", "m", 0)
REPORT = {"prompt_tokens": 9, "total_tokens": 16, "completion_tokens": 7}


def answer(message: dict[str, Any] | None = None, finish: str = "stop", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": "hi"} | (message or {})}
    return {
        "id": "a1",
        "created": 5,
        "model": "m",
        "object": "chat.completion",
        "usage": REPORT,
        "choices": [choice],
    } | more


def thinking(*texts: str, **more: Any) -> dict[str, Any]:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text} for text in texts], **more}


SO = {"type": "text", "text": "so"}


def blocks(*parts: Any) -> tuple[Block, ...]:
    return dialect.decode_reply(answer({"content": list(parts)})).choices[0].blocks


def test_an_answer_is_read_as_openai_s() -> None:
    call = {"id": "a1B2c3D4e", "function": {"name": "f", "arguments": '{"x": 1.0}'}, "index": 0}

    reply = dialect.decode_reply(answer({"tool_calls": [call], "content": ""}, "tool_calls"))

    assert (reply.id, reply.model, reply.created) == ("a1", "m", 5)
    assert reply.choices[0].blocks == (ToolCall("a1B2c3D4e", "f", '{"x": 1.0}'),)
    assert reply.choices[0].finish is FinishReason.TOOL_CALLS
    assert reply.unread == frozenset()


def test_thinking_is_a_part_of_the_content() -> None:
    assert blocks(thinking("hm", "!"), SO) == (Reasoning("hm!"), Text("so"))


def test_signed_thinking_keeps_its_seal() -> None:
    seal = Opaque("mistral-chat", "signature", "c2ln")

    assert blocks(thinking("hm", "!", signature="c2ln"), SO) == (Reasoning("hm!", opaque=seal), Text("so"))
    assert blocks({"type": "thinking", "thinking": "hm", "signature": "c2ln"}) == (Reasoning("hm", opaque=seal),)
    assert blocks({"type": "thinking", "thinking": 7, "signature": "c2ln"}) == (Reasoning(opaque=seal),)
    assert blocks(thinking("hm", signature=None), SO) == (Reasoning("hm"), Text("so"))


@pytest.mark.parametrize("name", ["openai-chat", "anthropic-messages"])
def test_a_seal_comes_back_through_a_client_that_keeps_what_it_was_told(name: str) -> None:
    client = CLIENT_DIALECTS[name]
    reply = dialect.decode_reply(answer({"content": [thinking("hm", signature="c2ln"), SO]}))
    told = json.loads_object(client.encode_reply(reply, OPTIONS).body)
    said = told["choices"][0]["message"] if name == "openai-chat" else {"role": "assistant", "content": told["content"]}
    asked = {"role": "user", "content": "hi"}

    request = client.decode_request({"model": "magistral-medium", "max_tokens": 9, "messages": [asked, said, asked]})
    again = dialect.encode_request(request)

    assert json.loads_object(again.body)["messages"][1]["content"] == [thinking("hm", signature="c2ln"), SO]
    assert again.losses == ()


def test_references_are_told() -> None:
    reference = {"type": "reference", "reference_ids": [1]}
    inner = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}, reference]}

    for parts in ([SO, reference], [inner, SO]):
        assert dialect.decode_reply(answer({"content": parts})).unread == {"content.reference"}
    assert blocks(inner, SO) == (Reasoning("hm"), Text("so"))


def test_log_probabilities_take_the_shape_of_openai() -> None:
    body = answer()
    other = {"token": "Ho", "logprob": -2, "bytes": [72, 111], "token_id": 8}
    item = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "token_id": 7}
    body["choices"][0]["logprobs"] = {
        "content": [{**item, "top_logprobs": [other]}, {**item, "top_logprobs": None}, "odd"]
    }

    assert dialect.decode_reply(body).choices[0].logprobs == {
        "content": [
            {
                "token": "Hi",
                "logprob": -0.5,
                "bytes": [72, 105],
                "top_logprobs": [{"token": "Ho", "logprob": -2, "bytes": [72, 111], "top_logprobs": []}],
            },
            {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []},
            "odd",
        ],
        "refusal": None,
    }


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("model_length", FinishReason.LENGTH),
        ("error", FinishReason.OTHER),
    ],
)
def test_reasons_to_end(native: str, reason: FinishReason) -> None:
    choice = dialect.decode_reply(answer(finish=native)).choices[0]

    assert (choice.finish, choice.native) == (reason, native)


def test_an_empty_answer_of_a_provider_that_gave_up_is_none() -> None:
    with pytest.raises(Malformed, match="gave up"):
        dialect.decode_reply(answer({"content": ""}, "error"))


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": ["odd"]}, {"choices": "odd"}])
def test_without_a_choice_it_is_no_answer(body: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        dialect.decode_reply(body)


@pytest.mark.parametrize(
    ("report", "usage"),
    [
        (REPORT, Usage({"input": 9, "output": 7})),
        (REPORT | {"num_cached_tokens": 4}, Usage({"input": 5, "cache_read": 4, "output": 7})),
        (
            REPORT | {"prompt_tokens_details": {"cached_tokens": 4}, "num_cached_tokens": 9},
            Usage({"input": 5, "cache_read": 4, "output": 7}),
        ),
        (REPORT | {"service_tier": "priority"}, Usage({"input": 9, "output": 7}, service_tier="priority")),
        (REPORT | {"prompt_audio_seconds": None}, Usage({"input": 9, "output": 7})),
        (REPORT | {"prompt_audio_seconds": {}}, Usage({"input": 9, "output": 7})),
        (
            REPORT | {"total_tokens": 2641, "prompt_audio_seconds": 203},
            Usage({"input": 9, "output": 7}, {"audio_seconds": Decimal(203)}),
        ),
        (REPORT | {"total_tokens": 2641}, Usage({"input": 9, "output": 7}, inconsistent=True)),
    ],
)
def test_usage(report: dict[str, Any], usage: Usage) -> None:
    body = answer(usage=report)

    assert dialect.read_usage(body) == usage
    reply = dialect.decode_reply(body)
    assert (reply.usage, reply.service_tier) == (usage, usage.service_tier)
    assert dialect.summarize(body).usage == usage


@pytest.mark.parametrize("report", [None, [], {}, {"prompt_audio_seconds": 3}])
def test_no_report_is_no_usage(report: Any) -> None:
    assert dialect.read_usage({"usage": report}) is None


def test_the_books_need_little() -> None:
    found = dialect.summarize(answer())

    assert (found.id, found.model, found.finish_reasons) == ("a1", "m", ("stop",))


EXTRA = {
    "type": "extra_forbidden",
    "loc": ["body", "messages", 0, "user", "name"],
    "msg": "Extra inputs are not permitted",
}
TOLD = "body.messages.0.user.name: Extra inputs are not permitted"


@pytest.mark.parametrize(
    ("status", "body", "category", "message", "code"),
    [
        (
            400,
            {
                "object": "error",
                "message": "Unexpected role 'user' after role 'tool'",
                "type": "invalid_request_message_order",
                "code": "3230",
            },
            "invalid_request",
            "Unexpected role 'user' after role 'tool'",
            "3230",
        ),
        (
            400,
            {
                "object": "error",
                "message": "Prompt contains 40000 tokens ..., too large for model with 32768 maximum context length",
                "type": "invalid_request_prompt",
                "code": "3051",
            },
            "context_length",
            "Prompt contains 40000 tokens ..., too large for model with 32768 maximum context length",
            "3051",
        ),
        (
            422,
            {"object": "error", "message": {"detail": [EXTRA]}, "type": "invalid_request_error", "code": None},
            "invalid_request",
            TOLD,
            "invalid_request_error",
        ),
        (
            422,
            {"object": "Error", "detail": [EXTRA], "message": [EXTRA, "odd", 7], "code": 3001},
            "invalid_request",
            f"{TOLD}; odd; invalid",
            None,
        ),
        (422, {"detail": [{"msg": "bad"}, EXTRA]}, "invalid_request", f"bad; {TOLD}", None),
        (401, {"detail": "Unauthorized"}, "auth", "Unauthorized", None),
        (401, {"message": "Unauthorized", "request_id": "r"}, "auth", "Unauthorized", None),
        (
            429,
            {
                "object": "error",
                "message": "Service tier capacity exceeded for this model.",
                "type": "service_tier_capacity_exceeded",
                "code": "3505",
            },
            "rate_limit",
            "Service tier capacity exceeded for this model.",
            "3505",
        ),
        (503, {"message": {"detail": []}}, "overloaded", "HTTP 503", None),
        (500, ["odd"], "server_error", "odd", None),
    ],
)
def test_errors(status: int, body: Any, category: str, message: str, code: str | None) -> None:
    report = dialect.decode_error(status, json.dumps(body))

    assert (report.category, report.message, report.code) == (Category(category), message, code)


def test_an_error_of_whatever_bytes() -> None:
    assert dialect.decode_error(502, b"<html>").message == "HTTP 502"
    assert dialect.decode_error(502, b"bad gateway").message == "bad gateway"
