"""aiohttp's response parser (llhttp in C), as this package uses it: one parser for one answer.

The parser writes bodies into `aiohttp.StreamReader`s, which call `pause_reading` and `resume_reading` of the protocol
that the parser was given. aiohttp falls back to a parser in Python that accepts other things (`HTTP/9.9`, lower-case
methods; measured with 3.14.5): `require_c_parser` refuses that at start.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol, cast

from aiohttp import http_parser
from aiohttp.http_parser import HttpResponseParser, RawResponseMessage

from costspan.transport.errors import protocol_error

if TYPE_CHECKING:
    import asyncio

    from aiohttp.base_protocol import BaseProtocol
    from aiohttp.streams import StreamReader

READ_BUFFER = 16384
"""Reading pauses at twice as many unread bytes: 10 000 stalled clients must not hold a MiB each."""
MAX_LINE = 8190
MAX_HEADERS = 128

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class FlowControl(Protocol):
    """What the parser's bodies call when they hold too much, and when they do no longer."""

    connected: bool

    def pause_reading(self) -> None:
        """Stop reading and parsing."""

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - aiohttp's signature
        """Go on."""


class AnswerParser(Protocol):
    """The part of the C parser that is used."""

    def feed_data(self, data: bytes) -> tuple[list[tuple[RawResponseMessage, StreamReader]], bool, bytes]:
        """Parse; the messages whose headers are complete. Raises `HttpProcessingError`."""

    def feed_eof(self) -> RawResponseMessage | None:
        """The connection ended. Raises `HttpProcessingError` inside a body of known length.

        After a complete message: a message when the bytes of another one had begun.
        """

    def pause_reading(self) -> None:
        """Stop at the next piece of body and keep the rest."""


def require_c_parser() -> None:
    """Raise `RuntimeError` unless aiohttp has its C parser."""
    if http_parser.HttpResponseParser is http_parser.HttpResponseParserPy:
        raise RuntimeError(
            "aiohttp runs without its C extensions: install its wheel, and unset AIOHTTP_NO_EXTENSIONS. "
            "The parser in Python accepts malformed HTTP."
        )


def new_parser(protocol: FlowControl, loop: asyncio.AbstractEventLoop, *, has_body: bool) -> AnswerParser:
    """A parser for one answer. `has_body` is false for the answer to HEAD."""
    parser = HttpResponseParser(
        cast("BaseProtocol", protocol),  # only FlowControl's part of it is used
        loop,
        READ_BUFFER,
        max_line_size=MAX_LINE,
        max_field_size=MAX_LINE,
        max_headers=MAX_HEADERS,
        response_with_body=has_body,
        read_until_eof=True,
        auto_decompress=False,
    )
    return cast("AnswerParser", parser)


def read_headers(message: RawResponseMessage) -> dict[str, str]:
    """Lower-case names, repeated fields joined by a comma.

    Raises `upstream_protocol_error` for control characters, which the parser lets through in values.
    """
    headers: dict[str, str] = {}
    if _CONTROL.search(b"".join([value for _, value in message.raw_headers])):
        raise protocol_error("control character in a header")
    for raw_name, raw_value in message.raw_headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
