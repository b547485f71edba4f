"""Optional request fields, checked: what `dialects.checks` has no word for. None where absent or null."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, cast

from costspan.dialects import checks

if TYPE_CHECKING:
    from costspan.wire import json

MAX_OUTPUT_TOKENS: Final = 2**31 - 1


def number(body: json.Object, name: str) -> float | None:
    """A finite number, integers kept as they are."""
    value = body.get(name)
    if value is None or (type(value) in {int, float} and math.isfinite(value)):
        return cast("float | None", value)
    raise checks.invalid(f"'{name}' must be a number", name)


def mapping(body: json.Object, name: str) -> json.Object | None:
    """An object."""
    value = body.get(name)
    if value is None or type(value) is dict:
        return value
    raise checks.invalid(f"'{name}' must be an object", name, "invalid_type")


def output_limit(body: json.Object) -> int | None:
    """The most tokens to answer with."""
    return checks.integer(body, "max_output_tokens", 1, MAX_OUTPUT_TOKENS)


def bad_input(message: str, param: str) -> Exception:
    """The error for a flaw in `input`."""
    return checks.invalid(message, param, "invalid_messages")
