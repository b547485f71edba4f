from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import cohere_chat as dialect
from costspan.dialects.types import Summary
from costspan.errors import Category, Malformed
from costspan.ir.reply import FinishReason
from costspan.ir.request import Block, Citation, Reasoning, Text, ToolCall
from costspan.ir.usage import Usage
from costspan.wire import json

BILLED = {"billed_units": {"input_tokens": 7, "output_tokens": 5}, "tokens": {"input_tokens": 502, "output_tokens": 9}}
HIGH = {"type": "text", "text": "High water"}


def answer(message: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "a1",
        "message": {"role": "assistant", **message},
        "finish_reason": "COMPLETE",
        "usage": BILLED,
        **more,
    }


def blocks(**message: Any) -> tuple[Block, ...]:
    return dialect.decode_reply(answer(message)).choices[0].blocks


def unread(message: dict[str, Any], **more: Any) -> set[str]:
    return set(dialect.decode_reply(answer(message, **more)).unread)


def test_an_answer_says_who_it_is_and_not_which_model_gave_it() -> None:
    reply = dialect.decode_reply(answer({"content": [HIGH]}))

    assert (reply.id, reply.model, reply.created, reply.service_tier) == ("a1", "", None, None)
    assert reply.choices[0].blocks == (Text("High water"),)
    assert reply.usage == Usage({"input": 7, "output": 5})
    assert reply.unread == frozenset()


def test_thinking_comes_first_then_text_then_the_plan_then_calls() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1.0}'}}

    assert blocks(
        tool_calls=[call],
        tool_plan="I will look.",
        content=[{"type": "thinking", "thinking": "hm"}, HIGH],
        citations=None,
    ) == (Reasoning("hm"), Text("High water"), Text("I will look."), ToolCall("c1", "f", '{"x": 1.0}'))


def test_content_may_be_a_string() -> None:
    assert blocks(content="hi", citations=[]) == (Text("hi"),)


def test_empty_parts_say_nothing() -> None:
    assert blocks(content=[{"type": "text", "text": ""}, {"type": "thinking", "thinking": ""}], tool_plan="") == ()


@pytest.mark.parametrize(
    ("call", "read"),
    [
        ({"function": {"name": "f", "arguments": {"a": 1}}}, ToolCall("call_0", "f", '{"a":1}')),
        ({"id": "c", "function": {"name": "f"}}, ToolCall("c", "f", "{}")),
        ({"id": "c", "function": None}, ToolCall("c", "", "{}")),
    ],
)
def test_an_odd_call_is_read_as_far_as_it_goes(call: dict[str, Any], read: ToolCall) -> None:
    assert blocks(tool_calls=["odd", call])[0].__class__ is ToolCall
    assert blocks(tool_calls=[call]) == (read,)


DOCUMENT = {"id": "doc:0", "title": "Tides", "url": "https://a", "snippet": "High at noon"}


def cited(**fields: Any) -> dict[str, Any]:
    return {"start": 0, "end": 4, "text": "High", "sources": [{"type": "document", "document": DOCUMENT}], **fields}


def test_a_citation_tells_where_in_the_text_and_of_which_document() -> None:
    raw = cited(type="TEXT_CONTENT", content_index=0)

    assert blocks(content=[HIGH], citations=[raw]) == (
        Text("High water", (Citation("https://a", "Tides", "High at noon", 0, 4, "cohere-chat", raw),)),
    )


def test_each_source_is_a_citation() -> None:
    raw = cited(
        sources=[{"type": "tool", "id": "t:0", "tool_output": {"url": "https://b", "text": "x"}}, {"id": "doc:1"}]
    )

    (text,) = blocks(content=[HIGH], citations=[raw])

    assert isinstance(text, Text)
    assert [(citation.url, citation.cited_text) for citation in text.citations] == [("https://b", "x"), (None, None)]


def test_a_citation_without_a_source_is_kept() -> None:
    raw = cited(sources=None, start="0")

    assert blocks(content=[HIGH], citations=[raw]) == (
        Text("High water", (Citation(end=4, origin="cohere-chat", raw=raw),)),
    )


def test_a_citation_hangs_on_the_text_it_names_or_else_the_last() -> None:
    first, last = cited(content_index=0), cited(content_index=None)

    told = blocks(content=[HIGH, {"type": "text", "text": "At noon"}], citations=[first, last])

    assert [[citation.raw for citation in text.citations] for text in told if isinstance(text, Text)] == [
        [first],
        [last],
    ]


def test_a_citation_of_the_plan_hangs_on_it() -> None:
    told = blocks(content=[HIGH], tool_plan="High time", citations=[cited(type="PLAN")])

    assert [len(text.citations) for text in told if isinstance(text, Text)] == [0, 1]


@pytest.mark.parametrize(
    "message",
    [
        {"content": [{"type": "thinking", "thinking": "hm"}, HIGH], "citations": [cited(type="THINKING_CONTENT")]},
        {"content": [HIGH], "citations": [cited(type="PLAN")]},
        {"tool_plan": "p", "citations": [cited()]},
        {"content": [HIGH], "citations": ["odd"]},
    ],
)
def test_a_citation_of_nothing_that_can_be_cited_is_told(message: dict[str, Any]) -> None:
    assert unread(message) == {"citations"}


