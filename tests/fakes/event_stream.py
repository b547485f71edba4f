"""Writes AWS's event-stream frames, as Bedrock sends them. Shares no code with costspan's reader."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def write_frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One frame with `headers`, all strings."""
    return write_raw_frame(b"".join(write_header(name, value) for name, value in headers.items()), payload)


def write_event(name: str, payload: bytes) -> bytes:
    """One frame with an ordinary event."""
    return write_frame(
        {":event-type": name, ":content-type": "application/json", ":message-type": "event"},
        payload,
    )


def write_exception(name: str, payload: bytes) -> bytes:
    """One frame with an error that the service knows of."""
    return write_frame(
        {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"},
        payload,
    )


def write_header(name: str, value: str) -> bytes:
    """One header that is a string."""
    text = value.encode()
    return write_raw_header(name, 7, struct.pack("!H", len(text)) + text)


def write_raw_header(name: str, type_: int, value: bytes) -> bytes:
    """One header of any type, its value as on the wire."""
    encoded = name.encode()
    return bytes([len(encoded)]) + encoded + bytes([type_]) + value


def write_raw_frame(headers: bytes, payload: bytes) -> bytes:
    """One frame around headers that are bytes already."""
    lengths = struct.pack("!II", 12 + len(headers) + len(payload) + 4, len(headers))
    frame = lengths + struct.pack("!I", zlib.crc32(lengths)) + headers + payload
    return frame + struct.pack("!I", zlib.crc32(frame))
