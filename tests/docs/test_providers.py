"""docs/providers.md."""

from __future__ import annotations

from docs.generate import PROVIDERS, providers_markdown


def test_the_page_is_what_the_table_of_hosts_says() -> None:
    assert PROVIDERS.read_text() == providers_markdown(), "run python tests/docs/generate.py"