def test_what_is_not_read_is_told() -> None:
    assert unread({"content": [{"type": "image"}, {}, HIGH], "mood": "calm"}, warnings=["w"], empty=[]) == {
        "content.image",
        "content",
        "mood",
        "warnings",
    }
    assert unread({"content": [{"type": ["odd"]}], "citations": [{"type": ["odd"]}]}) == {"content", "citations"}


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("COMPLETE", FinishReason.STOP),
        ("STOP_SEQUENCE", FinishReason.STOP_SEQUENCE),
        ("MAX_TOKENS", FinishReason.LENGTH),
        ("ERROR_LIMIT", FinishReason.LENGTH),
        ("TOOL_CALL", FinishReason.TOOL_CALLS),
        ("ERROR_TOXIC", FinishReason.CONTENT_FILTER),
        ("ERROR", FinishReason.OTHER),
        ("LATER", FinishReason.OTHER),
    ],
)
def test_reasons_to_end(native: str, reason: FinishReason) -> None:
    choice = dialect.decode_reply(answer({"content": [HIGH]}, finish_reason=native)).choices[0]

    assert (choice.finish, choice.native) == (reason, native)


@pytest.mark.parametrize("native", ["ERROR", "TIMEOUT"])
def test_an_empty_answer_of_a_provider_that_gave_up_is_none(native: str) -> None:
    with pytest.raises(Malformed, match="gave up"):
        dialect.decode_reply(answer({"content": []}, finish_reason=native))


@pytest.mark.parametrize("body", [{}, {"message": "text"}, {"message": None}])
def test_without_a_message_it_is_no_answer(body: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        dialect.decode_reply(body)
    with pytest.raises(Malformed):
        dialect.summarize(body)


def test_the_books_need_little() -> None:
    assert dialect.summarize(answer({})) == Summary("a1", "", ("COMPLETE",), Usage({"input": 7, "output": 5}))
    assert dialect.summarize({"message": {}}) == Summary("", "", (), None)


def test_log_probabilities_take_the_shape_of_openai() -> None:
    items = [
        {"text": "High", "token_ids": [1, 2], "logprobs": [-0.25, -0.5]},
        {"text": "!", "token_ids": [3], "logprobs": [-1]},
        {"text": "?", "token_ids": [4]},
        "odd",
    ]

    assert dialect.decode_reply(answer({"content": [HIGH]}, logprobs=items)).choices[0].logprobs == {
        "content": [
            {"token": "High", "logprob": -0.75, "bytes": None, "top_logprobs": []},
            {"token": "!", "logprob": -1, "bytes": None, "top_logprobs": []},
        ],
        "refusal": None,
    }


def usage(report: Any) -> Usage | None:
    return dialect.read_usage({"usage": report})


def test_what_is_billed_counts_and_neither_what_cohere_adds_nor_the_cache() -> None:
    assert usage({**BILLED, "cached_tokens": 464}) == Usage({"input": 7, "output": 5})


def test_without_a_bill_the_tokens_count() -> None:
    tokens = {"input_tokens": 502, "output_tokens": 9}

    assert usage({"tokens": tokens}) == Usage({"input": 502, "output": 9})
    assert usage({"billed_units": {}, "tokens": tokens}) == Usage({"input": 502, "output": 9})
    assert usage({"billed_units": {"input_tokens": None}, "tokens": tokens}) == Usage({"input": 502, "output": 9})


def test_searches_are_counted_apart() -> None:
    report = {"billed_units": {"input_tokens": 7, "output_tokens": 5, "search_units": 2, "classifications": 0}}

    assert usage(report) == Usage({"input": 7, "output": 5}, {"searches": 2})


def test_counts_may_be_written_as_floats() -> None:
    assert usage({"billed_units": {"input_tokens": 7.0, "output_tokens": None}}) == Usage({"input": 7, "output": 0})


@pytest.mark.parametrize("count", [-1, "7", True, 1e30, 2.6])
def test_a_count_that_is_none_is_told(count: Any) -> None:
    assert usage({"billed_units": {"input_tokens": 7, "output_tokens": count}}) == Usage(
        {"input": 7, "output": 0}, inconsistent=True
    )


@pytest.mark.parametrize(
    "report",
    [None, [], {}, {"cached_tokens": 3}, {"billed_units": [], "tokens": None}, {"billed_units": {}, "tokens": {}}],
)
def test_no_report_is_no_usage(report: Any) -> None:
    assert usage(report) is None


@pytest.mark.parametrize(
    ("status", "message", "category"),
    [
        (
            400,
            "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292.",
            "context_length",
        ),
        (400, "invalid request: temperature must be between 0 and 1.0 inclusive.", "invalid_request"),
        (401, "invalid api token", "auth"),
        (402, "Please add or update your payment method", "auth"),
        (403, "forbidden", "auth"),
        (404, "model 'x' not found", "not_found"),
        (422, "unknown field: parameter 'x' is not a valid field", "invalid_request"),
        (429, "You are using a Trial key, which is limited to 10 API calls / minute.", "rate_limit"),
        (498, "blocked input", "content_filter"),
        (499, "request cancelled", "server_error"),
        (500, "internal server error", "server_error"),
        (501, "not implemented", "server_error"),
        (503, "overloaded", "overloaded"),
        (504, "timeout", "timeout"),
    ],
)
def test_errors(status: int, message: str, category: str) -> None:
    report = dialect.decode_error(status, json.dumps({"id": "e1", "message": message}))

    assert (report.category, report.message, report.code) == (Category(category), message, None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"upstream connect error", "upstream connect error"),
        (b"<html>bad gateway</html>", "HTTP 502"),
        (b"", "HTTP 502"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[]", "HTTP 502"),
        (b'{"message": 7}', "HTTP 502"),
        (b'"plain"', "plain"),
    ],
)
def test_an_error_of_whatever_bytes(body: bytes, message: str) -> None:
    report = dialect.decode_error(502, body)

    assert (report.category, report.message) == (Category.SERVER_ERROR, message)
