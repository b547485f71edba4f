"""Anthropic: pages of the usage and cost report API, and the two CSV exports of the Console.

API: `GET /v1/organizations/usage_report/messages` and `/v1/organizations/cost_report`
(platform.claude.com/docs/en/api/admin/usage_report/retrieve_messages and .../cost_report, read 2026-11-25). Amounts are
decimal strings in **cents**; model and token type are there with `group_by[]=description` (costs) and
`group_by[]=model` (usage).

Console: usage as `usage_date_utc, model_version, ..., usage_input_tokens_no_cache, ...`; costs as `usage_date_utc,
model, ..., token_type, cost_usd, ...`, where the model is a title ("Claude Sonnet 4.5") and the amount is rounded to
cents (columns of exports of 2026-03 to 2026-09 in public repositories, read 2026-11-25).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from costspan.billing.exports.charge import Charge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date
    from decimal import Decimal

    from costspan.billing.exports.rows import Row

NAME = "anthropic"
KINDS = frozenset({"anthropic"})
FOLDED: Mapping[str, str] = MappingProxyType(
    {
        "reasoning": "output",
        "input_image": "input",
        "input_video": "input",
        "input_audio": "input",
        "output_image": "output",
    }
)

_CENTS: Final = -2
_DAY: Final = "usage_date_utc"
_TOKEN_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "uncached_input_tokens": "input",
        "cache_read_input_tokens": "cache_read",
        "cache_creation.ephemeral_5m_input_tokens": "cache_write",
        "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
        "output_tokens": "output",
        "input_no_cache": "input",
        "input_cache_read": "cache_read",
        "input_cache_write": "cache_write",
        "input_cache_write_5m": "cache_write",
        "input_cache_write_1h": "cache_write_1h",
        "output": "output",
    }
)
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "input": ("usage_input_tokens_no_cache",),
        "cache_read": ("usage_input_tokens_cache_read",),
        "cache_write": ("usage_input_tokens_cache_write_5m", "usage_input_tokens_cache_write"),
        "cache_write_1h": ("usage_input_tokens_cache_write_1h",),
        "output": ("usage_output_tokens",),
        "web_search_calls": ("web_search_count",),
    }
)
_UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {"web_search": "web_search_calls", "code_execution": "code_execution_calls"}
)


def recognises(row: Row) -> bool:
    """Buckets that begin at `starting_at`, or the Console's columns."""
    if row.has("data", "has_more") and row.values.get("object") != "page":
        return all(bucket.has("starting_at", "results") for bucket in row.objects("data"))
    return row.has(_DAY)


def charges(row: Row) -> Iterator[Charge]:
    """Of a page all buckets; of a table one line."""
    if not row.has("data"):
        yield from _line(row)
        return
    for bucket in row.objects("data"):
        day = bucket.day("starting_at")
        for result in bucket.objects("results"):
            if result.has("amount"):
                usd = result.needed("amount").scaleb(_CENTS)
                yield from _cost(result, day, usd, result.text("currency"))
            else:
                yield from _usage(result, day)


def _line(row: Row) -> Iterator[Charge]:
    day = row.day(_DAY)
    if row.has("cost_usd"):
        yield from _cost(row, day, row.needed("cost_usd"), None)
        return
    if not row.has("usage_input_tokens_no_cache", "usage_output_tokens"):
        raise row.flaw("usage_input_tokens_no_cache and usage_output_tokens", "there")
    counts = {bucket: row.count(*names) for bucket, names in _COLUMNS.items()}
    yield from _counts(row.text("model_version", "model"), day, counts)


def _usage(row: Row, day: date) -> Iterator[Charge]:
    written = row.inner("cache_creation")
    counts = {
        "input": row.needed("uncached_input_tokens"),
        "cache_read": row.count("cache_read_input_tokens"),
        "cache_write": written.count("ephemeral_5m_input_tokens"),
        "cache_write_1h": written.count("ephemeral_1h_input_tokens"),
        "output": row.needed("output_tokens"),
        "web_search_calls": row.inner("server_tool_use").count("web_search_requests"),
    }
    yield from _counts(row.text("model"), day, counts)


def _counts(model: str | None, day: date, counts: Mapping[str, Decimal]) -> Iterator[Charge]:
    return (Charge(day, model, bucket, count, metered=True) for bucket, count in counts.items() if count)


def _cost(row: Row, day: date, usd: Decimal, currency: str | None) -> Iterator[Charge]:
    if (currency or "USD").upper() != "USD":
        raise row.flaw("currency", "USD")
    kind = row.text("cost_type") or ""
    label = row.text("description") or " ".join(filter(None, (row.text("model"), kind, row.text("token_type"))))
    if kind in _UNITS:
        yield Charge(day, None, _UNITS[kind], usd=usd, label=label)
        return
    token_type, model = row.text("token_type"), row.text("model")
    if token_type is None and model is None and not kind:
        yield Charge(day, usd=usd)  # not grouped: all of the day
        return
    bucket = _TOKEN_TYPES.get(token_type or "")
    known = kind in {"", "token", "tokens"} and (bucket is not None or token_type is None)
    yield Charge(day, model, bucket, usd=usd, label=label, kind="usage" if known else "unknown")
