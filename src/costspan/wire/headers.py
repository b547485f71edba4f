"""Which headers pass, in both directions. Everything that is not listed stops here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORWARDED_REQUEST = frozenset(
    {
        "accept",
        "anthropic-beta",
        "anthropic-version",
        "content-type",
        "idempotency-key",
        "openai-beta",
        "user-agent",
        "x-anthropic-beta",
    }
)
"""What an upstream may see of a client's headers. Keys, cookies, `openai-organization` and the like never pass."""

FROM_PAGES = FORWARDED_REQUEST | {
    "anthropic-dangerous-direct-browser-access",
    "authorization",
    "baggage",
    "openai-organization",
    "openai-project",
    "traceparent",
    "tracestate",
    "x-api-key",
    "x-goog-api-key",
    "x-request-id",
}
"""What a browser page may send: what we read or pass on, and what the providers' SDKs set in a browser."""

FORWARDED_RESPONSE = frozenset(
    {
        "anthropic-organization-id",
        "cf-ray",
        "openai-processing-ms",
        "openai-version",
        "retry-after",
        "retry-after-ms",
    }
)
_RATE_LIMITS = ("x-ratelimit-", "anthropic-ratelimit-")

UPSTREAM_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "x-goog-request-id", "apim-request-id", "cf-ray")
"""Where providers put their id for a request, the most telling first."""


def to_upstream(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The client's headers that an upstream may see, names in lower case; not what is no printable ASCII."""
    return [
        (low, value)
        for name, value in headers
        if (low := name.lower()) in FORWARDED_REQUEST and value.isascii() and value.isprintable()
    ]


def to_client(headers: Mapping[str, str]) -> dict[str, str]:
    """The upstream's headers that a client may see."""
    return {
        name: value for name, value in headers.items() if name in FORWARDED_RESPONSE or name.startswith(_RATE_LIMITS)
    }


def upstream_id(headers: Mapping[str, str]) -> str | None:
    """The provider's own id for the request, bounded, None where it gave none."""
    for name in UPSTREAM_IDS:
        if value := headers.get(name):
            return printable(value, 128)
    return None


def is_event_frames(headers: Mapping[str, str]) -> bool:
    """Whether an answer comes in AWS's binary framing of events."""
    return headers.get("content-type", "").startswith("application/vnd.amazon.eventstream")


def printable(text: str, limit: int) -> str:
    """`text` cut to `limit` characters, with what is not printable ASCII replaced by `?`."""
    if text.isascii() and text.isprintable():  # nearly always
        return text[:limit]
    return "".join(c if " " <= c <= "~" else "?" for c in text[:limit])
