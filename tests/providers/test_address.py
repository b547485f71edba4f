"""costspan.providers.address: where an account's API is."""

from __future__ import annotations

import pytest

from costspan.providers.account import Address, Cloud
from costspan.providers.address import address_of, place_of
from costspan.providers.hosts import KINDS

DEFAULTS: dict[str, tuple[str, Cloud, str]] = {
    "openai": ("openai", Cloud(), "https://api.openai.com:443/v1"),
    "gemini": ("gemini", Cloud(), "https://generativelanguage.googleapis.com:443/v1beta"),
    "mistral": ("mistral", Cloud(), "https://api.mistral.ai:443/v1"),
    "cohere": ("cohere", Cloud(), "https://api.cohere.com:443/v2"),
    "bedrock": ("bedrock", Cloud(region="eu-central-1"), "https://bedrock-runtime.eu-central-1.amazonaws.com:443"),
    "vertex in a region": (
        "vertex",
        Cloud(project="p", location="europe-west1"),
        "https://europe-west1-aiplatform.googleapis.com:443/v1",
    ),
    "vertex anywhere": ("vertex", Cloud(project="p", location="global"), "https://aiplatform.googleapis.com:443/v1"),
    "vertex in a multi-region": (
        "vertex",
        Cloud(project="p", location="eu"),
        "https://aiplatform.eu.rep.googleapis.com:443/v1",
    ),
    "the mock": ("mock", Cloud(), "mock://mock:0/v1"),
}


@pytest.mark.parametrize(("kind", "cloud", "expected"), DEFAULTS.values(), ids=DEFAULTS.keys())
def test_a_kind_knows_where_it_is(kind: str, cloud: Cloud, expected: str) -> None:
    assert written(address_of(KINDS[kind], None, cloud)) == expected


OVERRIDDEN: dict[str, tuple[str, str, str]] = {
    "as written": ("openai", "http://127.0.0.1:9/tenant-a/v1", "http://127.0.0.1:9/tenant-a/v1"),
    "no version is added to OpenAI's": ("openai", "http://127.0.0.1:9", "http://127.0.0.1:9"),
    "Anthropic's SDK takes it without the version": ("anthropic", "http://127.0.0.1:9", "http://127.0.0.1:9/v1"),
    "behind a path": ("anthropic", "https://me.services.ai.azure.com/anthropic", "/anthropic/v1"),
    "with the version": ("anthropic", "http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1"),
    "Gemini's too": ("gemini", "http://127.0.0.1:9", "http://127.0.0.1:9/v1beta"),
    "another version of it": ("gemini", "http://127.0.0.1:9/v1alpha", "http://127.0.0.1:9/v1alpha"),
    "Vertex in beta": ("vertex", "http://127.0.0.1:9/v1beta1", "http://127.0.0.1:9/v1beta1"),
    "Cohere": ("cohere", "http://127.0.0.1:9", "http://127.0.0.1:9/v2"),
    "Bedrock has no version": ("bedrock", "http://127.0.0.1:9", "http://127.0.0.1:9"),
    "Azure's resource": ("azure", "https://me.openai.azure.com", "https://me.openai.azure.com:443"),
    "Azure's v1": ("azure", "https://me.openai.azure.com/openai/v1", "https://me.openai.azure.com:443"),
    "Azure below OpenAI": ("azure", "https://me.openai.azure.com/openai", "https://me.openai.azure.com:443"),
    "Azure behind a gateway": ("azure", "https://apim.example.com/ai/openai/v1", "https://apim.example.com:443/ai"),
}


@pytest.mark.parametrize(("kind", "base_url", "expected"), OVERRIDDEN.values(), ids=OVERRIDDEN.keys())
def test_an_account_may_be_elsewhere(kind: str, base_url: str, expected: str) -> None:
    assert written(address_of(KINDS[kind], base_url, Cloud())).endswith(expected)


@pytest.mark.parametrize(
    ("kind", "cloud"),
    [
        ("azure", Cloud()),
        ("openai-compatible", Cloud()),
        ("bedrock", Cloud()),
        ("vertex", Cloud(project="p")),
        ("vertex", Cloud(location="us")),
    ],
)
def test_without_what_it_needs_there_is_no_address(kind: str, cloud: Cloud) -> None:
    assert address_of(KINDS[kind], None, cloud) is None


def written(address: Address | None) -> str:
    assert address is not None
    return f"{address.scheme}://{address.host}:{address.port}{address.base_path}"


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("bedrock-runtime.eu-west-1.amazonaws.com", "eu-west-1"),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("bedrock-runtime.eu-west-1.api.aws", "eu-west-1"),
        ("vpce-0a-b1.bedrock-runtime.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("europe-west1-aiplatform.googleapis.com", "europe-west1"),
        ("aiplatform.eu.rep.googleapis.com", "eu"),
        ("aiplatform.googleapis.com", None),
        ("bedrock-runtime.example.com", None),
        ("127.0.0.1", None),
    ],
)
def test_a_clouds_host_tells_its_place(host: str, place: str | None) -> None:
    assert place_of(host) == place
