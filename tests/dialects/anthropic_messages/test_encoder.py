from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from anthropic import Anthropic

from costspan.dialects import anthropic_messages as dialect
from costspan.dialects.types import StreamOptions
from costspan.ir import events
from costspan.ir.fold import fold
from costspan.ir.opaque import unwrap
from costspan.ir.reply import FinishReason
from costspan.ir.request import Citation, Opaque
from costspan.ir.usage import Usage
from costspan.wire import json, sse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anthropic.types import Message as SdkMessage

NAME = "anthropic-messages"
OPTIONS = StreamOptions("cs_1", "claude-x", 0, prompt_tokens=12)
START, USAGE = events.Started("msg_1", "model-y"), events.UsageReported(Usage({"input": 9, "output": 7}))
STOP, CALLS = events.Finished(FinishReason.STOP, "stop"), events.Finished(FinishReason.TOOL_CALLS, "tool_calls")


def encode(stream: Iterable[events.Event]) -> bytes:
    encoder = dialect.new_encoder(OPTIONS)
    return b"".join(encoder.feed(event) for event in stream) + encoder.close()


def sent(stream: Iterable[events.Event]) -> list[dict[str, Any]]:
    found = list(sse.Parser().feed(encode(stream)))
    values = [json.loads_object(event.data) for event in found]
    assert [event.name for event in found] == [value["type"] for value in values]
    return values


def whole(*stream: events.Event, finish: events.Event = STOP) -> list[events.Event]:
    return [START, *stream, USAGE, finish, events.Ended()]


def text(index: int, *parts: str) -> list[events.Event]:
    deltas = [events.TextDelta(index, part) for part in parts]
    return [events.BlockStarted(index, "text"), *deltas, events.BlockFinished(index)]


def call(index: int, *parts: str) -> list[events.Event]:
    deltas = [events.ArgumentsDelta(index, part) for part in parts]
    started = events.BlockStarted(index, "tool_call", id=f"call_{index}", name=f"f{index}")
    return [started, *deltas, events.BlockFinished(index)]


def outline(values: list[dict[str, Any]]) -> list[str]:
    """`start 0 text`, `delta 0 text_delta`, `stop 0` of each block event."""
    shown = []
    for value in values:
        if value["type"].startswith("content_block"):
            inner = value.get("content_block") or value.get("delta") or {}
            step = value["type"].removeprefix("content_block_")
            shown.append(" ".join([step, str(value["index"]), inner.get("type", "")]).strip())
    return shown


def test_a_text_stream_word_for_word() -> None:
    assert sent(whole(*text(0, "Hi", " there"))) == [
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "claude-x",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {
                    "input_tokens": 12,
                    "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 0,
                    "output_tokens": 1,
                },
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " there"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {
                "input_tokens": 9,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 7,
            },
        },
        {"type": "message_stop"},
    ]


def test_interleaved_blocks_come_one_after_the_other() -> None:
    one, two = call(0, '{"a"', ":1}"), call(1, '{"b"', ":2}")
    mixed = [one[0], two[0], one[1], two[1], one[2], two[2], two[3], one[3]]

    values = sent(whole(*mixed, finish=CALLS))

    assert outline(values) == [
        "start 0 tool_use",
        "delta 0 input_json_delta",
        "delta 0 input_json_delta",
        "stop 0",
        "start 1 tool_use",
        "delta 1 input_json_delta",
        "delta 1 input_json_delta",
        "stop 1",
    ]


def test_a_block_s_deltas_are_sent_as_they_come() -> None:
    encoder = dialect.new_encoder(OPTIONS)
    encoder.feed(START)

    assert encoder.feed(events.BlockStarted(0, "text")) == b""
    assert b"Hi" in encoder.feed(events.TextDelta(0, "Hi"))


def test_blocks_that_stay_empty_do_not_appear() -> None:
    values = sent(whole(*text(0), *text(1, ""), events.BlockStarted(2, "reasoning"), *call(3, "{}"), finish=CALLS))

    assert outline(values) == ["start 0 tool_use", "delta 0 input_json_delta", "stop 0"]


