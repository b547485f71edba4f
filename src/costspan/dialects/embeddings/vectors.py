"""Vectors as providers and clients write them: JSON numbers, or little-endian float32 in base64."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Any, Final

from costspan.errors import Malformed

_FLOAT32: Final = 4


def read(value: Any) -> tuple[float, ...]:  # noqa: ANN401 - JSON
    """A vector in either form. Raises `Malformed`."""
    if isinstance(value, str):
        return _unpack(value)
    if not isinstance(value, list) or not value or not set(map(type, value)) <= {float, int}:
        raise Malformed("an embedding is no list of numbers")
    return tuple(value)


def read_all(values: Any) -> tuple[tuple[float, ...], ...]:  # noqa: ANN401 - JSON
    """All vectors of an answer. Raises `Malformed` where there is none."""
    if not isinstance(values, list) or not values:
        raise Malformed("the answer holds no embeddings")
    return tuple(map(read, values))


def _unpack(text: str) -> tuple[float, ...]:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("an embedding is not valid base64") from error
    if not data or len(data) % _FLOAT32:
        raise Malformed("an embedding is no row of float32")
    return struct.unpack(f"<{len(data) // _FLOAT32}f", data)


def pack(vector: tuple[float, ...]) -> str:
    """As base64. Raises `Malformed` where a number is too large for float32."""
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except (OverflowError, struct.error) as error:
        raise Malformed("an embedding holds a number beyond float32") from error
