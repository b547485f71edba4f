"""costspan.credentials.authorities: whose requests are signed, and how."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from costspan.credentials import aws, entra, google
from costspan.credentials.authorities import LARGE, Authorities
from costspan.credentials.held import Held, SigningKeys, Token
from costspan.errors import ClientError, UpstreamError
from costspan.providers import ways
from costspan.providers.ways.asked import Asked
from fakes.accounts import IN_AMERICA, IN_EUROPE, account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.providers.account import Account
    from costspan.wire.http import Outgoing

BEDROCK = account("bedrock", None, IN_AMERICA)
VERTEX = account("vertex", None, IN_EUROPE)
AZURE = account("azure", "https://me.openai.azure.com")
KEYS = SigningKeys("AKID", "the-secret-key", "the-session-token", None)


class Chains:
    """Stands in for the three chains, and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.aws: Held = KEYS

    def of_aws(self) -> Held:
        self.asked.append("aws")
        return self.aws

    def of_google(self) -> Held:
        self.asked.append("google")
        return Token("google-token", None, (("x-goog-user-project", "who-pays"),))

    def of_entra(self, scope: str) -> Held:
        self.asked.append(scope)
        return Token("entra-token", None)


@pytest.fixture
def chains(monkeypatch: pytest.MonkeyPatch) -> Chains:
    made = Chains()
    monkeypatch.setattr(aws, "fetch", made.of_aws)
    monkeypatch.setattr(google, "fetch", made.of_google)
    monkeypatch.setattr(entra, "fetcher", lambda scope: lambda: made.of_entra(scope))
    return made


@pytest.fixture
def signs() -> Iterator[Authorities]:
    made = Authorities()
    yield made
    made.close()


def outgoing(mine: Account) -> Outgoing:
    return ways.outgoing(mine, Asked("openai-chat", "/chat/completions", "m", b"{}"))


async def test_google_and_entra_tokens_are_bearer_tokens(chains: Chains, signs: Authorities) -> None:
    vertex = dict((await signs.authorize(VERTEX, outgoing(VERTEX))).headers)
    azure = dict((await signs.authorize(AZURE, outgoing(AZURE))).headers)

    assert (vertex["authorization"], vertex["x-goog-user-project"]) == ("Bearer google-token", "who-pays")
    assert azure["authorization"] == "Bearer entra-token"
    assert "api-key" not in azure
    assert chains.asked == ["google", "https://cognitiveservices.azure.com/.default"]


async def test_requests_to_aws_are_signed(chains: Chains, signs: Authorities) -> None:
    headers = dict((await signs.authorize(BEDROCK, outgoing(BEDROCK))).headers)

    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert "/us-east-1/bedrock/aws4_request" in headers["authorization"]
    assert chains.asked == ["aws"]


async def test_a_large_body_is_signed_alike(chains: Chains, signs: Authorities) -> None:
    signed = await signs.authorize(BEDROCK, replace(outgoing(BEDROCK), body=b"x" * (LARGE + 1)))

    assert dict(signed.headers)["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")


async def test_aws_may_give_a_bearer_token_too(chains: Chains, signs: Authorities) -> None:
    chains.aws = Token("bedrock-api-key", None)

    headers = dict((await signs.authorize(BEDROCK, outgoing(BEDROCK))).headers)

    assert headers["authorization"] == "Bearer bedrock-api-key"


async def test_a_configured_authorization_makes_way(chains: Chains, signs: Authorities) -> None:
    mine = replace(VERTEX, headers=(("authorization", "mine"),))

    headers = [
        value for name, value in (await signs.authorize(mine, outgoing(mine))).headers if name == "authorization"
    ]

    assert headers == ["Bearer google-token"]


async def test_a_configured_authorization_makes_way_for_a_signature_too(chains: Chains, signs: Authorities) -> None:
    mine = replace(BEDROCK, headers=(("authorization", "mine"), ("x-amz-security-token", "mine"), ("x-amz-date", "1")))

    headers = (await signs.authorize(mine, outgoing(mine))).headers
    names = [name for name, _ in headers if name in {"authorization", "x-amz-security-token", "x-amz-date"}]

    assert sorted(names) == ["authorization", "x-amz-date", "x-amz-security-token"]
    assert dict(headers)["x-amz-security-token"] == "the-session-token"
    assert dict(headers)["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")


