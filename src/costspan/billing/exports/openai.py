"""OpenAI: pages of the organization's usage and costs API, and the dashboard's CSV of both.

API: `GET /v1/organization/usage/{completions,embeddings,...}` and `/v1/organization/costs`, shapes of openai-python
3.54.0 (types/admin/organization/usage_costs_response.py and its kin, read 2026-11-25). The dashboard's CSV has the same
names in columns, `amount.value` as `amount_value` (an export of 2025-10-12 in
github.com/xavierjflanagan/Guardian, read 2026-11-25). Ask for `group_by=model` and `group_by=line_item`: without them
only whole days can be compared.

`input_tokens` include what was cached and written to the cache, `output_tokens` include reasoning, of which the reports
say nothing. Line items are `gpt-5.5-2026-04-23, cached input`, `priority | gpt-5.6-sol, output, long context`,
`gpt-audio-mini-2025-12-15 audio, input`, `web search tool calls` (public clients of the API, read 2026-11-25).
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from costspan.billing.exports.charge import Charge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from costspan.billing.exports.rows import Row

NAME = "openai"
KINDS = frozenset({"openai"})
FOLDED: Mapping[str, str] = MappingProxyType(
    {"reasoning": "output", "input_image": "input", "input_video": "input", "cache_write_1h": "cache_write"}
)

_DAY: Final = 86_400
_THOUSAND: Final = Decimal(1000)
_OBJECT: Final = "organization."
_LINE_ITEM: Final = re.compile(
    r"(?:[\w ]+ \| )?(?P<model>[^\s,|]+)(?: (?P<kind>text|audio|image|video))?, (?P<what>[a-z_ ]+?)(?:, [a-z ]+)?"
)
_MODEL: Final = re.compile(r"[A-Za-z0-9][\w.:-]*[\d-][\w.:-]*")
"""A line item that is but a model's name, as older reports have them."""

_BUCKETS: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("text", "input"): "input",
        ("text", "cached input"): "cache_read",
        ("text", "cache write"): "cache_write",
        ("text", "cache writes"): "cache_write",
        ("text", "output"): "output",
        ("audio", "input"): "input_audio",
        ("audio", "cached input"): "cache_read_audio",
        ("audio", "output"): "output_audio",
        ("image", "input"): "input",
        ("image", "cached input"): "cache_read",
        ("image", "output"): "output_image",
    }
)
_UNITS: Final = (
    ("web search", "web_search_calls"),
    ("file search", "file_search_calls"),
    ("code interpreter", "code_execution_calls"),
)
_QUANTITIES: Final[Mapping[str, Decimal]] = MappingProxyType(
    {"tokens": Decimal(1), "1000_tokens": _THOUSAND, "images": Decimal(1), "characters": Decimal(1)}
)
"""Units of `quantity` that are ours; others are not compared."""
_COUNTED: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "embeddings": ("input_tokens", "input"),
        "moderations": ("input_tokens", "input"),
        "images": ("images", "images"),
        "audio_speeches": ("characters", "characters"),
        "audio_transcriptions": ("seconds", "audio_seconds"),
        "web_searches": ("num_requests", "web_search_calls"),
        "file_searches": ("num_requests", "file_search_calls"),
        "code_interpreter_sessions": ("num_sessions", "code_execution_calls"),
    }
)


def recognises(row: Row) -> bool:
    """Pages of buckets, or the columns of one of the two tables."""
    if row.has("data") and row.values.get("object") == "page":
        return True
    return row.has("start_time", "amount_value") or row.has("start_time", "input_tokens", "num_model_requests")


def charges(row: Row) -> Iterator[Charge]:
    """Of a page all buckets; of a table one line."""
    if not row.has("data"):
        yield from _line(row)
        return
    for bucket in row.objects("data"):
        day = bucket.day("start_time")
        begin, end = bucket.number("start_time"), bucket.number("end_time")
        if begin is not None and end is not None and end - begin > _DAY:
            raise bucket.flaw("end_time", "within a day of start_time: ask for bucket_width=1d")
        for result in bucket.objects("results"):
            yield from _result(result, day)


def _line(row: Row) -> Iterator[Charge]:
    day = row.day("start_time", "start_time_iso")
    if row.has("amount_value"):
        usd = row.number("amount_value")
        if usd is not None:  # a day on which nothing was spent
            yield from _cost(row, day, usd, row.text("amount_currency"))
    elif row.text("model"):
        yield from _completions(row, day) if row.has("output_tokens") else _counted(row, day, "embeddings")


def _result(row: Row, day: date) -> Iterator[Charge]:
    name = (row.text("object") or "").removeprefix(_OBJECT).removesuffix(".result")
    if name == "costs":
        amount = row.inner("amount")
        usd = amount.number("value")
        if usd is not None:
            yield from _cost(row, day, usd, amount.text("currency"))
    elif name == "usage.completions":
        yield from _completions(row, day)
    elif name.removeprefix("usage.") in _COUNTED:
        yield from _counted(row, day, name.removeprefix("usage."))


def _completions(row: Row, day: date) -> Iterator[Charge]:
    audio = row.count("input_cached_audio_tokens")
    counts = {
        "cache_read": row.count("input_cached_tokens") - audio,
        "cache_read_audio": audio,
        "cache_write": row.count("input_cache_write_tokens"),
        "input_audio": row.count("input_audio_tokens"),
        "output_audio": row.count("output_audio_tokens"),
        "output_image": row.count("output_image_tokens"),
    }
    outputs = counts["output_audio"] + counts["output_image"]
    counts["input"] = row.needed("input_tokens") - (sum(counts.values(), start=Decimal(0)) - outputs)
    counts["output"] = row.needed("output_tokens") - outputs
    for bucket, count in counts.items():
        if count < 0:
            raise row.flaw("input_tokens and output_tokens", "the sums of their parts")
        if count:
            yield Charge(day, row.text("model"), bucket, count, metered=True)


def _counted(row: Row, day: date, name: str) -> Iterator[Charge]:
    column, bucket = _COUNTED[name]
    if count := row.count(column):
        yield Charge(day, row.text("model"), bucket, count, metered=True)


def _cost(row: Row, day: date, usd: Decimal, currency: str | None) -> Iterator[Charge]:
    if (currency or "usd").lower() != "usd":
        raise row.flaw("currency", "usd")
    item = row.text("line_item")
    if item is None:
        yield Charge(day, usd=usd)
        return
    model, bucket, known = _read_item(item)
    factor = _QUANTITIES.get(row.text("quantity_unit") or "tokens")
    quantity = row.number("quantity")
    counted = factor is not None and quantity is not None and bucket is not None
    yield Charge(
        day,
        model,
        bucket,
        quantity * factor if counted and quantity is not None and factor is not None else None,
        usd,
        label=item,
        kind="usage" if known else "unknown",
    )


@lru_cache(maxsize=4096)  # a bill says the same few again and again
def _read_item(item: str) -> tuple[str | None, str | None, bool]:
    """Model and bucket of a line item, and whether it is one that we know."""
    if found := _LINE_ITEM.fullmatch(item):
        what = found["what"].replace("_", " ").removesuffix(" tokens")
        bucket = _BUCKETS.get((found["kind"] or "text", what))
        return found["model"], bucket, bucket is not None
    for words, unit in _UNITS:
        if item.lower().startswith(words):
            return None, unit, True
    return (item, None, True) if _MODEL.fullmatch(item) else (None, None, False)
