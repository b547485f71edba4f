"""What signs a part, and what only stands where a signature would."""

from __future__ import annotations

import base64

import pytest

from costspan.dialects.gemini_generate.signatures import signature_of
from costspan.ir.request import Opaque

SEALED = base64.b64encode(b"cs1.anthropic-messages.signature.c2ln").decode()
SIGNATURES: dict[str, tuple[object, Opaque | None]] = {
    "Gemini's own": ("CiQBcsja", Opaque("gemini-generate", "signature", "CiQBcsja")),
    "another provider's, carried": (SEALED, Opaque("anthropic-messages", "signature", "sig")),
    "none": (None, None),
    "an empty one": ("", None),
    "Google's words for none": ("skip_thought_signature_validator", None),
    "the same from Google's library": (base64.b64encode(b"skip_thought_signature_validator").decode(), None),
    "its older words": (base64.b64encode(b"context_engineering_is_the_way_to_go").decode(), None),
}


@pytest.mark.parametrize(("value", "signs"), SIGNATURES.values(), ids=SIGNATURES.keys())
def test_what_signs_a_part(value: object, signs: Opaque | None) -> None:
    assert signature_of({"functionCall": {"name": "f"}, "thoughtSignature": value}) == signs
