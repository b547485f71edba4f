"""split: what a record cost, by billing bucket."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from costspan.ledger import lines
from costspan.ledger.split import Share, split
from costspan.wire import json
from fakes import ledger_records as records

if TYPE_CHECKING:
    from costspan.ledger.read import Line


def attempt(**changes: Any) -> Line:
    return cast("Line", json.loads_object(lines.attempt(records.attempt())) | changes)


def test_a_cost_is_split_as_its_parts_say() -> None:
    assert split(attempt()) == [
        Share("input", 10, Decimal("0.0000125")),
        Share("cache_read", 100, Decimal("0.0000125")),
        Share("output", 20, Decimal("0.0002")),
    ]


def test_an_estimate_and_a_figure_of_the_providers_own_cannot_be_split() -> None:
    estimated = attempt(cost_usd=None, cost_estimated_usd="0.01", cost_status="estimated", cost_parts={}, usage={})
    told = attempt(cost_usd="0.5", cost_status="provider", cost_parts={})

    assert split(estimated) == [Share(None, 1, None, Decimal("0.01"), usage={})]
    assert split(told) == [Share(None, 1, Decimal("0.5"), usage={"input": 10, "cache_read": 100, "output": 20})]


def test_without_a_price_every_bucket_is_unpriced_even_one_that_had_a_part() -> None:
    assert split(attempt(cost_usd=None, cost_status="unpriced", cost_parts={"input": "0.1"})) == [
        Share("input", 10, None, unpriced=True),
        Share("cache_read", 100, None, unpriced=True),
        Share("output", 20, None, unpriced=True),
    ]
    assert split(attempt(cost_usd=None, cost_status="unpriced", cost_parts={}, usage={})) == [
        Share(None, 1, None, unpriced=True)
    ]


def test_units_with_a_fee_have_their_part_and_units_that_lack_one_are_unpriced() -> None:
    line = attempt(
        usage={},
        units={"requests": 1, "web_search_calls": 2, "audio_seconds": 1.25, "code_execution_calls": 4},
        cost_usd="0.03",
        cost_parts={"web_search_calls": "0.02", "audio_seconds": "0.01"},
        flags=["unpriced_unit:code_execution_calls"],
    )

    assert split(line) == [
        Share("web_search_calls", 2, Decimal("0.02")),
        Share("audio_seconds", Decimal("1.25"), Decimal("0.01")),
        Share("code_execution_calls", 4, None, unpriced=True),
    ]


def test_a_fee_for_a_request_is_for_one_where_usage_does_not_count_them() -> None:
    line = attempt(usage={}, units={}, cost_usd="0.001", cost_parts={"requests": "0.001"})

    assert split(line) == [Share("requests", 1, Decimal("0.001"))]


def test_tokens_that_cost_nothing_are_free_and_what_never_left_is_one_free_request() -> None:
    free = attempt(cost_usd="0", cost_status="free", cost_parts={}, usage={"input": 7, "output": 0})
    never = attempt(cost_usd="0", cost_status="free", cost_parts={}, usage={}, units={})

    assert split(free) == [Share("input", 7, Decimal(0))]
    assert split(never) == [Share(None, 1, Decimal(0))]


def test_what_parts_do_not_explain_is_not_lost() -> None:
    shares = split(attempt(cost_usd="0.001"))

    assert shares[-1] == Share(None, 1, Decimal("0.000775"))
    assert sum(share.usd or 0 for share in shares) == Decimal("0.001")
