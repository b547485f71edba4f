"""Streams on their way: what passes, what is held back, what is never passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from costspan.dialects import anthropic_messages, openai_chat
from costspan.dialects.types import StreamOptions
from costspan.engine import sample
from costspan.engine.pipe import Passthrough, Translation, blocks
from costspan.errors import Malformed
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Callable

OPTIONS = StreamOptions("cs_1", "m", 1700000000, prompt_tokens=7)


def chunk(delta: dict[str, str] | None, *, finish: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps({"id": "c1", "model": "m", "choices": choices, "usage": usage})


USAGE = {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}
EVENTS = (
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Hi"}),
    chunk({}, finish="stop"),
    chunk(None, usage=USAGE),
    b"data: [DONE]",
)
ERROR = b'data: {"error":{"message":"no more","type":"server_error"}}'


def passed(*, strip_usage: bool = False) -> Passthrough:
    return Passthrough(openai_chat.new_decoder, openai_chat.MARKERS, strip_usage=strip_usage)


def translated() -> Translation:
    return Translation(openai_chat.new_decoder(), anthropic_messages.new_encoder(OPTIONS))


PIPES: dict[str, Callable[[], Passthrough | Translation]] = {
    "passed": passed,
    "stripped": lambda: passed(strip_usage=True),
    "translated": translated,
}
every_pipe = pytest.mark.parametrize("make", PIPES.values(), ids=PIPES.keys())


def stream(*events: bytes, end: bytes = b"\n\n") -> bytes:
    return b"".join(event + end for event in events)


@every_pipe
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"], ids=["LF", "CRLF", "CR"])
def test_a_stream_may_lack_its_last_blank_line(make: Callable[[], Passthrough | Translation], end: bytes) -> None:
    whole, short = make(), make()
    complete = whole.feed(stream(*EVENTS, end=end))
    complete += b"" if whole.decoder.ended else whole.finish()  # a last CR may be half of CRLF
    out = short.feed(stream(*EVENTS, end=end).rstrip())
    out += short.finish()

    assert whole.decoder.ended
    assert out.rstrip() == complete.rstrip()
    assert short.decoder.usage == whole.decoder.usage


@every_pipe
def test_a_half_terminal_event_is_none(make: Callable[[], Passthrough | Translation]) -> None:
    pipe = make()
    pipe.feed(stream(*EVENTS)[: -len(b"E]\n\n")])

    with pytest.raises(Malformed):
        pipe.finish()


@every_pipe
@pytest.mark.parametrize("cut", range(1, len(ERROR)))
def test_an_error_is_never_passed_on_nor_what_follows(make: Callable[[], Passthrough | Translation], cut: int) -> None:
    pipe = make()
    good, bad = stream(*EVENTS[:2]), stream(ERROR, *EVENTS[2:])
    before = pipe.feed(good)

    assert b"Hi" in before
    assert pipe.feed(bad[:cut]) == b""
    assert pipe.feed(bad[cut:]) == b""
    assert pipe.failed is not None
    assert pipe.failed.message == "no more"
    assert not pipe.decoder.ended


@every_pipe
def test_what_comes_after_the_end_is_not_the_client_s(make: Callable[[], Passthrough | Translation]) -> None:
    whole, long = make(), make()

    assert long.feed(stream(*EVENTS, EVENTS[1])) == whole.feed(stream(*EVENTS))
    assert long.feed(stream(EVENTS[1])) == b""


def test_what_was_held_back_is_given_once() -> None:
    pipe = passed()
    pipe.feed(stream(*EVENTS).rstrip())

    assert pipe.finish() == b"data: [DONE]"
    assert pipe.finish() == b""


SPLITS: dict[str, tuple[bytes, list[bytes]]] = {
    "LF": (b"a\n\nb\n\n", [b"a\n\n", b"b\n\n"]),
    "CRLF": (b"a\r\n\r\nb\r\n\r\n", [b"a\r\n\r\n", b"b\r\n\r\n"]),
    "CR": (b"a\r\rb\r\r", [b"a\r\r", b"b\r\r"]),
    "mixed": (b"a\n\nb\r\n\r\n", [b"a\n\n", b"b\r\n\r\n"]),
    "rest": (b"a\n\nb", [b"a\n\n", b"b"]),
    "rest, CRLF": (b"a\r\n\r\nb\r\n", [b"a\r\n\r\n", b"b\r\n"]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize(("region", "expected"), SPLITS.values(), ids=SPLITS.keys())
def test_a_region_is_split_into_its_events(region: bytes, expected: list[bytes]) -> None:
    assert blocks(region) == expected


def test_an_event_larger_than_the_sample_counts_by_its_bytes() -> None:
    pipe = passed()
    event = stream(chunk({"content": "x" * 4 * sample.BYTES}))
    for start in range(0, len(event), 16_384):
        pipe.feed(event[start : start + 16_384])

    assert (pipe.output_chars(), pipe.by_bytes) == (len(event), True)


def test_small_events_count_by_their_characters() -> None:
    pipe = passed()
    event = stream(chunk({"content": "abc"}))
    for _ in range(2 * sample.BYTES // len(event)):
        pipe.feed(event)

    assert pipe.output_chars() == 3 * (2 * sample.BYTES // len(event))
    assert not pipe.by_bytes
