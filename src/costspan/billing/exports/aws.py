"""AWS: the Cost and Usage Report, legacy (`lineItem/UsageType`) or 2.0 (`line_item_usage_type`): what is of Bedrock.

Columns: docs.aws.amazon.com/cur/latest/userguide (Lineitem-columns, table-dictionary-cur2); Bedrock's usage types:
docs.aws.amazon.com/bedrock/latest/userguide/cost-mgmt-understanding-cur-data.html; both read 2026-11-25. Amounts are
net of private discounts where the report has the net column, in which case line items of discounts are left out.

Three ways to write a usage type, with the unit in which amounts come (AWS's price list and reports in public
repositories, read 2026-11-25):

    USE1-Claude4.5Sonnet-input-tokens-cross-region-global               1,000 tokens
    USE1-openai.gpt-oss-120b-mantle-cache-read-tokens-standard          1,000 tokens, with the model's id
    USE1-MP:USE1_InputTokenCount_Global-Units                           1,000,000 tokens, the product names the model
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from costspan.billing import amounts
from costspan.billing.exports.charge import Charge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from costspan.billing.exports.rows import Row

NAME = "aws"
KINDS = frozenset({"bedrock"})
FOLDED: Mapping[str, str] = MappingProxyType(
    {
        "reasoning": "output",
        "input_image": "input",
        "input_video": "input",
        "input_audio": "input",
        "cache_read_audio": "cache_read",
        "output_audio": "output",
    }
)

_REGION: Final = r"(?:[A-Z]{2,4}\d?-)?"
_TAIL: Final = r"(?:[-_][\w-]+)?"
_ROWS: Final[tuple[tuple[str, str], ...]] = (
    (r"cache-?read(?:-input)?-token(?:s|-count)", "cache_read"),
    (r"cache-?write-1h(?:-input)?-token(?:s|-count)|cache-?write(?:-input)?-token(?:s|-count)-1h", "cache_write_1h"),
    (r"cache-?write(?:-input)?-token(?:s|-count)", "cache_write"),
    (r"input-tokens(?!-per-minute)", "input"),
    (r"output-tokens(?!-per-minute)", "output"),
)
_USAGE_TYPES: Final = tuple(
    (re.compile(rf"{_REGION}(?P<model>.+?)(?:-mantle)?-(?:{what}){_TAIL}"), bucket) for what, bucket in _ROWS
)
"""Model and bucket in one name; the first pattern that fits counts."""
_MARKETPLACE: Final = tuple(
    (re.compile(rf"(?:.*-)?MP:[A-Z0-9]+_(?:{what}){_TAIL}"), bucket)
    for what, bucket in (
        ("CacheReadInputTokenCount|cache_read_tokens", "cache_read"),
        ("CacheWrite1hInputTokenCount|cache_write_tokens_1h", "cache_write_1h"),
        ("CacheWriteInputTokenCount|cache_write_tokens", "cache_write"),
        ("InputTokenCount|input_tokens", "input"),
        ("(?:Output|Response)TokenCount|output_tokens", "output"),
    )
)
"""Bucket only; the product's name says the model."""
_EDITION: Final = " (Amazon Bedrock Edition)"
_UNITS: Final = (("1k token", Decimal(1000)), ("1m token", Decimal(1_000_000)), ("million", Decimal(1_000_000)))

_BILLED: Final = frozenset({"Usage", "DiscountedUsage", "SavingsPlanCoveredUsage"})
_DISCOUNTS: Final = frozenset({"EdpDiscount", "PrivateRateDiscount", "BundledDiscount", "SavingsPlanNegation"})


def recognises(row: Row) -> bool:
    """Line items of either report."""
    return row.has("lineItem/UsageType", "lineItem/UsageStartDate") or row.has(
        "line_item_usage_type", "line_item_usage_start_date"
    )


def charges(row: Row) -> Iterator[Charge]:
    """One line item is one charge; none where it is not Bedrock's."""
    product = row.text("product/ProductName", "product_product_name") or ""
    service = row.text("lineItem/ProductCode", "line_item_product_code") or ""
    if not service.startswith("AmazonBedrock") and not product.endswith(_EDITION):
        return
    if (row.text("lineItem/CurrencyCode", "line_item_currency_code") or "USD") != "USD":
        raise row.flaw("the currency", "USD")
    net = row.number("lineItem/NetUnblendedCost", "line_item_net_unblended_cost")
    usd = net if net is not None else row.needed("lineItem/UnblendedCost", "line_item_unblended_cost")
    kind = row.text("lineItem/LineItemType", "line_item_line_item_type") or "Usage"
    if kind not in _DISCOUNTS or net is None:
        charge = _charge(row, usd, kind, product)
        if charge.kind == "usage" or usd:
            yield charge


def _charge(row: Row, usd: Decimal, kind: str, product: str) -> Charge:
    day = row.day("lineItem/UsageStartDate", "line_item_usage_start_date")
    if kind not in _BILLED | _DISCOUNTS:
        return Charge(day, usd=usd, label=kind.lower(), kind="other")
    usage_type = row.text("lineItem/UsageType", "line_item_usage_type") or ""
    model, bucket, size = _read(usage_type, product)
    if bucket is None:
        return Charge(day, usd=usd, label=usage_type, kind="unknown")
    quantity = None
    if kind in _BILLED:
        count = row.count("lineItem/UsageAmount", "line_item_usage_amount")
        quantity = amounts.multiply(count, _size(row) or size)
    return Charge(day, model, bucket, quantity, usd, label=usage_type)


@lru_cache(maxsize=4096)  # a bill says the same few again and again
def _read(usage_type: str, product: str) -> tuple[str | None, str | None, Decimal]:
    for pattern, bucket in _MARKETPLACE:
        if pattern.fullmatch(usage_type):
            return product.removesuffix(_EDITION) or None, bucket, Decimal(1_000_000)
    for pattern, bucket in _USAGE_TYPES:
        if found := pattern.fullmatch(usage_type):
            return found["model"], bucket, Decimal(1000)
    return None, None, Decimal(1)


def _size(row: Row) -> Decimal | None:
    """How many tokens one of the amount is, where the report says so."""
    said = (row.text("pricing/unit", "pricing_unit") or "").lower()
    return next((size for words, size in _UNITS if words in said), None)
