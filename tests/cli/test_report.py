"""cli.report: the report as people, spreadsheets and programs get it."""

from __future__ import annotations

import csv
import errno
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from costspan.cli.commands import app
from costspan.cli.report import Question, run_report
from costspan.ledger import lines
from costspan.ledger.focus import COLUMNS
from costspan.wire import json
from fakes import ledger_records as records


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


def test_a_bucket_has_its_tokens_or_units_and_no_exchanges(ledger: Path) -> None:
    status, text = report(ledger, "csv", "bucket")

    assert status == 0
    assert text.splitlines() == [
        "bucket,attempts,failed,unpriced,tokens_in,tokens_cached,tokens_out,cost_usd,cost_estimated_usd,units",
        "output,2,0,1,0,0,40,0.0002,0,0",
        "cache_read,2,0,1,200,200,0,0.0000125,0,0",
        "input,2,0,1,20,0,0,0.0000125,0,0",
        ",1,0,0,110,100,20,,0.0000000123,0",
    ]


def test_a_condition_leaves_the_rest_out(ledger: Path) -> None:
    out = StringIO()
    question = Question(["status"], {"team": ["checkout"], "status": ["exact", "unpriced"]})

    assert run_report(ledger, question, output="json", out=out) == 0
    assert [group["status"] for group in json.loads(out.getvalue())["groups"]] == ["exact", "unpriced"]


