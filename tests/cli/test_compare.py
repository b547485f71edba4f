"""cli.compare: the golden vectors of OpenRouter's fees, and what people and programs get.

The vectors are those of OpenRouter's documentation, read 2026-08-22: card fee 5.5 %, at least 0.80; crypto 5 %; bring
your own key: 5 % of the list price, free for a million requests a month until 2026-08-10, for 25 000 USD since.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from costspan.cli.commands import app
from costspan.cli.compare import run_compare
from costspan.cli.source import Source
from costspan.ledger import lines
from costspan.wire import json
from fakes import ledger_records as records
from fakes.ledger_months import nanoseconds, write_month

if TYPE_CHECKING:
    from collections.abc import Mapping

BEFORE, AFTER = "2026-07", "2026-09"
"""Months under the old and the new rule."""

CONFIGURATION = """
providers: {openai: {api_key: "${KEY:-x}", discount: DISCOUNT}}
billing_plans:
  direct: {}
  credits of 5: {top_up: {fee: 5.5%, minimum: 0.80, amount: 5}}
  credits of 10: {top_up: {fee: 5.5%, minimum: 0.80, amount: 10}}
  credits of 100: {top_up: {fee: 5.5%, minimum: 0.80, amount: 100}}
  crypto: {top_up: {fee: 5%, amount: 100}}
  byok:
    - to: 2026-08-10
      surcharge: {percent: 5%, free: {requests: 1000000, per: month}, top_up: {fee: 5.5%, minimum: 0.80, amount: 100}}
    - from: 2026-08-10
      surcharge: {percent: 5%, free: {usd: 25000, per: month}, top_up: {fee: 5.5%, minimum: 0.80, amount: 100}}
  enterprise: {surcharge: {percent: 5%, of: list, free: {usd: 200000, per: month}}}
