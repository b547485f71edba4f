"""Who may talk to us: Host and Origin checks, client keys.

A page in the developer's browser must not reach the gateway by DNS rebinding or a cross-site request, so the Host name
has to be one of ours, and a browser's Origin one that the configuration lists. Keys are compared as SHA-256 digests,
all of them, in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from typing import TYPE_CHECKING

from costspan.errors import ClientError
from costspan.wire.headers import FROM_PAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from multidict import MultiMapping

    from costspan.snapshot import ClientKey, Snapshot

MAX_KEY_BYTES = 512
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_MAX_PORT = 65535
_MAX_ASKED = 100
_PAGE_PATTERN = re.compile(r"x-(?:stainless|costspan)-[a-z0-9]+(?:-[a-z0-9]+)*")


def split_host(value: str) -> tuple[str, str]:
    """Host name and port text of a Host header; an empty name when it is malformed."""
    if value.startswith("["):
        name, bracket, port = value[1:].partition("]")
        return (name if bracket else "", port.removeprefix(":"))
    name, _, port = value.partition(":")
    return name, port


def check_host(value: str | None, snapshot: Snapshot, local_address: str | None) -> None:
    """Raise `ClientError` unless the Host header names this gateway. `local_address` is the connection's own IP."""
    if not value:
        raise ClientError("the Host header is missing", code="missing_host")
    name, port = split_host(value.lower())
    if port and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _MAX_PORT):
        name = ""
    allowed = snapshot.server.allowed_hosts
    if name in _LOOPBACK or name.endswith(".localhost") or name in allowed or value.lower() in allowed:
        return
    if local_address is not None and name == local_address and name not in {"0.0.0.0", "::"}:  # noqa: S104 - refused
        return
    raise ClientError(
        "this Host name is not allowed; add it to server.allowed_hosts", status=403, code="host_not_allowed"
    )


def check_origin(headers: Mapping[str, str], snapshot: Snapshot) -> dict[str, str]:
    """Raise `ClientError` for a browser page that is not allowed; else the CORS headers of the answer."""
    origin = headers.get("Origin")
    if origin is not None and origin.lower() in snapshot.server.allowed_origins:
        return {"access-control-allow-origin": origin, "vary": "Origin"}
    if origin is not None or headers.get("Sec-Fetch-Site") == "cross-site":
        raise ClientError(
            "this Origin is not allowed; add it to server.allowed_origins", status=403, code="origin_not_allowed"
        )
    return {}


def allowed_headers(asked: str, snapshot: Snapshot) -> list[str]:
    """Of the header names that a preflight asks for, those that a page may send, in lower case, each once."""
    named = dict.fromkeys(name.strip().lower() for name in asked.split(",", _MAX_ASKED)[:_MAX_ASKED])
    return [
        name
        for name in named
        if name in FROM_PAGES or name in snapshot.attribution.headers or _PAGE_PATTERN.fullmatch(name)
    ]


def unmapped(address: str) -> str:
    """`address` as its client knows it: a socket for both families tells `::ffff:192.0.2.2` for `192.0.2.2`."""
    if not address.startswith("::ffff:"):
        return address
    mapped = ipaddress.IPv6Address(address).ipv4_mapped
    return address if mapped is None else str(mapped)


def is_loopback(host: str) -> bool:
    """Whether a listen address is reachable from this machine only."""
    if host.startswith("unix:") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(unmapped(host.strip("[]"))).is_loopback
    except ValueError:
        return False


def presented_key(headers: MultiMapping[str], query_keys: Sequence[str]) -> str | None:
    """The client's key, in whichever of the styles it came. Raises `ClientError` when two of them disagree."""
    found = [*query_keys, *headers.getall("x-api-key", ()), *headers.getall("x-goog-api-key", ())]
    for authorization in headers.getall("Authorization", ()):
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise _invalid()
        found.append(token.strip())
    if len(set(found)) > 1:
        raise ClientError("the request carries two different keys", code="ambiguous_credentials")
    return found[0] if found else None


def authenticate(key: str | None, snapshot: Snapshot, today: date) -> ClientKey | None:
    """The client key that was presented; None where the gateway is open. Raises `ClientError` 401."""
    if not snapshot.keys or snapshot.server.auth == "none":
        return None
    if key is None:
        raise ClientError(
            "no API key was presented", status=401, code="missing_api_key", headers={"www-authenticate": "Bearer"}
        )
    digest = hashlib.sha256(key.encode(errors="surrogateescape")[:MAX_KEY_BYTES]).digest()
    found: ClientKey | None = None
    for candidate in snapshot.keys:  # all of them, so that the time tells nothing
        if hmac.compare_digest(candidate.digest, digest):
            found = candidate
    if found is None or len(key) > MAX_KEY_BYTES:
        raise _invalid()
    if found.expires is not None and today >= found.expires:
        raise _invalid("this API key has expired")
    return found


def _invalid(message: str = "the API key is not valid") -> ClientError:
    return ClientError(message, status=401, code="invalid_api_key", headers={"www-authenticate": "Bearer"})
