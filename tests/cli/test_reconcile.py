"""cli.reconcile: a generated month in each provider's format, undisturbed and with causes of known amounts."""

from __future__ import annotations

import gzip
import re
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from costspan.cli.commands import app
from costspan.cli.list_prices import ListPrices
from costspan.cli.reconcile import Question, run_reconcile
from costspan.cli.source import Source
from costspan.cli.tables import UNKNOWN
from costspan.wire import json
from fakes.bills import BILLINGS, Month

if TYPE_CHECKING:
    from collections.abc import Sequence


def reconcile(folder: Path, exports: Sequence[Path], output: Any = "json", **asked: Any) -> tuple[int, str]:
    out = StringIO()
    prices = ListPrices(Source(folder / "gateway.yaml"))
    question = Question(exports, **asked)
    return run_reconcile(question, folder / "ledger", prices, output=output, out=out), out.getvalue()


def document(folder: Path, exports: Sequence[Path], **asked: Any) -> tuple[int, Any]:
    status, text = reconcile(folder, exports, **asked)
    return status, json.loads(text)


def causes(found: Any) -> list[tuple[str, Any]]:
    return [(cause["cause"], cause["usd"]) for cause in found["causes"]]


@pytest.mark.parametrize("billing", BILLINGS.values(), ids=BILLINGS)
def test_an_undisturbed_month_agrees(tmp_path: Path, billing: Any) -> None:
    exports = Month().write(tmp_path, billing)

    status, found = document(tmp_path, exports)

    assert (status, found["agrees"], found["causes"], found["days"]) == (0, True, [], [])
    assert found["totals"]["export_usd"] == found["totals"]["ledger_usd"] == "301.92"
    assert "everything agrees" in reconcile(tmp_path, exports, "table")[1]


@pytest.mark.parametrize("billing", BILLINGS.values(), ids=BILLINGS)
def test_each_cause_of_a_disturbed_month_has_its_name_and_amount(tmp_path: Path, billing: Any) -> None:
    month = Month()
    month.disturb()

    status, found = document(tmp_path, month.write(tmp_path, billing))

    assert (status, found["agrees"], found["explained"]) == (0, False, True)
    assert found["totals"] == {
        "export_usd": "248.28",
        "ledger_usd": "301.32",
        "difference_usd": "-53.04",
        "ledger_estimated_usd": "0",
        "unexplained_usd": "0",
        "tolerance_usd": "0",
    }
    outside, price, boundary, missing = found["causes"]
    assert causes(found) == [
        ("traffic_outside_gateway", "2.16"),
        ("price", "-55.8"),
        ("day_boundary", "0"),
        ("missing_price", "0.6"),
    ]
    assert (outside["quantities"], outside["first_day"], outside["last_day"], outside["days"]) == (
        {"input": "3000000", "output": "600000"},
        "2026-10-10",
        "2026-10-12",
        3,
    )
    assert (price["title"], price["percent_below_ledger"]) == ("negotiated discount about 20.0 %", "20.0")
    assert (price["first_day"], price["last_day"], price["days"]) == ("2026-10-01", "2026-10-31", 31)
    assert (boundary["moved_usd"], boundary["quantities"]) == ("0.12", {"input": "300000"})
    assert (boundary["first_day"], boundary["last_day"]) == ("2026-10-20", "2026-10-21")
    assert (missing["quantities"], missing["days"]) == ({"input": "200000", "output": "80000"}, 4)


SECOND_HALF = date(2026, 10, 16)


def test_a_table_says_the_causes_first_and_then_the_days_that_stand_out(tmp_path: Path) -> None:
    month = Month()
    month.disturb()

    status, text = reconcile(tmp_path, month.write(tmp_path, BILLINGS["openai"]), "table")

    lines = [re.split(r" {2,}", line.strip()) for line in text.splitlines() if line.strip(" ─")]
    small, large, unknown = "gpt-4.1-mini-2025-04-14", "gpt-5-2025-08-07", "gpt-6-2026-09-01"
    said = [
        "openai, 2026-10-01 to 2026-10-31, UTC",
        ": the export says 248.28 USD, the ledger 301.32 USD; difference -53.04 USD.",
    ]
    left_out = "Days and models left out: 31 on which nothing but the price differs. --json has all."
    moved = f"0.12 USD of {small} are booked on another day than the ledger's, 2026-10-20 to 10-21 (2 days)."
    bypass = [small, "2026-10-10 to 10-12 (3 days)", "3,000,000 input, 600,000 output", "+2.16"]
    missing = [unknown, "2026-10-05 to 10-08 (4 days)", "200,000 input, 80,000 output", "+0.60"]
    assert status == 0
    assert lines == [
        ["".join(said)],
        ["cause", "models", "days", "tokens or units", "USD"],
        ["traffic that did not pass the gateway", *bypass],
        ["negotiated discount about 20.0 %", large, "2026-10-01 to 10-31 (31 days)", "-55.80"],
        ["booked on the neighbouring day", small, "2026-10-20 to 10-21 (2 days)", "300,000 input", "0.00"],
        ["no price in the ledger", *missing],
        ["together", "-53.04"],
        ["model", "bucket", "charged USD per million", "ledger USD per million"],
        [large, "cache_read", "0.20", "0.25"],
        [large, "input", "2.00", "2.50"],
        [large, "output", "8.00", "10.00"],
        ["day", "model", "causes", "export USD", "ledger USD", "difference USD"],
        *([f"2026-10-0{day}", unknown, "missing price", "0.15", UNKNOWN, "+0.15"] for day in (5, 6, 7, 8)),
        *([f"2026-10-{day}", small, "traffic outside gateway", "1.44", "0.72", "+0.72"] for day in (10, 11, 12)),
        ["2026-10-20", small, "day boundary", "0.52", "0.40", "+0.12"],
        ["2026-10-21", small, "day boundary", "0.28", "0.40", "-0.12"],
        [left_out],
        [moved],
    ]


