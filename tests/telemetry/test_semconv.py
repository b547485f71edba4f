"""costspan.telemetry.semconv: the names agree with the conventions package."""

from __future__ import annotations

import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes

from costspan.telemetry import semconv

CONVENTIONS = {
    value
    for module in (gen_ai_attributes, gen_ai_metrics, error_attributes, http_attributes, server_attributes)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str)
}
NAMES = {
    value
    for name, value in vars(semconv).items()
    if name.isupper() and isinstance(value, str) and "." in value and not value.startswith("costspan.")
}


def test_all_standard_names_are_in_the_conventions() -> None:
    assert len(NAMES) >= 20
    assert not NAMES - CONVENTIONS


PROVIDERS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "vertex": "gcp.vertex_ai",
    "azure": "azure.ai.openai",
    "groq": "groq",
    "mistral": "mistral_ai",
    "deepseek": "deepseek",
    "xai": "x_ai",
    "perplexity": "perplexity",
    "cohere": "cohere",
    "openai-compatible": "openai-compatible",
    "mock": "mock",
}


@pytest.mark.parametrize(("kind", "expected"), PROVIDERS.items(), ids=PROVIDERS.keys())
def test_providers_have_the_names_of_the_conventions(kind: str, expected: str) -> None:
    assert semconv.provider_name(kind) == expected


def test_translated_provider_names_are_in_the_conventions() -> None:
    known = {member.value for member in gen_ai_attributes.GenAiProviderNameValues}

    assert not set(semconv.PROVIDER_NAMES.values()) - known
