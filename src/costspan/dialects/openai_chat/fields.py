"""Optional top-level request fields, checked. Each returns None where the field is absent or null."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, cast

from costspan.errors import ClientError

if TYPE_CHECKING:
    from costspan.wire import json

MAX_OUTPUT_TOKENS: Final = 2**31 - 1
MAX_CHOICES: Final = 128
_MAX_INTEGER: Final = 2**63 - 1


def invalid(message: str, param: str, code: str = "invalid_value") -> ClientError:
    """The error for a field that the caller has to change."""
    return ClientError(message, code=code, param=param)


def flag(body: json.Object, name: str) -> bool | None:
    """A strict boolean."""
    value = body.get(name)
    if value is None or type(value) is bool:
        return value
    raise invalid(f"'{name}' must be true or false", name, "invalid_type")


def integer(body: json.Object, name: str, lowest: int = -_MAX_INTEGER, highest: int = _MAX_INTEGER) -> int | None:
    """A whole number within bounds; a boolean is none."""
    value = body.get(name)
    if value is None or (type(value) is int and lowest <= value <= highest):
        return value
    raise invalid(f"'{name}' must be an integer from {lowest} to {highest}", name)


def number(body: json.Object, name: str) -> float | None:
    """A finite number, integers kept as they are."""
    value = body.get(name)
    if value is None or (type(value) in {int, float} and math.isfinite(value)):
        return cast("float | None", value)
    raise invalid(f"'{name}' must be a number", name)


def string(body: json.Object, name: str) -> str | None:
    """Text."""
    value = body.get(name)
    if value is None or type(value) is str:
        return value
    raise invalid(f"'{name}' must be a string", name, "invalid_type")


def mapping(body: json.Object, name: str) -> json.Object | None:
    """An object."""
    value = body.get(name)
    if value is None or type(value) is dict:
        return value
    raise invalid(f"'{name}' must be an object", name, "invalid_type")


def output_limit(body: json.Object) -> int | None:
    """The most tokens to answer with, by its newer name or else its older one."""
    older = integer(body, "max_tokens", 1, MAX_OUTPUT_TOKENS)
    newer = integer(body, "max_completion_tokens", 1, MAX_OUTPUT_TOKENS)
    return older if newer is None else newer
