"""The stream decoder, fed with events as the reframer makes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.dialects import bedrock_converse as dialect
from costspan.errors import Malformed
from costspan.ir import events
from costspan.ir.fold import fold
from costspan.ir.reply import FinishReason
from costspan.ir.request import Citation, Media, Opaque, Text, ToolCall
from costspan.ir.usage import Usage
from costspan.wire import json, sse

START = ("messageStart", {"role": "assistant", "p": "abc"})
STOP = ("messageStop", {"stopReason": "end_turn", "p": "abc"})
USAGE = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
END = ("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}, "p": "abc"})

Made = tuple[str, Any]


def start(index: int, **head: Any) -> Made:
    return "contentBlockStart", {"contentBlockIndex": index, "start": head, "p": "a"}


def delta(index: int, **fields: Any) -> Made:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": fields, "p": "a"}


def stop(index: int) -> Made:
    return "contentBlockStop", {"contentBlockIndex": index, "p": "a"}


def decode(*made: Made) -> list[events.Event]:
    decoder = dialect.new_decoder()
    return [event for name, data in made for event in decoder.feed(sse.Event(name, json.dumps(data)))]


def test_usage_may_come_before_the_end_of_the_message() -> None:
    decoder = dialect.new_decoder()
    made = (START, delta(0, text="Hi"), stop(0), END, STOP)
    found = [event for name, data in made for event in decoder.feed(sse.Event(name, json.dumps(data)))]

    assert found[-3:] == [
        events.UsageReported(Usage({"input": 10, "output": 5})),
        events.Finished(FinishReason.STOP, "end_turn"),
        events.Ended(),
    ]
    decoder.close()


def test_blocks_that_nobody_closed_end_with_the_message() -> None:
    found = decode(
        START,
        delta(0, text="Hi"),
        start(1, image={"format": "png"}),
        delta(1, image={"source": {"bytes": "AAAA"}}),
        start(2, toolUse={"toolUseId": "t", "name": "f"}),
        STOP,
        END,
    )

    assert found[-9:-3] == [
        events.BlockStarted(2, "tool_call", id="t", name="f"),
        events.BlockFinished(0),
        events.BlockStarted(1, "media", media=Media("image", "image/png", data="AAAA")),
        events.BlockFinished(1),
        events.ArgumentsDelta(2, "{}"),
        events.BlockFinished(2),
    ]


def test_a_stream_in_full() -> None:
    found = decode(
        START,
        delta(0, reasoningContent={"text": "hm"}),
        delta(0, reasoningContent={"signature": "c2ln"}),
        stop(0),
        delta(1, text="Let me "),
        delta(1, text="look."),
        stop(1),
        start(2, toolUse={"toolUseId": "t", "name": "f", "type": "tool_use"}),
        delta(2, toolUse={"input": ""}),
        delta(2, toolUse={"input": '{"x":'}),
        delta(2, toolUse={"input": "1}"}),
        stop(2),
        ("messageStop", {"stopReason": "tool_use"}),
        END,
    )

    assert found == [
        events.Started("", ""),
        events.BlockStarted(0, "reasoning"),
        events.ReasoningDelta(0, "hm"),
        events.OpaqueDelta(0, Opaque("bedrock-converse", "signature", "c2ln")),
        events.BlockFinished(0),
        events.BlockStarted(1, "text"),
        events.TextDelta(1, "Let me "),
        events.TextDelta(1, "look."),
        events.BlockFinished(1),
        events.BlockStarted(2, "tool_call", id="t", name="f"),
        events.ArgumentsDelta(2, '{"x":'),
        events.ArgumentsDelta(2, "1}"),
        events.BlockFinished(2),
        events.Finished(FinishReason.TOOL_CALLS, "tool_use"),
        events.UsageReported(Usage({"input": 10, "output": 5})),
        events.Ended(),
    ]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    found = decode(START, start(0, toolUse={"toolUseId": "t", "name": "f"}), delta(0, toolUse={"input": ""}), stop(0))

    assert fold(found).choices[0].blocks == (ToolCall("t", "f", "{}"),)


def test_blocks_are_numbered_densely_whatever_the_provider_s_numbers() -> None:
    found = decode(START, delta(3, text="a"), stop(3), delta(7, text="b"), delta(9, text="c"), stop(7), stop(9))

    assert [event.index for event in found if isinstance(event, events.BlockStarted)] == [0, 1, 2]
    assert fold(found).choices[0].blocks == (Text("a"), Text("b"), Text("c"))


def test_redacted_thinking_and_citations_come_with_their_blocks() -> None:
    citation = {"title": "Almanac", "sourceContent": [{"text": "noon"}], "location": {"documentPage": {"start": 1}}}
    found = decode(
        START,
        delta(0, reasoningContent={"redactedContent": "c2Vj"}),
        stop(0),
        delta(1, text="Noon."),
        delta(1, citation=citation),
    )

    assert events.OpaqueDelta(0, Opaque("bedrock-converse", "redacted", "c2Vj")) in found
    assert found[-1] == events.CitationAdded(
        1, Citation(title="Almanac", cited_text="noon", origin="bedrock-converse", raw=citation)
    )


@pytest.mark.parametrize(("parts", "whole"), [(["QUJD"], "QUJD"), (["QQ==", "QkM="], "QUJD"), ([], "")])
def test_an_image_comes_whole_when_its_block_ends(parts: list[str], whole: str) -> None:
    deltas = [delta(0, image={"source": {"bytes": part}}) for part in parts]
    found = decode(START, start(0, image={"format": "png"}), *deltas, stop(0))

    assert found[1:] == [
        events.BlockStarted(0, "media", media=Media("image", "image/png", data=whole)),
        events.BlockFinished(0),
    ]


def test_an_image_that_is_not_base64_is_malformed() -> None:
    deltas = [delta(0, image={"source": {"bytes": part}}) for part in ("QQ==", "?")]
    with pytest.raises(Malformed):
        decode(START, start(0, image={"format": "png"}), *deltas, stop(0))


def test_a_tool_that_the_provider_ran_is_told_once_and_its_input_passed_over() -> None:
    head = {"toolUseId": "t", "name": "nova_grounding", "type": "server_tool_use"}
    found = decode(START, start(0, toolUse=head), delta(0, toolUse={"input": "{}"}), stop(0))

    assert found[1:] == [
        events.BlockStarted(0, "server_tool", name="toolUse", origin="bedrock-converse", raw={"toolUse": head}),
        events.BlockFinished(0),
    ]


EXCEPTIONS = {
    "throttlingException": "rate_limit",
    "modelStreamErrorException": "server_error",
    "internalServerException": "server_error",
    "serviceUnavailableException": "overloaded",
    "validationException": "invalid_request",
    "modelTimeoutException": "timeout",
    "somethingNewException": "server_error",
    "InternalError": "server_error",
}


@pytest.mark.parametrize(("name", "category"), EXCEPTIONS.items())
def test_an_exception_is_a_failure(name: str, category: str) -> None:
    assert decode(START, (name, {"message": "no"}))[1:] == [events.Failed("no", category, name)]


def test_an_exception_whose_text_says_more_is_told_apart() -> None:
    assert decode(("validationException", {"message": "Input is too long for requested model."})) == [
        events.Failed("Input is too long for requested model.", "context_length", "validationException")
    ]


def test_an_exception_may_have_no_text() -> None:
    assert decode(("modelStreamErrorException", {})) == [
        events.Failed("the provider reported an error", "server_error", "modelStreamErrorException")
    ]


def test_the_message_s_end_is_not_the_stream_s() -> None:
    decoder = dialect.new_decoder()
    for name, data in (START, STOP):
        list(decoder.feed(sse.Event(name, json.dumps(data))))

    assert not decoder.ended
    with pytest.raises(Malformed, match="before metadata"):
        decoder.close()


def test_metadata_before_the_message_s_end_does_not_end_the_stream_and_keeps_its_usage() -> None:
    decoder = dialect.new_decoder()
    for name, data in (START, END):
        list(decoder.feed(sse.Event(name, json.dumps(data))))

    assert decoder.usage == Usage({"input": 10, "output": 5})
    with pytest.raises(Malformed):
        decoder.close()


def test_the_model_that_a_router_chose_and_the_tier_that_served_come_with_the_end() -> None:
    decoder = dialect.new_decoder()
    trace = {
        "promptRouter": {"invokedModelId": "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-lite-v1:0"}
    }
    end = {"usage": USAGE, "trace": trace, "serviceTier": {"type": "flex"}}
    for name, data in (START, STOP, ("metadata", end)):
        list(decoder.feed(sse.Event(name, json.dumps(data))))

    assert decoder.model == "us.amazon.nova-lite-v1:0"
    assert decoder.usage is not None
    assert decoder.usage.service_tier == "flex"
    assert decoder.ended


def test_the_stop_sequence_that_was_met_comes_with_the_message_s_end() -> None:
    fields = {"stop_sequence": "END"}
    found = decode(("messageStop", {"stopReason": "stop_sequence", "additionalModelResponseFields": fields}))

    assert found == [events.Finished(FinishReason.STOP_SEQUENCE, "stop_sequence", "END")]


UNREAD: dict[str, tuple[tuple[Made, ...], list[str]]] = {
    "an event": ((("dream", {}), ("dream", {})), ["dream"]),
    "a delta": ((delta(0, text="a"), delta(0, dream="b")), ["dream"]),
    "a delta of no block": ((delta(0, dream="b"), delta(0, toolUse={"input": "x"})), ["dream", "toolUse"]),
    "verdicts of a guardrail": ((("metadata", {"trace": {"guardrail": {"x": 1}}}),), ["trace.guardrail"]),
    "a field of the end": ((("messageStop", {"stopReason": "end_turn", "mood": "calm"}),), ["mood"]),
    "a field of a call": ((start(0, toolUse={"toolUseId": "t", "name": "f", "caller": "x"}),), ["toolUse.caller"]),
    "bookkeeping": ((START, ("metadata", {"usage": {}, "performanceConfig": {"latency": "optimized"}, "p": "a"})), []),
}


@pytest.mark.parametrize(("made", "names"), UNREAD.values(), ids=UNREAD.keys())
def test_what_is_not_read_is_named(made: tuple[Made, ...], names: list[str]) -> None:
    assert [event.name for event in decode(*made) if isinstance(event, events.Unread)] == names


ODD: list[Made] = [
    ("contentBlockDelta", {}),
    ("contentBlockDelta", {"contentBlockIndex": "0", "delta": {"text": "a"}}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": "a"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {}}}),
    ("contentBlockStart", {"contentBlockIndex": 0, "start": {}}),
    ("contentBlockStart", {"contentBlockIndex": 0}),
    ("contentBlockStop", {"contentBlockIndex": 4}),
    ("contentBlockStop", {}),
    ("messageStop", {"stopReason": 5}),
    ("metadata", {"usage": "none"}),
    ("messageStop", []),
    ("", {}),
]


@pytest.mark.parametrize("made", ODD)
def test_odd_events_do_not_break_the_stream(made: Made) -> None:
    found = decode(START, made, STOP, END)

    assert found[-1] == events.Ended()


def test_data_that_is_no_json_is_malformed() -> None:
    with pytest.raises(Malformed):
        list(dialect.new_decoder().feed(sse.Event("messageStop", b"{")))


FIELDS = (
    "contentBlockIndex start delta text toolUse input toolUseId name type reasoningContent signature redactedContent "
    "citation location source sourceContent title image format bytes stopReason usage inputTokens outputTokens "
    "totalTokens cacheDetails ttl trace promptRouter invokedModelId guardrail serviceTier message p"
)
EVENTS = "contentBlockDelta contentBlockStart contentBlockStop messageStart messageStop metadata throttlingException x"
KEYS = st.sampled_from(FIELDS.split())
NAMES = st.sampled_from(EVENTS.split())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.tuples(NAMES, JSON), max_size=12))
def test_hostile_events_give_events_or_malformed(made: list[Made]) -> None:
    decoder = dialect.new_decoder()
    try:
        data = [sse.Event(name, json.dumps(value)) for name, value in made]
        found = [event for raw in data for event in decoder.feed(raw)]
    except Malformed:
        return
    fold(found)
