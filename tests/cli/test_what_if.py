"""cli.what_if: targets of the configuration and of the catalog, as people and programs get them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from costspan.cli.commands import app
from costspan.cli.source import Source
from costspan.cli.what_if import run_what_if
from costspan.ledger import lines
from costspan.wire import json
from fakes import ledger_records as records

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION = """
providers:
  openai: {api_key: "${KEY:-x}"}
  cheap: {kind: openai-compatible, base_url: "http://127.0.0.1:9/v1", discount: 50%}
prices:
  catalog: none
  table:
    - {provider: openai, model: gpt-5, input: 1.25, output: 10, cache_read: 0.125}
    - {provider: cheap, model: small, input: 1, output: 2, service_tiers: {flex: {multiplier: 0.5}}}
    - {provider: groq, model: big, input: 3, output: 3}
"""
CAVEAT = (
    "The counts of tokens are those of the models that answered. Another tokenizer counts the same text otherwise, and "
    "another model may think and write more or less."
)
UNMETERED = (
    "Attempts that never reported their usage: 1. They cannot be priced elsewhere; what they cost, 0.00 USD and by "
    "estimate 0.50 USD, is in no figure."
)
UNPRICED = (
    "openai/nope: attempts without a price there: 2. They are in neither sum; really they cost 0.00045 USD, as far as "
    "that is known."
)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    path = tmp_path / "gateway.yaml"
    path.write_text(CONFIGURATION)
    return Source(path)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Two attempts of 10 fresh, 100 cached and 20 output tokens, and one that never reported its usage."""
    directory = tmp_path / "ledger"
    directory.mkdir()
    other = records.started("at_2")
    other = replace(other, origin=replace(other.origin, attributes={"team": "search\x1b[31m"}))
    lost = replace(
        records.attempt(records.started("at_3")),
        usage={},
        units={},
        cost_usd=None,
        cost_estimated_usd=Decimal("0.5"),
        cost_status="estimated",
    )
    (directory / "costspan-2026-01-02.jsonl").write_bytes(
        lines.attempt(records.attempt()) + lines.attempt(records.attempt(other)) + lines.attempt(lost)
    )
    return directory


def ask(source: Source, ledger: Path, *targets: str, **options: Any) -> tuple[int, str]:
    out = StringIO()
    asked: dict[str, Any] = {"service_tier": None, "cached": True, "by": [], "where": {}, "output": "json", **options}
    status = run_what_if(source, ledger, targets=targets, since=None, until=None, out=out, **asked)
    return status, out.getvalue()


def document(source: Source, ledger: Path, *targets: str, **options: Any) -> Any:
    status, text = ask(source, ledger, *targets, **options)
    assert status == 0
    return json.loads(text)


def test_programs_get_both_sums_and_what_is_in_neither(source: Source, ledger: Path) -> None:
    found = document(source, ledger, "cheap/small", "openai/nope")

    assert found["total"] == {
        "cheap/small": {
            "attempts": 2,
            "real_usd": "0.00045",
            "hypothetical_usd": "0.00015",
            "difference_usd": "-0.0003",
            "ratio": "0.333333333333",
            "unpriced": 0,
            "unpriced_real_usd": "0",
            "unpaid": 0,
            "without_tier": 0,
        },
        "openai/nope": {
            "attempts": 0,
            "real_usd": None,
            "hypothetical_usd": None,
            "difference_usd": None,
            "ratio": None,
            "unpriced": 2,
            "unpriced_real_usd": "0.00045",
            "unpaid": 0,
            "without_tier": 0,
        },
    }
    assert found["unmetered"] == {"attempts": 1, "cost_usd": "0", "cost_estimated_usd": "0.5"}
    assert found["remarks"] == [CAVEAT, UNMETERED, UNPRICED]


SCENARIOS: dict[str, tuple[tuple[str, ...], dict[str, Any], dict[str, str]]] = {
    "nothing but the cache": ((), {"cached": False}, {"no cache": "0.000675"}),
    "another tier": (("cheap/small",), {"service_tier": "flex"}, {"cheap/small, tier flex": "0.000075"}),
    "a well-known provider without an account": (("groq/big",), {}, {"groq/big": "0.00078"}),
    "another target, without the cache": (("cheap/small",), {"cached": False}, {"cheap/small, no cache": "0.00015"}),
}


