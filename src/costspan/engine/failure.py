"""A provider's failure as an `UpstreamError`: understood by its dialect, its text made safe to show."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from costspan.errors import Category, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from costspan.dialects.types import Metered
    from costspan.ir import events
    from costspan.wire import json

MAX_ERROR_BYTES = 64 * 1024
ERROR_BODY_SECONDS = 2.0
"""For the body of a refusal: it only tells more about what the status says, and another target is waiting."""
MAX_MESSAGE = 512
_KEY_SHAPES = re.compile(
    r"\b(?:sk|gsk|xai|pplx|csk|nvapi|r8|key|AIza|AKIA|ASIA|ABSK|ya29\.|eyJ)[-_]?[A-Za-z0-9_*.\-]{8,}"
)
_NAME = re.compile(r"[A-Za-z0-9_.$\[\]-]{1,128}")
_TELLING = 8
"""So many characters of a key's beginning or end are not shown."""
_KINDS = {
    Category.AUTH: "upstream_auth",
    Category.RATE_LIMIT: "rate_limit",
    Category.OVERLOADED: "overloaded",
    Category.SERVER_ERROR: "upstream_error",
    Category.TIMEOUT: "upstream_timeout",
}


def safe(message: str, secrets: Sequence[str]) -> str:
    """`message` without control characters, `secrets` and what looks like a key, at most 512 characters."""
    shown = "".join(c if c.isprintable() else " " for c in message[: 4 * MAX_MESSAGE])
    for secret in secrets:
        shown = _without(shown, secret)
    return _KEY_SHAPES.sub("***", shown)[:MAX_MESSAGE]


def tells(body: bytes, secrets: Sequence[str]) -> bool:
    """Whether one of `secrets`, or its beginning or end, stands in `body`."""
    text = body.decode(errors="replace")
    return any(_without(text, secret) != text for secret in secrets)


def _without(text: str, key: str) -> str:
    """`text` without words that hold a beginning or an end of `key`, as it is, URL-encoded or in base64."""
    for form in {key, quote(key, safe=""), *_in_base64(key)}:
        ends = {form[:_TELLING], form[-_TELLING:]} if len(form) > _TELLING else {form}
        for end in ends:
            if end and end in text:
                text = re.sub(rf"[^\s\"']*{re.escape(end)}[^\s\"']*", "***", text)
    return text


def _in_base64(key: str) -> list[str]:
    """What base64 of something with `key` in it shows of the key alone, which depends on where the key begins there."""
    raw = key.encode()
    found = [base64.b64encode(raw).decode().rstrip("=")]
    for before in range(3):
        whole = (before + len(raw)) // 3 * 4  # what follows the key is in the next four characters
        form = base64.b64encode(bytes(before) + raw).decode()[4 if before else 0 : whole]
        if len(form) > _TELLING:
            found.append(form)
    return found


def _name(value: str | None, secrets: Sequence[str]) -> str | None:
    """A code or parameter as the provider names it; None when it is no name."""
    return value if value is not None and _NAME.fullmatch(value) and safe(value, secrets) == value else None


def from_status(
    dialect: Metered, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]
) -> UpstreamError:
    """The error for an answer with an error status. Redirects are never followed."""
    if 300 <= status < 400:  # noqa: PLR2004 - redirection
        return UpstreamError(
            "the provider answered with a redirect, which is never followed",
            kind="upstream_redirect_blocked",
            category=Category.SERVER_ERROR,
            status=status,
        )
    report = dialect.decode_error(status, body)
    return UpstreamError(
        safe(report.message, secrets),
        kind=_KINDS.get(report.category, report.category.value),
        category=report.category,
        status=status,
        code=_name(report.code, secrets),
        param=_name(report.param, secrets),
        retry_after=retry_after(headers),
    )


def from_body(
    dialect: Metered, status: int, body: json.Object, raw: bytes, secrets: Sequence[str]
) -> UpstreamError | None:
    """The error for an answer whose status says success and whose body says failure; None when it does not."""
    if not isinstance(body.get("error"), dict) or "choices" in body or "content" in body:
        return None
    report = dialect.decode_error(status, raw)
    category = report.category if report.category is not Category.INVALID_REQUEST else Category.SERVER_ERROR
    return UpstreamError(
        safe(report.message, secrets), kind=_KINDS.get(category, category.value), category=category, status=status
    )


def from_event(failed: events.Failed, secrets: Sequence[str], status: int) -> UpstreamError:
    """The error for a failure that the provider reported inside a stream."""
    category = Category(failed.category)
    return UpstreamError(
        safe(failed.message, secrets),
        kind=_KINDS.get(category, category.value),
        category=category,
        status=status,
        code=_name(failed.code, secrets),
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the provider asks; None for none, a date (its clock is not ours) or nonsense."""
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / scale
        except (KeyError, ValueError):
            continue
        if 0 <= seconds <= 86_400:  # noqa: PLR2004 - a day
            return seconds
    return None


def expired(*, reached: bool = True) -> UpstreamError:
    """The exchange's deadline has passed. `reached`: an attempt had been made by then."""
    return UpstreamError(
        "the deadline of the exchange has passed",
        kind="deadline_exceeded",
        category=Category.TIMEOUT,
        reached=reached,
    )


def truncated(status: int) -> UpstreamError:
    """The stream stopped before its terminal event, or cannot be read."""
    return UpstreamError(
        "the provider's stream ended early", kind="upstream_truncated", category=Category.SERVER_ERROR, status=status
    )
