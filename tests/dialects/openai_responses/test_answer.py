from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import openai_responses
from costspan.ir.opaque import wrap
from costspan.ir.reply import Choice, FinishReason, Reply
from costspan.ir.request import (
    Citation,
    Media,
    Opaque,
    Reasoning,
    Refusal,
    ServerTool,
    Text,
    ToolCall,
    ToolResult,
)
from costspan.ir.usage import Usage
from dialects.openai_responses.samples import OPTIONS, valid

SEALED = Opaque("openai-responses", "encrypted", '{"id":"rs_1","encrypted_content":"s"}')
SEALED_IN_FULL = Opaque("openai-responses", "encrypted", '{"id":"rs_1","encrypted_content":"s","in_full":true}')
FOREIGN = Opaque("gemini-generate", "signature", "sig")
USAGE = Usage({"input": 5, "output": 3, "reasoning": 2}, service_tier="default")


def answer(*blocks: Any, finish: FinishReason | None = FinishReason.STOP, **more: Any) -> tuple[dict[str, Any], Any]:
    reply = Reply("cs_1", "served", (Choice(tuple(blocks), finish, **more),), USAGE, 7, "default")
    encoded = openai_responses.encode_reply(reply, OPTIONS)
    return valid(encoded.body), encoded.losses


def output(*blocks: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer(*blocks)[0]["output"]
    return found


def test_an_answer_is_whole_for_the_official_sdk() -> None:
    body, losses = answer(Text("Hi"))
    (item,) = body.pop("output")

    assert item["content"] == [{"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}]
    assert body == {
        "id": "cs_1",
        "object": "response",
        "created_at": 7,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": "served",
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 5,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 2},
            "total_tokens": 10,
        },
    }
    assert losses == ()


def test_texts_that_follow_each_other_are_one_message() -> None:
    shown = output(Text("a"), Refusal("No."), Text(""), ToolCall("c", "f", ""), Text("b"))

    assert [item["type"] for item in shown] == ["message", "function_call", "message"]
    assert [part["type"] for part in shown[0]["content"]] == ["output_text", "refusal"]
    assert shown[1] == shown[1] | {"call_id": "c", "name": "f", "arguments": "{}", "status": "completed"}


def test_ids_are_such_as_the_api_takes_back_and_always_the_same() -> None:
    shown = output(Reasoning("Hm."), Text("a"), ToolCall("c", "f", "{}"), Media("image", data="AA"))

    assert [item["id"].partition("_")[0] for item in shown] == ["rs", "msg", "fc", "ig"]
    assert len({item["id"] for item in shown}) == 4
    assert all(len(item["id"]) <= 64 for item in shown)
    assert shown == output(Reasoning("Hm."), Text("a"), ToolCall("c", "f", "{}"), Media("image", data="AA"))


REASONING: dict[str, tuple[Reasoning, dict[str, Any]]] = {
    "its own": (
        Reasoning("Hm.", summary=True, opaque=SEALED),
        {"id": "rs_1", "encrypted_content": "s", "summary": [{"type": "summary_text", "text": "Hm."}]},
    ),
    "its own, back from a dialect without summaries": (
        Reasoning("Hm.", opaque=SEALED),
        {"id": "rs_1", "encrypted_content": "s", "summary": [{"type": "summary_text", "text": "Hm."}]},
    ),
    "its own, in full": (
        Reasoning("Hm.", opaque=SEALED_IN_FULL),
        {
            "id": "rs_1",
            "encrypted_content": "s",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": "Hm."}],
        },
    ),
    "foreign": (
        Reasoning("Hm.", opaque=FOREIGN),
        {"encrypted_content": f"{wrap(FOREIGN)}.SG0u", "summary": [{"type": "summary_text", "text": "Hm."}]},
    ),
    "sealed by nobody": (
        Reasoning("Hm."),
        {"encrypted_content": "cs1.none.redacted.", "summary": [{"type": "summary_text", "text": "Hm."}]},
    ),
    "a foreign summary": (
        Reasoning("Hm.", summary=True),
        {"encrypted_content": "cs1.none.redacted.", "summary": [{"type": "summary_text", "text": "Hm."}]},
    ),
}


@pytest.mark.parametrize(("block", "expected"), REASONING.values(), ids=REASONING.keys())
def test_reasoning(block: Reasoning, expected: dict[str, Any]) -> None:
    (item,) = output(block)

    assert {name: item[name] for name in item.keys() - {"type", "status"}} == {"id": item["id"]} | expected


def test_reasoning_that_says_nothing_is_not_shown() -> None:
    assert output(Reasoning()) == []


def test_a_signature_stands_as_reasoning_before_what_it_signs() -> None:
    shown = output(Text("a", opaque=FOREIGN), ToolCall("c", "f", "{}", FOREIGN))

    assert [item["type"] for item in shown] == ["reasoning", "message", "reasoning", "function_call"]
    assert shown[0]["encrypted_content"] == shown[2]["encrypted_content"] == wrap(FOREIGN)
    turn = openai_responses.decode_request({"model": "m", "input": shown}).messages[0]
    assert turn.blocks == (
        Reasoning(opaque=FOREIGN),
        Text("a"),
        Reasoning(opaque=FOREIGN),
        ToolCall("c", "f", "{}"),
    )


def test_a_picture_is_what_this_dialect_s_own_tool_would_make() -> None:
    (item,) = output(Media("image", "image/png", data="AA"))

    assert (item["type"], item["result"], item["status"]) == ("image_generation_call", "AA", "completed")


def test_its_own_server_tools_stand_as_they_came() -> None:
    search = {
        "id": "ws_1",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "q"},
    }

    assert output(Text("a"), ServerTool("openai-responses", "web_search_call", search))[1] == search


