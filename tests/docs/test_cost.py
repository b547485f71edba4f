"""docs/cost.md: what it says of the provider's own figures."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costspan.config.load import load
from costspan.providers.hosts import KINDS
from fakes.usage_reports import of_whole

PAGE = (Path(__file__).parents[2] / "docs" / "cost.md").read_text()
SECTION = PAGE.partition("## What the provider says it cost\n")[2].partition("\n## ")[0]
COUNTS = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
STATED: dict[str, dict[str, Any]] = {
    "OpenRouter": {"usage": {**COUNTS, "cost": 0.25}},
    "xAI": {"usage": {**COUNTS, "cost_in_usd_ticks": 2_500_000_000}},
    "Perplexity": {"usage": {**COUNTS, "cost": {"total_cost": 0.25}}},
    "DeepInfra": {"usage": {**COUNTS, "estimated_cost": 0.25}},
    "Venice": {"usage": COUNTS, "cost": {"usd": 0.25, "diem": 0}},
}


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
    (tmp_path / "gateway.yaml").write_text(example)

    config = load(tmp_path / "gateway.yaml", {"OPENROUTER_API_KEY": "test-key"}).config

    assert config.providers["router"].price_as == "provider"


def test_every_provider_of_the_table_is_read() -> None:
    named = re.findall(r"^\| (\w+) \| `", SECTION, re.MULTILINE)

    assert named == list(STATED)


@pytest.mark.parametrize("name", STATED)
def test_what_it_states_is_taken_from_where_the_table_says(name: str) -> None:
    kind = name.lower() if name.lower() in KINDS else "openai-compatible"

    assert of_whole("openai-chat", STATED[name], kind).reported_cost == Decimal("0.25")
