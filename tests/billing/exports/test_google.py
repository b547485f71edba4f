"""billing.exports.google: what a SKU's words say, credits, currencies, and whose business a row is."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from costspan.billing.exports import google
from costspan.billing.exports.charge import Charge
from costspan.billing.exports.rows import Row
from costspan.errors import Malformed

DAY = date(2026, 10, 5)
INPUT = "Generate content input token count gemini 3.5 flash lite text"


def row(name: str = INPUT, **changes: Any) -> Row:
    return Row(
        {
            "service": {"description": "Gemini API"},
            "sku": {"description": name},
            "usage_start_time": "2026-10-05 07:00:00 UTC",
            "cost": Decimal("2.5"),
            "currency": "USD",
            "usage": {"amount": 1_000_000, "unit": "count"},
            "credits": [],
            **changes,
        },
        "line 1",
    )


SKUS: dict[str, tuple[str | None, str | None]] = {
    INPUT: ("gemini 3.5 flash lite", "input"),
    "Generate content output token count gemini 3.1 flash lite preview text": (
        "gemini 3.1 flash lite preview",
        "output",
    ),
    "Generate content cached input token count gemini 2.5 flash input image": ("gemini 2.5 flash", "cache_read"),
    "Generate content input token count Gemini 2.5 Pro long input text": ("gemini 2.5 pro", "input"),
    "Generate content input token count gemini 2.5 flash input audio": ("gemini 2.5 flash", "input_audio"),
    "Generate_content cached text input token count for gemini 3 flash": ("gemini 3 flash", "cache_read"),
    "GenerateContent text output token count for Gemini 2.0 Flash": ("gemini 2.0 flash", "output"),
    "EmbedContent input token count for gemini-embedding-2 text": ("gemini-embedding-2", "input"),
    "Gemini 2.5 Flash GA Thinking Text Output - Predictions": ("gemini 2.5 flash", "output"),
    "Gemini 2.5 Pro Input Text Caching (Long)": ("gemini 2.5 pro", "cache_read"),
    "Gemini 2.5 Flash Image Output - Predictions": ("gemini 2.5 flash", "output_image"),
    "Gemini 3 Flash Audio Input Caching": ("gemini 3 flash", "cache_read_audio"),
    "Grounding with Google Search": (None, "web_search_calls"),
    "Gemini 3 Flash Text Input Caching Storage": (None, None),
    "Vertex AI: Training Custom Machine Learning Models": (None, None),
}


@pytest.mark.parametrize("sku", SKUS)
def test_skus(sku: str) -> None:
    model, bucket = SKUS[sku]

    (charge,) = google.charges(row(sku))

    assert (charge.model, charge.bucket) == (model, bucket)
    assert charge.kind == ("usage" if bucket else "unknown")
    assert charge.label == sku


def test_a_row_is_a_charge_with_its_usage() -> None:
    assert list(google.charges(row())) == [
        Charge(DAY, "gemini 3.5 flash lite", "input", Decimal(1_000_000), Decimal("2.5"), label=INPUT)
    ]


def test_characters_are_no_tokens() -> None:
    (charge,) = google.charges(row(usage={"amount": 5, "unit": "k{char}"}))

    assert (charge.quantity, charge.usd) == (None, Decimal("2.5"))


def test_discounts_are_part_of_the_price_and_promotions_are_not() -> None:
    credits_ = [
        {"type": "RESELLER_MARGIN", "amount": "-0.5"},
        {"type": "PROMOTION", "amount": "-1.5"},
        {"type": "FREE_TIER", "amount": 0},
    ]

    promotion, charge = google.charges(row(credits=credits_))

    assert charge.usd == Decimal("2.0")
    assert promotion == Charge(DAY, usd=Decimal("-1.5"), label="credit PROMOTION", kind="other")


def test_credits_of_a_table_are_json_in_a_cell() -> None:
    (charge,) = google.charges(row(credits='[{"type": "DISCOUNT", "amount": -0.5}]'))

    assert charge.usd == Decimal("2.0")


def test_another_currency_is_converted_at_the_rows_own_rate() -> None:
    (charge,) = google.charges(row(currency="EUR", currency_conversion_rate=Decimal("0.8")))

    assert charge.usd == Decimal("3.125")


@pytest.mark.parametrize("kind", ["tax", "adjustment", "rounding_error"])
def test_taxes_and_adjustments_are_no_usage(kind: str) -> None:
    (charge,) = google.charges(row(cost_type=kind))

    assert charge == Charge(DAY, usd=Decimal("2.5"), label=kind, kind="other")


@pytest.mark.parametrize("flat", ["service.description", "service_description"])
def test_columns_may_be_flattened(flat: str) -> None:
    inner = flat.replace("service", "sku")
    values = {
        flat: "Vertex AI",
        inner: INPUT,
        "usage_start_time": "2026-10-05T07:00:00Z",
        "cost": "2.5",
        "currency": "USD",
        flat.replace("service", "usage").replace("description", "amount"): "10",
        flat.replace("service", "usage").replace("description", "unit"): "count",
    }

    assert google.recognises(Row(values, "line 2"))
    assert [charge.quantity for charge in google.charges(Row(values, "line 2"))] == [10]


def test_other_services_are_none_of_the_gateways_business() -> None:
    assert list(google.charges(row(service={"description": "Compute Engine"}))) == []


BAD: dict[str, tuple[Row, str]] = {
    "a currency without a rate": (row(currency="EUR"), "currency must be USD, or have a currency_conversion_rate"),
    "a rate of nothing": (row(currency="EUR", currency_conversion_rate=0), "currency must be USD"),
    "no cost": (row(cost=None), "cost must be a number"),
    "credits that are no list": (row(credits="none"), "credits must be a list as JSON"),
    "a SKU without words": (row(sku={"description": 3}), "sku.description must be text"),
}


@pytest.mark.parametrize(("bad", "said"), BAD.values(), ids=BAD)
def test_what_is_needed_is_insisted_on(bad: Row, said: str) -> None:
    with pytest.raises(Malformed, match=f"line 1: {said}"):
        list(google.charges(bad))
