"""Opaque reasoning of a foreign dialect, wrapped so that a client can carry it: `cs1.<origin>.<kind>.<base64url>`.

Providers refuse a tool loop whose reasoning comes back changed, so it has to survive in a client whose dialect
has no place of its own for it.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, cast

from costspan.ir.request import Opaque

if TYPE_CHECKING:
    from typing import Literal

_PREFIX = "cs1."


def wrap(opaque: Opaque) -> str:
    """One ASCII string that `unwrap` turns back into `opaque`."""
    data = base64.urlsafe_b64encode(opaque.data.encode()).decode()
    return f"{_PREFIX}{opaque.origin}.{opaque.kind}.{data}"


def unwrap(text: str) -> Opaque | None:
    """What `wrap` was given, or None when `text` is not of its making."""
    if not text.startswith(_PREFIX):
        return None
    parts = text[len(_PREFIX) :].split(".")
    if len(parts) != 3 or parts[1] not in ("signature", "encrypted", "redacted"):  # noqa: PLR2004 - the format above
        return None
    origin, kind, data = parts
    try:
        plain = base64.b64decode(data.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return None
    return Opaque(origin, cast("Literal['signature', 'encrypted', 'redacted']", kind), plain)