async def test_who_pays_is_told_once_and_as_it_is_configured(chains: Chains, signs: Authorities) -> None:
    mine = replace(VERTEX, headers=(("x-goog-user-project", "mine"),))

    headers = (await signs.authorize(mine, outgoing(mine))).headers

    assert [value for name, value in headers if name == "x-goog-user-project"] == ["mine"]


async def test_accounts_with_a_key_and_other_kinds_are_left_alone(chains: Chains, signs: Authorities) -> None:
    for mine in (account("bedrock", None, IN_AMERICA, keys=("k",)), account("openai", keys=("k",)), account("ollama")):
        request = outgoing(mine)
        assert await signs.authorize(mine, request) is request
        assert signs.secrets(mine) == ()
        signs.refused(mine)
    assert chains.asked == []


async def test_accounts_of_one_cloud_share_what_was_found(chains: Chains, signs: Authorities) -> None:
    other = account("bedrock", "http://127.0.0.1:9", IN_AMERICA, name="other")
    sovereign = account("azure", "https://me.openai.azure.us", name="sovereign")

    for mine in (BEDROCK, other, AZURE, sovereign, AZURE):
        await signs.authorize(mine, outgoing(mine))

    assert chains.asked == [
        "aws",
        "https://cognitiveservices.azure.com/.default",
        "https://cognitiveservices.azure.us/.default",
    ]


async def test_what_the_accounts_need_is_fetched_ahead(chains: Chains, signs: Authorities) -> None:
    signs.warm([BEDROCK, VERTEX, account("openai", keys=("k",))])
    await signs.authorize(BEDROCK, outgoing(BEDROCK))
    await signs.authorize(VERTEX, outgoing(VERTEX))
    signs.warm([BEDROCK, VERTEX])

    under_way = [source for source in signs._sources.values() if source._running and not source._running.done()]
    assert (sorted(chains.asked), under_way) == (["aws", "google"], [])


async def test_what_a_request_is_signed_with_can_be_taken_out_of_answers(chains: Chains, signs: Authorities) -> None:
    assert signs.secrets(BEDROCK) == ()

    await signs.authorize(BEDROCK, outgoing(BEDROCK))
    await signs.authorize(VERTEX, outgoing(VERTEX))

    assert set(signs.secrets(BEDROCK)) == {"AKID", "the-secret-key", "the-session-token"}
    assert signs.secrets(VERTEX) == ("google-token",)


async def test_a_stream_cannot_be_signed(chains: Chains, signs: Authorities) -> None:
    class Upload:
        length: int | None = None
        begun = False
        ended = False

        async def chunk(self) -> bytes:
            return b""

    with pytest.raises(ClientError, match="whole body"):
        await signs.authorize(BEDROCK, replace(outgoing(BEDROCK), body=Upload()))


@pytest.mark.parametrize(
    ("mine", "message"),
    [
        (BEDROCK, "no AWS credentials: set AWS_ACCESS_KEY_ID"),
        (VERTEX, "no Google credentials: set GOOGLE_APPLICATION_CREDENTIALS"),
        (AZURE, "no Microsoft Entra credentials: "),
    ],
    ids=["aws", "google", "entra"],
)
async def test_without_credentials_a_request_fails_before_it_is_sent(
    signs: Authorities, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mine: Account, message: str
) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")

    with caplog.at_level(logging.WARNING), pytest.raises(UpstreamError) as caught:
        await signs.authorize(mine, outgoing(mine))

    assert caught.value.message.startswith(message)
    assert (caught.value.kind, caught.value.reached) == ("credentials_error", False)
    assert any(" credentials: " in text for text in caplog.messages)


async def test_the_librarys_own_logs_hold_no_secret(
    signs: Authorities, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret-key")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-session-token")

    with caplog.at_level(logging.DEBUG):
        await signs.authorize(BEDROCK, outgoing(BEDROCK))

    assert "the-session-token" not in caplog.text
    assert "the-secret-key" not in caplog.text
