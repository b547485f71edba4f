"""How failures of sockets, TLS and HTTP framing become `UpstreamError`. No message holds a byte of the upstream's.

| kind | category | reached | when |
|---|---|---|---|
| `invalid_request_head` | invalid_request | no | a header, method or path that must not be written |
| `dns_error`, `connect_error`, `connect_timeout`, `upstream_tls` | connect | no | no connection came about |
| `headers_timeout`, `idle_timeout` | timeout | yes | silence |
| `upstream_write_timeout` | timeout | yes | the request's body was not taken |
| `deadline_exceeded` | timeout | yes | the body did not end in time |
| `upstream_reset` | connect | yes | the connection ended before the answer's headers; `stale` on a reused one |
| `upstream_reset` | server_error | yes | the connection ended inside the answer's body |
| `upstream_protocol_error`, `upstream_too_large` | server_error | yes | not HTTP as we accept it, or too much of it |
"""

from __future__ import annotations

import os
import socket
import ssl

from costspan.errors import Category, UpstreamError


def invalid_head(what: str) -> UpstreamError:
    """Something of the request may not be written to a socket."""
    return UpstreamError(
        f"{what} cannot be sent", kind="invalid_request_head", category=Category.INVALID_REQUEST, reached=False
    )


def connect_failed(error: Exception, *, tls: bool) -> UpstreamError:
    """What resolving, connecting or, if `tls`, shaking hands raised."""
    if isinstance(error, TimeoutError):  # ours, or the operating system's ETIMEDOUT
        return _not_reached("connect_timeout", "no connection in time")
    if isinstance(error, ssl.SSLCertVerificationError):
        return _not_reached("upstream_tls", f"certificate not accepted: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return _not_reached(
            "upstream_tls", f"TLS handshake failed: {getattr(error, 'reason', None) or 'no reason given'}"
        )
    if isinstance(error, socket.gaierror | UnicodeError):
        return _not_reached("dns_error", "host name not resolved")
    if tls:
        return _not_reached("upstream_tls", "connection closed during the TLS handshake")
    number = getattr(error, "errno", None)
    return _not_reached("connect_error", os.strerror(number).lower() if number else "no address could be connected")


def headers_timeout() -> UpstreamError:
    """The answer's headers did not come in time."""
    return UpstreamError("no answer in time", kind="headers_timeout", category=Category.TIMEOUT)


def write_timeout() -> UpstreamError:
    """The upstream did not take the request's body."""
    return UpstreamError(
        "the provider does not take the body", kind="upstream_write_timeout", category=Category.TIMEOUT
    )


def idle_timeout() -> UpstreamError:
    """The answer's body fell silent."""
    return UpstreamError("the answer fell silent", kind="idle_timeout", category=Category.TIMEOUT)


def deadline_exceeded() -> UpstreamError:
    """The answer's body has not ended by the deadline."""
    return UpstreamError("the answer did not end in time", kind="deadline_exceeded", category=Category.TIMEOUT)


def reset_before_answer(*, stale: bool) -> UpstreamError:
    """The connection ended before the answer's headers."""
    return UpstreamError(
        "connection closed before an answer", kind="upstream_reset", category=Category.CONNECT, stale=stale
    )


def reset_inside_answer() -> UpstreamError:
    """The connection ended, or the encoding broke off, inside the answer's body."""
    return UpstreamError("connection closed inside the answer", kind="upstream_reset", category=Category.SERVER_ERROR)


def protocol_error(what: str) -> UpstreamError:
    """`what` is our description, never the upstream's bytes."""
    return UpstreamError(
        f"not a valid HTTP answer: {what}", kind="upstream_protocol_error", category=Category.SERVER_ERROR
    )


def too_large(limit: int) -> UpstreamError:
    """The answer's body is over `limit` bytes."""
    return UpstreamError(f"answer larger than {limit} bytes", kind="upstream_too_large", category=Category.SERVER_ERROR)


def _not_reached(kind: str, message: str) -> UpstreamError:
    return UpstreamError(message, kind=kind, category=Category.CONNECT, reached=False)
