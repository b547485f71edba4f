from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import openai_responses
from costspan.errors import Malformed
from costspan.ir import events
from costspan.ir.fold import fold
from costspan.ir.reply import FinishReason
from costspan.ir.request import Citation, Opaque, Reasoning, Refusal, Text, ToolCall
from costspan.ir.usage import Usage
from costspan.wire import json, sse

CREATED = {
    "type": "response.created",
    "response": {"id": "resp_1", "created_at": 7, "model": "served", "status": "in_progress", "output": []},
}
USAGE = {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}
COMPLETED: dict[str, Any] = {
    "type": "response.completed",
    "response": {
        "id": "resp_1",
        "created_at": 7,
        "model": "served",
        "status": "completed",
        "output": [],
        "usage": USAGE,
    },
}
SEALED = Opaque("openai-responses", "encrypted", '{"id":"rs_1","encrypted_content":"s"}')


def read(*told: dict[str, Any]) -> list[events.Event]:
    decoder = openai_responses.new_decoder()
    return [made for value in told for made in decoder.feed(sse.Event(value.get("type", ""), json.dumps(value)))]


def said(*told: dict[str, Any]) -> tuple[Any, ...]:
    """The blocks of a stream that holds `told` between its beginning and its end."""
    return fold(read(CREATED, *told, COMPLETED)).choices[0].blocks


