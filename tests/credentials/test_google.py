"""costspan.credentials.google: application-default credentials, found by google-auth."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import google.auth.environment_vars as variables
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from costspan.credentials import google
from costspan.credentials.held import NoCredentials, Token
from costspan.wire import json
from fakes.upstream import Answer, FakeUpstream

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.upstream import Request


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded.decode()


def service_account(folder: Path, private_key: str, token_uri: str) -> str:
    path = folder / "key.json"
    path.write_bytes(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "my-project",
                "private_key_id": "1",
                "private_key": private_key,
                "client_email": "costspan@my-project.iam.gserviceaccount.com",
                "client_id": "1",
                "token_uri": token_uri,
            }
        )
    )
    return str(path)


TOKEN = Answer(body=json.dumps({"access_token": "ya29.fake", "expires_in": 3600, "token_type": "Bearer"}))


async def test_a_service_accounts_key_is_exchanged_for_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private_key: str
) -> None:
    async with FakeUpstream(TOKEN) as server:
        key = service_account(tmp_path, private_key, f"{server.url}/token")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", key)
        before = time.time()
        found = await asyncio.to_thread(google.fetch)
        (request,) = server.requests

    assert isinstance(found, Token)
    assert (found.value, found.headers) == ("ya29.fake", ())
    assert found.expires is not None
    assert before + 3500 < found.expires < time.time() + 3700
    asked = parse_qs(request.body.decode())
    assert (request.path, asked["grant_type"]) == ("/token", ["urn:ietf:params:oauth:grant-type:jwt-bearer"])


async def test_a_quota_project_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private_key: str) -> None:
    async with FakeUpstream(TOKEN) as server:
        key = service_account(tmp_path, private_key, f"{server.url}/token")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", key)
        monkeypatch.setenv(variables.GOOGLE_CLOUD_QUOTA_PROJECT, "who-pays")
        found = await asyncio.to_thread(google.fetch)

    assert isinstance(found, Token)
    assert found.headers == (("x-goog-user-project", "who-pays"),)


async def test_a_machine_asks_its_metadata_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: Request) -> Answer:
        path = request.path
        flavour = (("metadata-flavor", "Google"), ("content-type", "application/json"))
        if "/token" in path:
            return Answer(headers=flavour, body=TOKEN.body)
        if "project-id" in path:
            return Answer(headers=(flavour[0], ("content-type", "text/plain")), body=b"my-project")
        return Answer(headers=flavour, body=json.dumps({"email": "default", "scopes": []}))

    async with FakeUpstream(answer) as server:
        host = server.url.removeprefix("http://")
        monkeypatch.setenv("GCE_METADATA_IP", host)
        monkeypatch.setattr("google.auth.compute_engine._metadata._GCE_METADATA_HOST", host)  # read at import
        monkeypatch.setattr("google.auth.compute_engine._metadata._NO_GCE_CHECK", False)
        found = await asyncio.to_thread(google.fetch)

    assert isinstance(found, Token)
    assert found.value == "ya29.fake"


async def test_nothing_found_is_told_with_what_would_be() -> None:
    with pytest.raises(NoCredentials, match="GOOGLE_APPLICATION_CREDENTIALS"):
        await asyncio.to_thread(google.fetch)
