"""The one module that names the JSON library.

Whatever bytes arrive, nothing but `Malformed` comes out of `loads`.
"""

from typing import Any

import orjson

from costspan.errors import Malformed

Object = dict[str, Any]
"""A decoded JSON object. `Any` may not leave the function that decoded it."""

Fragment = orjson.Fragment
"""Bytes that are JSON already and are copied as they are into what `dumps` writes."""


def loads(data: bytes | str) -> Any:  # noqa: ANN401 - JSON is any value
    """Decode `data`. Raises `Malformed` without a byte of the input in its message."""
    try:
        return orjson.loads(data)
    except (orjson.JSONDecodeError, RecursionError) as error:
        position = getattr(error, "pos", None)
        raise Malformed("not valid JSON" if position is None else f"not valid JSON at byte {position}") from None


def loads_object(data: bytes | str) -> Object:
    """Decode `data` and insist on an object at the top."""
    value = loads(data)
    if not isinstance(value, dict):
        raise Malformed("the top level must be a JSON object")
    return value


def dumps(value: object) -> bytes:
    """Encode `value`, without spaces. Integers beyond 64 bits and lone surrogates raise `Malformed`."""
    try:
        return orjson.dumps(value)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise Malformed("value cannot be written as JSON") from error


def text(value: object) -> str:
    """Encode `value` as a string."""
    return dumps(value).decode()


def pretty(value: object) -> str:
    """Encode `value` for people."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
