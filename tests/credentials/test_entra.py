"""costspan.credentials.entra: an identity of the environment, found by azure-identity."""

from __future__ import annotations

import asyncio
import time

import pytest

from costspan.credentials import entra
from costspan.credentials.held import NoCredentials, Token
from costspan.wire import json
from fakes.upstream import Answer, FakeUpstream

SCOPES = {
    "me.openai.azure.com": "https://cognitiveservices.azure.com/.default",
    "me.services.ai.azure.com": "https://cognitiveservices.azure.com/.default",
    "apim.example.com": "https://cognitiveservices.azure.com/.default",
    "me.openai.azure.us": "https://cognitiveservices.azure.us/.default",
    "me.openai.azure.cn": "https://cognitiveservices.azure.cn/.default",
    "notazure.us": "https://cognitiveservices.azure.com/.default",
}


@pytest.mark.parametrize(("host", "scope"), SCOPES.items())
def test_a_token_is_for_the_cloud_of_the_host(host: str, scope: str) -> None:
    assert entra.scope_of(host) == scope


async def test_a_managed_identity_asks_its_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    expires = int(time.time()) + 3600
    token = {"access_token": "eyJ.fake", "expires_on": str(expires), "resource": "r", "token_type": "Bearer"}
    async with FakeUpstream(Answer(body=json.dumps(token))) as server:
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "the-header")
        found = await asyncio.to_thread(entra.fetcher(entra.scope_of("me.openai.azure.com")))
        (request,) = server.requests

    assert isinstance(found, Token)
    assert found.value == "eyJ.fake"
    assert found.expires == pytest.approx(expires, abs=5)
    assert request.path.endswith("resource=https://cognitiveservices.azure.com")
    assert request.header("x-identity-header") == "the-header"


def test_nothing_found_is_told_with_what_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")

    with pytest.raises(NoCredentials, match="identity"):
        entra.fetcher("scope")()
