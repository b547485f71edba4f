"""costspan.accounts: entries of `providers:` that cannot be used are told with file and line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from costspan import credentials
from costspan.accounts import Accounts
from costspan.config.load import load

if TYPE_CHECKING:
    from pathlib import Path

    from costspan.providers.account import Account
    from costspan.providers.kind import Credentials


def built(folder: Path, entry: str) -> Accounts:
    path = folder / "gateway.yaml"
    path.write_text(f"providers:\n  mine: {entry}\n")
    accounts = Accounts(load(path, {"KEY": "a-key"}))
    accounts.build()
    return accounts


def account(folder: Path, entry: str) -> Account:
    path = folder / "gateway.yaml"
    path.write_text(f"providers:\n  mine: {entry}\n")
    accounts = Accounts(load(path, {"KEY": "a-key"}))
    found = accounts.build()["mine"]
    assert (accounts.problems, accounts.warnings) == ([], [])
    return found


WRONG: dict[str, tuple[str, list[str]]] = {
    "vertex without its place": (
        "{kind: vertex}",
        ["2:9: providers.mine: kind vertex needs project", "2:9: providers.mine: kind vertex needs location"],
    ),
    "vertex without a location": (
        "{kind: vertex, project: p}",
        ["2:9: providers.mine: kind vertex needs location"],
    ),
    "bedrock without a region": ("{kind: bedrock}", ["2:9: providers.mine: kind bedrock needs region"]),
    "bedrock elsewhere without a region to sign for": (
        '{kind: bedrock, base_url: "http://127.0.0.1:9"}',
        ["2:9: providers.mine: kind bedrock needs region"],
    ),
    "azure without its resource": (
        '{kind: azure, api_key: "${KEY}"}',
        ["2:9: providers.mine: kind azure needs base_url"],
    ),
    "a region that is none": (
        "{kind: bedrock, region: evil.example.com/}",
        ["2:33: providers.mine.region: expected a name such as europe-west1 or us-east-1"],
    ),
    "a region of another address": (
        '{kind: bedrock, region: us-east-1, base_url: "https://bedrock-runtime.eu-west-1.amazonaws.com"}',
        ["2:54: providers.mine.base_url: is in eu-west-1, while region says us-east-1"],
    ),
    "a location of another address": (
        '{kind: vertex, project: p, location: global, base_url: "https://us-central1-aiplatform.googleapis.com"}',
        ["2:64: providers.mine.base_url: is in us-central1, while location says global"],
    ),
    "a version that is none": (
        '{kind: azure, base_url: "https://me.openai.azure.com", api_version: v2}',
        ["2:77: providers.mine.api_version: expected a date such as 2024-10-21, preview, latest or v1"],
    ),
    "a host of its own": ("{kind: vllm}", ["2:9: providers.mine: kind vllm needs base_url"]),
    "a key that is missing": (
        "{kind: mistral}",
        ["2:9: providers.mine: needs api_key, for instance ${MISTRAL_API_KEY}"],
    ),
    "a slip in the kind": ("{kind: mistrall}", ["2:16: providers.mine.kind: unknown kind, did you mean mistral?"]),
    "no kind": ("{}", ["2:9: providers.mine: mine is no well-known provider: say its kind, such as openai-compatible"]),
    "a slip in a dialect": (
        '{kind: openai, api_key: "${KEY}", dialects: [openai-chatt]}',
        [
            (
                "2:54: providers.mine.dialects[0]: not a dialect that this version speaks to providers, "
                "did you mean openai-chat?"
            )
        ],
    ),
}


@pytest.mark.parametrize(("entry", "expected"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, entry: str, expected: list[str]) -> None:
    problems = [str(problem).removeprefix(f"{tmp_path}/gateway.yaml:") for problem in built(tmp_path, entry).problems]

    assert problems == expected


USABLE = [
    "{kind: vertex, project: p, location: eu}",
    '{kind: vertex, base_url: "http://127.0.0.1:9"}',
    "{kind: bedrock, region: us-east-1}",
    '{kind: bedrock, base_url: "http://127.0.0.1:9", api_key: "${KEY}"}',
    '{kind: azure, base_url: "https://me.openai.azure.com"}',
    '{kind: azure, base_url: "https://me.openai.azure.com", api_version: 2025-04-01-preview}',
    '{kind: azure, base_url: "https://me.openai.azure.com", api_version: preview}',
    '{kind: bedrock, region: us-east-1, base_url: "https://bedrock-runtime-fips.us-east-1.amazonaws.com"}',
    '{kind: bedrock, region: us-east-1, base_url: "https://vpce-1-2.bedrock-runtime.us-east-1.vpce.amazonaws.com"}',
    '{kind: vertex, project: p, location: eu, base_url: "https://aiplatform.eu.rep.googleapis.com"}',
    '{kind: vertex, project: p, location: global, base_url: "https://aiplatform.googleapis.com"}',
    '{kind: mistral, api_key: "${KEY}"}',
    '{kind: cohere, base_url: "http://127.0.0.1:9"}',
]


@pytest.mark.parametrize("entry", USABLE)
def test_what_is_enough_is_enough(tmp_path: Path, entry: str) -> None:
    assert built(tmp_path, entry).problems == []


def test_a_setting_of_another_cloud_is_told(tmp_path: Path) -> None:
    found = built(tmp_path, '{kind: openai, api_key: "${KEY}", region: us-east-1}')

    assert [warning.removeprefix(f"{tmp_path}/") for warning in found.warnings] == [
        "gateway.yaml:2:51: providers.mine.region: has no effect: kind openai does not use it"
    ]


EXTRAS = [
    ("{kind: bedrock, region: us-east-1}", "bedrock", "botocore: pip install 'costspan[bedrock]'"),
    (
        "{kind: vertex, project: p, location: us}",
        "vertex",
        "google.auth and requests: pip install 'costspan[vertex]'",
    ),
    ('{kind: azure, base_url: "http://127.0.0.1:9"}', "azure", "azure.identity: pip install 'costspan[azure]'"),
]


@pytest.mark.parametrize(("entry", "kind", "needed"), EXTRAS)
def test_a_missing_extra_is_told_with_the_way_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, kind: str, needed: str
) -> None:
    monkeypatch.setattr(credentials, "find_spec", lambda _: None)

    (problem,) = built(tmp_path, entry).problems

    assert str(problem).endswith(f"providers.mine: without api_key, kind {kind} needs {needed}")


@pytest.mark.parametrize("entry", [EXTRAS[0][0], EXTRAS[2][0]])
def test_with_a_key_nothing_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    monkeypatch.setattr(credentials, "find_spec", lambda _: None)

    assert built(tmp_path, entry.replace("}", ', api_key: "${KEY}"}')).problems == []


@pytest.mark.parametrize("name", ["aws", "google", "entra"])
def test_a_package_whose_parent_is_missing_is_missing(monkeypatch: pytest.MonkeyPatch, name: Credentials) -> None:
    def no_parent(module: str) -> None:
        raise ModuleNotFoundError(module)

    monkeypatch.setattr(credentials, "find_spec", no_parent)

    assert "pip install" in (credentials.missing(name) or "")


def test_dialects_that_are_told_stand_for_those_of_their_operation(tmp_path: Path) -> None:
    told = account(tmp_path, '{kind: vllm, base_url: "http://127.0.0.1:9/v1", dialects: [anthropic-messages]}')

    assert told.dialect_for("openai-chat", "any", {"openai-chat", "anthropic-messages"}) == "anthropic-messages"
    assert told.dialect_for("openai-embeddings", "any", {"openai-embeddings"}) == "openai-embeddings"


def test_dialects_that_are_told_hold_for_every_model(tmp_path: Path) -> None:
    told = account(tmp_path, "{kind: bedrock, region: us-east-1, dialects: [bedrock-converse]}")

    assert told.dialects_for("us.anthropic.claude-sonnet-5-v1:0") == ("bedrock-converse",)
    assert told.dialect_for("openai-embeddings", "amazon.titan-embed-text-v2:0", {"titan-embed"}) == "titan-embed"


def test_names_of_configured_headers_are_in_lower_case_so_that_the_key_wins(tmp_path: Path) -> None:
    told = account(tmp_path, '{kind: openai, api_key: "${KEY}", headers: {X-Tenant: a}}')

    assert told.headers == (("x-tenant", "a"),)
