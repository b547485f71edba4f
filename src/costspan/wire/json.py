"""The one module that names the JSON library.

Whatever bytes arrive, nothing but `Malformed` comes out of `loads` and `loads_strictly`.
"""

import json as _json
import re
from decimal import Decimal
from functools import reduce
from typing import Any, Final

import orjson

from costspan.errors import Malformed

Object = dict[str, Any]
"""A decoded JSON object. `Any` may not leave the function that decoded it."""

Fragment = orjson.Fragment
"""Bytes that are JSON already and are copied as they are into what `dumps` writes."""

MAX_DEPTH: Final = 64
MAX_VALUES: Final = 250_000
"""Of a strictly read document: an empty array takes three bytes there and some seventy of memory here."""
_ROOM: Final = 254 - MAX_DEPTH
"""orjson writes 254 levels. Inside so many lists, what it still writes has at most `MAX_DEPTH`: a check at C speed."""
_INNERMOST: Final[list[object]] = [None]
_OUTERMOST: Final[list[object]] = reduce(lambda inner, _: [inner], range(_ROOM - 1), _INNERMOST)
_STRINGS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)


class TooDeep(Malformed):
    """Nested deeper than anything sensible."""


class TooLarge(Malformed):
    """More values than anything sensible."""


class LoneSurrogate(Malformed):
    """A string holds half of a surrogate pair: no text, and cannot be written again."""


class DuplicateKey(Malformed):
    """A key occurs twice in one object: readers do not agree on which of the values counts."""


def loads(data: bytes | str) -> Any:  # noqa: ANN401 - JSON is any value
    """Decode `data`. Raises `Malformed` without a byte of the input in its message."""
    try:
        return orjson.loads(data)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise _flaw(error) from None


def _flaw(error: Exception) -> Malformed:
    """What is wrong, in our own words."""
    reason, position = getattr(error, "msg", ""), getattr(error, "pos", None)
    if "depth" in reason:
        return TooDeep("nested too deeply")
    if "surrogate in string" in reason:
        return LoneSurrogate("not valid Unicode: half of a surrogate pair")
    return Malformed("not valid JSON" if position is None else f"not valid JSON at byte {position}")


def loads_object(data: bytes | str) -> Object:
    """Decode `data` and insist on an object at the top."""
    value = loads(data)
    if not isinstance(value, dict):
        raise Malformed("the top level must be a JSON object")
    return value


def loads_strictly(data: bytes) -> Object:
    """Decode a JSON object that others will read too, and refuse what they might read otherwise, or choke on.

    Raises `TooDeep`, `TooLarge`, `LoneSurrogate`, `DuplicateKey`, else `Malformed`. What is written compactly, as most
    clients do, costs one more `dumps`; the rest a pass of the standard library's parser.
    """
    if _commas(data) > MAX_VALUES:
        raise TooLarge(f"more than {MAX_VALUES} values")
    value = loads_object(data)
    _INNERMOST[0] = value
    try:
        written = orjson.dumps(_OUTERMOST)
    except orjson.JSONEncodeError:
        raise TooDeep(f"nested deeper than {MAX_DEPTH} levels") from None
    finally:
        _INNERMOST[0] = None
    if not (len(written) == len(data) + 2 * _ROOM and written.startswith(data, _ROOM)):
        _ONCE.decode(data.decode())
    return value


def _commas(data: bytes) -> int:
    """How many values are followed by another, where there may be too many."""
    if len(data) < 2 * MAX_VALUES or data.count(b",") <= MAX_VALUES:
        return 0
    return _STRINGS.sub(b"", data).count(b",")


def _refuse_duplicates(members: list[tuple[str, object]]) -> None:
    if len(dict(members)) != len(members):
        raise DuplicateKey("a key occurs twice in one object")


_ONCE: Final = _json.JSONDecoder(object_pairs_hook=_refuse_duplicates, parse_int=len, parse_float=len)
"""Keeps nothing of what it reads."""


def loads_exactly(data: str) -> Any:  # noqa: ANN401 - JSON is any value
    """Decode with every digit of a number: what has a point or an exponent is a `Decimal`. Slow; for money.

    Raises `Malformed` as `loads` does, also on `NaN` and `Infinity`.
    """
    try:
        return _EXACT.decode(data)
    except ValueError as error:  # JSONDecodeError; and an integer of more digits than Python reads
        position = getattr(error, "pos", None)
        raise Malformed("not valid JSON" if position is None else f"not valid JSON at character {position}") from None
    except RecursionError:
        raise TooDeep("nested too deeply") from None


def _no_number(name: str) -> None:
    raise ValueError(name)


_EXACT: Final = _json.JSONDecoder(parse_float=Decimal, parse_constant=_no_number)


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
