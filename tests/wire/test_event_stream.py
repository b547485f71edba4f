"""AWS's event-stream frames become server-sent events, whatever the cuts; damage is noticed."""

from __future__ import annotations

import base64
import json  # noqa: TID251 - a reader that is not ours
import struct
import zlib

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from costspan.errors import Malformed
from costspan.wire import sse
from costspan.wire.event_stream import Reframer
from fakes.corpus import CORPUS, MISSING
from fakes.event_stream import (
    write_event,
    write_exception,
    write_frame,
    write_header,
    write_raw_frame,
    write_raw_header,
)

STOP = write_event("messageStop", b'{"stopReason":"end_turn"}')
STOP_AS_SSE = b'event: messageStop\ndata: {"stopReason":"end_turn"}\n\n'


def reframed(*chunks: bytes, unwrap: bool = False) -> bytes:
    reframer = Reframer(unwrap=unwrap)
    out = b"".join(reframer.feed(chunk) for chunk in chunks)
    reframer.finish()
    return out


def recorded() -> dict[str, bytes]:
    if not CORPUS.is_file():
        return {}
    rows = [json.loads(line) for line in CORPUS.read_bytes().splitlines()]
    return {
        row["id"]: base64.b64decode(row["response_body_b64"]) for row in rows if row["framing"] == "aws-eventstream"
    }


RECORDED = recorded()


