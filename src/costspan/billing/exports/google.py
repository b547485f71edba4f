"""Google Cloud: rows of the billing export to BigQuery, standard or detailed, as CSV or JSON, for Gemini's SKUs.

Columns: docs.cloud.google.com/billing/docs/how-to/export-data-bigquery-tables/standard-usage (read 2026-11-25). Nested
ones may be objects (JSON) or flattened with a dot or an underscore (`sku.description`, `sku_description`). What is
compared is `cost` with its `credits`: those of the kinds that are part of a price are netted, promotions and free tiers
are lines of their own. Amounts of another currency are converted at the row's own rate.

SKUs are free text (cloud.google.com/skus/sku-groups/gen-ai-v2 and invoices in public repositories, read 2026-11-25):

    Generate content input token count gemini 3.5 flash lite text
    Generate content cached input token count gemini 2.5 flash input image
    EmbedContent input token count for gemini-embedding-2 text
    Gemini 3 Flash Text Input Caching
    Gemini 2.5 Flash GA Thinking Text Output - Predictions
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costspan.billing import amounts
from costspan.billing.exports.charge import Charge
from costspan.errors import Malformed
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from costspan.billing.exports.rows import Row

NAME = "google"
KINDS = frozenset({"gemini", "vertex"})
FOLDED: Mapping[str, str] = MappingProxyType(
    {"reasoning": "output", "input_image": "input", "input_video": "input", "cache_write_1h": "cache_write"}
)

_SERVICES: Final = re.compile(r"vertex ai|gemini|generative language|agent platform|claude", re.IGNORECASE)
"""Services that a gateway may have called. Others on the same bill are none of its business."""
_TOKEN_UNITS: Final = frozenset({"count", "requests", "token", "tokens"})
"""Of `usage.unit`, for SKUs that say "token". Characters (`k{char}`) are not compared as usage."""
_NETTED: Final = frozenset(
    {
        "COMMITTED_USAGE_DISCOUNT",
        "COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE",
        "SUSTAINED_USAGE_DISCOUNT",
        "DISCOUNT",
        "SUBSCRIPTION_BENEFIT",
        "RESELLER_MARGIN",
    }
)
_MODEL: Final = re.compile(
    r"(?:gemini|gemma|claude|llama|mistral|text-embedding|text-multilingual)[ -]?.*", re.IGNORECASE
)
_ENDS: Final = frozenset(
    {
        *("text", "image", "audio", "video", "input", "output", "short", "long", "thinking", "batch", "flex"),
        *("priority", "caching", "cached", "cache", "predictions", "token", "tokens", "count", "ga", "native", "live"),
        *("-", "for", "api", "prediction"),
    }
)
"""Words of a SKU that are no part of the model's name."""
_OTHER_COST_TYPES: Final = frozenset({"tax", "adjustment", "rounding_error"})


def recognises(row: Row) -> bool:
    """The four columns that every row of the export has."""
    return all(_find(row, name) is not None for name in ("service.description", "sku.description")) and row.has(
        "usage_start_time", "cost"
    )


def charges(row: Row) -> Iterator[Charge]:
    """One row is one charge, and one for each promotion taken off it."""
    service, sku = _text(row, "service.description"), _text(row, "sku.description")
    if not _SERVICES.search(service):
        return
    day = row.day("usage_start_time")
    rate = _rate(row)
    kind = row.text("cost_type") or "regular"
    if kind in _OTHER_COST_TYPES:
        yield Charge(day, usd=amounts.divide(row.needed("cost"), rate), label=kind, kind="other")
        return
    usd = row.needed("cost")
    for credit in _credits(row):
        amount = credit.needed("amount")
        name = credit.text("type") or "credit"
        if name in _NETTED:
            usd = amounts.add(usd, amount)
        elif amount:
            yield Charge(day, usd=amounts.divide(amount, rate), label=f"credit {name}", kind="other")
    yield _charge(row, Charge(day, usd=amounts.divide(usd, rate), label=sku))


def _charge(row: Row, bare: Charge) -> Charge:
    model, bucket = _read_sku(bare.label)
    if bucket is None:
        return Charge(bare.day, usd=bare.usd, label=bare.label, kind="unknown")
    unit, amount = _find(row, "usage.unit"), _find(row, "usage.amount")
    counted = bucket == "web_search_calls" or (isinstance(unit, str) and unit.lower() in _TOKEN_UNITS)
    quantity = row.within({"usage.amount": amount}).number("usage.amount") if counted else None
    return Charge(bare.day, model, bucket, quantity, bare.usd, label=bare.label)


@lru_cache(maxsize=4096)  # a bill says the same few again and again
def _read_sku(sku: str) -> tuple[str | None, str | None]:
    """Model and bucket of a SKU's description; no bucket where it is none of ours."""
    words = re.sub(r"[()]", " ", sku.lower().replace("generatecontent", "generate content")).split()
    if "grounding" in words:
        return None, "web_search_calls"
    direction = next((word for word in words if word in {"input", "output"}), None)
    found = _MODEL.search(" ".join(words))
    if direction is None or found is None or "storage" in words or "tuning" in words:
        return None, None
    return _model(found[0]), _bucket(direction, words)


def _bucket(direction: str, words: list[str]) -> str:
    sound = "audio" in words
    if direction == "output":
        return "output_audio" if sound else "output_image" if "image" in words else "output"
    if {"cached", "caching", "cache"} & set(words):
        return "cache_read_audio" if sound else "cache_read"
    return "input_audio" if sound else "input"


def _model(text: str) -> str:
    words = text.split()
    end = next((place for place, word in enumerate(words) if place and word in _ENDS), len(words))
    return " ".join(words[:end])


def _rate(row: Row) -> Decimal:
    """Units of the row's currency to a dollar."""
    if (row.text("currency") or "").upper() == "USD":
        return Decimal(1)
    rate = row.number("currency_conversion_rate")
    if rate is None or rate <= 0:
        raise row.flaw("currency", "USD, or have a currency_conversion_rate beside it")
    return rate


def _credits(row: Row) -> Iterator[Row]:
    """Of JSON a list; of CSV the same as text, or nothing."""
    value = row.values.get("credits")
    if isinstance(value, str):
        if not value.strip():
            return
        try:
            value = json.loads_exactly(value)
        except Malformed:
            raise row.flaw("credits", "a list as JSON") from None
    yield from row.within({"credits": value}).objects("credits")


def _text(row: Row, name: str) -> str:
    value = _find(row, name)
    if not isinstance(value, str):
        raise row.flaw(name, "text")
    return value


def _find(row: Row, name: str) -> Any:  # noqa: ANN401 - JSON is any value
    """A nested column: as an object, with a dot, with an underscore."""
    outer, _, inner = name.partition(".")
    nested = row.values.get(outer)
    if isinstance(nested, dict) and inner in nested:
        return nested[inner]
    return next((row.values[flat] for flat in (name, f"{outer}_{inner}") if flat in row.values), None)