def test_days_have_both_sides_and_each_cause(tmp_path: Path) -> None:
    month = Month()
    month.disturb()

    _, found = document(tmp_path, month.write(tmp_path, BILLINGS["aws"]))

    assert (found["format"], found["providers"], found["since"], found["until"]) == (
        "aws",
        ["bedrock"],
        "2026-10-01",
        "2026-11-01",
    )
    assert [day for day in found["days"] if day["day"] == "2026-10-10" and day["bucket"] == "output"] == [
        {
            "day": "2026-10-10",
            "model": "Claude4.5Sonnet",
            "bucket": "output",
            "export_quantity": "300000",
            "ledger_quantity": "300000",
            "export_usd": "2.4",
            "ledger_usd": "3",
            "difference_usd": "-0.6",
            "causes": [{"cause": "price", "usd": "-0.6", "quantities": {"output": "300000"}}],
        },
        {
            "day": "2026-10-10",
            "model": "NovaPro",
            "bucket": "output",
            "export_quantity": "400000",
            "ledger_quantity": "200000",
            "export_usd": "0.64",
            "ledger_usd": "0.32",
            "difference_usd": "0.32",
            "causes": [{"cause": "traffic_outside_gateway", "usd": "0.32", "quantities": {"output": "200000"}}],
        },
    ]


def test_days_can_be_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    month = Month()
    month.disturb()

    _, found = document(tmp_path, month.write(tmp_path, BILLINGS["google"]), since=SECOND_HALF)

    assert causes(found) == [("price", "-28.8"), ("day_boundary", "0")]
    assert capsys.readouterr().err.splitlines() == [
        "costspan reconcile: 1 rows are of services that a gateway does not call; they are not looked at",
        "costspan reconcile: 83 charges are of other days than asked for",
    ]


def test_a_packed_export_is_the_same(tmp_path: Path) -> None:
    (plain,) = Month().write(tmp_path, BILLINGS["aws, legacy"])
    packed = tmp_path / "cur.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))

    assert document(tmp_path, [packed])[1]["agrees"]


def test_what_remains_unexplained_fails_unless_it_is_tolerated(tmp_path: Path) -> None:
    (export,) = Month().write(tmp_path, BILLINGS["aws"])
    first = "2026-10-02T00:00:00Z,Usage,AmazonBedrock,USE1-Guardrail-Units,1,USD,"
    export.write_text(f"{export.read_text()}{first}0.30\n")

    assert reconcile(tmp_path, [export])[0] == 1
    assert reconcile(tmp_path, [export], tolerance=Decimal("0.29"))[0] == 1
    assert reconcile(tmp_path, [export], tolerance=Decimal("0.30"))[0] == 0
    text = reconcile(tmp_path, [export], "table")[1]
    assert "not recognised: USE1-Guardrail-Units" in text
    assert "0.30 USD remains unexplained; 0.00 USD would be tolerated." in text


