"""Fields of a client's request, checked, under either spelling: protobuf's JSON takes `topP` and `top_p`.

Each check raises a `ClientError` that names the field, and gives None where it is absent or null.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

from costspan.dialects.checks import invalid

if TYPE_CHECKING:
    from costspan.wire import json

_MAX_INTEGER: Final = 2**63 - 1
_UNDERSCORE: Final = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")


@lru_cache(maxsize=512)
def camel(name: str) -> str:
    """A field's name as JSON writes it; what is no snake case stays."""
    return _UNDERSCORE.sub(lambda found: found[1].upper(), name)


def camelled(raw: json.Object) -> json.Object:
    """The message with its fields in camel case. Not for maps, whose keys are the client's own."""
    if not any("_" in name for name in raw):
        return raw
    return {camel(name): value for name, value in raw.items()}


def message(raw: Any, where: str) -> json.Object:  # noqa: ANN401 - unchecked input
    """An object with named fields; an empty one where there is none."""
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise invalid(f"'{where}' must be an object", where, "invalid_type")
    return camelled(raw)


def items(raw: Any, where: str) -> list[Any]:  # noqa: ANN401 - unchecked input
    """A list; an empty one where there is none."""
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise invalid(f"'{where}' must be a list", where, "invalid_type")
    return raw


def flag(value: Any, where: str) -> bool | None:  # noqa: ANN401 - unchecked input
    """A strict boolean."""
    if value is None or type(value) is bool:
        return value
    raise invalid(f"'{where}' must be true or false", where, "invalid_type")


def integer(
    value: Any,  # noqa: ANN401 - unchecked input
    where: str,
    lowest: int = -_MAX_INTEGER,
    highest: int = _MAX_INTEGER,
) -> int | None:
    """A whole number within bounds; `40.0` is one too, since the API types some as floats."""
    if value is None:
        return None
    whole = type(value) is int or (type(value) is float and value.is_integer())
    if whole and lowest <= value <= highest:
        return int(value)
    raise invalid(f"'{where}' must be an integer from {lowest} to {highest}", where)


def number(value: Any, where: str) -> float | None:  # noqa: ANN401 - unchecked input
    """A finite number, integers kept as they are."""
    if value is None or (type(value) in {int, float} and math.isfinite(value)):
        return cast("float | None", value)
    raise invalid(f"'{where}' must be a number", where)


def string(value: Any, where: str) -> str | None:  # noqa: ANN401 - unchecked input
    """Text."""
    if value is None or type(value) is str:
        return value
    raise invalid(f"'{where}' must be a string", where, "invalid_type")


def needed(value: Any, where: str) -> str:  # noqa: ANN401 - unchecked input
    """Text that may not be missing or empty."""
    if type(value) is str and value:
        return value
    raise invalid(f"'{where}' must be a non-empty string", where)
