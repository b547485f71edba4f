"""What is known of models: rows with a source, and nothing beyond them."""

from __future__ import annotations

import re

import pytest

from costspan.providers.capabilities import LACKS, READ_WISHES, SLUGS, known_lacks
from costspan.providers.hosts import KINDS

CASES: dict[tuple[str, str], set[str]] = {
    ("openai", "gpt-4-turbo-2024-04-09"): {"json_schema"},
    ("openai", "gpt-4"): {"json_schema", "images"},
    ("openai", "gpt-4-0613"): {"json_schema"},
    ("openai", "gpt-4.1"): set(),
    ("openai", "gpt-4o"): set(),
    ("openai", "gpt-4o-2024-05-13"): {"json_schema"},
    ("openai", "gpt-5.4-mini"): set(),
    ("openai", "o3-mini"): {"images"},
    ("azure", "gpt-4"): set(),
    ("groq", "openai/gpt-oss-120b"): {"images"},
    ("groq", "qwen/qwen3.8-27b"): set(),
    ("deepseek", "deepseek-v4-pro"): {"images"},
    ("deepseek", "deepseek-flash"): set(),
    ("bedrock", "us.amazon.nova-micro-v1:0"): {"images"},
    ("bedrock", "amazon.nova-lite-v1:0"): set(),
    ("bedrock", "amazon.titan-text-express-v1"): {"images", "tools"},
    ("bedrock", "us.anthropic.claude-3-5-haiku-20241022-v1:0"): {"images"},
    ("bedrock", "anthropic.claude-3-haiku-20240307-v1:0"): set(),
}


@pytest.mark.parametrize(("model", "expected"), CASES.items(), ids=map("/".join, CASES))
def test_what_a_model_is_known_to_lack(model: tuple[str, str], expected: set[str]) -> None:
    assert known_lacks(*model) == expected


def test_every_row_is_of_a_kind_and_says_where_it_is_from() -> None:
    assert {row.kind for row in LACKS} <= KINDS.keys()
    assert set[str]().union(*(row.what for row in LACKS)) == {"tools", "images", "json_schema"}
    for row in LACKS:
        assert re.search(r"\.(com|dev|org)/", row.source)
        assert row.source.endswith("2026-11-26")


def test_names_of_others_stand_for_kinds() -> None:
    assert {*SLUGS.values(), *READ_WISHES} <= KINDS.keys()
    assert not SLUGS.keys() & KINDS.keys()
