"""Recorded traffic as the clients' official SDKs hear it: the same answer, and a typed error of what breaks off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from costspan.dialects import CLIENT_DIALECTS, DIALECTS
from costspan.dialects.types import ErrorAnswer, StreamOptions
from costspan.providers.hosts import KINDS
from costspan.wire import json, sse
from fakes.corpus import FAILED, GOOD, MISSING, ROWS, STREAMS, Row
from fakes.corpus_reader import read
from fakes.corpus_sdks import RAISED, TYPED, Sdks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.ir import events

pytestmark = pytest.mark.skipif(not ROWS, reason=MISSING)

OPTIONS = StreamOptions("cs_1", "served", 1700000000, prompt_tokens=7)


@pytest.fixture(scope="module")
def sdks() -> Sdks:
    return Sdks()


def decoded(row: Row, data: bytes) -> Iterator[events.Event]:
    decoder = DIALECTS[row.dialect].new_decoder(KINDS[row.kind].profile)
    return (event for raw in sse.Parser().feed(data) for event in decoder.feed(raw))


def shown(row: Row, client: str) -> bytes:
    if not row.stream:
        reply = DIALECTS[row.dialect].decode_reply(json.loads_object(row.raw), KINDS[row.kind].profile)
        return CLIENT_DIALECTS[client].encode_reply(reply, OPTIONS).body
    encoder = CLIENT_DIALECTS[client].new_encoder(OPTIONS)
    return b"".join(map(encoder.feed, decoded(row, row.sse))) + encoder.close()


@pytest.mark.parametrize("client", CLIENT_DIALECTS)
@pytest.mark.parametrize("row", GOOD.values(), ids=GOOD.keys())
def test_an_sdk_hears_what_the_provider_said(sdks: Sdks, row: Row, client: str) -> None:
    heard = sdks.hear(client, shown(row, client), stream=row.stream)

    expected = read(row.dialect, row.sse, stream=row.stream)
    if not row.usage:
        heard.prompt = heard.completion = None
    assert heard == expected


BROKEN = ErrorAnswer(502, "upstream_error", "the provider's stream broke off", "cs_1")


@pytest.mark.parametrize("client", CLIENT_DIALECTS)
@pytest.mark.parametrize("row", STREAMS.values(), ids=STREAMS.keys())
def test_an_sdk_raises_where_a_stream_breaks_off(sdks: Sdks, row: Row, client: str) -> None:
    found = row.events
    for count in {0, 1, len(found) // 2, len(found) - 1}:
        encoder = CLIENT_DIALECTS[client].new_encoder(OPTIONS)
        begun = b"".join(map(encoder.feed, decoded(row, b"".join(found[:count]))))

        with pytest.raises(RAISED[client], match="the provider's stream broke off"):
            sdks.hear(client, begun + CLIENT_DIALECTS[client].encode_stream_error(BROKEN), stream=True)


@pytest.mark.parametrize("client", CLIENT_DIALECTS)
@pytest.mark.parametrize("row", FAILED.values(), ids=FAILED.keys())
def test_an_sdk_raises_an_error_answer_by_its_type(sdks: Sdks, row: Row, client: str) -> None:
    report = DIALECTS[row.dialect].decode_error(row.status, row.raw)
    answer = ErrorAnswer(row.status, report.category, report.message, "cs_1")

    with pytest.raises(TYPED[client][row.status]) as raised:
        sdks.hear(client, CLIENT_DIALECTS[client].encode_error(answer), stream=False, status=row.status)

    assert report.message in str(raised.value)
