"""Opaque reasoning of a foreign dialect, wrapped so that a client can carry it: `cs1.<origin>.<kind>.<base64url>`.

Providers refuse a tool loop whose reasoning comes back changed, so it has to survive in a client whose dialect
has no place of its own for it. Where clients are known to drop the text that was signed, that goes along as a fifth
part.
"""

from __future__ import annotations

import base64
import binascii

from costspan.ir.request import Opaque

_PREFIX = "cs1."


def wrap(opaque: Opaque, signed: str = "") -> str:
    """One ASCII string that `unwrap` turns back into `opaque`, and `signed_text` into what it signed."""
    wrapped = f"{_PREFIX}{opaque.origin}.{opaque.kind}.{_encoded(opaque.data)}"
    return f"{wrapped}.{_encoded(signed)}" if signed else wrapped


def unwrap(text: str) -> Opaque | None:
    """What `wrap` was given, or None when `text` is not of its making."""
    read = _read(text)
    return None if read is None else read[0]


def signed_text(text: str) -> str:
    """The text that `wrap` was given with it; empty where there was none."""
    read = _read(text)
    return "" if read is None else read[1]


def _read(text: str) -> tuple[Opaque, str] | None:
    if not text.startswith(_PREFIX):
        return None
    match text[len(_PREFIX) :].split("."):
        case [origin, ("signature" | "encrypted" | "redacted") as kind, *encoded] if len(encoded) in {1, 2}:
            pass
        case _:
            return None
    try:
        data, *signed = (base64.b64decode(part.encode(), altchars=b"-_", validate=True).decode() for part in encoded)
    except (binascii.Error, UnicodeError, ValueError):
        return None
    return Opaque(origin, kind, data), "".join(signed)


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()
