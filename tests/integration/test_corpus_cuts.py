"""Recorded streams cut at every place: two pieces say what one says, and a part is never taken for the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import CLIENT_DIALECTS, DIALECTS
from costspan.dialects.types import StreamOptions
from costspan.engine.pipe import Passthrough, Pipe, Translation
from costspan.errors import Malformed
from costspan.providers.hosts import KINDS
from fakes.corpus import MISSING, ROWS, Row, data_of, events

if TYPE_CHECKING:
    from collections.abc import Callable

    from costspan.ir.usage import Usage

pytestmark = pytest.mark.skipif(not ROWS, reason=MISSING)

OTHER = {"openai-chat": "anthropic-messages", "anthropic-messages": "openai-chat"}
OPTIONS = StreamOptions("cs_1", "served", 1700000000, prompt_tokens=7)
STREAMS = {row.id: row for row in ROWS if row.stream}
PIECE = 400
"""Bytes: a few events."""
LARGE = 20_000
"""Bytes; larger streams are cut at every seventh place only."""


def passed(row: Row) -> Pipe:
    return _passthrough(row, strip_usage=False)


def stripped(row: Row) -> Pipe:
    return _passthrough(row, strip_usage=True)


def _passthrough(row: Row, *, strip_usage: bool) -> Pipe:
    dialect, profile = DIALECTS[row.dialect], KINDS[row.kind].profile
    return Passthrough(lambda: dialect.new_decoder(profile), dialect.MARKERS, strip_usage=strip_usage)


def translated(row: Row) -> Pipe:
    decoder = DIALECTS[row.dialect].new_decoder(KINDS[row.kind].profile)
    return Translation(decoder, CLIENT_DIALECTS[OTHER[row.dialect]].new_encoder(OPTIONS))


PIPES: dict[str, Callable[[Row], Pipe]] = {"passed": passed, "stripped": stripped, "translated": translated}


def run(pipe: Pipe, *data: bytes) -> tuple[bytes, Usage | None, list[str], bool]:
    """What the client gets, and what we know at the end."""
    out = b"".join([pipe.feed(piece) for piece in data])
    if not pipe.decoder.ended:
        out += pipe.finish()
    return out, pipe.decoder.usage, pipe.finish_reasons, pipe.committed


def pieces(raw: bytes, first: int, size: int) -> list[bytes]:
    """`raw` cut at `first` and from there on every `size` bytes."""
    return [raw[:first], *(raw[i : i + size] for i in range(first, len(raw), size))]


@pytest.mark.parametrize("make", PIPES.values(), ids=PIPES.keys())
@pytest.mark.parametrize("row", STREAMS.values(), ids=STREAMS.keys())
def test_cuts_anywhere_change_nothing(row: Row, make: Callable[[Row], Pipe]) -> None:
    raw = row.raw
    whole = run(make(row), raw)

    every, some = (1, 13) if len(raw) <= LARGE else (7, 997)

    for first in range(1, 1 + PIECE, every):  # each byte position is cut at once, with a few events around it
        assert run(make(row), *pieces(raw, first, PIECE)) == whole, f"cut at {first} and every {PIECE} bytes"
    for first in range(1, len(raw), some):
        assert run(make(row), raw[:first], raw[first:]) == whole, f"cut at {first}"


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("make", PIPES.values(), ids=PIPES.keys())
@pytest.mark.parametrize("row", STREAMS.values(), ids=STREAMS.keys())
def test_many_pieces_say_what_one_says(row: Row, make: Callable[[Row], Pipe], size: int) -> None:
    assert run(make(row), *pieces(row.raw, size, size)) == run(make(row), row.raw)


def last_report(raw: bytes) -> dict[str, Any]:
    """The usage that the complete events of `raw` report, the last value of each field; {} for none."""
    found: dict[str, Any] = {}
    for event in events(raw):
        whole = event.endswith((b"\n\n", b"\r\n\r\n"))
        value = (data_of(event) if whole else None) or {}
        reports = [value.get("usage"), value.get("message", {}).get("usage"), value.get("x_groq", {}).get("usage")]
        found |= {name: count for report in reports for name, count in (report or {}).items() if count is not None}
    return found


def totals(row: Row, report: dict[str, Any]) -> tuple[int, int]:
    """Prompt and completion tokens of a report."""
    if row.dialect == "openai-chat":
        return report["prompt_tokens"], report["total_tokens"] - report["prompt_tokens"]
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return sum(report.get(name, 0) for name in names), report["output_tokens"]


def parts(raw: bytes) -> list[bytes]:
    """What is left of a stream that ends after each event, in the middle of each, and a little before its end.

    The last event's blank line may be missing (some servers leave it out): from there on the stream is whole.
    """
    found, at = [], 0
    for event in events(raw):
        found += [raw[: at + size] for size in (len(event) // 2, len(event.rstrip()) - 1, len(event))]
        at += len(event)
    return found[:-1]


@pytest.mark.parametrize("make", PIPES.values(), ids=PIPES.keys())
@pytest.mark.parametrize("row", STREAMS.values(), ids=STREAMS.keys())
def test_a_part_is_never_the_whole_and_its_usage_counts(row: Row, make: Callable[[Row], Pipe]) -> None:
    for part in parts(row.raw):
        pipe = make(row)

        pipe.feed(part)
        with pytest.raises(Malformed):
            pipe.finish()

        report, usage = last_report(part), pipe.decoder.usage
        assert (usage is not None) is bool(report)
        if usage is not None:
            assert (usage.prompt_tokens, usage.completion_tokens) == totals(row, report)


@pytest.mark.parametrize("make", PIPES.values(), ids=PIPES.keys())
@pytest.mark.parametrize("row", STREAMS.values(), ids=STREAMS.keys())
def test_a_last_blank_line_may_be_missing(row: Row, make: Callable[[Row], Pipe]) -> None:
    whole, *known = run(make(row), row.raw)
    short, *also_known = run(make(row), row.raw.rstrip())

    assert short.rstrip() == whole.rstrip()
    assert also_known == known