def test_the_discount_of_the_configuration_is_on_top_of_what_is_found(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(
        'providers: {openai: {api_key: "${KEY:-x}", discount: 10%}}\nprices: {catalog: none}\n'
    )
    month = Month()
    month.disturb()
    exports = month.write(tmp_path, BILLINGS["openai"])

    _, found = document(tmp_path, exports)

    assert [cause["percent_below_list"] for cause in found["causes"]] == [None, "28.0", None, None]
    assert "gpt-5-2025-08-07: 28.0 % below the list price" in reconcile(tmp_path, exports, "table")[1]


def test_usage_without_amounts_is_priced_by_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(
        'providers: {openai: {api_key: "${KEY:-x}"}}\n'
        "prices: {catalog: none, table: [{provider: openai, model: gpt-9, input: 3, output: 5, per_request: 1}]}\n"
    )
    month = Month()
    exports = month.write(tmp_path, BILLINGS["openai"])
    page = json.loads(exports[0].read_text())
    page["data"][0]["results"].append({**page["data"][0]["results"][0], "model": "gpt-9", "input_cached_tokens": 0})
    exports[0].write_text(json.text(page))

    status, found = document(tmp_path, exports[:1])

    assert (status, causes(found)) == (0, [("traffic_outside_gateway", "19.5")])
    assert found["totals"]["export_usd"] is None
    text = reconcile(tmp_path, exports[:1], "table")[1]
    assert text.startswith("openai, 2026-10-01 to 2026-10-31, UTC: the export has no amounts; usage was compared.\n")


def test_an_amount_that_nobody_knows_is_unexplained(tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    export = tmp_path / "usage.csv"
    export.write_text("start_time,model,input_tokens,output_tokens,num_model_requests\n1790812800,gpt-9,5,5,1\n")

    status, text = reconcile(tmp_path, [export], "table")

    assert status == 1
    assert "An amount that is not known remains unexplained" in text


UNREADABLE: dict[str, tuple[str | bytes, str]] = {
    "no format": ("a,b\n1,2\n", "no format that is known"),
    "an empty file": ("", "the file is empty"),
    "a column that holds something else": (
        "Date,Slug,Usage,Prompt Tokens,Completion Tokens\n2026-10-01,m,x,1,1\n",
        "line 2: Usage must be a number",
    ),
    "JSON that is cut off": ('{"object":"page","data":[', "line 1: not valid JSON"),
    "a packed file that is cut off": (gzip.compress(b"x" * 99)[:20], "ended before the end-of-stream marker"),
}


@pytest.mark.parametrize(("data", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_an_export_that_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: str | bytes, said: str
) -> None:
    export = tmp_path / "export"
    export.write_bytes(data if isinstance(data, bytes) else data.encode())

    assert reconcile(tmp_path, [export]) == (2, "")
    err = capsys.readouterr().err
    assert err.startswith(f"costspan reconcile: cannot read {export}: ")
    assert said in err


def test_exports_of_two_providers_are_not_compared_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = Month().write(tmp_path, BILLINGS["aws"])
    (tmp_path / "other").mkdir()
    other = Month().write(tmp_path / "other", BILLINGS["openrouter"])

    assert reconcile(tmp_path, [*one, *other]) == (2, "")
    assert capsys.readouterr().err.endswith("activity.json is of openrouter, the files before of aws\n")


def test_an_export_without_any_day_needs_days(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = tmp_path / "usage.json"
    export.write_text('{"object": "page", "data": []}')

    assert reconcile(tmp_path, [export]) == (2, "")
    assert "--since and --until say which days are meant" in capsys.readouterr().err


def test_an_account_that_the_ledger_does_not_have_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exports = Month().write(tmp_path, BILLINGS["anthropic"])

    found = document(tmp_path, exports, provider="anthropic-eu")[1]

    assert causes(found)[0][0] == "traffic_outside_gateway"
    assert found["totals"]["ledger_usd"] == "0"
    assert capsys.readouterr().err == (
        "costspan reconcile: the ledger has no attempts of the provider anthropic-eu on these days\n"
    )


def test_the_example_in_the_docs_is_what_comes_out(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "cost.md").read_text()
    _, _, section = text.partition("## reconcile")
    shown = section.split("```text\n")[1].split("```")[0]
    month = Month()
    month.disturb()

    printed = reconcile(tmp_path, month.write(tmp_path, BILLINGS["openai"]), "table")[1]

    assert solid(printed) == solid(shown)[1:]


def solid(text: str) -> list[str]:
    """The lines of `text` without blanks at their ends, those that hold anything."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_names_of_an_export_do_not_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    export = tmp_path / "activity.csv"
    export.write_text(
        "Date,Slug,Usage,Prompt Tokens,Completion Tokens\n2026-10-01,evil\x1b[31m[bold],1,1,1\n", encoding="utf-8"
    )

    text = reconcile(tmp_path, [export], "table")[1]

    assert "\x1b" not in text
    assert "evil\N{REPLACEMENT CHARACTER}[31m[bold]" in text


WRONG: dict[str, tuple[list[str], str]] = {
    "a format that there is not": (["--format", "azure"], "expected one of openai, anthropic, google, aws, openrouter"),
    "a part of a day": (["--since", "2026-10-01T08:00"], "whole UTC days are compared"),
    "a tolerance below zero": (["--tolerance", "-1"], "expected an amount such as 0.50"),
    "a tolerance of words": (["--tolerance", "some"], "expected an amount such as 0.50"),
}


@pytest.mark.parametrize(("options", "said"), WRONG.values(), ids=WRONG)
def test_wrong_usage(tmp_path: Path, options: list[str], said: str) -> None:
    export = tmp_path / "export.csv"
    export.write_text("")

    result = CliRunner().invoke(app, ["reconcile", str(export), *options])

    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("\N{BOX DRAWINGS LIGHT VERTICAL}", " ").split())  # as wide as may be


def test_the_command_as_it_is_typed(tmp_path: Path) -> None:
    exports = Month().write(tmp_path, BILLINGS["openrouter"])
    options = ["--ledger", str(tmp_path / "ledger"), "--format", "openrouter", "--json"]
    days = ["--since", "2026-10-01", "--until", "2026-11-01"]

    result = CliRunner().invoke(app, ["reconcile", *map(str, exports), *options, *days])

    assert (result.exit_code, json.loads(result.stdout)["agrees"]) == (0, True)
