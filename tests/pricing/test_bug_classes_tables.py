"""The cost bugs of other gateways (reference peers.md 2.1, 2.9) that lived in price tables, and a roll-call of all."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

from costspan.pricing.age import ages
from costspan.pricing.lint import Reach, lint
from costspan.pricing.rates import Row, rates_of

D = Decimal
ANYWHERE = Reach({"openai": "openai"}, {}, direct=True)
TESTS = Path(__file__).parents[1]
CLASSES = {f"c{number:02}" for number in range(1, 39)}


def row(stated: str | None, **rates: str) -> Row:
    return Row(
        "openai",
        "m",
        rates_of({word: Decimal(rate) for word, rate in rates.items()}),
        "table:gateway.yaml:9",
        stated=stated,
    )


def test_c29_a_price_per_token_where_one_per_million_is_meant_is_an_error() -> None:
    # LiteLLM writes 0.0000025 for GPT-4o's input; taken for a price per million it bills a millionth
    found = lint([row("read 2026-11-01", input="0.0000025", output="0.00001")], ANYWHERE)

    assert [(each.severity, each.reason) for each in found] == [
        ("error", "input 0.0000025 looks like a price per token; write the one per million"),
        ("error", "output 0.00001 looks like a price per token; write the one per million"),
    ]


def test_c29_a_fee_for_a_thousand_where_one_for_one_is_meant_is_doubted() -> None:
    (found,) = lint([row("read 2026-11-01", input="1", output="4", web_search="10")], ANYWHERE)

    assert found.reason == "web_search 10 is very dear for one; write the price of one, not of a thousand"


def test_c31_a_price_says_how_old_its_facts_are() -> None:
    rows = [row("https://openai.com/api/pricing, read 2026-02-01", input="1", output="4"), row(None, input="1")]

    found = list(ages(rows, None, date(2026, 11, 25)))

    assert [(each.days, each.over(90)) for each in found] == [(297, True), (None, True)]


def test_all_38_classes_have_a_test() -> None:
    texts = "\n".join(path.read_text() for path in TESTS.glob("*/test_bug_classes*.py"))

    assert set(re.findall(r"^(?:async )?def test_(c\d\d)_", texts, re.MULTILINE)) == CLASSES


def test_none_of_them_is_expected_to_fail() -> None:
    texts = "\n".join(path.read_text() for path in TESTS.glob("*/test_bug_classes*.py"))

    assert "pytest.mark." + "xfail(" not in texts
