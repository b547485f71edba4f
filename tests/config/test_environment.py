"""costspan.config.environment"""

import pytest

from costspan.config.environment import KnownProvider, from_environment, render_yaml
from costspan.errors import ConfigError

KNOWN = [
    KnownProvider("openai", "OPENAI_API_KEY", ("gpt-*", "o3*")),
    KnownProvider("groq", "GROQ_API_KEY", ("llama-*", "gpt-*")),
    KnownProvider("mistral", "MISTRAL_API_KEY", ("mistral-*",)),
]
ENVIRON = {"OPENAI_API_KEY": "hunter2", "GROQ_API_KEY": "hunter3", "MISTRAL_API_KEY": ""}


def test_each_provider_whose_variable_is_set_is_configured() -> None:
    config = from_environment(ENVIRON, KNOWN).config

    assert {name: provider.api_keys[0].reveal() for name, provider in config.providers.items()} == {
        "openai": "hunter2",
        "groq": "hunter3",
    }
    assert config.direct_targets is True


def test_model_names_lead_to_the_first_provider_that_knows_them() -> None:
    config = from_environment(ENVIRON, KNOWN).config

    assert {glob: route.targets[0].target for glob, route in config.routes.items()} == {
        "gpt-*": "openai/{model}",
        "o3*": "openai/{model}",
        "llama-*": "groq/{model}",
    }


def test_the_written_file_holds_references_and_no_values() -> None:
    text = render_yaml(ENVIRON, KNOWN)

    assert "hunter" not in text
    assert '  openai: {api_key: "${OPENAI_API_KEY}"}' in text.splitlines()
    assert '  # mistral: {api_key: "${MISTRAL_API_KEY}"}' in text.splitlines()


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"FIRST": "hunter2"}, "${FIRST}"),
        ({"SECOND": "hunter2"}, "${SECOND}"),
        ({"FIRST": "", "SECOND": "hunter2"}, "${SECOND}"),
        ({"FIRST": "hunter2", "SECOND": "hunter3"}, "${FIRST}"),
    ],
)
def test_a_provider_may_have_its_key_in_another_variable(environ: dict[str, str], variable: str) -> None:
    known = [KnownProvider("gemini", "FIRST", ("gemini-*",), ("SECOND",))]

    assert f'  gemini: {{api_key: "{variable}"}}' in render_yaml(environ, known).splitlines()


def test_an_environment_without_keys_is_a_configuration_without_providers() -> None:
    loaded = from_environment({}, KNOWN)

    assert loaded.config.providers == {}
    assert loaded.config.routes == {}
    assert loaded.files == ()
    assert loaded.warnings[0].endswith("providers: no provider is configured: every request will fail")


def test_an_unusable_key_is_told_without_its_value() -> None:
    with pytest.raises(ConfigError, match=r"providers\.groq\.api_key: the secret contains") as caught:
        from_environment({"GROQ_API_KEY": "hunter 2"}, KNOWN)

    assert "hunter" not in str(caught.value)