def as_botocore_reads(raw: bytes) -> list[tuple[str, bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(raw)
    return [(message.headers.get(":event-type", ""), message.payload) for message in buffer]


def as_events(stream: bytes) -> list[tuple[str, bytes]]:
    return [(event.name, event.data) for event in sse.Parser().feed(stream)]


def test_a_frame_becomes_an_event() -> None:
    assert reframed(STOP) == STOP_AS_SSE


def test_frames_in_one_chunk_become_events_in_their_order() -> None:
    assert reframed(STOP + write_event("metadata", b"{}") + STOP) == (
        STOP_AS_SSE + b"event: metadata\ndata: {}\n\n" + STOP_AS_SSE
    )


@pytest.mark.skipif(not RECORDED, reason=MISSING)
@pytest.mark.parametrize("raw", RECORDED.values(), ids=RECORDED.keys())
def test_recorded_streams_read_as_botocore_reads_them(raw: bytes) -> None:
    expected = as_botocore_reads(raw)

    assert len(expected) >= 5
    assert as_events(reframed(raw)) == expected


@pytest.mark.skipif(not RECORDED, reason=MISSING)
@pytest.mark.parametrize("raw", RECORDED.values(), ids=RECORDED.keys())
def test_recorded_streams_read_the_same_at_every_split_and_byte_by_byte(raw: bytes) -> None:
    whole = reframed(raw)

    assert all(reframed(raw[:cut], raw[cut:]) == whole for cut in range(len(raw) + 1))
    assert reframed(*(raw[i : i + 1] for i in range(len(raw)))) == whole


@pytest.mark.skipif(not RECORDED, reason=MISSING)
@pytest.mark.parametrize("raw", RECORDED.values(), ids=RECORDED.keys())
def test_a_recorded_stream_with_any_byte_damaged_is_malformed(raw: bytes) -> None:
    for position in range(len(raw)):
        damaged = bytearray(raw)
        damaged[position] ^= 0x10
        with pytest.raises(Malformed):
            reframed(bytes(damaged))


@pytest.mark.parametrize("cut", range(1, len(STOP)))
def test_a_stream_that_ends_within_a_frame_is_malformed(cut: int) -> None:
    reframer = Reframer(unwrap=False)

    assert reframer.feed(STOP + STOP[:cut]) == STOP_AS_SSE
    with pytest.raises(Malformed, match="ends within a frame"):
        reframer.finish()


def test_frames_before_a_damaged_one_come_out_and_the_next_call_raises() -> None:
    reframer = Reframer(unwrap=False)

    assert reframer.feed(STOP + STOP[:-1] + b"\0") == STOP_AS_SSE
    with pytest.raises(Malformed, match="checksum"):
        reframer.feed(STOP)
    with pytest.raises(Malformed, match="checksum"):
        reframer.finish()


def test_headers_of_every_type_are_read_over() -> None:
    headers = b"".join(
        [
            write_raw_header("true", 0, b""),
            write_raw_header("false", 1, b""),
            write_raw_header("byte", 2, b"\xff"),
            write_raw_header("short", 3, b"\x01\x02"),
            write_raw_header("integer", 4, b"\0\0\0\x07"),
            write_raw_header("long", 5, b"\0" * 8),
            write_raw_header("bytes", 6, b"\0\x03\xff\xfe\xfd"),
            write_header("string", "grüße"),
            write_raw_header("timestamp", 8, b"\0" * 8),
            write_raw_header("uuid", 9, b"\0" * 16),
            write_header(":event-type", "ping"),
        ]
    )

    frame = write_raw_frame(headers, b"{}")

    assert len(as_botocore_reads(frame)) == 1
    assert reframed(frame) == b"event: ping\ndata: {}\n\n"


@pytest.mark.parametrize(
    "headers",
    [
        write_raw_header("a", 10, b""),
        write_raw_header("a", 5, b"\0" * 7),
        write_raw_header("a", 7, b"\0"),
        write_raw_header("a", 7, b"\0\x05abcd"),
        write_raw_header(":event-type", 7, b"\0\x02\xff\xff"),
        b"\x05ab",
        b"\x02ab",
        write_header("a", "1") + write_header("a", "2"),
        write_header(":event-type", "a\n\nevent: b"),
        write_header(":event-type", "a\rb"),
    ],
    ids=[
        "unknown type",
        "long cut off",
        "length cut off",
        "string cut off",
        "not UTF-8",
        "name cut off",
        "no type",
        "twice",
        "a name that would end the event",
        "a name of two lines",
    ],
)
def test_headers_that_are_none_are_malformed(headers: bytes) -> None:
    with pytest.raises(Malformed):
        reframed(write_raw_frame(headers, b"{}"))


def prelude(total: int, headers: int) -> bytes:
    lengths = struct.pack("!II", total, headers)
    return lengths + struct.pack("!I", zlib.crc32(lengths))


@pytest.mark.parametrize(
    ("total", "headers"),
    [(15, 0), (16, 1), (0, 0), (8 * 1024 * 1024 + 1, 0), (1024 * 1024, 128 * 1024 + 1), (2**32 - 1, 2**32 - 1)],
)
def test_lengths_that_cannot_be_are_refused_before_anything_is_kept(total: int, headers: int) -> None:
    with pytest.raises(Malformed):
        Reframer(unwrap=False).feed(prelude(total, headers) + b"\0" * 4)


def test_a_frame_of_the_largest_size_is_read() -> None:
    room = 8 * 1024 * 1024 - len(write_event("a", b""))

    assert len(reframed(write_event("a", b"1" * room))) == len(b"event: a\ndata: \n\n") + room


def test_an_exception_is_an_event_named_by_its_type() -> None:
    assert reframed(write_exception("throttlingException", b'{"message":"slow down"}')) == (
        b'event: throttlingException\ndata: {"message":"slow down"}\n\n'
    )


def test_an_error_is_an_event_named_by_its_code() -> None:
    headers = {":message-type": "error", ":error-code": "InternalError", ":error-message": 'An "internal" error\n'}

    assert reframed(write_frame(headers, b"")) == (
        b'event: InternalError\ndata: {"message":"An \\"internal\\" error\\n"}\n\n'
    )


def test_line_breaks_between_the_values_of_a_payload_do_not_end_the_event() -> None:
    assert reframed(write_event("a", b'{\r\n\r\n  "b": 1\n\n}')) == b'event: a\ndata: {      "b": 1  }\n\n'


def test_an_event_without_a_payload_has_no_members() -> None:
    assert reframed(write_event("a", b"")) == b"event: a\ndata: {}\n\n"


def test_an_event_without_a_name_is_one_without_a_name() -> None:
    assert reframed(write_frame({}, b'{"a":1}')) == b'data: {"a":1}\n\n'


def chunk(content: bytes) -> bytes:
    return write_event("chunk", json.dumps({"bytes": base64.b64encode(content).decode(), "p": "abc"}).encode())


def test_the_model_s_own_event_is_taken_out_of_its_chunk() -> None:
    assert reframed(chunk(b'{"type":"message_stop"}'), unwrap=True) == (
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    )


def test_an_exception_among_chunks_stays_as_it_is() -> None:
    frames = chunk(b'{"type":"ping"}') + write_exception("modelTimeoutException", b'{"message":"late"}')

    assert reframed(frames, unwrap=True) == (
        b'event: ping\ndata: {"type":"ping"}\n\nevent: modelTimeoutException\ndata: {"message":"late"}\n\n'
    )


def test_a_chunk_is_left_alone_where_it_is_not_to_be_unwrapped() -> None:
    assert reframed(write_event("chunk", b'{"bytes":"e30="}')) == b'event: chunk\ndata: {"bytes":"e30="}\n\n'


@pytest.mark.parametrize("content", [b'{"type":1}', b"{}", b'{"type":"a\\nb"}'])
def test_the_event_of_a_chunk_without_a_usable_type_has_no_name(content: bytes) -> None:
    assert reframed(chunk(content), unwrap=True) == b"data: " + content + b"\n\n"


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b'{"bytes":1}', b'{"bytes":"*"}', b'{"bytes":"e30"}', b'{"bytes":"W10="}', b'{"bytes":"\xc3\xa4"}'],
    ids=["empty", "a list", "a number", "no base64", "base64 cut off", "a list within", "no ASCII"],
)
def test_a_chunk_that_holds_no_event_is_malformed(payload: bytes) -> None:
    with pytest.raises(Malformed):
        reframed(write_event("chunk", payload), unwrap=True)


NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)
PAYLOADS = st.dictionaries(st.text(max_size=5), st.text(max_size=30) | st.integers(), max_size=4)


@given(st.lists(st.tuples(NAMES, PAYLOADS), max_size=6), st.data())
def test_any_frames_cut_anywhere_read_as_they_were_written(
    written: list[tuple[str, dict[str, object]]], data: st.DataObject
) -> None:
    raw = b"".join(write_event(name, json.dumps(payload, indent=1).encode()) for name, payload in written)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    chunks = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]

    stream = reframed(*chunks)

    assert [(name, json.loads(payload)) for name, payload in as_events(stream)] == written
    assert [name for name, _ in as_botocore_reads(raw)] == [name for name, _ in written]


@given(st.lists(st.binary(max_size=60), max_size=6), st.booleans(), st.binary(max_size=30), st.binary(max_size=30))
def test_hostile_bytes_give_nothing_but_malformed(
    chunks: list[bytes], unwrap: bool, headers: bytes, payload: bytes
) -> None:
    for attempt in (chunks, [write_raw_frame(headers, payload)], [write_event("chunk", payload)]):
        try:
            out = reframed(*attempt, unwrap=unwrap)
        except Malformed:
            continue
        assert out == b"" or out.endswith(b"\n\n")
