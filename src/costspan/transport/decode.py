"""Content codings that an upstream answers with although we ask for `identity`. Bounded, streaming.

gzip and deflate are decoded; the standard library has no others, so br and zstd are refused.
"""

from __future__ import annotations

import zlib

from costspan.transport.errors import protocol_error, reset_inside_answer

MAX_PIECE = 256 * 1024
"""Decoded bytes handed out at a time: what a reader has to hold."""
FREE_BYTES = 1024 * 1024
MAX_RATIO = 100
"""JSON text shrinks to a tenth, repetitive text to a thirtieth; a thousandth is a bomb."""

_GZIP = 16 + zlib.MAX_WBITS
_RAW_DEFLATE = -zlib.MAX_WBITS
_DEFLATE_METHOD = 8


class Decoder:
    """One body. Feed it what came, take what it gives until that is empty, finish it at the end.

    Raises `upstream_protocol_error` for bytes that are not of this coding and for bombs,
    `upstream_reset` from `finish` for a body that is cut short.
    """

    def __init__(self, coding: str) -> None:
        """`coding` is `gzip` or `deflate`."""
        self._gzip = coding == "gzip"
        self._inflate = zlib.decompressobj(_GZIP) if self._gzip else None
        self._input = b""
        self._total_in = 0
        self._total_out = 0

    def feed(self, data: bytes) -> None:
        """Add bytes of the body."""
        self._total_in += len(data)
        self._input = self._input + data if self._input else data

    def take(self) -> bytes:
        """The next decoded bytes, `b""` when more has to be fed."""
        while self._input:
            piece = self._step()
            self._total_out += len(piece)
            if self._total_out > max(FREE_BYTES, MAX_RATIO * self._total_in):
                raise protocol_error("compressed body expands too far")
            if piece:
                return piece
        return b""

    def finish(self) -> None:
        """The body has ended."""
        if self._inflate is not None and self._total_in and not self._inflate.eof:
            raise reset_inside_answer()

    def _step(self) -> bytes:
        inflate = self._inflate
        if inflate is None:  # "deflate" means zlib, but some servers send it bare (RFC 9110, 8.4.1.2)
            zlib_wrapped = self._input[0] & 0x0F == _DEFLATE_METHOD
            inflate = self._inflate = zlib.decompressobj(zlib.MAX_WBITS if zlib_wrapped else _RAW_DEFLATE)
        elif inflate.eof:
            if not self._gzip:
                raise protocol_error("bytes after the compressed body")
            inflate = self._inflate = zlib.decompressobj(_GZIP)  # gzip bodies may have several members
        try:
            piece = inflate.decompress(self._input, MAX_PIECE)
        except zlib.error:
            raise protocol_error("compressed body is damaged") from None
        self._input = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        return piece
