"""Google Vertex AI: a model below its publisher, in a project and a location.

Gemini as in its own API; Claude by `rawPredict`, with the version in the body and the model in the path
(docs.anthropic.com/en/api/claude-on-vertex-ai; anthropic-sdk-python 2.12, `lib/vertex/_client.py`; read 2026-11-25).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from costspan.providers.account import request_headers
from costspan.wire.http import Outgoing
from costspan.wire.patch import insert, remove

if TYPE_CHECKING:
    from costspan.providers.account import Account
    from costspan.providers.ways.asked import Asked

_MESSAGES = "anthropic-messages"
_VERSION = "vertex-2023-10-16"


def outgoing(account: Account, asked: Asked) -> Outgoing:
    """Below the project and location; without a project (a key of express mode) below the publisher alone."""
    cloud = account.cloud
    place = account.address.base_path
    if cloud.project is not None:
        place += f"/projects/{quote(cloud.project, safe='')}/locations/{quote(cloud.location or 'global', safe='')}"
    if asked.dialect != _MESSAGES or not isinstance(asked.body, bytes):
        headers = request_headers(account, asked.key, asked.forwarded, asked.content_type)
        return Outgoing("POST", f"{place}/publishers/google{asked.path}", headers, asked.body)
    forwarded = [(name, value) for name, value in asked.forwarded if name != "anthropic-version"]
    headers = request_headers(account, asked.key, forwarded, asked.content_type)
    body = insert(remove(asked.body, "model"), {"anthropic_version": _VERSION})
    operation = "streamRawPredict" if asked.stream else "rawPredict"
    path = f"{place}/publishers/anthropic/models/{quote(asked.model, safe='@')}:{operation}"
    return Outgoing("POST", path, headers, body)


def framing(dialect: str, *, stream: bool) -> Literal["sse"]:  # noqa: ARG001 - the protocol's parameters
    """Server-sent events, whatever the dialect."""
    return "sse"
