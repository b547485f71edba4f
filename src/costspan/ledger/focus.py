"""The ledger as rows of FOCUS 1.2, the FinOps Open Cost and Usage Specification. Pure.

https://focus.finops.org/focus-specification/v1-2/ and the rules of the FinOps Foundation's own validator,
focus-validator 2.2.1, model 1.2.0.1 (both read 2026-11). 1.2 is the newest version that the validator knows.

A row is a day's attempts of one kind in one billing bucket. Cost columns may not be null, nor hold 0 for something
unknown: rows of attempts without a known cost break the first rule rather than the second, and `x_CostStatus` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from sys import intern
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from costspan.ir.usage import BUCKETS
from costspan.ledger.dimensions import DIMENSIONS, Filter
from costspan.ledger.lines import money
from costspan.ledger.read import DAMAGED
from costspan.ledger.split import EXACT, split
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from costspan.ledger.read import Line
    from costspan.ledger.split import Share

VERSION: Final = "1.2"

COLUMNS: Final = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountStatus",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SubAccountId",
    "SubAccountName",
    "Tags",
    "x_Attempts",
    "x_CostStatus",
    "x_EstimatedCost",
    "x_PriceSource",
    "x_Route",
    "x_ServiceTier",
)
"""All that are mandatory, those that apply of the conditional ones, and our own with `x_`."""

Row = tuple[str | None, ...]
"""Values of `COLUMNS`, None for null."""

_METERS: Final[Mapping[str | None, str]] = MappingProxyType(
    {
        "input": "Input tokens",
        "cache_read": "Cached input tokens",
        "cache_write": "Cache write tokens",
        "cache_write_1h": "Cache write tokens, 1 hour",
        "input_audio": "Audio input tokens",
        "cache_read_audio": "Cached audio input tokens",
        "input_image": "Image input tokens",
        "input_video": "Video input tokens",
        "output": "Output tokens",
        "reasoning": "Reasoning tokens",
        "output_audio": "Audio output tokens",
        "output_image": "Image output tokens",
        "requests": "Request fees",
        "web_search_calls": "Web searches",
        "file_search_calls": "File searches",
        "code_execution_calls": "Code executions",
        "images": "Images",
        "audio_seconds": "Audio seconds",
        "characters": "Characters",
        "pages": "Pages",
        "searches": "Searches",
        None: "Requests",
    }
)

_UNITS: Final[Mapping[str | None, str]] = MappingProxyType(
    {
        **dict.fromkeys(BUCKETS, "Tokens"),
        "images": "Images",
        "audio_seconds": "Seconds",
        "characters": "Characters",
        "pages": "Pages",
    }
)
"""Plural and capitalized, as the attribute Unit Format wants it; all others are requests."""

_TOKEN_PRICES: Final = Decimal(1_000_000)
"""Prices of tokens are lists of USD a million."""

_DAYS_AT_ONCE: Final = 2
"""A day's rows are given when records of the day after the next come: some attempts end after midnight."""


_GROUPED_BY: Final = (
    "provider",
    "provider_kind",
    "model",
    "operation",
    "key",
    "route",
    "service_tier",
    "cost_status",
    "price_source",
)

_Kind = tuple[tuple[str | None, ...], tuple[tuple[str, str], ...], str | None, bool]
"""What the attempts of a row have in common: values of the above, attributes, bucket, whether that has no price."""


@dataclass(slots=True)
class _Charge:
    attempts: int = 0
    quantity: int | Decimal = 0
    usd: Decimal | None = None
    estimated_usd: Decimal | None = None

    def add(self, share: Share) -> None:
        self.attempts += 1
        self.quantity += share.quantity
        self.usd = _sum(self.usd, share.usd)
        self.estimated_usd = _sum(self.estimated_usd, share.estimated_usd)


