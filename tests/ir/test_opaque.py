from __future__ import annotations

import pytest

from costspan.ir.opaque import signed_text, unwrap, wrap
from costspan.ir.request import Opaque

WRAPPED = {
    "signature": (Opaque("anthropic-messages", "signature", "abc"), "cs1.anthropic-messages.signature.YWJj"),
    "encrypted": (Opaque("openai-responses", "encrypted", ""), "cs1.openai-responses.encrypted."),
    "redacted": (Opaque("anthropic-messages", "redacted", "é?>"), "cs1.anthropic-messages.redacted.w6k_Pg=="),
}


@pytest.mark.parametrize(("opaque", "text"), WRAPPED.values(), ids=WRAPPED.keys())
def test_what_is_wrapped_comes_back(opaque: Opaque, text: str) -> None:
    assert wrap(opaque) == text
    assert unwrap(text) == opaque
    assert signed_text(text) == ""


@pytest.mark.parametrize(("opaque", "text"), WRAPPED.values(), ids=WRAPPED.keys())
def test_what_was_signed_goes_along(opaque: Opaque, text: str) -> None:
    assert wrap(opaque, "é?>") == f"{text}.w6k_Pg=="
    assert unwrap(f"{text}.w6k_Pg==") == opaque
    assert signed_text(f"{text}.w6k_Pg==") == "é?>"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2lnbmF0dXJl",
        "cs1.",
        "cs1.a.b",
        "cs1.a.rot13.YWJj",
        "cs1.a.signature.%%",
        "cs1.a.signature.YQ==.x",
        "cs1.a.signature._w==",
        "cs1.a.signature.YQ==.YQ==.YQ==",
        "cs1.a.signature.é",
        "cs2.a.signature.YWJj",
    ],
)
def test_what_is_not_of_our_making_is_left_alone(text: str) -> None:
    assert unwrap(text) is None
    assert signed_text(text) == ""
