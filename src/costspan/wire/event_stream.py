"""AWS's binary framing of events, `application/vnd.amazon.eventstream`, made into server-sent events, sans-IO.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html and botocore 1.44.1's `eventstream`, both
read 2026-11-25. A frame, all numbers big-endian:

    total length, headers length, CRC-32 of these 8 bytes | headers | payload | CRC-32 of everything before it

Everything after the reframer sees the events that it would see if Bedrock spoke SSE.
"""

from __future__ import annotations

import binascii
import functools
from struct import Struct
from typing import TYPE_CHECKING, Final

from costspan.errors import Malformed
from costspan.wire import json, sse

if TYPE_CHECKING:
    from collections.abc import Iterator

_PRELUDE: Final = Struct("!III")
_CRC: Final = Struct("!I")
_LENGTH: Final = Struct("!H")
_AROUND: Final = _PRELUDE.size + _CRC.size
_MAX_HEADERS: Final = 128 * 1024
_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value by its type: true, false, byte, short, integer, long, timestamp, UUID."""
_BYTES, _STRING = 6, 7
_ONE_LINE: Final = bytes.maketrans(b"\r\n", b"  ")


class Reframer:
    """Feed it chunks cut anywhere; it gives back each frame that is complete as an event of a stream of SSE.

    `unwrap` is for InvokeModelWithResponseStream: its `chunk` frames hold an event of the model's own dialect in
    base64, and that is what comes out, named by its `type`.
    """

    def __init__(self, *, unwrap: bool) -> None:
        self._unwrap = unwrap
        self._buffer = bytearray()
        self._needed = _AROUND
        """How many bytes have to be there before it makes sense to look again."""
        self._flaw: Malformed | None = None

    def feed(self, chunk: bytes) -> bytes:
        """The events that `chunk` completes. Raises `Malformed` on a frame that is damaged or too large.

        Frames before a damaged one come out first, wherever the chunks were cut; the next call raises.
        """
        if self._flaw is not None:
            raise self._flaw
        self._buffer += chunk
        if len(self._buffer) < self._needed:
            return b""
        events: list[bytes] = []
        try:
            events.extend(self._events())  # keeps what came before a flaw
        except Malformed as flaw:
            self._flaw = flaw
            if not events:
                raise
        return b"".join(events)

    def finish(self) -> None:
        """The stream has ended. Raises `Malformed` when it did so within a frame."""
        if self._flaw is not None:
            raise self._flaw
        if self._buffer:
            raise Malformed("the stream ends within a frame")

    def _events(self) -> Iterator[bytes]:
        data = bytes(self._buffer)
        start, self._needed = 0, _AROUND
        try:
            while len(data) - start >= _AROUND:
                total, headers = _prelude(data, start)
                if len(data) - start < total:
                    self._needed = total
                    return
                yield self._event(data, start, headers, start + total - _CRC.size)
                start += total
        finally:
            self._buffer = bytearray(data[start:])

    def _event(self, data: bytes, start: int, headers: int, end: int) -> bytes:
        """The frame at `start`, whose last checksum is at `end`."""
        if binascii.crc32(memoryview(data)[start:end]) != _CRC.unpack_from(data, end)[0]:
            raise Malformed("the checksum of a frame is wrong")
        payload = start + _PRELUDE.size + headers
        kind, name, message = _head(data[start + _PRELUDE.size : payload])
        if kind == "error":
            return sse.write(json.dumps({"message": message}), name)
        content = data[payload:end]
        if self._unwrap and kind == "event" and name == "chunk":
            name, content = _unwrapped(content)
        return sse.write(_line(content), name)


def _prelude(data: bytes, start: int) -> tuple[int, int]:
    """The lengths of the frame at `start`: of all of it and of its headers."""
    total, headers, checksum = _PRELUDE.unpack_from(data, start)
    if binascii.crc32(data[start : start + 8]) != checksum:
        raise Malformed("the checksum of a frame's prelude is wrong")
    if total < _AROUND + headers:
        raise Malformed("a frame is shorter than its headers")
    if total > sse.MAX_EVENT_BYTES or headers > _MAX_HEADERS:
        raise Malformed(f"frame larger than {sse.MAX_EVENT_BYTES} bytes, or its headers than {_MAX_HEADERS}")
    return total, headers


@functools.lru_cache(maxsize=32)  # frames of a kind have the same headers, byte for byte
def _head(block: bytes) -> tuple[str, str, str]:
    """The kind of message, the event's name, and the text of an error."""
    headers = _headers(block)
    kind = headers.get(":message-type", "event")
    source = {"exception": ":exception-type", "error": ":error-code"}.get(kind, ":event-type")
    name = headers.get(source, "")
    if "\n" in name or "\r" in name:
        raise Malformed("the name of an event has more than one line")
    return kind, name, headers.get(":error-message", "")


def _headers(block: bytes) -> dict[str, str]:
    """The headers that are strings; the others are read over."""
    found: dict[str, str] = {}
    seen: set[bytes] = set()
    position = 0
    while position < len(block):
        start = position + 1
        end = start + block[position]
        name, type_ = block[start:end], block[end : end + 1]
        if not type_ or name in seen:
            raise Malformed("a header of a frame is cut off or occurs twice")
        seen.add(name)
        position, value = _value(block, end + 1, type_[0])
        if value is not None:
            found[_text(name)] = _text(value)
    return found


def _value(block: bytes, position: int, type_: int) -> tuple[int, bytes | None]:
    """Where the value at `position` ends, and its bytes where it is a string."""
    size = _SIZES.get(type_)
    if type_ in (_BYTES, _STRING):
        if len(block) < position + _LENGTH.size:
            raise Malformed("a header of a frame is cut off")
        size = _LENGTH.unpack_from(block, position)[0]
        position += _LENGTH.size
    if size is None:
        raise Malformed("a header of a frame has an unknown type")
    end = position + size
    if end > len(block):
        raise Malformed("a header of a frame is cut off")
    return end, block[position:end] if type_ == _STRING else None


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Malformed("a header of a frame is not UTF-8") from None


def _unwrapped(payload: bytes) -> tuple[str, bytes]:
    """The event within a chunk, and its name."""
    encoded = json.loads_object(payload).get("bytes")
    if not isinstance(encoded, str):
        raise Malformed("a chunk holds no bytes")
    try:
        content = binascii.a2b_base64(encoded.encode(), strict_mode=True)
    except ValueError:
        raise Malformed("a chunk's bytes are not base64") from None
    type_ = json.loads_object(content).get("type")
    return (type_ if isinstance(type_, str) and type_.isprintable() else ""), content


def _line(payload: bytes) -> bytes:
    """JSON on one line: between its values a line break means the same as a space, and within none is valid."""
    if b"\n" in payload or b"\r" in payload:
        payload = payload.translate(_ONE_LINE)
    return payload or b"{}"
