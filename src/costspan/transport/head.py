"""The request line and headers as bytes. What could change the framing is checked here, once, for every caller."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from costspan.transport.errors import invalid_head

if TYPE_CHECKING:
    from costspan.wire.http import Outgoing

OURS = frozenset({"host", "content-length", "connection", "transfer-encoding", "expect", "keep-alive", "upgrade"})
"""Framing and connection belong to the pool: a caller's fields of these names are left out."""

_METHOD = re.compile(r"[A-Z]{1,20}")
_PATH = re.compile(r"/[\x21-\x7e]*")
_FIELD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*")
_FIELDS = re.compile(rf"(?:{_FIELD.pattern}\r\n)*+")
_NEWLINE = "\r\n"
_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


def host_field(scheme: str, host: str, port: int) -> str:
    """The Host header's value: the port only where it is not the scheme's own, IPv6 in brackets."""
    name = f"[{host}]" if ":" in host else host
    return name if port == {"http": 80, "https": 443}.get(scheme) else f"{name}:{port}"


def encode_head(outgoing: Outgoing, host: str) -> bytes:
    """The head of an HTTP/1.1 request, blank line included.

    Raises `UpstreamError` (`invalid_request_head`, not reached) for a method, path or header that is not safe to
    write: the message names the header, never its value.
    """
    if not _METHOD.fullmatch(outgoing.method) or not _PATH.fullmatch(outgoing.path):
        raise invalid_head("the method or path")
    fields = [f"{name}: {value}\r\n" for name, value in outgoing.headers if name.lower() not in OURS]
    written = "".join(fields)
    if written.count(_NEWLINE) != len(fields) or not _FIELDS.fullmatch(written):
        raise invalid_head(_unsafe(fields))
    length = len(outgoing.body) if isinstance(outgoing.body, bytes) else outgoing.body.length
    framing = ""
    if length is None:
        framing = "transfer-encoding: chunked\r\n"
    elif length or outgoing.method not in _WITHOUT_BODY:
        framing = f"content-length: {length}\r\n"
    start = f"{outgoing.method} {outgoing.path} HTTP/1.1\r\nhost: {host}\r\nconnection: keep-alive\r\n"
    return f"{start}{written}{framing}\r\n".encode("latin-1")


def _unsafe(fields: list[str]) -> str:
    """Which of them it is: all of them together are not safe to write."""
    for field in fields:
        if not _FIELD.fullmatch(field[: -len(_NEWLINE)]):
            name = field.partition(": ")[0]
            return f"header {name[:40]!a}"
    return "a header"
