"""The small values of the file: durations, sizes, percents, decimals, secrets.

Parsers take the scalar's text and return a number, or raise `ValueError` with a reason fit for the
user. No reason repeats the text: it might be a secret that stands in the wrong place.
"""

from __future__ import annotations

import hmac
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MASK = "***"

_SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_BYTES = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z%]*)", re.ASCII)
_DECIMAL = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)

MAX_DIGITS = 40
"""Longer numbers are no prices; a bound keeps exact arithmetic cheap."""

KEY_SHAPES = tuple(
    re.compile(pattern)
    for pattern in (
        r"\bsk-ant-[A-Za-z0-9_-]{8,}",  # Anthropic
        r"\bsk-or-v1-[A-Za-z0-9]{8,}",  # OpenRouter
        r"\bsk-[A-Za-z0-9_-]{16,}",  # OpenAI, DeepSeek and many that follow them
        r"\bAIza[A-Za-z0-9_-]{16,}",  # Google
        r"\bya29\.[A-Za-z0-9_-]{16,}",  # Google OAuth access token
        r"\bgsk_[A-Za-z0-9]{16,}",  # Groq
        r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}",  # AWS access key id
        r"\bxai-[A-Za-z0-9]{16,}",  # xAI
        r"\bpplx-[A-Za-z0-9]{16,}",  # Perplexity
        r"\bcsk-[A-Za-z0-9]{16,}",  # Cerebras
        r"\b(?:hf|fw|r8)_[A-Za-z0-9]{16,}",  # Hugging Face, Fireworks, Replicate
        r"\bnvapi-[A-Za-z0-9_-]{16,}",  # NVIDIA
    )
)
"""How keys of the well-known providers begin, as of 2026-01; for refusing keys written into the file."""

_CREDENTIAL_NAME = re.compile(r"auth|key|token|secret|password|credential|cookie", re.IGNORECASE)
_CREDENTIAL = re.compile(r"^\s*(?:bearer|basic|token)\s+[!-~]{16,}|[A-Za-z0-9+/_=.~-]{32,}", re.IGNORECASE)


def looks_like_key(text: str) -> bool:
    """Whether `text` holds what is, by its shape, a provider's key."""
    return any(shape.search(text) for shape in KEY_SHAPES)


def looks_like_credential(header: str, value: str) -> bool:
    """Whether a header holds, by its name and its shape, a credential of any make."""
    return bool(_CREDENTIAL_NAME.search(header) and _CREDENTIAL.search(value))


def parse_duration(text: str) -> float:
    """`500ms`, `10s`, `5m`, `2h`, `90d` as seconds. A bare `0` is zero; other bare numbers are refused."""
    number, unit = _quantity(text, "expected a duration such as 500ms, 10s, 5m, 2h or 90d")
    if not unit and not number:
        return 0.0
    if unit not in _SECONDS:
        raise ValueError("expected a duration with its unit, such as 500ms, 10s, 5m, 2h or 90d")
    return float(number * _SECONDS[unit])


def parse_size(text: str) -> int:
    """`32MiB`, `64KiB`, `1GB` or a bare number of bytes, as bytes."""
    number, unit = _quantity(text, "expected a size such as 32MiB, 64KiB or a number of bytes")
    if unit not in _BYTES:
        raise ValueError("expected a size in B, kB, MB, GB, KiB, MiB or GiB")
    size = number * _BYTES[unit]
    if size != int(size):
        raise ValueError("expected a whole number of bytes")
    return int(size)


def parse_percent(text: str) -> Decimal:
    """`12%` as `Decimal("0.12")`. The sign is required: 12 and 0.12 would be ambiguous."""
    number, unit = _quantity(text, "expected a percentage such as 12% or 5.5%")
    if unit != "%":
        raise ValueError("expected a percentage with its sign, such as 12% or 5.5%")
    return number.scaleb(-2)


def parse_decimal(text: str) -> Decimal:
    """A finite decimal number, exactly as written."""
    if not _DECIMAL.fullmatch(text) or len(text) > MAX_DIGITS:
        raise ValueError("expected a plain finite number, without currency or unit")
    try:
        return Decimal(text)
    except InvalidOperation:  # pragma: no cover - the pattern admits only what Decimal reads
        raise ValueError("expected a plain finite number") from None


def _quantity(text: str, reason: str) -> tuple[Decimal, str]:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None or len(text) > MAX_DIGITS:
        raise ValueError(reason)
    return Decimal(match[1]), match[2]


class Secret:
    """A string that must not be seen. Only `reveal` gives it; whatever prints it shows `***`.

    Two are equal when their values are, compared in constant time. A pickled one comes back as `***`:
    secrets do not travel between processes.
    `literal` says that the value stood in the file itself, not behind a reference.
    """

    __slots__ = ("_value", "literal")

    def __init__(self, value: str, *, literal: bool = False) -> None:
        self._value = value
        self.literal = literal

    def reveal(self) -> str:
        """Return the value, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, _spec: str) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: object) -> Secret:
        return self

    def __reduce__(self) -> tuple[Callable[..., Secret], tuple[str]]:
        return Secret, (MASK,)
