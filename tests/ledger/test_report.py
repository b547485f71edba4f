"""report: sums over entries."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import pytest

from costspan.ledger import lines
from costspan.ledger.dimensions import Filter
from costspan.ledger.report import Sums, aggregate
from costspan.wire import json
from fakes import ledger_records as records

if TYPE_CHECKING:
    from costspan.ledger.read import Line


def line(text: bytes, **changes: Any) -> Line:
    return cast("Line", json.loads_object(text) | changes)


ATTEMPT = line(lines.attempt(records.attempt()))
EXCHANGE = line(lines.exchange(records.exchange(), [records.attempt()]))


def attempt(**changes: Any) -> Line:
    return cast("Line", {**ATTEMPT, **changes})


LOSER = attempt(
    id="at_2",
    provider="groq",
    model_served=None,
    model_requested="llama",
    outcome="failed",
    usage={},
    cost_usd=None,
    cost_estimated_usd="0.01",
    cost_status="estimated",
    cost_parts={},
)
UNPRICED = attempt(id="at_3", cost_usd=None, cost_status="unpriced", cost_parts={})


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
        priced=1,
    )
    assert report.groups == {(): report.total}


def test_sums_keep_every_digit() -> None:
    pennies = [attempt(cost_usd="0.00000000000000000001") for _ in range(3)]
    fortune = attempt(cost_usd="12345678901234567890")

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
    other = attempt(attributes={})

    assert set(aggregate([ATTEMPT, other], [name]).groups) == {("checkout",), (None,)}


def test_days_come_in_their_order() -> None:
    later = attempt(time="2026-01-03T00:00:00.000Z", cost_usd="5")

    assert list(aggregate([later, ATTEMPT], ["day", "route"]).groups) == [
        ("2026-01-02", "smart"),
        ("2026-01-03", "smart"),
    ]


DIMENSION_VALUES: dict[str, str | None] = {
    "model": "gpt-5-2025-08-07",
    "model_requested": "gpt-5",
    "model_asked": "smart",
    "route": "smart",
    "strategy": "fallback",
    "key": "checkout",
    "provider_kind": "openai",
    "operation": "chat",
    "dialect_in": "openai-chat",
    "dialect_out": "openai-chat",
    "stream": "true",
    "index": "0",
    "http_status": "200",
    "error_type": None,
    "finish_reasons": "stop, length",
    "flags": None,
    "status": "exact",
    "cost_status": "exact",
    "price_source": "table:gateway.yaml:41",
    "price_version": "2026-01-01",
    "service_tier": "default",
    "exchange_id": "cs_1",
    "client_request_id": "client-1",
    "upstream_id": "chatcmpl-1",
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "config_generation": "3",
    "month": "2026-01",
    "day": "2026-01-02",
    "hour": "2026-01-02T03",
}


@pytest.mark.parametrize(("by", "expected"), DIMENSION_VALUES.items(), ids=DIMENSION_VALUES.keys())
def test_everything_that_a_line_has_groups(by: str, expected: str | None) -> None:
    assert list(aggregate([attempt(finish_reasons=["stop", "length"])], [by]).groups) == [(expected,)]


def test_an_exchange_has_no_flags_and_counts_all_the_same() -> None:
    report = aggregate([attempt(flags=["tier_assumed"]), EXCHANGE], ["flags"])

    assert {group: (sums.attempts, sums.exchanges) for group, sums in report.groups.items()} == {
        ("tier_assumed",): (1, 0),
        (None,): (0, 1),
    }


def test_buckets_split_a_cost_and_sum_to_it() -> None:
    report = aggregate([ATTEMPT, ATTEMPT, EXCHANGE], ["bucket"])

    assert {group[0]: (sums.attempts, sums.cost_usd) for group, sums in report.groups.items()} == {
        "output": (2, Decimal("0.0004")),
        "cache_read": (2, Decimal("0.000025")),
        "input": (2, Decimal("0.000025")),
    }
    assert (report.total.attempts, report.total.exchanges, report.total.cost_usd) == (2, 1, Decimal("0.00045"))
    assert report.figures == (
        "attempts",
        "failed",
        "unpriced",
        "tokens_in",
        "tokens_cached",
        "tokens_out",
        "cost_usd",
        "cost_estimated_usd",
        "units",
    )


def test_tokens_and_units_are_those_of_the_bucket() -> None:
    searched = attempt(
        units={"requests": 1, "web_search_calls": 3},
        cost_parts=ATTEMPT["cost_parts"] | {"web_search_calls": "0.03"},
        cost_usd="0.030225",
    )
    groups = aggregate([searched], ["bucket", "route"]).groups

    assert {
        group: (sums.tokens_in, sums.tokens_cached, sums.tokens_out, sums.units) for group, sums in groups.items()
    } == {
        ("web_search_calls", "smart"): (0, 0, 0, 3),
        ("output", "smart"): (0, 0, 20, 0),
        ("cache_read", "smart"): (100, 100, 0, 0),
        ("input", "smart"): (10, 0, 0, 0),
    }


def test_what_has_no_parts_is_in_no_bucket_with_its_tokens() -> None:
    told = attempt(cost_usd="0.5", cost_status="provider", cost_parts={})
    groups = aggregate([told, LOSER], ["bucket"]).groups

    assert list(groups) == [(None,)]
    assert groups[None,].cost_usd == Decimal("0.5")
    assert groups[None,].cost_estimated_usd == Decimal("0.01")
    assert (groups[None,].tokens_in, groups[None,].tokens_out, groups[None,].failed) == (110, 20, 1)


def test_the_cost_of_a_bucket_without_a_price_is_unknown_and_not_zero() -> None:
    groups = aggregate([UNPRICED], ["bucket"]).groups

    assert {group[0]: sums.known("cost_usd") for group, sums in groups.items()} == {
        "cache_read": None,
        "input": None,
        "output": None,
    }


def test_a_cost_that_is_only_estimated_is_unknown_and_not_zero() -> None:
    sums = aggregate([LOSER], []).total

    assert (sums.known("cost_usd"), sums.known("cost_estimated_usd")) == (None, Decimal("0.01"))


WANTED: dict[str, tuple[dict[str, list[str]], int]] = {
    "an attribute": ({"team": ["checkout"]}, 2),
    "either of two values": ({"team": ["checkout", "search"]}, 3),
    "two dimensions at once": ({"team": ["checkout", "search"], "provider": ["groq"]}, 1),
    "those that have none": ({"team": [""]}, 1),
    "a time": ({"day": ["2026-01-03"]}, 0),
}


@pytest.mark.parametrize(("where", "expected"), WANTED.values(), ids=WANTED.keys())
def test_only_what_is_wanted_is_summed(where: dict[str, list[str]], expected: int) -> None:
    search, nobody = attempt(attributes={"team": "search"}), attempt(attributes={})

    assert aggregate([ATTEMPT, LOSER, search, nobody], [], Filter(where)).total.attempts == expected


DAMAGED: dict[str, dict[str, Any]] = {
    "money that is none": {"cost_usd": "0.0x"},
    "an estimate that is none": {"cost_estimated_usd": "x"},
    "money as a number": {"cost_usd": []},
    "tokens that are no number": {"usage": {"input": "10"}},
    "usage that is no object": {"usage": 7},
    "attributes that are no object": {"attributes": 7},
    "a name that is no text": {"model_served": {"a": 1}},
    "an attribute that is no text": {"attributes": {"team": {"a": 1}}},
}


@pytest.mark.parametrize("by", [["model", "team"], ["model", "team", "bucket"]], ids=["whole", "by bucket"])
@pytest.mark.parametrize("changes", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_line_is_in_no_figure(changes: dict[str, Any], by: list[str]) -> None:
    whole, hurt = aggregate([ATTEMPT], by), aggregate([attempt(**changes), ATTEMPT], by)

    assert hurt.damaged == 1
    assert (hurt.groups, hurt.total) == (whole.groups, whole.total)


def test_a_line_that_lacks_a_field_is_damaged() -> None:
    lacking = cast("Line", {name: value for name, value in ATTEMPT.items() if name != "outcome"})
    report = aggregate([lacking], [])

    assert (report.damaged, report.groups, report.total) == (1, {}, Sums())
