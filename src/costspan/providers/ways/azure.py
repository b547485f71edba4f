"""Azure OpenAI: the v1 API with the deployment in the body, or a dated API version with it in the path.

v1: learn.microsoft.com/azure/foundry/openai/api-version-lifecycle; dated: openai-python 3.54, `lib/azure.py` (both read
2026-11-25).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from costspan.providers.account import request_headers
from costspan.wire.http import Outgoing

if TYPE_CHECKING:
    from costspan.providers.account import Account
    from costspan.providers.ways.asked import Asked

_WITH_DEPLOYMENT = frozenset(
    {
        "/audio/speech",
        "/audio/transcriptions",
        "/audio/translations",
        "/chat/completions",
        "/completions",
        "/embeddings",
        "/images/edits",
        "/images/generations",
    }
)
"""Operations that a dated API version serves below the deployment; it serves the others for the whole resource."""


def outgoing(account: Account, asked: Asked) -> Outgoing:
    """Below `/openai/v1`, or below `/openai/deployments/{deployment}` with `api-version`."""
    headers = request_headers(account, asked.key, asked.forwarded, asked.content_type)
    return Outgoing("POST", account.address.base_path + _below_resource(account, asked), headers, asked.body)


def _below_resource(account: Account, asked: Asked) -> str:
    version = account.cloud.api_version
    if version in {None, "v1"}:
        return f"/openai/v1{asked.path}"
    query = f"api-version={quote(version or '', safe='')}"
    if version in {"preview", "latest"}:
        return f"/openai/v1{asked.path}?{query}"
    deployment = f"/deployments/{quote(asked.model, safe='')}" if asked.path in _WITH_DEPLOYMENT else ""
    return f"/openai{deployment}{asked.path}?{query}"


def framing(dialect: str, *, stream: bool) -> Literal["sse"]:  # noqa: ARG001 - the protocol's parameters
    """Server-sent events, whatever the dialect."""
    return "sse"