class Charges:
    """The rows of the `wanted` attempts among `lines`, in the order of days; memory is that of three days' rows.

    An attempt that comes later than the day after the next of its own (a clock was wrong) makes a row of its own.
    """

    def __init__(self, lines: Iterable[Line], wanted: Filter | None = None) -> None:
        self.damaged = 0
        """Lines with a field that could not be read; they are in no row."""
        self.without_cost = 0
        """Rows whose cost is null."""
        self._lines: Final = lines
        self._wanted: Final = wanted or Filter()

    def __iter__(self) -> Iterator[Row]:
        days: dict[str, dict[_Kind, _Charge]] = {}
        for line in self._lines:
            try:
                if self._wanted.wants(line) and line["type"] == "attempt":
                    _take(line, days.setdefault(line["time"][:10], {}))
            except DAMAGED:
                self.damaged += 1
            if len(days) > _DAYS_AT_ONCE:
                yield from self._rows(first := min(days), days.pop(first))
        for day in sorted(days):
            yield from self._rows(day, days[day])

    def _rows(self, day: str, charges: Mapping[_Kind, _Charge]) -> Iterator[Row]:
        periods = _periods(day)
        for kind in sorted(charges, key=repr):
            self.without_cost += charges[kind].usd is None
            row = {**periods, **_columns(kind, charges[kind])}
            yield tuple(row[column] for column in COLUMNS)


def _take(line: Line, charges: dict[_Kind, _Charge]) -> None:
    shares = split(line)
    common = tuple([None if (value := DIMENSIONS[name](line)) is None else intern(value) for name in _GROUPED_BY])
    tags = tuple(sorted(line["attributes"].items()))
    for share in shares:
        kind = common, tags, share.bucket, share.unpriced
        charge = charges.get(kind)
        if charge is None:
            charge = charges[kind] = _Charge()
        charge.add(share)


def _columns(kind: _Kind, charge: _Charge) -> dict[str, str | None]:
    common, tags, bucket, unpriced = kind
    provider, provider_kind, model, operation, key, route, service_tier, cost_status, price_source = common
    meter, unit = _METERS.get(bucket, bucket), _UNITS.get(bucket, "Requests")
    quantity = Decimal(charge.quantity)
    is_tokens = unit == "Tokens"
    usd = money(charge.usd)
    return {
        # Prices before discounts are not in the ledger. Without a ListUnitPrice, ListCost must match BilledCost.
        "BilledCost": usd,
        "ContractedCost": usd,
        "EffectiveCost": usd,
        "ListCost": usd,
        "BillingAccountId": provider,
        "BillingAccountName": provider,
        "BillingCurrency": "USD",
        "ChargeCategory": "Usage",
        "ChargeClass": None,
        "ChargeDescription": f"{meter} of {model}",
        "ChargeFrequency": "Usage-Based",
        "CommitmentDiscountStatus": None,  # rules of ConsumedQuantity refer to it
        "ConsumedQuantity": _decimal(quantity),
        "ConsumedUnit": unit,
        "InvoiceId": None,
        "InvoiceIssuerName": provider_kind,
        "PricingQuantity": _decimal(EXACT.divide(quantity, _TOKEN_PRICES) if is_tokens else quantity),
        "PricingUnit": f"{_TOKEN_PRICES} Tokens" if is_tokens else unit,
        "ProviderName": provider_kind,
        "PublisherName": provider_kind,
        "ResourceId": f"{provider}/{model}",
        "ResourceName": None,
        "ResourceType": "Model",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": f"{provider_kind} {operation}",
        "ServiceSubcategory": "Generative AI",
        "SkuId": f"{provider_kind}/{model}/{bucket or 'requests'}",
        "SkuMeter": meter,
        "SubAccountId": key,
        "SubAccountName": key,
        "Tags": json.text(dict(tags)),
        "x_Attempts": str(charge.attempts),
        "x_CostStatus": "unpriced" if unpriced else cost_status,
        "x_EstimatedCost": money(charge.estimated_usd),
        "x_PriceSource": price_source,
        "x_Route": route,
        "x_ServiceTier": service_tier,
    }


def _periods(day: str) -> dict[str, str]:
    """The day as charge period, its month as billing period, as dates and times; ends are exclusive."""
    first = date.fromisoformat(day)
    month = first.replace(day=1)
    periods = {
        "ChargePeriodStart": first,
        "ChargePeriodEnd": first + timedelta(days=1),
        "BillingPeriodStart": month,
        "BillingPeriodEnd": (month + timedelta(days=31)).replace(day=1),
    }
    return {name: f"{moment.isoformat()}T00:00:00Z" for name, moment in periods.items()}


def _decimal(number: Decimal) -> str:
    """With a point, for readers that tell types by what a column holds: quantities are of type Decimal."""
    text = format(number, "f")
    return text if "." in text else text + ".0"


def _sum(some: Decimal | None, more: Decimal | None) -> Decimal | None:
    if some is None or more is None:
        return some if more is None else more
    return EXACT.add(some, more)