def at(type_: str, place: int = 0, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{type_}", "output_index": place, **fields}


def delta(text: str, item: int = 0, part: int = 0, **fields: Any) -> dict[str, Any]:
    return at("output_text.delta", item, content_index=part, delta=text, **fields)


def call(item: int, id_: str, **fields: Any) -> dict[str, Any]:
    shown = {"type": "function_call", "id": f"fc_{id_}", "call_id": id_, "name": "f", "arguments": ""} | fields
    return at("output_item.added", item, item=shown)


def done(item: int, **fields: Any) -> dict[str, Any]:
    return at("output_item.done", item, item=fields)


def test_the_events_of_an_answer() -> None:
    part = {"type": "output_text", "text": "Hi you", "annotations": []}

    assert read(
        CREATED,
        at("output_item.added", item={"type": "message", "id": "msg_1", "content": []}),
        at("content_part.added", content_index=0, part={"type": "output_text", "text": ""}),
        delta("Hi"),
        delta(" you", logprobs=[]),
        at("output_text.done", content_index=0, text="Hi you"),
        at("content_part.done", content_index=0, part=part),
        done(0, type="message", id="msg_1", content=[part]),
        COMPLETED,
    ) == [
        events.Started("resp_1", "served", 7),
        events.BlockStarted(0, "text"),
        events.TextDelta(0, "Hi"),
        events.TextDelta(0, " you"),
        events.BlockFinished(0),
        events.UsageReported(Usage({"input": 3, "output": 1})),
        events.Finished(FinishReason.STOP, "completed"),
        events.Ended(),
    ]


def test_calls_that_interleave() -> None:
    assert read(
        CREATED,
        call(0, "a"),
        at("function_call_arguments.delta", 0, delta='{"x"'),
        call(1, "b"),
        at("function_call_arguments.delta", 1, delta="{}"),
        at("function_call_arguments.delta", 0, delta=":1}"),
        done(1, type="function_call", call_id="b", name="f", arguments="{}"),
        done(0, type="function_call", call_id="a", name="f", arguments='{"x":1}'),
    )[1:] == [
        events.BlockStarted(0, "tool_call", "a", "f"),
        events.ArgumentsDelta(0, '{"x"'),
        events.BlockStarted(1, "tool_call", "b", "f"),
        events.ArgumentsDelta(1, "{}"),
        events.ArgumentsDelta(0, ":1}"),
        events.BlockFinished(1),
        events.BlockFinished(0),
    ]


def test_a_call_says_why_the_answer_ended() -> None:
    found = fold(read(CREATED, call(0, "a"), COMPLETED))

    assert found.choices[0].finish is FinishReason.TOOL_CALLS


TOLD_LATE: dict[str, tuple[tuple[dict[str, Any], ...], tuple[Any, ...]]] = {
    "a call without deltas": (
        (call(0, "a"), done(0, type="function_call", call_id="a", name="f", arguments='{"x":1}')),
        (ToolCall("a", "f", '{"x":1}'),),
    ),
    "a call that was not added": (
        (done(0, type="function_call", call_id="a", name="f", arguments='{"x":1}'),),
        (ToolCall("a", "f", '{"x":1}'),),
    ),
    "a call without arguments": (
        (call(0, "a"), done(0, type="function_call", call_id="a", name="f", arguments="")),
        (ToolCall("a", "f", "{}"),),
    ),
    "text without deltas": (
        (done(0, type="message", content=[{"type": "output_text", "text": "Hi"}]),),
        (Text("Hi"),),
    ),
    "a refusal": (
        (
            at("refusal.delta", content_index=0, delta="No"),
            done(0, type="message", content=[{"type": "refusal", "refusal": "No"}]),
        ),
        (Refusal("No"),),
    ),
    "a citation that was not added": (
        (
            delta("Hi"),
            done(
                0,
                type="message",
                content=[
                    {
                        "type": "output_text",
                        "text": "Hi",
                        "annotations": [{"type": "url_citation", "url": "https://example.org", "title": "T"}],
                    }
                ],
            ),
        ),
        (Text("Hi", (Citation("https://example.org", "T"),)),),
    ),
    "a citation before the text": (
        (
            at(
                "output_text.annotation.added",
                content_index=0,
                annotation={"type": "url_citation", "url": "https://example.org"},
            ),
            delta("Hi"),
        ),
        (Text("Hi", (Citation("https://example.org"),)),),
    ),
    "sealed reasoning without text": (
        (done(0, type="reasoning", id="rs_1", summary=[], encrypted_content="s"),),
        (Reasoning(opaque=SEALED),),
    ),
    "reasoning of no content": ((done(0, type="reasoning", id="rs_1", summary=[]), delta("Hi", 1)), (Text("Hi"),)),
    "a summary in parts": (
        (
            at("reasoning_summary_text.delta", summary_index=0, delta="One."),
            at("reasoning_summary_part.added", summary_index=1, part={"type": "summary_text", "text": ""}),
            at("reasoning_summary_text.delta", summary_index=1, delta="Two"),
            at("reasoning_summary_text.delta", summary_index=1, delta="."),
            done(0, type="reasoning", id="rs_1", summary=[{"text": "One."}, {"text": "Two."}], encrypted_content="s"),
        ),
        (Reasoning("One.\n\nTwo.", summary=True, opaque=SEALED),),
    ),
    "a summary whose first part is empty": (
        (
            at("reasoning_summary_text.delta", summary_index=1, delta="Two."),
            done(0, type="reasoning", id="rs_1", summary=[{"text": ""}, {"text": "Two."}], encrypted_content="s"),
        ),
        (Reasoning("Two.", summary=True, opaque=SEALED),),
    ),
    "a summary and the whole": (
        (
            at("reasoning_summary_text.delta", summary_index=0, delta="Short."),
            at("reasoning_text.delta", content_index=0, delta="Long."),
            done(0, type="reasoning", id="rs_1", summary=[{"text": "Short."}], content=[{"text": "Long."}]),
        ),
        (Reasoning("Short.", summary=True), Reasoning("Long.")),
    ),
    "two parts of one message": ((delta("a", 0, 0), delta("b", 0, 1)), (Text("a"), Text("b"))),
    "an item told twice": (
        (
            done(0, type="message", content=[{"type": "output_text", "text": "Hi"}]),
            done(0, type="message", content=[{"type": "output_text", "text": "Hi"}]),
        ),
        (Text("Hi"),),
    ),
}


@pytest.mark.parametrize(("told", "blocks"), TOLD_LATE.values(), ids=TOLD_LATE.keys())
def test_what_no_delta_told_is_taken_from_what_is_done(
    told: tuple[dict[str, Any], ...], blocks: tuple[Any, ...]
) -> None:
    assert said(*told) == blocks


def test_a_host_may_tell_all_at_the_end() -> None:
    output = [
        {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
    ]
    found = fold(read({**COMPLETED, "response": {**COMPLETED["response"], "output": output}}))

    assert found.id == "resp_1"
    assert found.choices[0].blocks == (Text("Hi"), ToolCall("a", "f", "{}"))
    assert found.choices[0].finish is FinishReason.TOOL_CALLS


def test_what_its_own_tools_did_is_told_once_it_is_whole() -> None:
    item = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}

    assert read(
        CREATED,
        at("output_item.added", item={"type": "web_search_call", "id": "ws_1", "status": "in_progress"}),
        at("web_search_call.in_progress"),
        at("web_search_call.searching"),
        at("web_search_call.completed"),
        at("output_item.done", item=item),
    )[1:] == [
        events.BlockStarted(0, "server_tool", name="web_search_call", origin="openai-responses", raw=item),
        events.BlockFinished(0),
    ]


def test_log_probabilities_come_with_their_text_or_at_its_end_but_once() -> None:
    token = {"token": "Hi", "logprob": -0.5}
    shape = {"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": []}
    part = {"type": "output_text", "text": "Hi", "logprobs": [token]}
    early = read(delta("Hi", logprobs=[token]), at("content_part.done", content_index=0, part=part))
    late = read(delta("Hi"), at("content_part.done", content_index=0, part=part))

    for found in (early, late):
        assert [made.logprobs for made in found if isinstance(made, events.LogprobsAdded)] == [
            {"content": [shape], "refusal": None}
        ]


def test_an_answer_that_was_cut_off_by_its_limit() -> None:
    response = {**COMPLETED["response"], "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    found = read(CREATED, delta("Hi"), {"type": "response.incomplete", "response": response})

    assert found[-4:] == [
        events.BlockFinished(0),
        events.UsageReported(Usage({"input": 3, "output": 1})),
        events.Finished(FinishReason.LENGTH, "max_output_tokens"),
        events.Ended(),
    ]


def test_what_is_not_read_is_told_once() -> None:
    found = read(
        CREATED,
        at("dream.delta", 5, delta="x"),
        at("dream.delta", 5, delta="y"),
        {"type": "keepalive", "sequence_number": 3},
        {"type": "response.audio.delta", "delta": "AA"},
    )

    assert found[1:] == [events.Unread("dream.delta"), events.Unread("audio.delta")]


def test_what_is_no_event_says_nothing() -> None:
    decoder = openai_responses.new_decoder()

    for data in (b"[DONE]", b"[]", b"3", b"{}", b'{"type": null}', b'{"type": ["x"]}'):
        assert list(decoder.feed(sse.Event("", data))) == []


def test_the_name_of_an_event_stands_for_a_type_that_is_missing() -> None:
    decoder = openai_responses.new_decoder()
    found = list(decoder.feed(sse.Event("response.output_text.delta", b'{"delta":"Hi"}')))

    assert found == [events.BlockStarted(0, "text"), events.TextDelta(0, "Hi")]


def test_a_stream_without_its_end_is_malformed() -> None:
    decoder = openai_responses.new_decoder()
    list(decoder.feed(sse.Event("", json.dumps(CREATED))))

    assert (decoder.id, decoder.model, decoder.ended) == ("resp_1", "served", False)
    with pytest.raises(Malformed):
        decoder.close()


def test_the_end_alone_tells_what_the_books_need() -> None:
    decoder = openai_responses.new_decoder()
    list(decoder.feed(sse.Event("", json.dumps(COMPLETED))))
    decoder.close()

    assert (decoder.id, decoder.model, decoder.ended) == ("resp_1", "served", True)
    assert decoder.usage == Usage({"input": 3, "output": 1})