def test_blocks_left_open_are_closed_at_the_end() -> None:
    stream: list[events.Event] = [
        START,
        events.BlockStarted(0, "text"),
        events.TextDelta(0, "Hi"),
        call(1, "{}")[0],
        STOP,
    ]

    assert outline(sent(stream)) == ["start 0 text", "delta 0 text_delta", "stop 0", "start 1 tool_use", "stop 1"]


def test_usage_counts_wherever_it_comes() -> None:
    late: list[events.Event] = [START, *text(0, "x"), STOP, USAGE, events.Ended()]

    assert sent(late) == sent(whole(*text(0, "x")))


def test_a_stream_of_nothing_still_begins_and_ends() -> None:
    assert [value["type"] for value in sent([])] == ["message_start", "message_delta", "message_stop"]


def test_nothing_follows_the_terminal_event() -> None:
    encoder = dialect.new_encoder(OPTIONS)
    for event in whole():
        encoder.feed(event)

    assert encoder.close() == b""
    assert encoder.feed(events.TextDelta(0, "late")) == b""


def test_message_start_never_says_zero_tokens() -> None:
    encoder = dialect.new_encoder(StreamOptions("cs_1", "m", 0))

    assert b'"input_tokens":1,' in encoder.feed(START)


def test_thinking_ends_with_its_signature() -> None:
    signed: list[events.Event] = [
        events.BlockStarted(0, "reasoning"),
        events.OpaqueDelta(0, Opaque(NAME, "signature", "s")),
        events.ReasoningDelta(0, "hm"),
        events.BlockFinished(0),
    ]

    values = sent(whole(*signed))

    assert outline(values) == [
        "start 0 thinking",
        "delta 0 thinking_delta",
        "delta 0 signature_delta",
        "stop 0",
    ]
    assert values[3]["delta"]["signature"] == "s"


def test_redacted_thinking_is_whole_at_its_start() -> None:
    redacted: list[events.Event] = [
        events.BlockStarted(0, "reasoning"),
        events.OpaqueDelta(0, Opaque(NAME, "redacted", "d")),
        events.BlockFinished(0),
    ]

    values = sent(whole(*redacted))

    assert outline(values) == ["start 0 redacted_thinking", "stop 0"]
    assert values[1]["content_block"]["data"] == "d"


def test_foreign_reasoning_is_wrapped_in_the_signature() -> None:
    foreign = Opaque("openai-responses", "encrypted", "e")
    stream = whole(events.BlockStarted(0, "reasoning"), events.OpaqueDelta(0, foreign), events.BlockFinished(0))

    assert unwrap(sent(stream)[2]["delta"]["signature"]) == foreign


SEALED = Opaque("gemini-generate", "signature", "s")


def shown(values: list[dict[str, Any]]) -> list[tuple[str, Opaque | None]]:
    """Type of each block, and what it carries of another provider's."""
    blocks = [value["content_block"] for value in values if value["type"] == "content_block_start"]
    return [(block["type"], unwrap(block.get("data", ""))) for block in blocks]


@pytest.mark.parametrize("kind", ["text", "tool_call"])
def test_what_seals_a_block_stands_before_it(kind: events.BlockKind) -> None:
    delta = events.TextDelta(0, "hi") if kind == "text" else events.ArgumentsDelta(0, "{}")
    block = events.BlockStarted(0, kind, "a", "f", opaque=SEALED)

    values = sent(whole(block, delta, events.BlockFinished(0), *text(1, "more")))

    own = "text" if kind == "text" else "tool_use"
    assert shown(values) == [("redacted_thinking", SEALED), (own, None), ("text", None)]
    assert outline(values)[:3] == ["start 0 redacted_thinking", "stop 0", f"start 1 {own}"]


def test_a_seal_that_comes_late_stands_after_its_text() -> None:
    block = text(0, "hi")

    values = sent(whole(*block[:2], events.OpaqueDelta(0, SEALED), block[2], *text(1, "more")))

    assert shown(values) == [("text", None), ("redacted_thinking", SEALED), ("text", None)]


def test_a_sealed_text_of_no_words_is_its_seal() -> None:
    values = sent(whole(events.BlockStarted(0, "text", opaque=SEALED), events.BlockFinished(0)))

    assert shown(values) == [("redacted_thinking", SEALED)]


