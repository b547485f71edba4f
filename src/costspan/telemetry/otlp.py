"""OTLP trace messages as bytes, written straight from attributes.

Protocol: opentelemetry-proto 1.x, `trace/v1/trace.proto` and `common/v1/common.proto`; wire format:
https://protobuf.dev/programming-guides/encoding/ (2026-11-23). A field is a tag (number * 8 + wire type), then a varint
(type 0), eight bytes (1), a length and bytes (2) or four bytes (5). Repeated fields and parts of a message are
concatenated, so a batch is a `bytes.join`.

Why not the SDK or the generated classes: see docs/adr/0004. Tests read what is written here with opentelemetry-proto.
Strings have to be clean UTF-8 (`attributes.clean`).
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from costspan.telemetry.attributes import Value

KIND_SERVER = 2
KIND_CLIENT = 3

_SAMPLED = 0x001
_REMOTENESS_IS_KNOWN = 0x100
_PARENT_IS_REMOTE = 0x200
LOCAL_PARENT = _SAMPLED | _REMOTENESS_IS_KNOWN
REMOTE_PARENT = LOCAL_PARENT | _PARENT_IS_REMOTE

_STATUS_ERROR = b"\x7a\x02\x18\x02"  # Span.status (15) of two bytes: Status.code (3) = ERROR (2)
_UINT64 = (1 << 64) - 1
_TIMES = struct.Struct("<BQBQ")
_FLAGS = struct.Struct("<BBI")
_DOUBLE = struct.Struct("<Bd")
_ONE_BYTE = 0x80


def _varint(number: int) -> bytes:
    if number < _ONE_BYTE:
        return _SMALL[number]
    out = bytearray()
    while number >= _ONE_BYTE:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_SMALL = tuple(bytes((number,)) for number in range(_ONE_BYTE))


def _field(tag: bytes, payload: bytes) -> bytes:
    return tag + _varint(len(payload)) + payload


def _value(value: Value) -> bytes:
    """Encode an `AnyValue`. Most frequent type first; `type() is` because bool is an int."""
    kind = type(value)
    if kind is str:
        return _field(b"\x0a", value.encode())  # type: ignore[union-attr] # - just seen
    if kind is float:
        return _DOUBLE.pack(0x21, value)
    if kind is int:
        return b"\x18" + _varint(value & _UINT64)  # type: ignore[operator] # - just seen
    if kind is bool:
        return b"\x10\x01" if value else b"\x10\x00"
    return _field(b"\x2a", b"".join([_field(b"\x0a", _value(item)) for item in value]))  # type: ignore[union-attr] # - a tuple


@lru_cache(maxsize=512)
def _key(key: str) -> bytes:
    """`KeyValue.key` and the tag of the value behind it."""
    return _field(b"\x0a", key.encode()) + b"\x12"


def attribute(tag: bytes, key: str, value: Value) -> bytes:
    """One `KeyValue` as a field of the message that has it under `tag`."""
    encoded = _value(value)
    head = _key(key)
    length = _varint(len(encoded))
    return b"".join((tag, _varint(len(head) + len(length) + len(encoded)), head, length, encoded))


_text = lru_cache(maxsize=1024)(attribute)
"""Texts repeat (models, routes, teams); those that do not (ids) soon leave the cache."""


def _attributes(attributes: Mapping[str, Value]) -> list[bytes]:
    return [(_text if type(value) is str else attribute)(b"\x4a", key, value) for key, value in attributes.items()]


def span(  # noqa: PLR0913 - a span has this many parts, keyword-only
    *,
    trace_id: str,
    span_id: str,
    parent_span_id: str | None,
    flags: int,
    name: str,
    kind: int,
    start_ns: int,
    end_ns: int,
    attributes: Mapping[str, Value],
    error: bool,
) -> bytes:
    """One span as a field of `ScopeSpans`. Ids are hexadecimal, times epoch nanoseconds."""
    parts = [
        b"\x0a\x10" + bytes.fromhex(trace_id),
        b"\x12\x08" + bytes.fromhex(span_id),
        b"" if parent_span_id is None else b"\x22\x08" + bytes.fromhex(parent_span_id),
        _field(b"\x2a", name.encode()),
        b"\x30" + _SMALL[kind],
        _TIMES.pack(0x39, start_ns, 0x41, end_ns),
        _FLAGS.pack(0x85, 0x01, flags),
    ]
    parts += _attributes(attributes)
    if error:
        parts.append(_STATUS_ERROR)
    return _field(b"\x12", b"".join(parts))


class Envelope:
    """What stands around the spans of every batch: resource and instrumentation scope."""

    def __init__(self, resource: Mapping[str, Value], scope: str, version: str) -> None:
        attributes = b"".join([attribute(b"\x0a", key, value) for key, value in resource.items()])
        self._resource = _field(b"\x0a", attributes)
        self._scope = _field(b"\x0a", _field(b"\x0a", scope.encode()) + _field(b"\x12", version.encode()))

    def wrap(self, spans: Iterable[bytes]) -> bytes:
        """Encode an `ExportTraceServiceRequest` with `spans`."""
        return _field(b"\x0a", self._resource + _field(b"\x12", self._scope + b"".join(spans)))
