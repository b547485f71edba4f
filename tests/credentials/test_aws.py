"""costspan.credentials.aws: found by botocore's chain, signed as botocore signs."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import botocore.auth
import pytest
from botocore.session import Session

from costspan.credentials import aws
from costspan.credentials.held import NoCredentials, SigningKeys, Token
from costspan.dialects import bedrock_converse
from costspan.providers import ways
from costspan.providers.account import Cloud
from costspan.providers.ways.asked import Asked
from costspan.transport.head import host_field
from costspan.wire import json
from costspan.wire.http import Outgoing
from fakes.accounts import IN_AMERICA, account
from fakes.upstream import Answer, FakeUpstream

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
KEYS = SigningKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "the-session-token", None)


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda **_: NOW.replace(tzinfo=None))


def by_botocore(monkeypatch: pytest.MonkeyPatch, operation: str, **parameters: object) -> Any:
    """The request that a real client of bedrock-runtime signs, caught before it is sent."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", str(KEYS.session_token))
    client = Session().create_client("bedrock-runtime", region_name="us-east-1")
    caught: list[Any] = []

    class Caught(Exception):
        pass

    def catch(request: Any, **_: object) -> None:
        caught.append(request)
        raise Caught

    client.meta.events.register("before-send.bedrock-runtime.*", catch)
    with pytest.raises(Caught):
        getattr(client, operation)(**parameters)
    return caught[0]


def text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


MODELS = [
    "amazon.nova-2-lite-v1:0",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-2-lite-v1:0",
]


SIGNED = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("operation", "end"), [("converse", "converse"), ("converse_stream", "converse-stream")])
@pytest.mark.usefixtures("at_noon")
def test_a_signature_is_the_one_that_botocores_own_client_makes(
    monkeypatch: pytest.MonkeyPatch, operation: str, end: str, model: str
) -> None:
    messages = [{"role": "user", "content": [{"text": "caf\u00e9"}]}]
    theirs = by_botocore(monkeypatch, operation, modelId=model, messages=messages)
    path = bedrock_converse.path(model, stream=end == "converse-stream")
    mine = account("bedrock", None, IN_AMERICA)

    unsigned = ways.outgoing(mine, Asked("bedrock-converse", path, model, theirs.body))
    headers = dict(aws.signed(unsigned, mine.address, "us-east-1", KEYS).headers)

    assert unsigned.path.endswith(f"/{end}")
    assert theirs.url == f"https://bedrock-runtime.us-east-1.amazonaws.com{unsigned.path}"
    assert SIGNED in headers["authorization"]
    assert headers["authorization"] == text(theirs.headers["Authorization"])
    assert headers["x-amz-date"] == text(theirs.headers["X-Amz-Date"]) == "20261125T120000Z"
    assert headers["x-amz-security-token"] == text(theirs.headers["X-Amz-Security-Token"]) == "the-session-token"


@pytest.mark.parametrize("model", MODELS)
def test_claude_is_asked_where_botocores_own_client_asks(monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    theirs = by_botocore(monkeypatch, "invoke_model", modelId=model, body=b"{}", contentType="application/json")
    streamed = by_botocore(monkeypatch, "invoke_model_with_response_stream", modelId=model, body=b"{}")
    mine = account("bedrock", None, IN_AMERICA)
    host = "https://bedrock-runtime.us-east-1.amazonaws.com"

    whole = ways.outgoing(mine, Asked("anthropic-messages", "/messages", model, b"{}"))
    stream = ways.outgoing(mine, Asked("anthropic-messages", "/messages", model, b"{}", stream=True))

    assert (f"{host}{whole.path}", f"{host}{stream.path}") == (theirs.url, streamed.url)


@pytest.mark.usefixtures("at_noon")
def test_every_part_of_a_request_is_signed() -> None:
    address = account("bedrock", None, IN_AMERICA).address
    elsewhere = account("bedrock", "http://127.0.0.1:8080", IN_AMERICA).address
    whole = Outgoing("POST", "/model/m/converse", [("content-type", "application/json")], b"{}")
    variants = [
        aws.signed(whole, address, "us-east-1", KEYS),
        aws.signed(whole, address, "us-west-2", KEYS),
        aws.signed(whole, elsewhere, "us-east-1", KEYS),
        aws.signed(Outgoing("POST", "/model/n/converse", whole.headers, b"{}"), address, "us-east-1", KEYS),
        aws.signed(Outgoing("POST", "/model/m/converse?x=1", whole.headers, b"{}"), address, "us-east-1", KEYS),
        aws.signed(Outgoing("POST", "/model/m/converse", whole.headers, b"{ }"), address, "us-east-1", KEYS),
        aws.signed(Outgoing("GET", "/model/m/converse", whole.headers, b"{}"), address, "us-east-1", KEYS),
    ]
    signatures = {re.search("Signature=(.*)", dict(one.headers)["authorization"]) for one in variants}

    assert len({found[1] for found in signatures if found is not None}) == len(variants)


def test_headers_that_are_not_signed_go_along() -> None:
    address = account("bedrock", None, IN_AMERICA).address
    outgoing = Outgoing(
        "POST", "/model/m/converse", [("content-type", "application/json"), ("user-agent", "x"), ("x-tenant", "y")], b""
    )

    headers = dict(aws.signed(outgoing, address, "us-east-1", KEYS).headers)

    assert (headers["user-agent"], headers["x-tenant"]) == ("x", "y")
    assert "user-agent" not in headers["authorization"]


def test_keys_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")

    assert aws.fetch() == SigningKeys("AKID", "secret", "token", None)


def test_keys_of_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "credentials"
    path.write_text("[mine]\naws_access_key_id = AKID\naws_secret_access_key = secret\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_PROFILE", "mine")

    assert aws.fetch() == SigningKeys("AKID", "secret", None, None)


async def test_keys_of_a_container_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {
        "AccessKeyId": "ASIA",
        "SecretAccessKey": "secret",
        "Token": "token",
        "Expiration": "2099-01-01T00:00:00Z",
    }
    async with FakeUpstream(Answer(body=json.dumps(keys))) as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/keys")
        found = await asyncio.to_thread(aws.fetch)

    assert found == SigningKeys("ASIA", "secret", "token", datetime(2099, 1, 1, tzinfo=UTC).timestamp())


def test_a_bedrock_key_of_the_environment_goes_before_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key")

    assert aws.fetch() == Token("bedrock-api-key", None)


def test_nothing_found_is_told_with_what_would_be() -> None:
    with pytest.raises(NoCredentials, match="set AWS_ACCESS_KEY_ID"):
        aws.fetch()


def test_what_is_held_is_not_shown_by_accident() -> None:
    assert "wJalr" not in repr(KEYS)
    assert "the-token" not in repr(Token("the-token", None))
    assert set(KEYS.secrets) == {KEYS.access_key, KEYS.secret_key, "the-session-token"}


def test_the_host_that_is_signed_is_the_host_that_is_sent() -> None:
    """With its port where that is not the scheme's own."""
    for url, expected in {
        "https://bedrock-runtime.us-east-1.amazonaws.com": "bedrock-runtime.us-east-1.amazonaws.com",
        "http://127.0.0.1:8080": "127.0.0.1:8080",
        "http://[::1]:8080": "[::1]:8080",
    }.items():
        address = account("bedrock", url, Cloud(region="us-east-1")).address
        signed = botocore.auth._host_from_url(aws._url(address, "/x"))
        assert signed == expected == host_field(address.scheme, address.host, address.port)