def test_a_call_that_waits_is_opened_after_its_seal() -> None:
    sealed = events.BlockStarted(1, "tool_call", "b", "f", opaque=SEALED)
    first = call(0, "{}")

    values = sent(whole(first[0], sealed, events.ArgumentsDelta(1, "{}"), events.BlockFinished(1), *first[1:]))

    assert shown(values) == [("tool_use", None), ("redacted_thinking", SEALED), ("tool_use", None)]


def test_a_sealed_stream_is_one_that_the_sdk_takes() -> None:
    sealed = events.BlockStarted(0, "tool_call", "a", "f", opaque=SEALED)

    message = sdk_message(encode(whole(sealed, events.ArgumentsDelta(0, "{}"), events.BlockFinished(0), finish=CALLS)))

    assert [block.type for block in message.content] == ["redacted_thinking", "tool_use"]


def test_a_refusal_is_text_that_ends_so() -> None:
    values = sent(whole(events.BlockStarted(0, "refusal"), events.TextDelta(0, "No."), events.BlockFinished(0)))

    assert values[2]["delta"] == {"type": "text_delta", "text": "No."}
    assert values[-2]["delta"]["stop_reason"] == "refusal"


def test_stop_after_tool_calls_asks_for_their_results() -> None:
    assert sent(whole(*call(0, "{}")))[-2]["delta"]["stop_reason"] == "tool_use"


def test_only_the_first_choice_has_a_place() -> None:
    other: list[events.Event] = [
        events.BlockStarted(0, "text", choice=1),
        events.TextDelta(0, "no", choice=1),
        events.Finished(FinishReason.LENGTH, choice=1),
    ]

    assert sent(whole(*other, *text(0, "yes"))) == sent(whole(*text(0, "yes")))


def test_what_has_no_place_is_skipped() -> None:
    strange: list[events.Event] = [
        events.LogprobsAdded({}),
        events.Failed("x", "overloaded"),
        events.TextDelta(9, "of no block"),
        events.OpaqueDelta(9, Opaque(NAME, "signature", "s")),
        events.BlockFinished(9),
        events.BlockStarted(0, "server_tool", origin="openai-responses", raw={}),
        events.BlockFinished(0),
    ]

    assert outline(sent(whole(*strange))) == []


QUOTE = {
    "type": "web_search_result_location",
    "url": "https://a",
    "title": "A",
    "cited_text": "b",
    "encrypted_index": "e",
}
SEARCH = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}}
RICH: list[events.Event] = [
    events.Started("msg_1", "claude-x"),
    events.BlockStarted(0, "reasoning"),
    events.ReasoningDelta(0, "h"),
    events.ReasoningDelta(0, "m"),
    events.OpaqueDelta(0, Opaque(NAME, "signature", "s")),
    events.BlockFinished(0),
    events.BlockStarted(1, "server_tool", name="server_tool_use", origin=NAME, raw=SEARCH),
    events.BlockFinished(1),
    events.BlockStarted(2, "text"),
    events.TextDelta(2, "see"),
    events.CitationAdded(2, Citation(url="https://a", title="A", cited_text="b", origin=NAME, raw=QUOTE)),
    events.BlockFinished(2),
    *call(3, '{"x":', "1}"),
    *call(4, "{}"),
    events.UsageReported(Usage({"input": 9, "cache_read": 3, "output": 5, "reasoning": 2}, {"web_search_calls": 1})),
    events.Finished(FinishReason.TOOL_CALLS, "tool_use"),
    events.Ended(),
]


def test_what_is_encoded_decodes_to_the_same_answer() -> None:
    decoder = dialect.new_decoder()
    found = [event for raw in sse.Parser().feed(encode(RICH)) for event in decoder.feed(raw)]
    decoder.close()

    assert fold(found).choices == fold(RICH).choices
    assert fold(found).usage == Usage(
        {"input": 9, "cache_read": 3, "output": 5, "reasoning": 2}, {"web_search_calls": 1}
    )


