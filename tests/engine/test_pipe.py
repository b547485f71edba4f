"""Streams on their way: what passes, what is held back, what is never passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from costspan.dialects import anthropic_messages, openai_chat
from costspan.dialects.types import StreamOptions
from costspan.engine.pipe import Passthrough, Translation
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
