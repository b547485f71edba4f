"""The kinds of value a configuration field can have, and the base of all sections.

Values arrive from the YAML reader as str, `Expanded` (a str that held a reference), int, Decimal, bool,
None, list or dict; from Python code (tests, other packages) also as the finished type. The validators
take both. The validation context, where there is one, reads secret files and marks that a file is read:
only then does a bare number count as "unit missing".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Protocol, Union, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from costspan.config import values
from costspan.config.values import Secret

REFERENCE_PATTERN = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"


class Expanded(str):
    """Text in which at least one `${VAR}` was replaced."""

    __slots__ = ()


class SecretFiles(Protocol):
    """The validation context: reads `file:` references."""

    def read(self, path: str) -> str:
        """Return the content of a secret file, without its last newline; `ValueError` says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Label:
    """What the reference manual calls a type."""

    text: str


def _flag(value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, Expanded) and value in {"true", "false"}:
        return value == "true"
    raise ValueError("expected true or false")


def _integer(value: object) -> object:
    if isinstance(value, Expanded) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("expected a whole number")  # noqa: TRY004 - pydantic wants ValueError
    return value


def read_duration(value: object, info: ValidationInfo) -> float:
    """Seconds from a duration of the file, or from a number in code."""
    if isinstance(value, float) or (info.context is None and isinstance(value, int)):
        return float(value)
    return values.parse_duration(_text(value, "expected a duration such as 500ms, 10s, 5m, 2h or 90d"))


def _size(value: object) -> int:
    return values.parse_size(_text(value, "expected a size such as 32MiB"))


def _percent(value: object, info: ValidationInfo) -> Decimal:
    if info.context is None and isinstance(value, Decimal | int):
        return Decimal(value)
    return values.parse_percent(_text(value, "expected a percentage such as 12%"))


def _decimal(value: object) -> Decimal:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("expected a finite number")
        return value
    return values.parse_decimal(_text(value, "expected a number"))


def _date(value: object) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("expected a date such as 2026-01-31") from None


def _text(value: object, reason: str) -> str:
    """Return the text of a scalar that is a string or a number; anything else is a `ValueError` with `reason`."""
    if isinstance(value, bool | float) or not isinstance(value, str | int | Decimal):
        raise ValueError(reason)  # noqa: TRY004 - pydantic wants ValueError
    return str(value)


def _secret(value: object, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ValueError("expected a reference such as ${NAME} or file:/run/secrets/name")  # noqa: TRY004 - pydantic wants ValueError
    if value.startswith("file:"):
        return Secret(_from_file(value.removeprefix("file:"), info))
    if isinstance(value, Expanded):
        return Secret(value.removesuffix("\n").removesuffix("\r"))
    if values.looks_like_key(value):
        raise ValueError("a provider key must not stand in the file: use ${NAME} or file:/run/secrets/name")
    return Secret(value, literal=True)


def _from_file(path: str, info: ValidationInfo) -> str:
    if info.context is None:
        raise ValueError("a secret file can be named only in a configuration file")
    files: SecretFiles = info.context
    return files.read(path)


def _api_key(value: object, info: ValidationInfo) -> Secret:
    secret = _secret(value, info)
    text = secret.reveal()
    if not text:
        raise ValueError("the secret is empty")
    if not all("!" <= character <= "~" for character in text):
        raise ValueError("the secret contains white space, a line break or a character outside ASCII")
    return secret


def _endpoint(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        raise ValueError("expected a URL such as http://collector:4318, without user and password")
    if parts.query or parts.fragment:
        raise ValueError("expected a URL without query and fragment")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("the port is not one") from None
    return text


def _header_value(value: object, info: ValidationInfo) -> Secret | str:
    if isinstance(value, bool | int | Decimal):
        value = str(value).lower()
    secret = _secret(value, info)
    if not all(" " <= character <= "~" or character == "\t" for character in secret.reveal()):
        raise ValueError("a header value cannot contain line breaks, control characters or characters outside ASCII")
    return secret.reveal() if secret.literal else secret


def _json_value(value: object) -> object:
    """Turn the reader's values into plain JSON values: decimals become floats, as JSON libraries write them."""
    match value:
        case Decimal():
            return float(value)
        case str():
            return str(value)
        case dict():
            return {str(key): _json_value(member) for key, member in value.items()}
        case list() | tuple():
            return [_json_value(member) for member in value]
        case _:
            return value


def _described(pattern: str, description: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": ["string", "number"], "pattern": f"^({pattern}|.*{REFERENCE_PATTERN}.*)$", "x-value": description}
    )


_NUMBER = r"[0-9]+(\.[0-9]+)?"

Text = Annotated[str, Field(min_length=1)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Integer = Annotated[int, BeforeValidator(_integer)]
Count = Annotated[int, BeforeValidator(_integer), Field(ge=1)]
Duration = Annotated[
    float,
    BeforeValidator(read_duration),
    Field(ge=0, le=10 * 365 * 86400),
    _described(rf"0|{_NUMBER} ?(ms|s|m|h|d)", "duration"),
    Label("duration"),
]
Size = Annotated[
    int,
    BeforeValidator(_size),
    Field(ge=1),
    _described(rf"{_NUMBER} ?(B|kB|MB|GB|KiB|MiB|GiB)?", "size"),
    Label("size"),
]
Percent = Annotated[
    Decimal,
    BeforeValidator(_percent),
    Field(ge=0, le=1),
    _described(rf"{_NUMBER} ?%", "percentage"),
    Label("percentage"),
]
Money = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    Field(ge=0),
    _described(_NUMBER, "decimal number"),
    Label("decimal"),
]
Day = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"}), Label("date")]
ApiKey = Annotated[
    Secret,
    PlainValidator(_api_key),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": rf"{REFERENCE_PATTERN}|^file:|^[^$]*$"}),
    Label("secret reference"),
]
HeaderValue = Annotated[
    Secret | str,
    PlainValidator(_header_value),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string"}),
    Label("text or secret reference"),
]
Endpoint = Annotated[str, AfterValidator(_endpoint), Label("URL")]
HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", max_length=200)]
Params = Annotated[dict[str, Any], BeforeValidator(_json_value)]


class Section(BaseModel):
    """A part of the file. Frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, data: object) -> object:
        """A section with all its lines commented out reads as null; a reference to nothing reads as empty."""
        if data is None:
            return {}
        if not isinstance(data, Mapping):
            return data
        return {key: member for key, member in data.items() if not cls._stands_for_default(key, member)}

    @classmethod
    def _stands_for_default(cls, key: object, member: object) -> bool:
        field = next((f for name, f in cls.model_fields.items() if key == (f.alias or name)), None)
        if field is None:
            return False
        optional = NoneType in get_args(field.annotation)
        if isinstance(member, Expanded) and not member:
            return optional
        return member is None and not optional and _is_collection(field.annotation)


def _is_collection(annotation: object) -> bool:
    if get_origin(annotation) in {Union, UnionType}:
        return any(map(_is_collection, get_args(annotation)))
    if get_origin(annotation) in {dict, tuple}:
        return True
    return isinstance(annotation, type) and issubclass(annotation, Section)
