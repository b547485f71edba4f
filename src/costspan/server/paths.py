"""Which path means what. A dialect says itself where it is served; paths match exactly, or not at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote

from costspan.dialects import CLIENT_DIALECTS, EMBEDDING_CLIENTS, PASSED
from costspan.server.refusals import OTHER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.engine.translate import Client

MODELS: Final = "/v1/models"
GOOGLE_MODELS: Final = "/v1beta/models"
PROVIDERS: Final = "/providers/"
HEALTH: Final = frozenset({"/healthz", "/readyz", "/metrics"})
ADMIN: Final = "/admin/"
TARGETS: Final = "/admin/targets"
EXPLAIN: Final = "/admin/explain/"

_GEMINI: Final = re.compile(r"/(v1beta|v1)/models/([^:]+(?::[^:/]+)*):([a-zA-Z]+)")
_COUNT_MESSAGES: Final = "/v1/messages/count_tokens"
_MESSAGES: Final = "anthropic-messages"
_GENERATE: Final = "gemini-generate"
_GEMINI_METHODS: Final[Mapping[str, str]] = {
    "generateContent": _GENERATE,
    "streamGenerateContent": _GENERATE,
    "countTokens": _GENERATE,
    "embedContent": "gemini-embed",
    "batchEmbedContents": "gemini-batch-embed",
}
"""Google's methods of a model, and the dialect of each."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What a path asks for. `model` and `stream` are what the path says of them, None where the body does."""

    dialect: Client
    template: str
    """The path as logs name it, without what the client wrote."""
    action: Literal["exchange", "count"] = "exchange"
    model: str | None = None
    stream: bool | None = None


def operation(path: str) -> Operation | None:
    """What a POST to `path` asks for; None where there is nothing."""
    found = _by_path().get(path)
    return found if found is not None else _gemini(path)


def template(path: str) -> str:
    """The path of ours that `path` means, `other` if none."""
    found = operation(path)
    if found is not None:
        return found.template
    if path in {MODELS, GOOGLE_MODELS, TARGETS} or path in HEALTH:
        return path
    if path.startswith(EXPLAIN):
        return "/admin/explain/{id}"
    if path.startswith(PROVIDERS):
        return "/providers/{provider}"
    return next((f"{root}/{{model}}" for root in (MODELS, GOOGLE_MODELS) if path.startswith(f"{root}/")), OTHER)


def client_of(path: str) -> Client:
    """The dialect in which an error is told to whoever asked for `path`."""
    found = operation(path)
    if found is not None:
        return found.dialect
    if path.startswith("/v1beta/") and _GENERATE in CLIENT_DIALECTS:
        return CLIENT_DIALECTS[_GENERATE]
    return CLIENT_DIALECTS[_MESSAGES if path.startswith("/v1/messages") else "openai-chat"]


@cache
def _by_path() -> Mapping[str, Operation]:
    clients: list[Client] = [*CLIENT_DIALECTS.values(), *EMBEDDING_CLIENTS.values(), *PASSED.values()]
    paths = {f"/v1{client.path('', stream=False)}": client for client in clients if client.MODEL_IN_BODY}
    found = {path: Operation(client, path) for path, client in paths.items()}
    found[_COUNT_MESSAGES] = Operation(CLIENT_DIALECTS[_MESSAGES], _COUNT_MESSAGES, "count", stream=False)
    return found


def _gemini(path: str) -> Operation | None:
    matched = _GEMINI.fullmatch(path)
    if matched is None:
        return None
    version, model, method = matched.groups()
    name = _GEMINI_METHODS.get(method, "")
    client: Client | None = CLIENT_DIALECTS.get(name) or EMBEDDING_CLIENTS.get(name)
    if client is None:
        return None
    return Operation(
        client,
        f"/{version}/models/{{model}}:{method}",
        "count" if method == "countTokens" else "exchange",
        unquote(model),
        method == "streamGenerateContent",
    )
