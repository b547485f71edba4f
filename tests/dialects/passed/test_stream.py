"""Streams of passed formats: usage, content, failures and the end, whatever the cuts."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from costspan.dialects import PASSED
from costspan.errors import Malformed
from costspan.ir import events
from costspan.ir.reply import FinishReason
from costspan.ir.usage import Usage
from costspan.wire import sse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costspan.dialects.types import StreamDecoder

STREAMS: dict[str, tuple[str, bytes, Usage | None]] = {
    "completion": (
        "openai-completions",
        (
            b'data: {"id":"c","model":"m","choices":[{"text":"Hel","index":0,"finish_reason":null}],"usage":null}\n\n'
            b'data: {"id":"c","model":"m","choices":[{"text":"lo","index":0,"finish_reason":"stop"}],"usage":null}\n\n'
            b'data: {"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
            b"data: [DONE]\n\n"
        ),
        Usage({"input": 3, "output": 2}),
    ),
    "image": (
        "openai-images",
        (
            b"event: image_generation.partial_image\n"
            b'data: {"type":"image_generation.partial_image","b64_json":"AA==","partial_image_index":0}\n\n'
            b"event: image_generation.completed\n"
            b'data: {"type":"image_generation.completed","b64_json":"AA==",'
            b'"usage":{"input_tokens":5,"output_tokens":272,"total_tokens":277}}\n\n'
        ),
        Usage({"input": 5, "output_image": 272}),
    ),
    "edited image, its type in the event's name only": (
        "openai-image-edits",
        b'event: image_edit.completed\ndata: {"b64_json":"AA=="}\n\n',
        Usage(units={"images": 1}),
    ),
    "speech": (
        "openai-speech",
        (
            b'data: {"type":"speech.audio.delta","audio":"AA=="}\n\n'
            b'data: {"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}\n\n'
        ),
        Usage({"input": 14, "output_audio": 101}),
    ),
    "transcription": (
        "openai-transcriptions",
        (
            b'data: {"type":"transcript.text.delta","delta":"Hel"}\n\n'
            b'data: {"type":"transcript.text.delta","delta":"lo"}\n\n'
            b'data: {"type":"transcript.text.done","text":"Hello","usage":{"type":"duration","seconds":3}}\n\n'
        ),
        Usage(units={"audio_seconds": Decimal(3)}),
    ),
    "transcription without usage": (
        "openai-transcriptions",
        b'data: {"type":"transcript.text.done","text":"Hello"}\n\n',
        None,
    ),
}


def decode(name: str, data: bytes, cuts: Iterable[int] = ()) -> tuple[StreamDecoder, list[events.Event]]:
    parser, decoder = sse.Parser(), PASSED[name].new_decoder()
    found = [
        event
        for start, end in pairwise([0, *cuts, len(data)])
        for raw in parser.feed(data[start:end])
        for event in decoder.feed(raw)
    ]
    return decoder, found


@pytest.mark.parametrize(("name", "data", "usage"), STREAMS.values(), ids=STREAMS.keys())
def test_a_whole_stream_tells_its_usage_and_its_end(name: str, data: bytes, usage: Usage | None) -> None:
    decoder, _ = decode(name, data)
    decoder.close()

    assert decoder.usage == usage
    assert decoder.ended


@pytest.mark.parametrize(("name", "data", "usage"), STREAMS.values(), ids=STREAMS.keys())
def test_the_cuts_between_chunks_do_not_matter(name: str, data: bytes, usage: Usage | None) -> None:
    _, whole = decode(name, data)

    assert decode(name, data, range(1, len(data)))[1] == whole
    for cut in range(1, len(data)):
        assert decode(name, data, [cut])[1] == whole


@pytest.mark.parametrize(("name", "data", "usage"), STREAMS.values(), ids=STREAMS.keys())
def test_no_prefix_is_a_whole_stream(name: str, data: bytes, usage: Usage | None) -> None:
    raws = list(sse.Parser().feed(data))
    for length in range(len(raws)):
        decoder = PASSED[name].new_decoder()
        for raw in raws[:length]:
            list(decoder.feed(raw))
        with pytest.raises(Malformed):
            decoder.close()


@pytest.mark.parametrize(("name", "data", "usage"), STREAMS.values(), ids=STREAMS.keys())
def test_marked_events_alone_tell_usage_and_end(name: str, data: bytes, usage: Usage | None) -> None:
    decoder = PASSED[name].new_decoder()
    for block in data.split(b"\n\n"):
        if any(marker in block for marker in PASSED[name].MARKERS):
            raw = sse.parse(block)
            assert raw is not None
            list(decoder.feed(raw))
    decoder.close()

    assert decoder.usage == usage


def test_text_is_content_and_its_end_has_a_reason() -> None:
    decoder, found = decode(*STREAMS["completion"][:2])

    assert found == [
        events.TextDelta(0, "Hel"),
        events.TextDelta(0, "lo"),
        events.Finished(FinishReason.STOP, "stop"),
        events.UsageReported(Usage({"input": 3, "output": 2})),
        events.Ended(),
    ]
    assert (decoder.id, decoder.model) == ("c", "m")


@pytest.mark.parametrize("name", ["image", "speech", "transcription"])
def test_the_first_picture_sound_or_word_is_content(name: str) -> None:
    dialect, data, _ = STREAMS[name]
    first = next(sse.Parser().feed(data))

    assert any(events.is_content(event) for event in PASSED[dialect].new_decoder().feed(first))


def test_several_pictures_of_one_stream_add_up_and_all_may_pass() -> None:
    one = b'data: {"type":"image_generation.completed","usage":{"input_tokens":5,"output_tokens":9}}\n\n'

    decoder, found = decode("openai-images", one + one)
    ended_before = decoder.ended
    decoder.close()

    assert not ended_before
    assert events.Ended() not in found
    assert decoder.usage == Usage({"input": 10, "output_image": 18})


@pytest.mark.parametrize("name", PASSED)
@pytest.mark.parametrize(
    "data",
    [
        b'data: {"error":{"message":"Too much","type":"rate_limit_error","code":"rate_limit_exceeded"}}\n\n',
        b'data: {"type":"error","error":{"message":"Too much","code":"rate_limit_exceeded"}}\n\n',
        b'event: error\ndata: {"message":"Too much","code":"rate_limit_exceeded"}\n\n',
    ],
)
def test_a_failure_is_told(name: str, data: bytes) -> None:
    _, found = decode(name, data)

    assert found == [events.Failed("Too much", "rate_limit", "rate_limit_exceeded")]
    assert any(marker in data for marker in PASSED[name].MARKERS)


@pytest.mark.parametrize("name", PASSED)
@pytest.mark.parametrize("data", [b"1", b"[]", b'{"choices":[1],"usage":[]}', b"{}"])
def test_what_is_not_understood_is_no_event(name: str, data: bytes) -> None:
    assert decode(name, sse.write(data))[1] == []


def test_what_is_no_json_is_malformed() -> None:
    with pytest.raises(Malformed):
        decode("openai-images", b"data: {\n\n")