def sdk_message(data: bytes) -> SdkMessage:
    """What the official SDK makes of the stream `data`."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=data)

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        Anthropic(api_key="k", base_url="http://x", http_client=http) as client,
        client.messages.stream(model="claude-x", max_tokens=9, messages=[{"role": "user", "content": "hi"}]) as stream,
    ):
        return stream.get_final_message()


def test_the_official_sdk_adds_a_stream_up_to_the_same_message() -> None:
    message = sdk_message(encode(RICH))

    expected = json.loads_object(dialect.encode_reply(fold(RICH), OPTIONS).body)
    shown = message.to_dict()
    assert {name: shown[name] for name in ("id", "model", "role", "stop_reason", "type")} == {
        name: expected[name] for name in ("id", "model", "role", "stop_reason", "type")
    }
    assert [block.to_dict() for block in message.content] == expected["content"]
    assert shown["usage"].items() >= expected["usage"].items()  # type: ignore[attr-defined] # - a dict, untyped


FOREIGN: dict[str, tuple[Opaque | None, str]] = {
    "sealed": (Opaque("openai-responses", "encrypted", "e"), "cs1.openai-responses.encrypted.ZQ=="),
    "signed by nobody": (None, "cs1.none.signature."),
}


@pytest.mark.parametrize(("foreign", "signature"), FOREIGN.values(), ids=FOREIGN.keys())
def test_the_official_sdk_takes_foreign_thinking(foreign: Opaque | None, signature: str) -> None:
    told: list[events.Event] = [events.BlockStarted(0, "reasoning"), events.ReasoningDelta(0, "hm")]
    told += [events.OpaqueDelta(0, foreign)] if foreign else []

    block = sdk_message(encode(whole(*told, events.BlockFinished(0), *text(1, "so")))).content[0]

    assert block.type == "thinking"
    assert block.thinking == "hm"
    assert block.signature == signature


NO_OBJECTS: dict[str, tuple[tuple[str, ...], dict[str, Any], tuple[str, ...]]] = {
    "a list": (("[1,", "2]"), {"arguments": "[1,2]"}, ("response.tool_calls.arguments",)),
    "null": (("null",), {"arguments": "null"}, ("response.tool_calls.arguments",)),
    "text": ((" ", "oh no"), {"arguments": " oh no"}, ("response.tool_calls.arguments",)),
    "blanks": ((" ", "\n"), {}, ()),
    "nothing": ((), {}, ()),
    "an object after blanks": ((" ", '{"a"', ":1}"), {"a": 1}, ()),
}


@pytest.mark.parametrize(("parts", "given", "lost"), NO_OBJECTS.values(), ids=NO_OBJECTS.keys())
def test_the_official_sdk_gets_an_object_of_any_arguments(
    parts: tuple[str, ...], given: dict[str, Any], lost: tuple[str, ...]
) -> None:
    encoder = dialect.new_encoder(OPTIONS)
    stream = whole(*call(0, *parts), *call(1, '{"b":2}'), finish=CALLS)

    message = sdk_message(b"".join(encoder.feed(event) for event in stream))

    assert [block.input for block in message.content if block.type == "tool_use"] == [given, {"b": 2}]
    assert encoder.losses == lost


def test_arguments_that_are_no_object_wait_for_their_turn_and_for_a_cut() -> None:
    one, two = call(0, '{"a":1}'), call(1, "[", "2]")
    encoder = dialect.new_encoder(OPTIONS)
    data = b"".join(encoder.feed(event) for event in [START, one[0], two[0], two[1], one[1], two[2]])

    message = sdk_message(data + encoder.close())

    assert [block.input for block in message.content if block.type == "tool_use"] == [{"a": 1}, {"arguments": "[2]"}]


def test_arguments_that_break_later_are_sent_as_they_come_and_told() -> None:
    encoder = dialect.new_encoder(OPTIONS)
    started, first, second, _ = call(0, '{"a":', "1,}")

    sent_at_once = [encoder.feed(event) for event in (START, started, first, second)]
    encoder.close()

    assert b'"partial_json":"{\\"a\\":"' in sent_at_once[2]
    assert b'"partial_json":"1,}"' in sent_at_once[3]
    assert encoder.losses == ("response.tool_calls.arguments",)