"""


def configuration(folder: Path, text: str = CONFIGURATION, discount: str = "0%") -> Source:
    path = folder / "gateway.yaml"
    path.write_text(text.replace("DISCOUNT", discount))
    return Source(path)


def compare(source: Source, ledger: Path, *by: str, output: Any = "json") -> tuple[int, str]:
    out = StringIO()
    status = run_compare(source, ledger, by=by, since=None, until=None, output=output, out=out)
    return status, out.getvalue()


def document(source: Source, ledger: Path, *by: str) -> Any:
    status, text = compare(source, ledger, *by)
    assert status == 0
    return json.loads(text)


@dataclass(frozen=True)
class Vector:
    """`paid` is what the ledger has, after the discount; `requests` come in `attempts` lines."""

    paid: str
    costs: Mapping[str, str]
    requests: int = 1
    attempts: int = 1
    discount: str = "0%"
    byok_new: str | None = None
    byok_new_with_fees: str | None = None
    byok_old: str | None = None
    without_fees: Mapping[str, str] = field(default_factory=dict)


VECTORS: Mapping[str, Vector] = {
    "1: one top-up of 5": Vector(
        "5", {"credits of 5": "5.80", "direct": "5.00"}, byok_new="5.00", byok_old="5.00", byok_new_with_fees="5.00"
    ),
    "2: below the break-even of the minimum": Vector("14.54", {"credits of 100": "15.34"}),
    "2: above the break-even of the minimum": Vector("14.73", {"credits of 100": "15.54"}),
    "3: one top-up of 100": Vector(
        "100", {"credits of 100": "105.50", "direct": "100.00"}, byok_new="100.00", byok_old="100.00"
    ),
    "4: ten top-ups of 10": Vector(
        "100", {"credits of 10": "108.00", "direct": "100.00"}, byok_new="100.00", byok_old="100.00"
    ),
    "5: crypto": Vector("1000", {"crypto": "1050.00", "direct": "1000.00"}),
    "6: at the new allowance, below the old": Vector(
        "25000",
        {"credits of 100": "26375.00", "direct": "25000.00"},
        requests=400_000,
        attempts=400,
        byok_new="25000.00",
        byok_new_with_fees="25000.00",
        byok_old="25000.00",
    ),
    "7: above both allowances": Vector(
        "40000",
        {"credits of 100": "42200.00", "direct": "40000.00"},
        requests=3_000_000,
        attempts=2000,
        byok_new="40750.00",
        byok_new_with_fees="40791.25",
        byok_old="41333.33",
    ),
    "8: many tiny requests": Vector(
        "5000",
        {"credits of 100": "5275.00", "direct": "5000.00"},
        requests=5_000_000,
        attempts=5000,
        byok_new="5000.00",
        byok_old="5200.00",
    ),
    "9: enterprise": Vector("250000", {"enterprise": "252500.00", "direct": "250000.00"}),
    "10: as 7, at a negotiated discount": Vector(
        "32000",
        {"credits of 100": "42200.00", "direct": "32000.00"},
        requests=3_000_000,
        attempts=2000,
        discount="20%",
        byok_new="32750.00",
        byok_new_with_fees="32791.25",
    ),
}


def to_the_cent(usd: str) -> str:
    return str(Decimal(usd).quantize(Decimal("0.01"), ROUND_HALF_UP))


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS.keys())
def test_a_golden_vector_comes_out_to_the_cent(vector: Vector, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    write_month(ledger, AFTER, vector.paid, requests=vector.requests, attempts=vector.attempts)
    plans = document(configuration(tmp_path, discount=vector.discount), ledger)["plans"]
    found = {name: to_the_cent(plans[name]["cost_usd"]) for name in vector.costs}
    byok = {
        "without fees": to_the_cent(plans["byok"]["without_surcharge_fees_usd"]),
        "with fees": to_the_cent(plans["byok"]["cost_usd"]),
    }

    assert found == vector.costs
    assert vector.byok_new in {None, byok["without fees"]}
    assert vector.byok_new_with_fees in {None, byok["with fees"]}


OLD_RULE = {name: vector for name, vector in VECTORS.items() if vector.byok_old is not None}


@pytest.mark.parametrize("vector", OLD_RULE.values(), ids=OLD_RULE.keys())
def test_before_its_end_the_old_rule_holds(vector: Vector, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    write_month(ledger, BEFORE, vector.paid, requests=vector.requests, attempts=vector.attempts)
    byok = document(configuration(tmp_path, discount=vector.discount), ledger)["plans"]["byok"]

    assert to_the_cent(byok["without_surcharge_fees_usd"]) == vector.byok_old


def test_the_minimum_ends_where_the_fee_reaches_it(tmp_path: Path) -> None:
    """Vector 2: 5.5 % of 14.5454... is 0.80."""
    costs = {}
    for paid in ("14.54545454", "14.54545455"):
        write_month(tmp_path, AFTER, paid, requests=1)
        costs[paid] = document(configuration(tmp_path), tmp_path)["plans"]["credits of 100"]["fees_usd"]

    assert costs == {"14.54545454": "0.8", "14.54545455": "0.80000000025"}


def test_one_run_shows_both_rules_by_date(tmp_path: Path) -> None:
    for month in (BEFORE, AFTER):
        write_month(tmp_path, month, "40000", requests=3_000_000, attempts=2000)
    byok = document(configuration(tmp_path), tmp_path)["plans"]["byok"]

    assert {month: bill["without_surcharge_fees_usd"] for month, bill in byok["months"].items()} == {
        "2026-07": "41333.33333333333335",
        "2026-09": "40750",
    }
    assert byok["without_surcharge_fees_usd"] == "82083.33333333333335"


def attempt(id_: str, cost_usd: str | None, *, at: str = "2026-09-03T12:00:00+00:00", **changes: Any) -> bytes:
    started = replace(records.started(id_), time_ns=nanoseconds(at), provider=changes.pop("provider", "openai"))
    ended = replace(records.attempt(started), cost_usd=None if cost_usd is None else Decimal(cost_usd), cost_parts={})
    return lines.attempt(replace(ended, **changes))


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """An hour with every status, a provider that left the configuration, and a broken line."""
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    estimated: dict[str, Any] = {"cost_status": "estimated", "cost_estimated_usd": Decimal(8)}
    (ledger / "costspan-2026-09-03.jsonl").write_bytes(
        attempt("at_1", "80")
        + attempt("at_2", "20", cost_status="provider")
        + attempt("at_3", None, **estimated)
        + attempt("at_4", None, cost_status="unpriced")
        + attempt("at_5", "0", cost_status="free")
        + attempt("at_6", "10", provider="gone\x1b[31m")
        + lines.exchange(records.exchange(), [])
        + attempt("at_7", "1").replace(b'"cost_usd":"1"', b'"cost_usd":"x"')
    )
    return ledger


LISTED = (
    "The list price is 130.00 USD: what was paid, without the discounts that the configuration has for the accounts "
    "now."
)


def test_every_status_is_told_apart(mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(configuration(tmp_path, discount="20%"), mixed)

    assert {name: value for name, value in found["paid"].items() if name != "months"} == {
        "requests": 3,
        "cost_usd": "110",
        "list_usd": "130",
        "cost_estimated_usd": "8",
        "estimated": 1,
        "unpriced": 1,
        "unlisted": 0,
    }
    assert found["plans"]["crypto"]["cost_usd"] == "136.5"
    assert found["plans"]["crypto"]["cost_estimated_usd"] == "10.5"
    assert found["remarks"] == [
        LISTED,
        "Attempts that never reported their usage: 1. They are estimated at 8.00 USD, which is in no cost here.",
        "Attempts without a price: 1. What they cost is unknown and in no figure.",
        "Not in the configuration, so taken to have no discount: gone\N{REPLACEMENT CHARACTER}[31m.",
    ]
    assert capsys.readouterr().err == "costspan compare: 1 lines could not be read and are in no figure\n"


def test_people_get_a_table_with_the_difference_to_what_was_paid(mixed: Path, tmp_path: Path) -> None:
    status, text = compare(configuration(tmp_path), mixed, "provider", output="table")
    row = next(line for line in text.splitlines() if line.strip().startswith("crypto"))

    assert status == 0
    assert row.split() == ["crypto", "110.00", "0.00", "5.50", "0.00", "115.50", "115.50", "5.50", "+5.00"]
    assert "\x1b" not in text


def test_groups_share_a_plan_s_cost_without_rest(mixed: Path, tmp_path: Path) -> None:
    found = document(configuration(tmp_path, discount="20%"), mixed, "provider")
    shares = {row["provider"]: row["plans"]["crypto"]["cost_usd"] for row in found["groups"]}

    assert shares == {"openai": "126", "gone\x1b[31m": "10.5"}


def test_a_day_that_no_version_of_a_plan_covers_leaves_its_cost_unknown(tmp_path: Path) -> None:
    write_month(tmp_path, BEFORE, "10", requests=1)
    write_month(tmp_path, AFTER, "10", requests=1)
    source = configuration(tmp_path, CONFIGURATION + "  young: {from: 2026-09-01}\n")
    found = document(source, tmp_path, "team")

    assert found["plans"]["young"] == {
        "cost_usd": None,
        "months": {"2026-07": {"cost_usd": None}, "2026-09": found["plans"]["direct"]["months"]["2026-09"]},
    }
    assert found["groups"][0]["plans"]["young"] == {"cost_usd": None}
    assert found["remarks"] == ["young has no version for all days of 2026-07: its cost is not known."]
    assert "young" in compare(source, tmp_path, output="table")[1]


def test_whole_purchases_leave_credits_for_later_and_that_is_said(tmp_path: Path) -> None:
    for month in (BEFORE, AFTER):
        write_month(tmp_path, month, "130", requests=1)
    source = configuration(
        tmp_path, CONFIGURATION + "  whole: {top_up: {fee: 5.5%, minimum: 0.80, amount: 100, last: whole}}\n"
    )
    found = document(source, tmp_path)

    months = found["plans"]["whole"]["months"].values()
    assert [(bill["fees_usd"], bill["credits_left_usd"]) for bill in months] == [("11", "70"), ("5.5", "40")]
    assert found["plans"]["whole"]["cost_usd"] == "276.5"
    assert "whole: 40.00 USD of credits are bought and not spent; they are not in its cost." in found["remarks"]


def test_a_fee_inside_the_purchase_buys_fewer_credits(tmp_path: Path) -> None:
    write_month(tmp_path, AFTER, "189", requests=1)
    source = configuration(tmp_path, CONFIGURATION + "  inside: {top_up: {fee: 5.5%, amount: 100, fee_is: inside}}\n")

    assert document(source, tmp_path)["plans"]["inside"]["cost_usd"] == "200"


def test_a_misspelt_name_is_wrong_usage(mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(configuration(tmp_path), mixed, "tema") == (2, "")
    assert capsys.readouterr().err.endswith("nothing in this ledger is called tema\n")


def test_a_plan_s_cost_has_no_buckets(mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(configuration(tmp_path), mixed, "bucket") == (2, "")
    assert capsys.readouterr().err == "costspan compare: a plan's cost has no part for each bucket\n"


def test_a_ledger_that_cannot_be_read_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(configuration(tmp_path), tmp_path / "nowhere") == (1, "")
    assert "No such file or directory" in capsys.readouterr().err


def test_a_configuration_that_is_not_valid_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(configuration(tmp_path, "billing_plans: {a: {topup: 1}}"), tmp_path) == (78, "")
    assert "did you mean top_up?" in capsys.readouterr().err


def test_the_keys_need_not_be_here(mixed: Path, tmp_path: Path) -> None:
    source = configuration(tmp_path, CONFIGURATION.replace("${KEY:-x}", "${A_KEY_THAT_IS_NOT_HERE}"))

    assert document(source, mixed)["paid"]["cost_usd"] == "110"


def test_an_empty_ledger_is_no_error(tmp_path: Path) -> None:
    assert compare(configuration(tmp_path), tmp_path, output="table") == (
        0,
        "The ledger has no records for this time yet.\n",
    )


def test_without_plans_there_is_nothing_to_compare_with(mixed: Path, tmp_path: Path) -> None:
    source = configuration(tmp_path, "providers: {demo: {kind: mock}}")

    assert document(source, mixed)["remarks"][0] == (
        "billing_plans: of the configuration is empty: there is nothing to compare with."
    )


def test_the_command_takes_its_options(mixed: Path, tmp_path: Path) -> None:
    path = str(configuration(tmp_path).path)
    arguments = ["compare", "-c", path, "--ledger", str(mixed), "--json", "--since", "2026-09-01T13:00", "--by", "team"]
    found = CliRunner().invoke(app, [*arguments, "--until", "2026-10-01"])

    assert found.exit_code == 0
    assert json.loads(found.stdout)["paid"]["requests"] == 3
    assert json.loads(found.stdout)["remarks"][-1] == (
        "2026-09 is not whole here: allowances are reckoned as though nothing else had been spent in it."
    )


def test_the_example_in_the_docs_is_what_comes_out(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "cost.md").read_text()
    _, _, section = text.partition("## compare")
    example, shown = section.split("```yaml\n")[1].split("```")[0], section.split("```text\n")[1].split("```")[0]
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    write_month(ledger, AFTER, "32000", requests=3_000_000, attempts=2000)
    printed = compare(configuration(tmp_path, example), ledger, output="table")[1]

    assert solid(printed) == solid(shown)[1:]


def solid(text: str) -> list[str]:
    """The lines of `text` without blanks at their ends, those that hold anything."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]
