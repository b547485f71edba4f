"""Where a request belongs: attributes, trace context, the client's own request id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from costspan.wire.headers import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from costspan.snapshot import Attribution, ClientKey

MAX_VALUE = 256
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


def trace_context(headers: Mapping[str, str]) -> tuple[str, str, bool] | None:
    """Trace id, parent span id and the sampled flag of an incoming `traceparent`; None when absent or garbage.

    https://www.w3.org/TR/trace-context/ (read 2026-11-23).
    """
    value = headers.get("traceparent")
    match = _TRACEPARENT.fullmatch(value) if value else None
    return (match[1], match[2], bool(int(match[3], 16) & 1)) if match else None


def attributes(headers: Mapping[str, str], attribution: Attribution, key: ClientKey | None) -> dict[str, str]:
    """A request's attributes: defaults, then baggage, headers and tags, and what the key says, which wins."""
    found = dict(attribution.defaults)
    if attribution.baggage and (baggage := headers.get("baggage")):
        found.update(_members(baggage, attribution.attributes))
    for header, name in attribution.headers.items():
        if (value := headers.get(header)) is not None:
            found[name] = clean(value)
    if tags := headers.get("x-costspan-tags"):
        found.update(_members(tags, attribution.attributes))
    if key is not None:
        found.update(key.attributes)
    return found


def _members(text: str, wanted: frozenset[str]) -> Iterator[tuple[str, str]]:
    """`k=v` members of W3C baggage (properties after `;` are passed over) whose names are wanted."""
    for member in text[:8192].split(",")[:64]:
        name, equals, value = member.partition(";")[0].partition("=")
        if equals and name.strip() in wanted:
            yield name.strip(), clean(unquote(value.strip(), errors="surrogateescape"))


def clean(value: str) -> str:
    """A value that any log, metric and collector can hold: printable, clean UTF-8, at most 256 characters."""
    if len(value) <= MAX_VALUE and value.isprintable() and not _has_surrogate(value):
        return value
    return value[:MAX_VALUE] if value.isprintable() and not _has_surrogate(value) else "invalid"


def _has_surrogate(value: str) -> bool:
    return not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value)


def client_request_id(headers: Mapping[str, str]) -> str | None:
    """The client's `x-request-id`, made safe."""
    value = headers.get("x-request-id")
    return printable(value, 128) if value else None
