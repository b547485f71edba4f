"""cli.report: the report as people, spreadsheets and programs get it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

from costspan.cli.report import Question, run_report
from costspan.ledger import lines
from costspan.wire import json
from fakes import ledger_records as records

if TYPE_CHECKING:
    from pathlib import Path


def attempt(id_: str = "at_1", **changes: Any) -> bytes:
    return lines.attempt(replace(records.attempt(records.started(id_)), **changes))


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    estimated = attempt(
        "at_2", cost_usd=None, cost_estimated_usd=Decimal("0.0000000123"), cost_status="estimated", cost_parts={}
    )
    unpriced = attempt("at_3", cost_usd=None, cost_status="unpriced", cost_parts={})
    exchange = lines.exchange(records.exchange(), [])
    (tmp_path / "costspan-2026-01-02.jsonl").write_bytes(attempt() + estimated + unpriced + exchange)
    return tmp_path


def report(ledger: Path, output: Any, *by: str) -> tuple[int, str]:
    out = StringIO()
    return run_report(ledger, Question(by), output=output, out=out), out.getvalue()


def test_a_table_shows_costs_a_total_and_what_is_uncertain(ledger: Path) -> None:
    status, text = report(ledger, "table", "team", "model")

    assert status == 0
    assert "checkout" in text
    assert "gpt-5-2025-08-07" in text
    assert text.count("0.000225") == 2
    assert "total" in text
    assert "0.000000012 USD of estimates (usage never reported) are not in the cost." in text
    assert "1 attempt has no price; what was spent there is unknown and in no figure." in text
    assert "\x1b" not in text


def test_csv_has_exact_figures(ledger: Path) -> None:
    assert report(ledger, "csv", "team") == (
        0,
        (
            "team,exchanges,attempts,failed,unpriced,tokens_in,tokens_cached,tokens_out,cost_usd,cost_estimated_usd\n"
            "checkout,1,3,0,1,330,300,60,0.000225,0.0000000123\n"
        ),
    )


def test_json_has_groups_and_a_total(ledger: Path) -> None:
    status, text = report(ledger, "json", "team")
    figures = {
        "exchanges": 1,
        "attempts": 3,
        "failed": 0,
        "unpriced": 1,
        "tokens_in": 330,
        "tokens_cached": 300,
        "tokens_out": 60,
        "cost_usd": "0.000225",
        "cost_estimated_usd": "0.0000000123",
    }

    assert status == 0
    assert json.loads(text) == {"by": ["team"], "groups": [{"team": "checkout", **figures}], "total": figures}


def test_an_empty_ledger_is_no_error(tmp_path: Path) -> None:
    status, text = report(tmp_path, "table", "team")

    assert (status, text) == (0, "The ledger has no records for this time yet.\n")


def test_a_missing_directory_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = report(tmp_path / "nowhere", "table", "team")

    assert (status, text) == (1, "")
    assert "No such file or directory" in capsys.readouterr().err


def test_a_misspelt_name_is_answered_with_those_there_are(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = report(ledger, "csv", "tema")

    assert (status, text) == (2, "")
    assert capsys.readouterr().err.endswith("config_generation, team\n")


def test_bad_lines_are_said(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (ledger / "costspan-2026-01-03.jsonl").write_bytes(b'{"type":\n')

    assert report(ledger, "json")[0] == 0
    assert "1 lines could not be read" in capsys.readouterr().err


def test_what_a_client_sent_steers_neither_the_terminal_nor_the_spreadsheet(tmp_path: Path) -> None:
    started = records.started()
    started = replace(started, origin=replace(started.origin, attributes={"team": "=1\x1b[31m[bold]x"}))
    (tmp_path / "costspan-2026-01-02.jsonl").write_bytes(lines.attempt(records.attempt(started)))

    assert "=1\N{REPLACEMENT CHARACTER}[31m[bold]x" in report(tmp_path, "table", "team")[1]
    assert "\n'=1" in report(tmp_path, "csv", "team")[1]
