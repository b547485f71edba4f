"""`thoughtSignature`: what signs a part, and the slot that carries another provider's sealed reasoning.

The field is `bytes` in the API, so base64 on the wire, and the SDKs decode it and encode it anew (google-genai 3.4.0:
into the URL-safe alphabet). A foreign signature therefore goes to the client as base64 of its wrapped form: of these
characters it is the same in either alphabet.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from costspan.dialects.gemini_generate.vocabulary import NAME
from costspan.ir import opaque
from costspan.ir.request import Opaque

if TYPE_CHECKING:
    from costspan.wire import json

_UNSIGNED: Final = frozenset(
    {
        "skip_thought_signature_validator",
        "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",
        "context_engineering_is_the_way_to_go",
        "Y29udGV4dF9lbmdpbmVlcmluZ19pc190aGVfd2F5X3RvX2dv",
    }
)
"""What clients write where they have no signature, as it stands and in base64: pydantic-ai, LangChain, the AI SDK
(ai.google.dev/gemini-api/docs/thought-signatures, FAQ, read 2026-11-25). It seals nothing, so nothing is lost."""

_WRAPPED: Final = "Y3MxL"
"""How base64 of `cs1.` begins."""


def signature_of(part: json.Object) -> Opaque | None:
    """What signs a part: ours to unwrap, or Gemini's own; None where nothing does."""
    value = part.get("thoughtSignature")
    if not isinstance(value, str) or not value or value in _UNSIGNED:
        return None
    return _carried(value) or Opaque(NAME, "signature", value)


def _carried(value: str) -> Opaque | None:
    if not value.startswith(_WRAPPED):
        return None
    padding = "=" * (-len(value) % 4)
    try:
        wrapped = base64.b64decode(value + padding, validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return None
    return opaque.unwrap(wrapped)


def shown(kept: Opaque) -> str:
    """The signature that takes `kept` to the client and back."""
    return kept.data if kept.origin == NAME else base64.b64encode(opaque.wrap(kept).encode()).decode()


def own(kept: Opaque | None) -> str | None:
    """What goes back to Gemini; None for what another provider sealed."""
    return kept.data if kept is not None and kept.origin == NAME else None