@pytest.mark.parametrize(("targets", "options", "expected"), SCENARIOS.values(), ids=SCENARIOS.keys())
def test_a_scenario_changes_what_it_says(
    targets: tuple[str, ...], options: dict[str, Any], expected: dict[str, str], source: Source, ledger: Path
) -> None:
    found = document(source, ledger, *targets, **options)

    assert {name: figures["hypothetical_usd"] for name, figures in found["total"].items()} == expected


def test_the_catalog_prices_a_target_that_the_configuration_does_not_name(source: Source, ledger: Path) -> None:
    assert source.path is not None
    source.path.write_text(CONFIGURATION.replace("catalog: none", "catalog: genai-prices"))
    found = document(source, ledger, "anthropic/claude-haiku-4-5")

    # 10 fresh at 1 USD per million, 100 cached at 0.1, 20 written at 5; twice
    assert found["total"]["anthropic/claude-haiku-4-5"]["hypothetical_usd"] == "0.00024"


def test_people_get_a_table_by_group_and_the_caveat(source: Source, ledger: Path) -> None:
    status, text = ask(source, ledger, "cheap/small", by=["team"], output="table")
    rows = [line.split() for line in text.splitlines() if "cheap/small" in line]

    assert status == 0
    assert rows == [
        ["checkout", "cheap/small", "1", "0.00022", "0.000075", "-0.00015", "0.33", "0"],
        ["search\N{REPLACEMENT CHARACTER}[31m", "cheap/small", "1", "0.00022", "0.000075", "-0.00015", "0.33", "0"],
        ["total", "cheap/small", "2", "0.00045", "0.00015", "-0.00030", "0.33", "0"],
    ]
    assert CAVEAT in text


def test_only_what_is_asked_for_is_priced(source: Source, ledger: Path) -> None:
    found = document(source, ledger, "cheap/small", where={"team": ["checkout"]})

    assert found["total"]["cheap/small"]["attempts"] == 1


WRONG: dict[str, tuple[tuple[str, ...], dict[str, Any], str]] = {
    "a misspelt provider": (
        ("opnai/gpt-5",),
        {},
        "'opnai' is neither a provider of the configuration nor a kind; did you mean openai?",
    ),
    "a target without a model": (("openai",), {}, "'openai' is no target: expected provider/model"),
    "a misspelt attribute": (("openai/gpt-5",), {"by": ["tema"]}, "nothing in this ledger is called tema"),
    "no group": (("openai/gpt-5",), {"by": ["bucket"]}, "what an attempt really cost is not compared by bucket"),
    "a misspelt condition": (("openai/gpt-5",), {"where": {"tema": ["x"]}}, "nothing in this ledger is called tema"),
}


@pytest.mark.parametrize(("targets", "options", "reason"), WRONG.values(), ids=WRONG.keys())
def test_a_name_that_means_nothing_is_wrong_usage(
    targets: tuple[str, ...],
    options: dict[str, Any],
    reason: str,
    source: Source,
    ledger: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ask(source, ledger, *targets, **options) == (2, "")
    assert capsys.readouterr().err == f"costspan what-if: {reason}\n"


def test_the_command_takes_its_options(source: Source, ledger: Path) -> None:
    arguments = ["what-if", "-c", str(source.path), "--ledger", str(ledger), "--target", "cheap/small", "--json"]
    found = CliRunner().invoke(app, [*arguments, "--where", "team=checkout", "--since", "2026-01-02", "--no-cache"])

    assert found.exit_code == 0
    assert json.loads(found.stdout)["total"]["cheap/small, no cache"]["attempts"] == 1


def test_the_command_wants_something_to_be_otherwise(source: Source) -> None:
    found = CliRunner().invoke(app, ["what-if", "-c", str(source.path)])

    assert found.exit_code == 2
    assert "--target" in found.output


def test_a_configuration_that_is_not_valid_is_told(
    source: Source, ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert source.path is not None
    source.path.write_text("prices: {tabel: []}")

    assert ask(source, ledger, "openai/gpt-5") == (78, "")
    assert "did you mean table?" in capsys.readouterr().err


def test_a_ledger_that_cannot_be_read_fails(source: Source, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(source, tmp_path / "nowhere", "cheap/small") == (1, "")
    assert "No such file or directory" in capsys.readouterr().err