def test_a_condition_with_a_misspelt_name_is_told(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = StringIO()

    assert run_report(ledger, Question(["model"], {"tema": ["checkout"]}), output="table", out=out) == 2
    assert out.getvalue() == ""
    assert "nothing in this ledger is called tema;" in capsys.readouterr().err


def test_bars_are_of_the_terminals_width_and_say_what_is_uncertain(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    status, text = report(ledger, "bars", "day")

    assert status == 0
    assert text.splitlines() == [
        "2026-01-02  0.000225  █████████████████▉",
        "total       0.000225",
        "",
        "0.000000012 USD of estimates (usage never reported) are not in the cost.",
        "1 attempt has no price; what was spent there is unknown and in no figure.",
    ]


def test_bars_of_nothing_say_so(tmp_path: Path) -> None:
    assert report(tmp_path, "bars", "day") == (0, "The ledger has no records for this time yet.\n")


def test_focus_has_its_columns_and_says_how_many_rows_have_no_cost(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text = report(ledger, "focus")
    rows = list(csv.DictReader(StringIO(text)))

    assert status == 0
    assert tuple(rows[0]) == COLUMNS
    assert [(row["SkuMeter"], row["BilledCost"], row["x_CostStatus"]) for row in rows] == [
        ("Requests", "", "estimated"),
        ("Cached input tokens", "0.0000125", "exact"),
        ("Input tokens", "0.0000125", "exact"),
        ("Output tokens", "0.0002", "exact"),
        ("Cached input tokens", "", "unpriced"),
        ("Input tokens", "", "unpriced"),
        ("Output tokens", "", "unpriced"),
    ]
    assert capsys.readouterr().err == (
        "costspan report: 4 rows have no cost, which FOCUS forbids: it is unknown, and x_CostStatus says why\n"
    )


def test_an_output_that_cannot_be_written_is_no_fault_of_the_ledgers(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full(StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(errno.EPIPE, text)

    with pytest.raises(BrokenPipeError):
        run_report(ledger, Question([]), output="focus", out=Full())
    assert capsys.readouterr().err == ""


def test_focus_of_nothing_is_a_heading(tmp_path: Path) -> None:
    assert report(tmp_path, "focus") == (0, ",".join(COLUMNS) + "\n")


def test_a_misspelt_name_of_a_focus_condition_is_told_too(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_report(ledger, Question([], {"tema": [""]}), output="focus", out=StringIO()) == 2
    assert "nothing in this ledger is called tema;" in capsys.readouterr().err


def test_what_an_upstream_said_steers_no_spreadsheet_in_focus_either(tmp_path: Path) -> None:
    (tmp_path / "costspan-2026-01-02.jsonl").write_bytes(attempt(service_tier="=1+1", model_served="=2+2"))
    row = next(csv.DictReader(StringIO(report(tmp_path, "focus")[1])))

    assert row["x_ServiceTier"] == "'=1+1"
    assert [name for name, value in row.items() if value.startswith("=")] == []


def test_damage_inside_a_line_is_said_too(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (ledger / "costspan-2026-01-03.jsonl").write_bytes(attempt("at_9").replace(b'"0.000225"', b'"0.0x"') + b"[]\n")

    assert report(ledger, "csv", "team")[0] == 0
    assert "2 lines could not be read" in capsys.readouterr().err


WRONG: dict[str, tuple[list[str], str]] = {
    "two outputs": (["--csv", "--bars"], "one of --csv and --bars, not both"),
    "groups of FOCUS": (["--focus", "--by", "team"], "--focus has its own groups"),
    "a condition without a value": (["--where", "team"], "expected NAME=VALUE"),
    "a condition on buckets": (["--where", "bucket=input"], "an attempt is in several buckets"),
}


@pytest.mark.parametrize(("options", "expected"), WRONG.values(), ids=WRONG.keys())
def test_wrong_usage_is_2_and_says_what_is_right(ledger: Path, options: list[str], expected: str) -> None:
    result = CliRunner().invoke(app, ["report", "--ledger", str(ledger), *options])

    assert result.exit_code == 2
    assert expected in " ".join(result.output.replace("│", " ").split())


def test_the_command_passes_everything_on(ledger: Path) -> None:
    options = ["--by", "team", "--where", "team=checkout", "--since", "2026-01-02", "--until", "2026-01-03", "--csv"]
    result = CliRunner().invoke(app, ["report", "--ledger", str(ledger), *options])
    nothing = CliRunner().invoke(app, ["report", "--ledger", str(ledger), "--until", "2026-01-02", "--csv"])

    assert result.output.splitlines()[1:] == ["checkout,1,3,0,1,330,300,60,0.000225,0.0000000123"]
    assert nothing.output.splitlines()[1:] == []


def test_the_examples_in_the_docs_are_what_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [("search", 1, "4.125"), ("search", 3, "1.5"), ("checkout", 1, "0.75"), ("checkout", 3, None)]
    for number, (team, day, cost) in enumerate(days):
        started = records.started(f"at_{number}", f"cs_{number}")
        started.time_ns = 1_793_491_200_000_000_000 + day * 86_400_000_000_000  # 2026-11-01 and so on
        started.origin.attributes = {"team": team}
        ended = replace(
            records.attempt(started),
            cost_usd=None if cost is None else Decimal(cost),
            cost_status="estimated" if cost is None else "exact",
            cost_estimated_usd=Decimal("0.5") if cost is None else None,
            cost_parts={} if cost is None else {"output": Decimal(cost)},
            usage={} if cost is None else {"input": 1_200_000, "cache_read": 300_000, "output": 90_000},
        )
        with (tmp_path / f"costspan-2026-11-0{day + 1}.jsonl").open("ab") as file:
            file.write(lines.attempt(ended))
            file.write(
                lines.exchange(replace(records.exchange(), origin=started.origin, time_ns=started.time_ns), [ended])
            )
    monkeypatch.setenv("COLUMNS", "60")
    text = (Path(__file__).parents[2] / "docs" / "cost.md").read_text()
    _, _, section = text.partition("## report")
    section, _, _ = section.partition("\n## ")
    examples = [example.split("\n```")[0] for example in section.split("```text\n$ costspan ")[1:]]

    for example in examples:
        command, _, expected = example.partition("\n")
        result = CliRunner().invoke(app, [*command.split(), "--ledger", str(tmp_path)])
        assert (result.exit_code, [line.rstrip() for line in result.stdout.splitlines()]) == (0, expected.splitlines())
    assert len(examples) == 2
