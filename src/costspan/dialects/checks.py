"""What is strict of a client's request, whatever its format: fields by name, each None where absent or null.

Every check raises a `ClientError` that names the field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from costspan.errors import ClientError

if TYPE_CHECKING:
    from costspan.wire import json

MAX_MODEL_CHARS: Final = 256
_MAX_INTEGER: Final = 2**63 - 1

FORBIDDEN: Final = frozenset({"api_base", "base_url", "api_key", "custom_llm_provider", "extra_headers"})
"""Fields that other gateways read a destination or a credential from. Here both come from the configuration alone."""


def refuse_destinations(body: json.Object) -> None:
    """Refuse a request that names where it wants to go, or with which key."""
    if not FORBIDDEN.isdisjoint(body):
        name = min(FORBIDDEN & body.keys())
        raise ClientError(f"'{name}' is not accepted: it is set by the gateway", code="forbidden_parameter", param=name)


def model(body: json.Object) -> str:
    """The model asked for."""
    value = body.get("model")
    if type(value) is not str or not value:
        raise ClientError("'model' must be a non-empty string", code="missing_model", param="model")
    if len(value) > MAX_MODEL_CHARS or not value.isprintable():
        raise ClientError(
            f"'model' must be at most {MAX_MODEL_CHARS} printable characters", code="missing_model", param="model"
        )
    return value


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


def string(body: json.Object, name: str) -> str | None:
    """Text."""
    value = body.get(name)
    if value is None or type(value) is str:
        return value
    raise invalid(f"'{name}' must be a string", name, "invalid_type")


def strings(value: Any) -> bool:  # noqa: ANN401 - unchecked input
    """Whether `value` is a list of texts. One pass at C speed: such lists are long."""
    return type(value) is list and set(map(type, value)) <= {str}


def token_ids(value: Any) -> bool:  # noqa: ANN401 - unchecked input
    """Whether `value` is a list of token ids."""
    return type(value) is list and set(map(type, value)) <= {int} and (not value or min(value) >= 0)
