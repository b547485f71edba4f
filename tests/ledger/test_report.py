"""report: sums over entries."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from costspan.ledger import lines
from costspan.ledger.read import Entry, parse
from costspan.ledger.report import Sums, aggregate
from fakes import ledger_records as records


def entry(line: bytes, **changes: Any) -> Entry:
    found = parse(line)
    assert found is not None
    return replace(found, **changes)


ATTEMPT = entry(lines.attempt(records.attempt()))
EXCHANGE = entry(lines.exchange(records.exchange(), [records.attempt()]))
LOSER = replace(
    ATTEMPT,
    id="at_2",
    provider="groq",
    model_served=None,
    model_requested="llama",
    outcome="failed",
    usage={},
    cost_usd=None,
    cost_estimated_usd=Decimal("0.01"),
    cost_status="estimated",
)
UNPRICED = replace(ATTEMPT, id="at_3", cost_usd=None, cost_status="unpriced")


def test_costs_come_from_attempts_and_the_count_of_exchanges_from_exchanges() -> None:
    report = aggregate([ATTEMPT, LOSER, UNPRICED, EXCHANGE], [])

    assert report.total == Sums(
        exchanges=1,
        attempts=3,
        failed=1,
        unpriced=1,
        tokens_in=220,
        tokens_cached=200,
        tokens_out=40,
        cost_usd=Decimal("0.000225"),
        cost_estimated_usd=Decimal("0.01"),
    )
    assert report.groups == {(): report.total}


def test_a_record_that_was_appended_twice_counts_once() -> None:
    report = aggregate([ATTEMPT, EXCHANGE, ATTEMPT, EXCHANGE], [])

    assert (report.total.attempts, report.total.exchanges) == (1, 1)


def test_sums_keep_every_digit() -> None:
    pennies = [replace(ATTEMPT, id=str(n), cost_usd=Decimal("0.00000000000000000001")) for n in range(3)]
    fortune = replace(ATTEMPT, id="x", cost_usd=Decimal(12345678901234567890))

    assert aggregate([*pennies, fortune], []).total.cost_usd == Decimal("12345678901234567890.00000000000000000003")


GROUPS: dict[str, tuple[str, tuple[str | None, str | None]]] = {
    "model, served or else requested": ("model", ("llama", "gpt-5-2025-08-07")),
    "provider": ("provider", ("groq", "openai")),
    "outcome": ("outcome", ("failed", "ok")),
    "status": ("status", ("estimated", "exact")),
}


@pytest.mark.parametrize(("by", "expected"), GROUPS.values(), ids=GROUPS.keys())
def test_groups_come_dearest_first(by: str, expected: tuple[str | None, str | None]) -> None:
    assert [group[0] for group in aggregate([ATTEMPT, LOSER], [by]).groups] == list(expected)


@pytest.mark.parametrize("name", ["team", "attributes.team"])
def test_an_attribute_is_a_dimension(name: str) -> None:
    other = replace(LOSER, attributes={})

    assert set(aggregate([ATTEMPT, other], [name]).groups) == {("checkout",), (None,)}


def test_days_come_in_their_order() -> None:
    later = replace(LOSER, time=ATTEMPT.time.replace(day=3))

    assert list(aggregate([later, ATTEMPT], ["day", "route"]).groups) == [
        ("2026-01-02", "smart"),
        ("2026-01-03", "smart"),
    ]


def test_a_name_that_nothing_has_is_reported() -> None:
    assert aggregate([ATTEMPT], ["team", "tema", "key"]).unknown() == ("tema",)