def test_citations() -> None:
    file = {"type": "file_citation", "file_id": "f", "filename": "a.pdf", "index": 2}
    body, losses = answer(
        Text(
            "Look here",
            (
                Citation("https://example.org", "T", None, 0, 4),
                Citation("https://example.org"),
                Citation(title="a.pdf", origin="openai-responses", raw=file),
                Citation("https://example.org", cited_text="quote"),
                Citation(title="t"),
            ),
        )
    )
    annotations = body["output"][0]["content"][0]["annotations"]

    assert [(shown["type"], shown.get("start_index"), shown.get("end_index")) for shown in annotations] == [
        ("url_citation", 0, 4),
        ("url_citation", 0, 9),
        ("file_citation", None, None),
        ("url_citation", 0, 9),
    ]
    assert losses == ("response.citations.cited_text", "response.citations")


FINISHES: dict[FinishReason, tuple[str, str | None, tuple[str, ...]]] = {
    FinishReason.STOP: ("completed", None, ()),
    FinishReason.STOP_SEQUENCE: ("completed", None, ()),
    FinishReason.TOOL_CALLS: ("completed", None, ()),
    FinishReason.LENGTH: ("incomplete", "max_output_tokens", ()),
    FinishReason.CONTENT_FILTER: ("incomplete", "content_filter", ()),
    FinishReason.PAUSE: ("completed", None, ("response.finish_reason",)),
    FinishReason.MALFORMED_TOOL_CALL: ("completed", None, ("response.finish_reason",)),
    FinishReason.OTHER: ("completed", None, ("response.finish_reason",)),
}


@pytest.mark.parametrize("reason", FinishReason)
def test_why_it_ended(reason: FinishReason) -> None:
    status, detail, lost = FINISHES[reason]
    body, losses = answer(Text("Hi"), finish=reason)

    assert body["status"] == status
    assert (body["incomplete_details"] or {}).get("reason") == detail
    assert losses == lost


LOST: dict[str, tuple[tuple[Any, ...], dict[str, Any], tuple[str, ...]]] = {
    "a foreign tool": ((ServerTool("x", "web_search_tool_result", {}),), {}, ("response.server_tool",)),
    "a foreign block": ((ServerTool("x", "dream", {}),), {}, ("response.dream",)),
    "sound": ((Media("audio", data="AA"),), {}, ("response.audio",)),
    "a picture by its address": ((Media("image", url="https://example.org"),), {}, ("response.image",)),
    "a result": ((ToolResult("c", ()),), {}, ("response.tool_result",)),
    "a stop sequence": ((Text("a"),), {"stop_sequence": "END"}, ("response.stop_sequence",)),
    "log probabilities of no text": (
        (ToolCall("c", "f", "{}"),),
        {"logprobs": {"content": [{"token": "a", "logprob": -1.0}]}},
        ("response.logprobs",),
    ),
    "log probabilities of a refusal": (
        (Refusal("No."),),
        {"logprobs": {"content": None, "refusal": [{"token": "No", "logprob": -1.0}]}},
        ("response.logprobs",),
    ),
}


@pytest.mark.parametrize(("blocks", "more", "losses"), LOST.values(), ids=LOST.keys())
def test_what_has_no_place_is_named(blocks: tuple[Any, ...], more: dict[str, Any], losses: tuple[str, ...]) -> None:
    assert answer(*blocks, **more)[1] == losses


def test_a_second_choice_has_no_place_and_what_was_not_read_is_told() -> None:
    reply = Reply("", "", (Choice((Text("a"),)), Choice((Text("b"),))), unread=frozenset({"mood"}))
    encoded = openai_responses.encode_reply(reply, OPTIONS)

    assert encoded.losses == ("response.choices", "response.mood")
    body = valid(encoded.body)
    assert (body["id"], body["model"], body["created_at"], body["usage"]) == ("cs_1", "m", 7, None)


def test_log_probabilities_stand_on_the_first_text_and_once() -> None:
    token = {"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}
    body, losses = answer(Text("a"), Text("b"), logprobs={"content": [token]})

    assert [part["logprobs"] for part in body["output"][0]["content"]] == [[token], []]
    assert losses == ()


def test_log_probabilities_have_bytes_whoever_gave_them() -> None:
    token = {"token": "é", "logprob": -1.0, "bytes": None, "top_logprobs": [{"token": "e", "logprob": -2.0}]}
    body, _ = answer(Text("é"), logprobs={"content": [token], "refusal": None})

    assert body["output"][0]["content"][0]["logprobs"] == [
        {
            "token": "é",
            "bytes": [195, 169],
            "logprob": -1.0,
            "top_logprobs": [{"token": "e", "bytes": [101], "logprob": -2.0}],
        }
    ]
