"""The configurations of docs/routing.md and docs/budgets.md are valid and do what the pages say, without a warning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from costspan.cli.check import check
from costspan.cli.source import Source
from costspan.wire import json

DOCS = Path(__file__).parents[2] / "docs"
PROVIDERS = (
    "providers: {anthropic: {api_key: '${KEY}'}, openai: {api_key: '${KEY}'}, groq: {api_key: '${KEY}'}, "
    "gemini: {api_key: '${KEY}'}}\n"
)
ROUTE = "routes: {cheap: openai/gpt-5.4-mini}\n"
ELIDED = "sha256:…"
EXAMPLES = [
    pytest.param(text, id=f"{page} {number}")
    for page in ("routing", "budgets")
    for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.DOTALL))
]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_valid_and_nothing_in_it_is_doubtful(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KEY", "secret")
    path = tmp_path / "gateway.yaml"
    path.write_text(PROVIDERS + ("" if "routes:" in example else ROUTE) + example.replace(ELIDED, f"sha256:{'a' * 64}"))

    assert check(Source(path), as_json=True) == 0

    told = json.loads_object(capsys.readouterr().out)
    assert [warning for warning in told["warnings"] if "prices age" not in warning] == []
    assert told["unpriced"] == []
