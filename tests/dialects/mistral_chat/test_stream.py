from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mistralai.client.models import CompletionChunk

from costspan.dialects import mistral_chat as dialect
from costspan.errors import Malformed
from costspan.ir import events
from costspan.ir.fold import fold
from costspan.ir.reply import FinishReason
from costspan.ir.request import Opaque, Reasoning, Text
from costspan.ir.usage import Usage
from costspan.wire import json, sse

GOLDEN = Path(__file__).parents[1] / "golden"
REPORT = {"prompt_tokens": 9, "total_tokens": 16, "completion_tokens": 7}
DONE = b"data: [DONE]\n\n"


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "a1", "object": "chat.completion.chunk", "created": 5, "model": "m"}
    return sse.write(json.dumps({**head, "choices": [choice | more.pop("choice", {})], **more}))


def decode(data: bytes, size: int = 1 << 20) -> list[events.Event]:
    parser, decoder = sse.Parser(), dialect.new_decoder()
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    found = [event for one in chunks for raw in parser.feed(one) for event in decoder.feed(raw)]
    decoder.close()
    return found


def thinking(*texts: str, **more: Any) -> dict[str, Any]:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text} for text in texts], **more}


OPENING = chunk({"role": "assistant", "content": ""})


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_plain_stream_is_read_as_openai_s(size: int) -> None:
    data = OPENING + chunk({"content": "Hi"}) + chunk({"content": "."}, "stop", usage=REPORT, p="abc") + DONE

    assert decode(data, size) == [
        events.Started("a1", "m", 5),
        events.BlockStarted(0, "text"),
        events.TextDelta(0, "Hi"),
        events.TextDelta(0, "."),
        events.BlockFinished(0),
        events.Finished(FinishReason.STOP, "stop"),
        events.UsageReported(Usage({"input": 9, "output": 7})),
        events.Ended(),
    ]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_the_seal_belongs_to_the_thinking_before_it(size: int) -> None:
    data = (
        OPENING
        + chunk({"content": [thinking("h")]})
        + chunk({"content": [thinking("m")]})
        + chunk({"content": [thinking(signature="c2ln")]})
        + chunk({"content": "so"})
        + chunk({"content": [thinking("two", signature="c2")]}, "stop", usage=REPORT)
        + DONE
    )

    assert fold(decode(data, size)).choices[0].blocks == (
        Reasoning("hm", opaque=Opaque("mistral-chat", "signature", "c2ln")),
        Text("so"),
        Reasoning("two", opaque=Opaque("mistral-chat", "signature", "c2")),
    )


def test_seconds_of_sound_are_counted_and_its_tokens_no_contradiction() -> None:
    report = {**REPORT, "total_tokens": 2641, "prompt_audio_seconds": 203}
    decoder = dialect.new_decoder()

    found = [
        event
        for raw in sse.Parser().feed(OPENING + chunk({"content": "Hi"}, "stop", usage=report))
        for event in decoder.feed(raw)
    ]

    wanted = Usage({"input": 9, "output": 7}, {"audio_seconds": Decimal(203)})
    assert [event for event in found if isinstance(event, events.UsageReported)] == [events.UsageReported(wanted)]
    assert decoder.usage == wanted


def test_log_probabilities_take_the_shape_of_openai() -> None:
    item = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "token_id": 7, "top_logprobs": None}
    data = chunk({"content": "Hi"}, choice={"logprobs": {"content": [item]}}) + chunk({}, "stop", usage=REPORT) + DONE

    assert events.LogprobsAdded(
        {"content": [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}], "refusal": None}
    ) in decode(data)


def test_references_are_told_once() -> None:
    reference = {"type": "reference", "reference_ids": [1]}
    data = (
        OPENING
        + chunk({"content": [reference]})
        + chunk({"content": [{"type": "thinking", "thinking": [reference]}]})
        + chunk({}, "stop", usage=REPORT)
        + DONE
    )

    assert [event.name for event in decode(data) if isinstance(event, events.Unread)] == ["content.reference"]


def test_an_answer_that_the_provider_gave_up_on_fails_after_its_bill() -> None:
    decoder = dialect.new_decoder()
    data = OPENING + chunk({"content": "Hi"}) + chunk({}, "error", usage=REPORT)

    found = [event for raw in sse.Parser().feed(data) for event in decoder.feed(raw)]

    assert found[-2:] == [
        events.UsageReported(Usage({"input": 9, "output": 7})),
        events.Failed("the provider gave up on the answer", "server_error"),
    ]
    assert not any(isinstance(event, events.Finished) for event in found)
    with pytest.raises(Malformed):
        decoder.close()


def test_an_error_in_the_middle_fails() -> None:
    raw = sse.Event("", b'{"object":"error","message":"Internal error","type":"internal_server_error","code":"1000"}')

    assert list(dialect.new_decoder().feed(raw)) == [events.Failed("Internal error", "server_error", "1000")]


def test_a_stream_without_its_end_is_malformed() -> None:
    with pytest.raises(Malformed):
        decode(OPENING + chunk({"content": "Hi"}, "stop", usage=REPORT))
    with pytest.raises(Malformed):
        list(dialect.new_decoder().feed(sse.Event("", b'{"signature"')))


ODD: list[Any] = [
    None,
    7,
    "x",
    [],
    {},
    [None],
    [{"type": ["x"]}],
    [{"type": "thinking", "thinking": [7, {"type": []}], "signature": 7}],
]


def test_nothing_odd_breaks_a_stream() -> None:
    for odd in ODD:
        for body in (
            {"choices": odd, "x": {"signature": "s"}},
            {"choices": [{"delta": odd, "x": {"signature": "s"}}]},
            {"choices": [{"delta": {"content": odd, "x": {"signature": "s"}}}]},
            {"choices": [{"delta": {"content": [{"type": "thinking", "thinking": odd, "signature": "s"}]}}]},
            {"choices": [{"delta": {}, "logprobs": {"content": odd}}]},
            {"usage": odd, "x": {"prompt_audio_seconds": 3}},
            {"usage": {"prompt_tokens": 3, "prompt_audio_seconds": odd}},
            [{"signature": "s"}],
        ):
            list(dialect.new_decoder().feed(sse.Event("", json.dumps(body))))


STREAMS = sorted(GOLDEN.glob("*/mistral-chat.stream.txt"))


@pytest.mark.parametrize("path", STREAMS, ids=[path.parent.name for path in STREAMS])
def test_the_golden_streams_are_what_the_official_sdk_reads(path: Path) -> None:
    *chunks, done = sse.Parser().feed(path.read_bytes())

    for raw in chunks:
        assert CompletionChunk.model_validate(json.loads(raw.data)).id == "cs_golden"
    assert done.data == b"[DONE]"
