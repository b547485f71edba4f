"""Log probabilities: a list on each text here, an object beside the message in openai-chat's shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.dialects.openai_responses.vocabulary import list_of, text_of

if TYPE_CHECKING:
    from costspan.wire import json


def to_chat(found: Any) -> json.Object | None:  # noqa: ANN401 - JSON
    """A part's list in openai-chat's shape; None where it holds nothing."""
    tokens = [_chat(token) for token in list_of(found) if isinstance(token, dict)]
    return {"content": tokens, "refusal": None} if tokens else None


def _chat(token: json.Object) -> json.Object:
    """Streams leave the bytes out, which openai-chat has as null."""
    alternatives = [
        {"token": other.get("token"), "logprob": other.get("logprob"), "bytes": other.get("bytes")}
        for other in list_of(token.get("top_logprobs"))
        if isinstance(other, dict)
    ]
    return {
        "token": token.get("token"),
        "logprob": token.get("logprob"),
        "bytes": token.get("bytes"),
        "top_logprobs": alternatives,
    }


def from_chat(logprobs: Any) -> list[json.Object]:  # noqa: ANN401 - JSON
    """The tokens of the text."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    return [_own(token) for token in list_of(content) if isinstance(token, dict)]


def of_refusal(logprobs: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether it holds any of a refusal, which has no place for them here."""
    return isinstance(logprobs, dict) and bool(logprobs.get("refusal"))


def _own(token: json.Object) -> json.Object:
    """The SDK's type demands bytes."""
    alternatives = [other for other in list_of(token.get("top_logprobs")) if isinstance(other, dict)]
    return {**_with_bytes(token), "top_logprobs": [_with_bytes(other) for other in alternatives]}


def _with_bytes(token: json.Object) -> json.Object:
    text, known = text_of(token.get("token")), token.get("bytes")
    return {
        "token": text,
        "bytes": known if isinstance(known, list) else list(text.encode(errors="replace")),
        "logprob": token.get("logprob"),
    }
