"""transport.decode: compressed bodies, fed in any pieces, bounded."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest

from costspan.errors import UpstreamError
from costspan.transport.decode import MAX_PIECE, Decoder
from costspan.transport.pool import Pool
from costspan.wire.http import Outgoing
from fakes.upstream import Answer, FakeUpstream

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = b'data: {"choices":[{"delta":{"content":"h\xc3\xa9llo"}}]}\n\n' * 50


def bare_deflate(data: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(data) + deflate.flush()


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "gzip of two members": ("gzip", lambda data: gzip.compress(data[:70]) + gzip.compress(data[70:])),
    "deflate": ("deflate", zlib.compress),
    "deflate without its wrapping": ("deflate", bare_deflate),
}


def decode(decoder: Decoder, data: bytes, size: int) -> bytes:
    decoded = b""
    for start in range(0, len(data), size):
        decoder.feed(data[start : start + size])
        while piece := decoder.take():
            assert len(piece) <= MAX_PIECE
            decoded += piece
    decoder.finish()
    return decoded


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize(("coding", "compress"), CODINGS.values(), ids=CODINGS.keys())
def test_a_body_does_not_depend_on_its_pieces(coding: str, compress: Callable[[bytes], bytes], size: int) -> None:
    assert decode(Decoder(coding), compress(TEXT), size) == TEXT


def test_what_is_flushed_is_decoded_at_once() -> None:
    compressor = zlib.compressobj(wbits=31)
    decoder = Decoder("gzip")
    decoder.feed(compressor.compress(b"first") + compressor.flush(zlib.Z_SYNC_FLUSH))

    assert (decoder.take(), decoder.take()) == (b"first", b"")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_body_without_its_end_is_a_reset(coding: str) -> None:
    compressed = gzip.compress(TEXT) if coding == "gzip" else zlib.compress(TEXT)
    with pytest.raises(UpstreamError) as caught:
        decode(Decoder(coding), compressed[:-5], 100_000)

    assert caught.value.kind == "upstream_reset"


def test_an_empty_body_is_empty() -> None:
    assert decode(Decoder("gzip"), b"", 1) == b""


DAMAGED: dict[str, tuple[str, bytes]] = {
    "not gzip": ("gzip", b"not compressed at all"),
    "a damaged checksum": ("gzip", gzip.compress(TEXT)[:-8] + b"\0" * 8),
    "not deflate": ("deflate", b"\x08 secret"),
    "something after deflate": ("deflate", zlib.compress(TEXT) + b"more"),
    "something after gzip": ("gzip", gzip.compress(TEXT) + b"more"),
}


@pytest.mark.parametrize(("coding", "data"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damage_is_a_protocol_error(coding: str, data: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        decode(Decoder(coding), data, 100_000)

    assert caught.value.kind == "upstream_protocol_error"
    assert "secret" not in str(caught.value)


def test_a_bomb_is_stopped_early() -> None:
    decoder = Decoder("gzip")
    decoder.feed(gzip.compress(b"\0" * 50_000_000))
    taken = [decoder.take() for _ in range(18)]  # 48 KiB came in: 4.7 MiB are allowed
    with pytest.raises(UpstreamError) as caught:
        decoder.take()

    assert caught.value.kind == "upstream_protocol_error"
    assert sum(map(len, taken)) < 5_000_000


async def get(answer: Answer) -> tuple[dict[str, str], bytes]:
    async with FakeUpstream(answer) as upstream:
        pool = Pool("http", "127.0.0.1", upstream.port)
        response = await pool.request(Outgoing("GET", "/", [], b""), connect_timeout=5, headers_timeout=5)
        try:
            return dict(response.headers), await response.read(100_000, 5)
        finally:
            response.close()
            await pool.close()


async def test_an_answer_in_gzip_reads_as_if_it_were_not() -> None:
    compressed = gzip.compress(TEXT)
    answer = Answer(headers=[("Content-Encoding", "GZip")], body=[compressed[:20], compressed[20:]])

    assert await get(answer) == ({}, TEXT)


async def test_an_answer_in_gzip_that_ends_early_is_a_reset() -> None:
    with pytest.raises(UpstreamError) as caught:
        await get(Answer(headers=[("content-encoding", "gzip")], body=gzip.compress(TEXT)[:-12], framing="close"))

    assert caught.value.kind == "upstream_reset"


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip"])
async def test_another_coding_is_refused_when_there_is_a_body(coding: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        await get(Answer(headers=[("content-encoding", coding)], body=b"\x0b\x02\x80"))

    assert caught.value.kind == "upstream_protocol_error"
    assert await get(Answer(headers=[("content-encoding", coding)])) == (
        {"content-encoding": coding, "content-length": "0"},
        b"",
    )
