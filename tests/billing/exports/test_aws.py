"""billing.exports.aws: usage types, units, discounts and whose business a line item is."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from costspan.billing.exports import aws
from costspan.billing.exports.charge import Charge
from costspan.billing.exports.rows import Row
from costspan.errors import Malformed

DAY = date(2026, 10, 5)
SONNET = "USE1-Claude4.5Sonnet-input-tokens"


def item(usage_type: str = SONNET, **changes: Any) -> Row:
    return Row(
        {
            "line_item_usage_start_date": "2026-10-05T10:00:00Z",
            "line_item_line_item_type": "Usage",
            "line_item_product_code": "AmazonBedrock",
            "line_item_usage_type": usage_type,
            "line_item_usage_amount": "29.481",
            "line_item_currency_code": "USD",
            "line_item_unblended_cost": "0.0972873",
            **changes,
        },
        "line 2",
    )


USAGE_TYPES: dict[str, tuple[str | None, str | None]] = {
    SONNET: ("Claude4.5Sonnet", "input"),
    "USE1-Claude4.5Sonnet-output-tokens-cross-region-global": ("Claude4.5Sonnet", "output"),
    "USW2-Claude4.6Sonnet-cache-read-input-token-count": ("Claude4.6Sonnet", "cache_read"),
    "USE1-Claude4.6Opus-cache-read-input-token-count-cross-region-global": ("Claude4.6Opus", "cache_read"),
    "EUC1-Claude3.5Haiku-cache-write-input-token-count-cross-region-geo": ("Claude3.5Haiku", "cache_write"),
    "USE1-Claude4.6Opus-cache-write-1h-input-token-count": ("Claude4.6Opus", "cache_write_1h"),
    "USE1-Claude4.6Opus-cache-write-input-token-count-1h": ("Claude4.6Opus", "cache_write_1h"),
    "EU-NovaPro-input-tokens-batch": ("NovaPro", "input"),
    "NovaPro-output-tokens": ("NovaPro", "output"),
    "USE1-openai.gpt-oss-120b-mantle-input-tokens-standard": ("openai.gpt-oss-120b", "input"),
    "USW2-anthropic.claude-opus-4-8-mantle-cache-write-tokens-global-standard": (
        "anthropic.claude-opus-4-8",
        "cache_write",
    ),
    "USE1-xai.grok-4.3-mantle-output-tokens-flex": ("xai.grok-4.3", "output"),
    "USE1-NovaCanvas-T2I-1024-Standard": (None, None),
    "USE1-Claude4Sonnet-reserved-1-month-input-tokens-per-minute": (None, None),
    "USE1-Guardrail-ContentPolicyUnitsConsumed": (None, None),
}


@pytest.mark.parametrize("usage_type", USAGE_TYPES)
def test_usage_types(usage_type: str) -> None:
    model, bucket = USAGE_TYPES[usage_type]

    (charge,) = aws.charges(item(usage_type))

    assert (charge.model, charge.bucket, charge.label) == (model, bucket, usage_type)
    assert charge.kind == ("usage" if bucket else "unknown")


MARKETPLACE = {
    "USE1-MP:USE1_InputTokenCount-Units": "input",
    "USE1-MP:USE1_OutputTokenCount_Global-Units": "output",
    "USE1-MP:USE1_CacheReadInputTokenCount-Units": "cache_read",
    "USE1-MP:USE1_CacheWriteInputTokenCount_Global-Units": "cache_write",
    "USE1-MP:USE1_CacheWrite1hInputTokenCount-Units": "cache_write_1h",
    "MP:APN1_input_tokens_global_standard-Units": "input",
}


@pytest.mark.parametrize(("usage_type", "bucket"), MARKETPLACE.items(), ids=MARKETPLACE)
def test_models_of_the_marketplace_are_named_by_their_product(usage_type: str, bucket: str) -> None:
    product = {
        "line_item_product_code": "3vd2rc3",
        "product_product_name": "Claude Sonnet 4.5 (Amazon Bedrock Edition)",
        "line_item_usage_amount": "0.5",
    }

    (charge,) = aws.charges(item(usage_type, **product))

    assert (charge.model, charge.bucket, charge.quantity) == ("Claude Sonnet 4.5", bucket, Decimal(500_000))


def test_amounts_are_thousands_of_tokens() -> None:
    assert list(aws.charges(item())) == [
        Charge(DAY, "Claude4.5Sonnet", "input", Decimal(29_481), Decimal("0.0972873"), label=SONNET)
    ]


def test_a_unit_that_is_said_counts() -> None:
    (charge,) = aws.charges(item(pricing_unit="1M tokens", line_item_usage_amount="2"))

    assert charge.quantity == 2_000_000


def test_legacy_reports_have_other_names_for_the_same() -> None:
    legacy = {
        "lineItem/UsageStartDate": "2026-10-05T10:00:00Z",
        "lineItem/LineItemType": "Usage",
        "lineItem/ProductCode": "AmazonBedrock",
        "lineItem/UsageType": SONNET,
        "lineItem/UsageAmount": "29.481",
        "lineItem/CurrencyCode": "USD",
        "lineItem/UnblendedCost": "0.0972873",
        "pricing/unit": "1K tokens",
    }

    assert aws.recognises(Row(legacy, "line 2"))
    assert list(aws.charges(Row(legacy, "line 2"))) == list(aws.charges(item()))


def test_net_costs_count_and_line_items_of_discounts_are_in_them() -> None:
    net = {"line_item_net_unblended_cost": "0.08"}

    (charge,) = aws.charges(item(**net))

    assert charge.usd == Decimal("0.08")
    assert list(aws.charges(item(line_item_line_item_type="EdpDiscount", **net))) == []


def test_without_net_costs_a_discount_is_taken_off_what_it_names() -> None:
    changes = {"line_item_line_item_type": "PrivateRateDiscount", "line_item_unblended_cost": "-0.01"}

    (charge,) = aws.charges(item(**changes))

    assert charge == Charge(DAY, "Claude4.5Sonnet", "input", None, Decimal("-0.01"), label=SONNET)


def test_taxes_and_credits_are_no_usage() -> None:
    (charge,) = aws.charges(item(line_item_line_item_type="Tax"))

    assert charge == Charge(DAY, usd=Decimal("0.0972873"), label="tax", kind="other")


def test_other_services_and_charges_of_nothing_are_left_out() -> None:
    assert list(aws.charges(item("USE1-BoxUsage:t3.micro", line_item_product_code="AmazonEC2"))) == []
    assert list(aws.charges(item("USE1-Guardrail-Free", line_item_unblended_cost="0"))) == []


BAD: dict[str, tuple[Row, str]] = {
    "another currency": (item(line_item_currency_code="CNY"), "the currency must be USD"),
    "no cost": (item(line_item_unblended_cost=""), "lineItem/UnblendedCost must be a number"),
    "no day": (item(line_item_usage_start_date=""), "lineItem/UsageStartDate must be a date"),
}


@pytest.mark.parametrize(("bad", "said"), BAD.values(), ids=BAD)
def test_what_is_needed_is_insisted_on(bad: Row, said: str) -> None:
    with pytest.raises(Malformed, match=f"line 2: {said}"):
        list(aws.charges(bad))
