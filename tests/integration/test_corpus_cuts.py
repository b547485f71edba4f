"""Recorded streams cut at every place: two pieces say what one says, and a part is never taken for the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from costspan.dialects import CLIENT_DIALECTS, DIALECTS
from costspan.dialects.types import StreamOptions
from costspan.engine.pipe import Passthrough, Pipe, Translation
from costspan.errors import Malformed
from costspan.providers.hosts import KINDS
from costspan.wire import sse
from costspan.wire.event_stream import Reframer
from fakes.corpus import MISSING, ROWS, STREAMS, Row
from fakes.corpus_reader import last_report
from fakes.corpus_usage import totals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from costspan.ir.usage import Usage

pytestmark = pytest.mark.skipif(not ROWS, reason=MISSING)

OPTIONS = StreamOptions("cs_1", "served", 1700000000, prompt_tokens=7)
PIECE = 400
"""Bytes: a few events."""
LARGE = 20_000
"""Bytes; larger streams are cut at every seventh place only."""


class Line:
    """What stands between the provider's bytes and the client's: a pipe, and before it what undoes AWS's framing."""

    def __init__(self, row: Row, pipe: Pipe) -> None:
        self.pipe = pipe
        self._reframer = Reframer(unwrap=False) if row.framing == "aws-eventstream" else None

    def feed(self, data: bytes) -> bytes:
        return self.pipe.feed(data if self._reframer is None else self._reframer.feed(data))

    def finish(self) -> bytes:
        if self._reframer is not None:
            self._reframer.finish()
        return self.pipe.finish()


def passed(row: Row) -> Line:
    return Line(row, _passthrough(row, strip_usage=False))


def stripped(row: Row) -> Line:
    return Line(row, _passthrough(row, strip_usage=True))


def _passthrough(row: Row, *, strip_usage: bool) -> Pipe:
    dialect, profile = DIALECTS[row.dialect], KINDS[row.kind].profile
    return Passthrough(lambda: dialect.new_decoder(profile), dialect.MARKERS, strip_usage=strip_usage)


def translated(client: str) -> Callable[[Row], Line]:
    def make(row: Row) -> Line:
        decoder = DIALECTS[row.dialect].new_decoder(KINDS[row.kind].profile)
        return Line(row, Translation(decoder, CLIENT_DIALECTS[client].new_encoder(OPTIONS)))

    return make


def cases() -> Iterator[object]:
    """Each stream, and each way that it can take to a client."""
    for name, row in STREAMS.items():
        if row.dialect in CLIENT_DIALECTS:
            yield pytest.param(row, passed, id=f"{name}: passed")
        if row.dialect == "openai-chat":
            yield pytest.param(row, stripped, id=f"{name}: stripped")
        for client in CLIENT_DIALECTS:
            if client != row.dialect:
                yield pytest.param(row, translated(client), id=f"{name}: to {client}")


EACH = pytest.mark.parametrize(("row", "make"), list(cases()))


def run(line: Line, *data: bytes) -> tuple[bytes, Usage | None, list[str], bool]:
    """What the client gets, and what we know at the end."""
    out = b"".join([line.feed(piece) for piece in data])
    pipe = line.pipe
    if not pipe.decoder.ended:
        out += line.finish()
    return out, pipe.decoder.usage, pipe.finish_reasons, pipe.committed


def pieces(raw: bytes, first: int, size: int) -> list[bytes]:
    """`raw` cut at `first` and from there on every `size` bytes."""
    return [raw[:first], *(raw[i : i + size] for i in range(first, len(raw), size))]


@EACH
def test_cuts_anywhere_change_nothing(row: Row, make: Callable[[Row], Line]) -> None:
    raw = row.wire
    whole = run(make(row), raw)

    every, some = (1, 37) if len(raw) <= LARGE else (7, 997)

    for first in range(1, 1 + PIECE, every):  # each byte position is cut at once, with a few events around it
        assert run(make(row), *pieces(raw, first, PIECE)) == whole, f"cut at {first} and every {PIECE} bytes"
    for first in range(1, len(raw), some):
        assert run(make(row), raw[:first], raw[first:]) == whole, f"cut at {first}"


@pytest.mark.parametrize("row", STREAMS.values(), ids=STREAMS.keys())
def test_two_pieces_hold_the_events_of_one_wherever_they_are_cut(row: Row) -> None:
    def events_of(*data: bytes) -> list[sse.Event]:
        parser, reframer = sse.Parser(), Reframer(unwrap=False)
        plain = (reframer.feed(piece) if row.framing == "aws-eventstream" else piece for piece in data)
        return [event for piece in plain for event in parser.feed(piece)]

    raw = row.wire
    whole = events_of(raw)

    assert whole == list(sse.Parser().feed(row.sse))  # as botocore reads the frames
    for first in range(1, len(raw), 1 if len(raw) <= LARGE else 7):
        assert events_of(raw[:first], raw[first:]) == whole, f"cut at {first}"


@pytest.mark.parametrize("size", [1, 7])
@EACH
def test_many_pieces_say_what_one_says(row: Row, make: Callable[[Row], Line], size: int) -> None:
    assert run(make(row), *pieces(row.wire, size, size)) == run(make(row), row.wire)


@pytest.mark.parametrize("row", [row for row in STREAMS.values() if row.dialect in CLIENT_DIALECTS])
def test_what_passes_is_what_came(row: Row) -> None:
    assert run(passed(row), row.wire)[0] == row.wire


def parts(row: Row) -> Iterator[bytes]:
    """What is left of a stream that ends after each event, in the middle of each, and a little before its end.

    The last event's blank line may be missing (some servers leave it out): from there on the stream is whole.
    """
    found = row.events
    for number, event in enumerate(found):
        before = b"".join(found[:number])
        sizes = [len(event) // 2, len(event.rstrip()) - 1, *([len(event)] if number < len(found) - 1 else [])]
        yield from (before + event[:size] for size in sizes)


@EACH
def test_a_part_is_never_the_whole_and_its_usage_counts(row: Row, make: Callable[[Row], Line]) -> None:
    whole = run(make(row), row.wire)[1]
    for part in parts(row):
        pipe = make(row).pipe  # of events: frames have a test of their own

        pipe.feed(part)
        with pytest.raises(Malformed):
            pipe.finish()

        report, usage = totals(row.dialect, last_report(part)), pipe.decoder.usage
        assert report == (usage and (usage.prompt_tokens, usage.completion_tokens))
        assert usage is None or whole is None or usage.completion_tokens <= whole.completion_tokens


@pytest.mark.parametrize("client", CLIENT_DIALECTS)
@pytest.mark.parametrize(
    "row", [row for row in STREAMS.values() if row.framing == "aws-eventstream"], ids=lambda row: row.id
)
def test_every_part_of_a_stream_of_frames_is_malformed(row: Row, client: str) -> None:
    for size in range(0, len(row.wire), 7):
        line = translated(client)(row)

        line.feed(row.wire[:size])
        with pytest.raises(Malformed):
            line.finish()


@EACH
def test_a_last_blank_line_may_be_missing(row: Row, make: Callable[[Row], Line]) -> None:
    whole, *known = run(make(row), row.wire)
    pipe = make(row).pipe
    short = pipe.feed(row.sse.rstrip())
    if not pipe.decoder.ended:
        short += pipe.finish()

    assert short.rstrip() == whole.rstrip()
    assert [pipe.decoder.usage, pipe.finish_reasons, pipe.committed] == known
