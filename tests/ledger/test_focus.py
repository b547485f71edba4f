"""focus: rows as the specification FOCUS 1.2 wants them.

The rules below are those of https://focus.finops.org/focus-specification/v1-2/ and of the FinOps Foundation's validator
(PyPI focus-validator 2.2.1, model-1.2.0.1.json), read 2026-11-25; the validator itself needs Python 3.12 and 400 MB.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import pytest

from costspan.ir.usage import BUCKETS, UNITS
from costspan.ledger import lines
from costspan.ledger.dimensions import Filter
from costspan.ledger.focus import COLUMNS, Charges
from costspan.wire import json
from fakes import ledger_records as records

if TYPE_CHECKING:
    from costspan.ledger.read import Line

Row = dict[str, str | None]

# Columns of the dataset Cost and Usage in 1.2, with its feature levels.
MANDATORY = {
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd",
    "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity",
    "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName"
}  # fmt: skip
OTHERS = {
    "AvailabilityZone", "BillingAccountType", "CapacityReservationId", "CapacityReservationStatus",
    "ChargeFrequency", "CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountName",
    "CommitmentDiscountQuantity", "CommitmentDiscountStatus", "CommitmentDiscountType", "CommitmentDiscountUnit",
    "ConsumedQuantity", "ConsumedUnit", "ContractedUnitPrice", "InvoiceId", "ListUnitPrice", "PricingCategory",
    "PricingCurrency", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice", "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType",
    "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId", "SubAccountName",
    "SubAccountType", "Tags"
}  # fmt: skip
COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
NEVER_NULL = (MANDATORY - {"ChargeClass"}) | {
    "ChargeFrequency", "ConsumedQuantity", "ConsumedUnit", "ServiceSubcategory", "SkuId"
}  # fmt: skip
NUMERIC = re.compile(r"-?\d+(\.\d+)?(E-?\d+)?", re.ASCII)
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)
UNIT = re.compile(r"([1-9]\d* )?[A-Z][a-z]+s", re.ASCII)


def broken(row: Row) -> list[str]:
    """The rules that `row` breaks, named by column."""
    numbers = [*COSTS, "ConsumedQuantity", "PricingQuantity"]
    moments = ["BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd"]
    allowed: dict[str, set[str | None]] = {
        "BillingCurrency": {"USD"},
        "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
        "ChargeClass": {None, "Correction"},
        "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
        "ServiceCategory": {"AI and Machine Learning"},
        "ServiceSubcategory": {
            "AI Platforms",
            "Bots",
            "Generative AI",
            "Machine Learning",
            "Natural Language Processing",
            "Other (AI and Machine Learning)",
        },
    }
    faults = [column for column in NEVER_NULL if not (row[column] or "").strip()]
    faults += [column for column in numbers if (value := row[column]) and not NUMERIC.fullmatch(value)]
    faults += [column for column in moments if not MOMENT.fullmatch(row[column] or "")]
    faults += [column for column, values in allowed.items() if row[column] not in values]
    faults += [column for column in ("ConsumedUnit", "PricingUnit") if not UNIT.fullmatch(row[column] or "")]
    faults += [column for column, value in row.items() if value == ""]
    tags = json.loads_object(row["Tags"] or "")
    faults += ["Tags" for value in tags.values() if not isinstance(value, str)]
    faults += ["SubAccountName"] * ((row["SubAccountId"] is None) != (row["SubAccountName"] is None))
    faults += ["SkuMeter"] * ((row["SkuId"] is None) != (row["SkuMeter"] is None))
    faults += ["ResourceType"] * ((row["ResourceId"] is None) != (row["ResourceType"] is None))
    return faults


def attempt(**changes: Any) -> Line:
    return cast("Line", json.loads_object(lines.attempt(records.attempt())) | changes)


ESTIMATED = attempt(cost_usd=None, cost_estimated_usd="0.01", cost_status="estimated", cost_parts={}, usage={})
UNPRICED = attempt(cost_usd=None, cost_status="unpriced", cost_parts={})
EVERYTHING = attempt(
    usage=dict.fromkeys(BUCKETS, 3),
    units=dict.fromkeys(UNITS, 2),
    cost_usd="21",
    cost_parts=dict.fromkeys([*BUCKETS, *UNITS], "1"),
    key=None,
    attributes={},
)


def rows(*found: Line, wanted: Filter | None = None) -> list[Row]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in Charges(found, wanted)]


def test_columns_are_those_of_the_specification_and_ours_come_last_with_their_prefix() -> None:
    own = [column for column in COLUMNS if column not in MANDATORY | OTHERS]

    assert set(COLUMNS) >= MANDATORY
    assert len(set(COLUMNS)) == len(COLUMNS)
    assert list(COLUMNS[-len(own) :]) == own
    assert all(re.fullmatch(r"x_[A-Z][A-Za-z]+", column) for column in own)


def test_a_row_is_a_days_attempts_of_one_kind_in_one_bucket() -> None:
    first, *_ = found = rows(attempt(), attempt(id="at_2"))

    assert [row["SkuId"] for row in found] == [
        "openai/gpt-5-2025-08-07/cache_read",
        "openai/gpt-5-2025-08-07/input",
        "openai/gpt-5-2025-08-07/output",
    ]
    assert first == {
        "BilledCost": "0.0000250",
        "BillingAccountId": "openai",
        "BillingAccountName": "openai",
        "BillingCurrency": "USD",
        "BillingPeriodEnd": "2026-02-01T00:00:00Z",
        "BillingPeriodStart": "2026-01-01T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeClass": None,
        "ChargeDescription": "Cached input tokens of gpt-5-2025-08-07",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": "2026-01-03T00:00:00Z",
        "ChargePeriodStart": "2026-01-02T00:00:00Z",
        "CommitmentDiscountStatus": None,
        "ConsumedQuantity": "200.0",
        "ConsumedUnit": "Tokens",
        "ContractedCost": "0.0000250",
        "EffectiveCost": "0.0000250",
        "InvoiceId": None,
        "InvoiceIssuerName": "openai",
        "ListCost": "0.0000250",
        "PricingQuantity": "0.0002",
        "PricingUnit": "1000000 Tokens",
        "ProviderName": "openai",
        "PublisherName": "openai",
        "ResourceId": "openai/gpt-5-2025-08-07",
        "ResourceName": None,
        "ResourceType": "Model",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": "openai chat",
        "ServiceSubcategory": "Generative AI",
        "SkuId": "openai/gpt-5-2025-08-07/cache_read",
        "SkuMeter": "Cached input tokens",
        "SubAccountId": "checkout",
        "SubAccountName": "checkout",
        "Tags": '{"team":"checkout"}',
        "x_Attempts": "2",
        "x_CostStatus": "exact",
        "x_EstimatedCost": None,
        "x_PriceSource": "table:gateway.yaml:41",
        "x_Route": "smart",
        "x_ServiceTier": "default",
    }


@pytest.mark.parametrize("line", [attempt(), EVERYTHING], ids=["tokens", "every bucket and unit"])
def test_rows_keep_the_rules(line: Line) -> None:
    assert [(row["SkuId"], broken(row)) for row in rows(line) if broken(row)] == []


def test_every_bucket_and_unit_has_a_row_with_its_meter() -> None:
    found = rows(EVERYTHING)

    assert len(found) == len(BUCKETS) + len(UNITS) == len({row["SkuMeter"] for row in found})
    assert sum(Decimal(row["BilledCost"] or "nan") for row in found) == 21


def test_an_unknown_cost_is_null_and_not_zero_and_says_why() -> None:
    charges = Charges([ESTIMATED, UNPRICED])
    found = [dict(zip(COLUMNS, row, strict=True)) for row in charges]

    assert charges.without_cost == 4
    assert {(row["SkuMeter"], row["x_CostStatus"], row["x_EstimatedCost"]) for row in found} == {
        ("Requests", "estimated", "0.01"),
        ("Cached input tokens", "unpriced", None),
        ("Input tokens", "unpriced", None),
        ("Output tokens", "unpriced", None),
    }
    assert all(set(broken(row)) == set(COSTS) for row in found)


def test_a_unit_without_a_price_is_unpriced_beside_tokens_that_have_one() -> None:
    searched = attempt(units={"web_search_calls": 3}, flags=["unpriced_unit:web_search_calls"])

    assert [
        (row["SkuMeter"], row["BilledCost"], row["x_CostStatus"])
        for row in rows(searched)
        if "Web" in str(row["SkuMeter"])
    ] == [("Web searches", None, "unpriced")]


def test_attempts_that_differ_in_anything_that_a_column_says_are_rows_apart() -> None:
    others: list[dict[str, Any]] = [
        {"attributes": {"team": "search"}},
        {"key": None},
        {"route": "fast"},
        {"service_tier": "flex"},
        {"provider": "openai-eu"},
        {"model_served": "gpt-5-mini"},
        {"operation": "embeddings"},
        {"price_source": "catalog:openai/gpt-5"},
    ]

    assert len(rows(attempt(), *(attempt(**changes) for changes in others))) == 3 * (1 + len(others))


def test_rows_come_day_by_day_and_late_attempts_are_not_lost() -> None:
    days = ["2026-01-30", "2026-01-31", "2026-01-30", "2026-02-01", "2026-02-02", "2026-01-30", "2026-02-02"]
    found = rows(*(attempt(time=f"{day}T23:00:00.000Z", usage={}, cost_parts={"requests": "0.000225"}) for day in days))

    assert [
        (str(row["ChargePeriodStart"])[:10], str(row["BillingPeriodStart"])[:10], row["x_Attempts"]) for row in found
    ] == [
        ("2026-01-30", "2026-01-01", "2"),
        ("2026-01-31", "2026-01-01", "1"),
        ("2026-01-30", "2026-01-01", "1"),
        ("2026-02-01", "2026-02-01", "1"),
        ("2026-02-02", "2026-02-01", "2"),
    ]
    assert {row["BillingPeriodEnd"] for row in found} == {"2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("day", "after", "month", "next_month"),
    [
        ("2026-12-31", "2027-01-01", "2026-12-01", "2027-01-01"),
        ("2028-02-29", "2028-03-01", "2028-02-01", "2028-03-01"),
    ],
)
def test_periods_end_where_the_next_begin(day: str, after: str, month: str, next_month: str) -> None:
    row = rows(attempt(time=f"{day}T00:00:00.000Z"))[0]
    periods = ("ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodStart", "BillingPeriodEnd")

    assert [datetime.fromisoformat(row[name] or "").date().isoformat() for name in periods] == [
        day,
        after,
        month,
        next_month,
    ]


def test_only_wanted_attempts_and_no_exchanges_are_charged() -> None:
    exchange = cast("Line", json.loads_object(lines.exchange(records.exchange(), [records.attempt()])))
    other = attempt(attributes={"team": "search"})
    found = rows(attempt(), exchange, other, wanted=Filter({"team": ["search"]}))

    assert {(row["Tags"], row["x_Attempts"]) for row in found} == {('{"team":"search"}', "1")}


def test_a_damaged_line_is_counted_and_in_no_row() -> None:
    charges = Charges([attempt(cost_usd="x"), attempt(usage=3), attempt(attributes=None), attempt()])

    assert (len(list(charges)), charges.damaged) == (3, 3)
