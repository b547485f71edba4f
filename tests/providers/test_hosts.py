"""costspan.providers.hosts: what has to hold for every row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from costspan.cli.source import KNOWN
from costspan.config.environment import KnownProvider
from costspan.dialects import METERED, anthropic_messages, openai_chat
from costspan.errors import Untranslatable
from costspan.ir.request import Message, Request, Text
from costspan.providers import dialect_names
from costspan.providers.hosts import KINDS
from costspan.telemetry.semconv import provider_name

if TYPE_CHECKING:
    from costspan.providers.kind import Kind

SPECIFIED = {
    *("openai", "azure", "anthropic", "gemini", "vertex", "bedrock", "mistral", "cohere", "mock"),
    *("openrouter", "groq", "together", "fireworks", "deepseek", "xai", "cerebras", "perplexity"),
    *("deepinfra", "nvidia", "ollama", "vllm", "openai-compatible"),
}
NAMES = {value for name, value in vars(dialect_names).items() if name.isupper()}


def test_the_kinds_are_those_of_the_specification() -> None:
    assert set(KINDS) == SPECIFIED


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_speaks_dialects_that_have_a_name(kind: Kind) -> None:
    spoken = set(kind.all_dialects)

    assert spoken
    assert spoken <= NAMES


def test_every_registered_dialect_is_spoken_by_some_provider() -> None:
    spoken = {name for kind in KINDS.values() for name in kind.all_dialects}

    assert set(METERED) - spoken == set()


CONVENTIONS = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "cohere": "cohere",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
    "openai": "openai",
    "xai": "x_ai",
}


@pytest.mark.parametrize(("kind", "expected"), CONVENTIONS.items(), ids=CONVENTIONS)
def test_telemetry_calls_a_kind_as_the_conventions_do(kind: str, expected: str) -> None:
    assert provider_name(KINDS[kind].name) == expected


def test_a_key_alone_configures_the_providers_that_need_no_more() -> None:
    assert {known.name for known in KNOWN} == {
        *("openai", "anthropic", "gemini", "mistral", "cohere", "openrouter", "groq", "together", "fireworks"),
        *("deepseek", "xai", "cerebras", "perplexity", "deepinfra", "nvidia"),
    }


def test_no_two_kinds_claim_the_same_names_of_models() -> None:
    claims = [glob for known in KNOWN for glob in known.globs]

    assert len(claims) == len(set(claims))


def test_gemini_has_its_key_in_either_variable() -> None:
    gemini = next(known for known in KNOWN if known.name == "gemini")

    assert isinstance(gemini, KnownProvider)
    assert gemini.variable({"GOOGLE_API_KEY": "k"}) == "GOOGLE_API_KEY"


@pytest.mark.parametrize("kind", ["groq", "ollama"])
def test_a_host_that_gives_one_choice_only_is_not_asked_for_two(kind: str) -> None:
    hi = Message("user", (Text("hi"),))

    with pytest.raises(Untranslatable) as caught:
        openai_chat.encode_request(Request("m", (hi,), n=2), KINDS[kind].profile)

    assert caught.value.param == "n"
    assert openai_chat.encode_request(Request("m", (hi,), n=1), KINDS[kind].profile).losses == ()


def test_claude_on_bedrock_is_not_asked_for_a_tier_of_anthropics() -> None:
    request = Request("m", (Message("user", (Text("hi"),)),), service_tier="default")

    assert anthropic_messages.encode_request(request, KINDS["anthropic"].profile).losses == ()
    assert anthropic_messages.encode_request(request, KINDS["bedrock"].profile).losses == ("service_tier",)
