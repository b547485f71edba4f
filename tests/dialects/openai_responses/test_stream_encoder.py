from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest
from openai.types import responses

from costspan.dialects import openai_responses
from costspan.dialects.types import StreamOptions
from costspan.ir import events
from costspan.ir.fold import fold
from costspan.ir.opaque import wrap
from costspan.ir.reply import FinishReason
from costspan.ir.request import Citation, Media, Opaque, Reasoning, Refusal, Text, ToolCall
from costspan.ir.usage import Usage
from dialects.openai_responses.samples import OPTIONS, decode, encode, told

if TYPE_CHECKING:
    from openai.types.responses import ParsedResponse

STARTED = events.Started("cs_1", "m", 7)
USAGE = Usage({"input": 5, "output": 3, "reasoning": 2}, service_tier="default")
SIGNATURE = Opaque("anthropic-messages", "signature", "sig")
OWN = Opaque("openai-responses", "encrypted", '{"id":"rs_1","encrypted_content":"s"}')
ENDED: list[events.Event] = [
    events.Finished(FinishReason.STOP, "stop"),
    events.UsageReported(USAGE),
    events.Ended(),
]

INTERLEAVED: list[events.Event] = [
    STARTED,
    events.BlockStarted(0, "reasoning"),
    events.ReasoningDelta(0, "H"),
    events.ReasoningDelta(0, "m"),
    events.OpaqueDelta(0, SIGNATURE),
    events.BlockFinished(0),
    events.BlockStarted(1, "reasoning", summary=True),
    events.ReasoningDelta(1, "Short."),
    events.OpaqueDelta(1, OWN),
    events.BlockFinished(1),
    events.BlockStarted(2, "text"),
    events.TextDelta(2, "Let me "),
    events.BlockStarted(3, "tool_call", "a", "f"),
    events.ArgumentsDelta(3, "{"),
    events.TextDelta(2, "see"),
    events.CitationAdded(2, Citation("https://e.org", "E", None, 0, 6)),
    events.CitationAdded(2, Citation("https://f.org", "F")),
    events.BlockStarted(4, "tool_call", "b", "g"),
    events.BlockFinished(2),
    events.ArgumentsDelta(4, "{}"),
    events.ArgumentsDelta(3, "}"),
    events.BlockFinished(4),
    events.BlockFinished(3),
    events.BlockStarted(5, "text"),
    events.TextDelta(5, "So."),
    events.LogprobsAdded({"content": [{"token": "So.", "logprob": -0.5, "bytes": None, "top_logprobs": []}]}),
    events.BlockFinished(5),
    events.BlockStarted(6, "refusal"),
    events.TextDelta(6, "No "),
    events.TextDelta(6, "more."),
    events.BlockFinished(6),
    events.Finished(FinishReason.TOOL_CALLS, "tool_calls"),
    events.UsageReported(USAGE),
    events.Ended(),
]


def outline(raw: bytes) -> list[str]:
    """Each event in short: its name, and the numbers that place it."""
    shown = []
    for value in told(raw):
        numbers = [str(value[name]) for name in ("output_index", "content_index", "summary_index") if name in value]
        shown.append(" ".join([value["type"].removeprefix("response."), *numbers]))
    return shown


def final(raw: bytes) -> dict[str, Any]:
    response: dict[str, Any] = told(raw)[-1]["response"]
    return response


