from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import openai_responses
from costspan.dialects.types import Summary
from costspan.errors import Malformed
from costspan.ir.reply import Choice, FinishReason, Reply
from costspan.ir.request import Citation, Opaque, Reasoning, Refusal, ServerTool, Text, ToolCall
from costspan.ir.usage import Usage

USAGE = {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}
BASE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 7,
    "model": "served",
    "status": "completed",
    "output": [],
    "usage": USAGE,
    "service_tier": "default",
}


def read(*items: Any, **fields: Any) -> Reply:
    return openai_responses.decode_reply(BASE | {"output": list(items)} | fields)


def message(*parts: Any, **fields: Any) -> dict[str, Any]:
    return {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": list(parts),
    } | fields


def text(said: str, **fields: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": said, "annotations": [], "logprobs": []} | fields


def test_an_answer() -> None:
    assert read(message(text("Hi"))) == Reply(
        id="resp_1",
        model="served",
        choices=(Choice((Text("Hi"),), FinishReason.STOP, "completed"),),
        usage=Usage({"input": 3, "output": 1}, service_tier="default"),
        created=7,
        service_tier="default",
    )


def test_blocks_keep_their_order() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    file = {"type": "file_citation", "file_id": "f", "filename": "a.pdf", "index": 2}
    (choice,) = read(
        {"type": "reasoning", "id": "rs_1", "summary": [{"text": "Hm."}], "encrypted_content": "s"},
        message(text("Let me look.", annotations=[file]), {"type": "refusal", "refusal": "No."}),
        search,
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": '{"x":1.0}'},
        {"type": "reasoning", "id": "rs_2", "summary": []},
        {"type": "function_call", "id": "fc_2", "name": "g", "arguments": ""},
        message(text("")),
    ).choices

    assert choice.blocks == (
        Reasoning(
            "Hm.",
            summary=True,
            opaque=Opaque("openai-responses", "encrypted", '{"id":"rs_1","encrypted_content":"s"}'),
        ),
        Text("Let me look.", (Citation(title="a.pdf", origin="openai-responses", raw=file),)),
        Refusal("No."),
        ServerTool("openai-responses", "web_search_call", search),
        ToolCall("a", "f", '{"x":1.0}'),
        ToolCall("fc_2", "g", "{}"),
    )
    assert choice.finish is FinishReason.TOOL_CALLS


FINISHES: dict[str, tuple[dict[str, Any], FinishReason | None, str | None]] = {
    "no room": (
        {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
        FinishReason.LENGTH,
        "max_output_tokens",
    ),
    "a filter": (
        {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
        FinishReason.CONTENT_FILTER,
        "content_filter",
    ),
    "a reason of tomorrow": (
        {"status": "incomplete", "incomplete_details": {"reason": "steered"}},
        FinishReason.OTHER,
        "steered",
    ),
    "no reason": ({"status": "incomplete", "incomplete_details": None}, FinishReason.OTHER, "incomplete"),
    "no status": ({"status": None}, None, None),
}


@pytest.mark.parametrize(("fields", "finish", "native"), FINISHES.values(), ids=FINISHES.keys())
def test_why_an_answer_ended(fields: dict[str, Any], finish: FinishReason | None, native: str | None) -> None:
    (choice,) = read(message(text("Hi")), **fields).choices

    assert (choice.finish, choice.native) == (finish, native)


def test_log_probabilities_of_all_texts() -> None:
    token = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": [{"token": "Ho", "logprob": -1.0}]}
    (choice,) = read(message(text("Hi", logprobs=[token]), text("Hi", logprobs=[token]))).choices

    expected = {
        "token": "Hi",
        "logprob": -0.5,
        "bytes": [72, 105],
        "top_logprobs": [{"token": "Ho", "logprob": -1.0, "bytes": None}],
    }
    assert choice.logprobs == {"content": [expected, expected], "refusal": None}


def test_what_is_not_read_is_named() -> None:
    reply = read(
        message(text("Hi", mood="calm"), {"type": "output_audio"}, {}, phase="final_answer", mood="calm"),
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}", "caller": {"type": "direct"}},
        {
            "type": "function_call",
            "call_id": "b",
            "name": "f",
            "arguments": "{}",
            "caller": {"type": "program"},
            "namespace": "n",
        },
        {"type": "dream", "mood": "calm"},
        content_filters=[{"blocked": False}],
        moderation=None,
        billing={"payer": "developer"},
    )

    assert reply.unread == {
        "content_filters",
        "message.mood",
        "output_text.mood",
        "content.output_audio",
        "content",
        "function_call.caller",
        "function_call.namespace",
    }


@pytest.mark.parametrize("status", ["failed", "cancelled", "in_progress", "queued"])
def test_what_is_no_answer_is_malformed(status: str) -> None:
    with pytest.raises(Malformed, match=status):
        read(status=status)


def test_without_items_there_is_no_answer() -> None:
    for read_ in (openai_responses.decode_reply, openai_responses.summarize):
        with pytest.raises(Malformed):
            read_({"id": "x", "output": None})


def test_what_the_books_need() -> None:
    assert openai_responses.summarize(BASE) == Summary(
        "resp_1", "served", ("completed",), Usage({"input": 3, "output": 1}, service_tier="default")
    )
    cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert openai_responses.summarize(BASE | cut).finish_reasons == ("max_output_tokens",)
