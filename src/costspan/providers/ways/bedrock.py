"""Amazon Bedrock's runtime: Converse for every model, InvokeModel for Claude in Anthropic's own dialect.

botocore 1.44, `data/bedrock-runtime`; Claude's envelope: docs.aws.amazon.com/bedrock, "Anthropic Claude Messages API",
and anthropic-sdk-python 2.12, `lib/bedrock/_client.py` (read 2026-11-25).
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
_VERSION = "bedrock-2023-05-31"
_PASSED = frozenset({"traceparent", "user-agent"})
"""The client's headers that mean something here; what remains is of other APIs, and would have to be signed."""


def outgoing(account: Account, asked: Asked) -> Outgoing:
    """Converse's own path, or that of InvokeModel with Claude's envelope."""
    forwarded = [(name, value) for name, value in asked.forwarded if name in _PASSED]
    headers = request_headers(account, asked.key, forwarded, asked.content_type)
    base = account.address.base_path
    if asked.dialect != _MESSAGES or not isinstance(asked.body, bytes):
        return Outgoing("POST", base + asked.path, headers, asked.body)
    operation = "invoke-with-response-stream" if asked.stream else "invoke"
    betas = [beta.strip() for name, value in asked.forwarded if name == "anthropic-beta" for beta in value.split(",")]
    added: dict[str, object] = {"anthropic_version": _VERSION}
    if named := [beta for beta in betas if beta]:
        added["anthropic_beta"] = named
    body = insert(remove(asked.body, "model", "stream"), added)
    return Outgoing("POST", f"{base}/model/{quote(asked.model, safe='')}/{operation}", headers, body)


def framing(dialect: str, *, stream: bool) -> Literal["sse", "aws-converse", "aws-invoke"]:
    """AWS's binary event stream, for what streams."""
    if not stream:
        return "sse"
    return "aws-invoke" if dialect == _MESSAGES else "aws-converse"