def helped(raw: bytes) -> ParsedResponse[Any]:
    """What the SDK's helper makes of a stream."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=raw)

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        openai.OpenAI(api_key="k", base_url="http://test", http_client=http) as client,
        client.responses.stream(model="m", input="Hi") as stream,
    ):
        return stream.get_final_response()


def test_the_events_of_an_answer_in_their_order() -> None:
    raw = encode(
        [
            STARTED,
            events.BlockStarted(0, "text"),
            events.TextDelta(0, "Hi"),
            events.TextDelta(0, " you"),
            events.BlockFinished(0),
            *ENDED,
        ]
    )

    assert outline(raw) == [
        "created",
        "in_progress",
        "output_item.added 0",
        "content_part.added 0 0",
        "output_text.delta 0 0",
        "output_text.delta 0 0",
        "output_text.done 0 0",
        "content_part.done 0 0",
        "output_item.done 0",
        "completed",
    ]
    first, *_, last = told(raw)
    assert first["response"] | {"status": "completed"} == last["response"] | {
        "output": [],
        "usage": None,
        "service_tier": None,
    }
    assert last["response"]["usage"]["total_tokens"] == 10
    assert last["response"]["service_tier"] == "default"


def test_items_interleave_and_texts_that_follow_each_other_are_one_message() -> None:
    assert outline(encode(INTERLEAVED)) == [
        "created",
        "in_progress",
        "output_item.added 0",
        "reasoning_summary_part.added 0 0",
        "reasoning_summary_text.delta 0 0",
        "reasoning_summary_text.delta 0 0",
        "reasoning_summary_text.done 0 0",
        "reasoning_summary_part.done 0 0",
        "output_item.done 0",
        "output_item.added 1",
        "reasoning_summary_part.added 1 0",
        "reasoning_summary_text.delta 1 0",
        "reasoning_summary_text.done 1 0",
        "reasoning_summary_part.done 1 0",
        "output_item.done 1",
        "output_item.added 2",
        "content_part.added 2 0",
        "output_text.delta 2 0",
        "output_item.added 3",
        "function_call_arguments.delta 3",
        "output_text.delta 2 0",
        "output_text.annotation.added 2 0",
        "output_item.added 4",
        "output_text.annotation.added 2 0",
        "output_text.done 2 0",
        "content_part.done 2 0",
        "output_item.done 2",
        "function_call_arguments.delta 4",
        "function_call_arguments.delta 3",
        "function_call_arguments.done 4",
        "output_item.done 4",
        "function_call_arguments.done 3",
        "output_item.done 3",
        "output_item.added 5",
        "content_part.added 5 0",
        "output_text.delta 5 0",
        "output_text.delta 5 0",
        "output_text.done 5 0",
        "content_part.done 5 0",
        "content_part.added 5 1",
        "refusal.delta 5 1",
        "refusal.delta 5 1",
        "refusal.done 5 1",
        "content_part.done 5 1",
        "output_item.done 5",
        "completed",
    ]


def test_ids_are_the_same_wherever_an_item_is_told() -> None:
    ids: dict[int, set[str]] = {}
    for value in told(encode(INTERLEAVED)):
        if "output_index" in value:
            item = value.get("item")
            ids.setdefault(value["output_index"], set()).add(value["item_id"] if item is None else item["id"])

    assert sorted(ids) == [0, 1, 2, 3, 4, 5]
    assert all(len(found) == 1 for found in ids.values())
    assert [item["id"] for item in final(encode(INTERLEAVED))["output"]] == [min(ids[place]) for place in sorted(ids)]


def test_the_sdks_helper_adds_the_stream_up_to_the_answer() -> None:
    raw = encode(INTERLEAVED)

    whole = helped(raw)

    assert whole.output_text == "Let me seeSo."
    calls = [(item.call_id, item.name, item.arguments) for item in whole.output if item.type == "function_call"]
    assert calls == [("a", "f", "{}"), ("b", "g", "{}")]
    assert whole.usage is not None
    assert whole.usage.output_tokens_details.reasoning_tokens == 2

    # What the SDK has added up comes back in the next request, sealed parts and all.
    returned = [item.model_dump(exclude_none=True, exclude={"parsed", "parsed_arguments"}) for item in whole.output]
    blocks = openai_responses.decode_request({"model": "m", "input": returned}).messages[0].blocks
    assert [block for block in blocks if isinstance(block, Reasoning)] == [
        Reasoning("Hm", summary=True, opaque=SIGNATURE),
        Reasoning("Short.", summary=True, opaque=OWN),
    ]


def test_the_last_event_holds_what_the_others_told() -> None:
    raw = encode(INTERLEAVED)
    streamed = fold(decode(raw))
    whole = openai_responses.decode_reply(final(raw))

    assert streamed == whole
    assert [type(block) for block in whole.choices[0].blocks] == [
        Reasoning,
        Reasoning,
        Text,
        ToolCall,
        ToolCall,
        Text,
        Refusal,
    ]
    assert responses.Response.model_validate(final(raw), strict=True).status == "completed"


def test_a_text_goes_on_in_its_message_while_another_item_is_open() -> None:
    raw = encode(
        [
            STARTED,
            events.BlockStarted(0, "text"),
            events.TextDelta(0, "a"),
            events.BlockStarted(1, "text"),
            events.TextDelta(1, "b"),
            events.TextDelta(0, "c"),
            events.BlockFinished(1),
            events.BlockFinished(0),
            *ENDED,
        ]
    )

    (item,) = final(raw)["output"]
    assert [part["text"] for part in item["content"]] == ["ac", "b"]


def test_what_says_nothing_does_not_appear() -> None:
    raw = encode(
        [
            STARTED,
            events.BlockStarted(0, "text"),
            events.TextDelta(0, ""),
            events.BlockFinished(0),
            events.BlockStarted(1, "reasoning"),
            events.BlockFinished(1),
            *ENDED,
        ]
    )

    assert outline(raw) == ["created", "in_progress", "completed"]


def test_reasoning_without_text_is_what_seals_it() -> None:
    sealed = Opaque("anthropic-messages", "redacted", "zz")
    raw = encode([STARTED, events.BlockStarted(0, "reasoning", opaque=sealed), events.BlockFinished(0), *ENDED])

    assert outline(raw)[2:4] == ["output_item.added 0", "output_item.done 0"]
    assert final(raw)["output"][0]["encrypted_content"] == wrap(sealed)


def test_a_signature_stands_as_reasoning_before_what_it_signs() -> None:
    signature = Opaque("gemini-generate", "signature", "sig")
    raw = encode(
        [
            STARTED,
            events.BlockStarted(0, "text", opaque=signature),
            events.TextDelta(0, "a"),
            events.BlockFinished(0),
            events.BlockStarted(1, "tool_call", "c", "f", opaque=signature),
            events.BlockFinished(1),
            *ENDED,
        ]
    )

    assert [item["type"] for item in final(raw)["output"]] == ["reasoning", "message", "reasoning", "function_call"]
    turn = openai_responses.decode_request({"model": "m", "input": final(raw)["output"]}).messages[0]
    assert turn.blocks == (
        Reasoning(opaque=signature),
        Text("a"),
        Reasoning(opaque=signature),
        ToolCall("c", "f", "{}"),
    )


def test_what_signs_a_text_that_has_begun_stands_behind_it() -> None:
    """Gemini signs a streamed answer at its end."""
    signature = Opaque("gemini-generate", "signature", "c2ln")
    encoder = openai_responses.new_encoder(OPTIONS)
    made = [
        STARTED,
        events.BlockStarted(0, "text"),
        events.TextDelta(0, "a"),
        events.OpaqueDelta(0, signature),
        events.BlockFinished(0),
        *ENDED,
    ]
    raw = b"".join(map(encoder.feed, made)) + encoder.close()

    assert encoder.losses == ()
    assert [item["type"] for item in final(raw)["output"]] == ["message", "reasoning"]
    turn = openai_responses.decode_request({"model": "m", "input": final(raw)["output"]}).messages[0]
    assert turn.blocks == (Text("a"), Reasoning(opaque=signature))


def test_a_signature_that_comes_too_late_is_lost_and_said() -> None:
    encoder = openai_responses.new_encoder(OPTIONS)
    for event in (STARTED, events.BlockStarted(0, "tool_call", "c", "f"), events.OpaqueDelta(0, SIGNATURE)):
        encoder.feed(event)

    assert encoder.losses == ("response.reasoning_details",)


def test_a_call_without_arguments_has_empty_ones() -> None:
    raw = encode([STARTED, events.BlockStarted(0, "tool_call", "c", "f"), events.BlockFinished(0), *ENDED])

    assert "".join(value["delta"] for value in told(raw) if value["type"].endswith("arguments.delta")) == "{}"
    assert final(raw)["output"][0]["arguments"] == "{}"


def test_what_comes_whole_comes_at_once() -> None:
    search = {
        "id": "ws_1",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "q"},
    }
    raw = encode(
        [
            STARTED,
            events.BlockStarted(0, "server_tool", name="web_search_call", origin="openai-responses", raw=search),
            events.BlockFinished(0),
            events.BlockStarted(1, "media", media=Media("image", "image/png", data="AA")),
            events.BlockFinished(1),
            *ENDED,
        ]
    )

    assert outline(raw)[2:6] == [
        "output_item.added 0",
        "output_item.done 0",
        "output_item.added 1",
        "output_item.done 1",
    ]
    assert [item["type"] for item in final(raw)["output"]] == ["web_search_call", "image_generation_call"]


ENDS: dict[FinishReason, tuple[str, str | None]] = {
    FinishReason.LENGTH: ("response.incomplete", "max_output_tokens"),
    FinishReason.CONTENT_FILTER: ("response.incomplete", "content_filter"),
    FinishReason.TOOL_CALLS: ("response.completed", None),
}


@pytest.mark.parametrize("reason", ENDS)
def test_why_it_ended(reason: FinishReason) -> None:
    name, detail = ENDS[reason]
    last = told(encode([STARTED, events.Finished(reason)]))[-1]

    assert last["type"] == name
    assert (last["response"]["incomplete_details"] or {}).get("reason") == detail


LOST: dict[str, tuple[list[events.Event], tuple[str, ...]]] = {
    "a second choice": ([events.BlockStarted(0, "text", choice=1)], ("response.choices",)),
    "a foreign tool": ([events.BlockStarted(0, "server_tool", name="x_tool", origin="x")], ("response.server_tool",)),
    "sound": ([events.BlockStarted(0, "media", media=Media("audio", data="AA"))], ("response.audio",)),
    "a citation of nothing": ([events.CitationAdded(0, Citation("https://e.org"))], ("response.citations",)),
    "a citation without an address": (
        [
            events.BlockStarted(0, "text"),
            events.TextDelta(0, "a"),
            events.CitationAdded(0, Citation(title="t")),
            events.BlockFinished(0),
        ],
        ("response.citations",),
    ),
    "log probabilities of nothing": (
        [events.LogprobsAdded({"content": [{"token": "a", "logprob": -1.0}]})],
        ("response.logprobs",),
    ),
    "log probabilities of a refusal": (
        [
            events.BlockStarted(0, "refusal"),
            events.TextDelta(0, "No"),
            events.LogprobsAdded({"content": None, "refusal": [{"token": "No", "logprob": -1.0}]}),
        ],
        ("response.logprobs",),
    ),
    "an end without a word": ([events.Finished(FinishReason.PAUSE)], ("response.finish_reason",)),
    "a stop sequence": (
        [events.Finished(FinishReason.STOP_SEQUENCE, stop_sequence="END")],
        ("response.stop_sequence",),
    ),
    "what the decoder did not read": ([events.Unread("mood")], ("response.mood",)),
}


@pytest.mark.parametrize(("made", "losses"), LOST.values(), ids=LOST.keys())
def test_what_has_no_place_is_named(made: list[events.Event], losses: tuple[str, ...]) -> None:
    encoder = openai_responses.new_encoder(OPTIONS)
    raw = b"".join([*map(encoder.feed, made), encoder.close()])

    assert encoder.losses == losses
    told(raw)


def test_a_stream_that_ends_early_is_still_whole() -> None:
    raw = encode([STARTED, events.BlockStarted(0, "text"), events.TextDelta(0, "Hi"), events.Failed("x", "timeout")])

    assert outline(raw)[-1] == "completed"
    assert final(raw)["output"][0]["content"][0]["text"] == "Hi"


def test_after_the_end_there_is_nothing() -> None:
    encoder = openai_responses.new_encoder(OPTIONS)
    encoder.close()

    assert encoder.feed(events.TextDelta(0, "x")) == b""
    assert encoder.close() == b""


def test_deltas_of_no_block_are_skipped() -> None:
    encoder = openai_responses.new_encoder(OPTIONS)

    for event in (
        events.TextDelta(9, "x"),
        events.ReasoningDelta(9, "x"),
        events.ArgumentsDelta(9, "x"),
        events.BlockFinished(9),
    ):
        assert encoder.feed(event) == b""


def test_id_and_model_are_those_of_the_options_when_the_stream_has_none() -> None:
    response = told(encode([events.Started("", "")], StreamOptions("cs_2", "served", 9)))[0]["response"]

    assert (response["id"], response["model"], response["created_at"]) == ("cs_2", "served", 9)
