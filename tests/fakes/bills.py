"""A month of traffic as a ledger has it and as each provider would bill it, with or without causes of differences.

October 2026, three models, every figure round: what the causes come to can be reckoned in the head.

    large    9.00 USD a day: 2,000,000 input at 2.50, 4,000,000 cached at 0.25, 300,000 output at 10.00
    small    1,000,000 input at 0.40 and 200,000 output at 1.60
    unknown  on 4 days 50,000 input at 1.00 and 20,000 output at 5.00, for which the ledger may have no price
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costspan.ledger import lines
from costspan.wire import json
from fakes import ledger_records as records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

DAYS: Final = tuple(date(2026, 10, 1) + timedelta(days=number) for number in range(31))
RATES: Final[Mapping[str, Mapping[str, Decimal]]] = MappingProxyType(
    {
        "large": {"input": Decimal("2.50"), "cache_read": Decimal("0.25"), "output": Decimal(10)},
        "small": {"input": Decimal("0.40"), "output": Decimal("1.60")},
        "unknown": {"input": Decimal(1), "output": Decimal(5)},
    }
)
USAGE: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        "large": {"input": 2_000_000, "cache_read": 4_000_000, "output": 300_000},
        "small": {"input": 1_000_000, "output": 200_000},
        "unknown": {"input": 50_000, "output": 20_000},
    }
)
UNKNOWN_DAYS: Final = DAYS[4:8]
MILLION: Final = 1_000_000

Amounts = dict[tuple[date, str, str], tuple[int, Decimal]]
"""Tokens and USD by day, model and bucket."""


@dataclass(frozen=True)
class Names:
    """What a model is called: asked for, answered, and on the bill."""

    requested: str
    served: str | None
    billed: str


@dataclass(frozen=True)
class Billing:
    """How one provider bills: its kind, its models' names, and what writes its files."""

    kind: str
    names: Mapping[str, Names]
    write: Callable[[Amounts, Mapping[str, Names]], Mapping[str, str]]
    """File names and their text."""


@dataclass
class Month:
    """The two sides. They agree until they are disturbed."""

    priced: bool = True
    """Whether the ledger has a price for `unknown`."""
    billed: Amounts = field(default_factory=dict)

    def __post_init__(self) -> None:
        for day, model in usage_days():
            for bucket, tokens in USAGE[model].items():
                self.bill(day, model, bucket, tokens)

    def bill(self, day: date, model: str, bucket: str, tokens: int) -> None:
        """Add tokens to the bill, at the list price."""
        before, usd = self.billed.get((day, model, bucket), (0, Decimal(0)))
        more = RATES[model][bucket] * tokens / MILLION
        self.billed[day, model, bucket] = (before + tokens, usd + more)

    def disturb(self) -> None:
        """Bypass, a discount of 20 %, a shift over midnight and a missing price.

        2.16 USD: 3 days of 1,000,000 input and 200,000 output of `small` that did not pass the gateway.
        -55.80 USD: 20 % of `large`'s 279.00 USD. 0.12 USD: 300,000 input of `small` of the 21st, billed on the 20th.
        0.60 USD: `unknown` has no price in the ledger.
        """
        self.priced = False
        for day in DAYS[9:12]:
            self.bill(day, "small", "input", 1_000_000)
            self.bill(day, "small", "output", 200_000)
        self.bill(DAYS[19], "small", "input", 300_000)
        self.bill(DAYS[20], "small", "input", -300_000)
        for key, (tokens, usd) in self.billed.items():
            if key[1] == "large":
                self.billed[key] = (tokens, usd * Decimal("0.8"))

    def write(self, folder: Path, billing: Billing) -> list[Path]:
        """Write the ledger to `folder / "ledger"` and the exports beside it; the exports."""
        ledger = folder / "ledger"
        ledger.mkdir()
        (ledger / "costspan-2026-10-31.jsonl").write_bytes(b"".join(self._attempts(billing)))
        paths = []
        for name, text in billing.write(self.billed, billing.names).items():
            (folder / name).write_text(text)
            paths.append(folder / name)
        return paths

    def _attempts(self, billing: Billing) -> Iterator[bytes]:
        for number, (day, model) in enumerate(usage_days()):
            names = billing.names[model]
            for half in (1, 2):
                yield attempt(
                    f"at_{number}_{half}",
                    day,
                    names,
                    {bucket: tokens // 2 for bucket, tokens in USAGE[model].items()},
                    RATES[model] if self.priced or model != "unknown" else None,
                    kind=billing.kind,
                )


def usage_days() -> Iterator[tuple[date, str]]:
    """Each day and model with traffic."""
    for day in DAYS:
        yield day, "large"
        yield day, "small"
        if day in UNKNOWN_DAYS:
            yield day, "unknown"


def attempt(
    id_: str,
    day: date,
    names: Names,
    usage: Mapping[str, int],
    rates: Mapping[str, Decimal] | None,
    *,
    kind: str = "openai",
    at: str = "12:00:00",
    **changes: Any,
) -> bytes:
    """A line of the ledger. A third of the output is written as reasoning. Without `rates` it is unpriced."""
    instant = datetime.fromisoformat(f"{day}T{at}+00:00")
    started = replace(
        records.started(id_, f"cs_{id_}"),
        time_ns=int(instant.timestamp()) * 1_000_000_000,
        provider=kind,
        provider_kind=kind,
        model_requested=names.requested,
    )
    used = dict(usage)
    if "output" in used:
        used["reasoning"] = used["output"] // 3
        used["output"] -= used["reasoning"]
    known = {**rates, "reasoning": rates["output"]} if rates and "output" in rates else rates
    parts = {bucket: known[bucket] * tokens / MILLION for bucket, tokens in used.items()} if known is not None else {}
    record = replace(
        records.attempt(started),
        model_served=names.served,
        usage=used,
        cost_parts=parts,
        cost_usd=sum(parts.values(), Decimal(0)) if known is not None else None,
        cost_status="exact" if known is not None else "unpriced",
    )
    return lines.attempt(replace(record, **changes))


def _table(names: list[str], rows: list[list[Any]]) -> str:
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerows([names, *rows])
    return out.getvalue()


def _epoch(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _by_day(amounts: Amounts) -> dict[date, dict[str, dict[str, tuple[int, Decimal]]]]:
    days: dict[date, dict[str, dict[str, tuple[int, Decimal]]]] = defaultdict(lambda: defaultdict(dict))
    for (day, model, bucket), figures in amounts.items():
        days[day][model][bucket] = figures
    return days


def _completions(buckets: Mapping[str, tuple[int, Decimal]]) -> dict[str, Any]:
    tokens = {bucket: count for bucket, (count, _) in buckets.items()}
    return {
        "input_tokens": tokens["input"] + tokens.get("cache_read", 0),
        "output_tokens": tokens["output"],
        "input_cached_tokens": tokens.get("cache_read", 0),
        "num_model_requests": 2,
    }


_OPENAI_ITEMS: Final = {"input": "input", "cache_read": "cached input", "output": "output"}


def _openai_json(amounts: Amounts, names: Mapping[str, Names]) -> Mapping[str, str]:
    usage, costs = [], []
    for day, models in _by_day(amounts).items():
        bucket = {"object": "bucket", "start_time": _epoch(day), "end_time": _epoch(day) + 86_400}
        found = [
            {
                "object": "organization.usage.completions.result",
                "model": names[model].billed,
                "batch": False,
                **_completions(buckets),
            }
            for model, buckets in models.items()
        ]
        usage.append({**bucket, "results": found})
        spent = [
            {
                "object": "organization.costs.result",
                "amount": {"value": json.Fragment(str(usd).encode()), "currency": "usd"},
                "line_item": f"{names[model].billed}, {_OPENAI_ITEMS[name]}",
                "project_id": None,
            }
            for model, buckets in models.items()
            for name, (_, usd) in buckets.items()
        ]
        costs.append({**bucket, "results": spent})
    page = {"object": "page", "has_more": False, "next_page": None}
    return {"usage.json": json.text({**page, "data": usage}), "costs.json": json.pretty({**page, "data": costs})}


def _openai_csv(amounts: Amounts, names: Mapping[str, Names]) -> Mapping[str, str]:
    usage, costs = [], []
    for day, models in _by_day(amounts).items():
        times = [_epoch(day), _epoch(day) + 86_400, f"{day}T00:00:00+00:00"]
        for model, buckets in models.items():
            counts = [f"{count}.0" for count in _completions(buckets).values()]
            usage.append([*times, names[model].billed, "FALSE", *counts])
            for name, (_, usd) in buckets.items():
                costs.append([*times, usd, "usd", f"{names[model].billed}, {_OPENAI_ITEMS[name]}", "org-1"])
    first = ["start_time", "end_time", "start_time_iso"]
    counted = ["model", "batch", "input_tokens", "output_tokens", "input_cached_tokens", "num_model_requests"]
    return {
        "usage.csv": _table([*first, *counted], usage),
        "costs.csv": _table([*first, "amount_value", "amount_currency", "line_item", "organization_id"], costs),
    }


_ANTHROPIC_TYPES: Final = {
    "input": "uncached_input_tokens",
    "cache_read": "cache_read_input_tokens",
    "output": "output_tokens",
}


def _anthropic_json(amounts: Amounts, names: Mapping[str, Names]) -> Mapping[str, str]:
    usage, costs = [], []
    for day, models in _by_day(amounts).items():
        bucket = {"starting_at": f"{day}T00:00:00Z", "ending_at": f"{day + timedelta(days=1)}T00:00:00Z"}
        found = [
            {
                "model": names[model].billed,
                "service_tier": "standard",
                **{_ANTHROPIC_TYPES[name]: count for name, (count, _) in buckets.items()},
                "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0},
                "server_tool_use": {"web_search_requests": 0},
            }
            for model, buckets in models.items()
        ]
        usage.append({**bucket, "results": found})
        spent = [
            {
                "amount": str(usd * 100),
                "currency": "USD",
                "cost_type": "tokens",
                "description": "Claude Usage",
                "model": names[model].billed,
                "token_type": _ANTHROPIC_TYPES[name],
            }
            for model, buckets in models.items()
            for name, (_, usd) in buckets.items()
        ]
        costs.append({**bucket, "results": spent})
    end = {"has_more": False, "next_page": None}
    return {"usage.json": json.text({"data": usage, **end}), "costs.json": json.text({"data": costs, **end})}


_CONSOLE_TYPES: Final = {"input": "input_no_cache", "cache_read": "input_cache_read", "output": "output"}


def _anthropic_csv(amounts: Amounts, names: Mapping[str, Names]) -> Mapping[str, str]:
    """Costs by title, in cents."""
    titles = {"large": "Claude Sonnet 4.5", "small": "Claude Haiku 4.5", "unknown": "Claude Opus 5"}
    usage, costs = [], []
    for day, models in _by_day(amounts).items():
        for model, buckets in models.items():
            counts = [buckets.get(name, (0, 0))[0] for name in ("input", "cache_read", "output")]
            usage.append([day, names[model].billed, "key", *counts])
            for name, (_, usd) in buckets.items():
                costs.append([day, titles[model], "≤ 200k", _CONSOLE_TYPES[name], f"{usd:.2f}", "token"])
    used = ["usage_input_tokens_no_cache", "usage_input_tokens_cache_read", "usage_output_tokens"]
    charged = ["model", "context_window", "token_type", "cost_usd", "cost_type"]
    return {
        "usage.csv": _table(["usage_date_utc", "model_version", "api_key", *used], usage),
        "costs.csv": _table(["usage_date_utc", *charged], costs),
    }


_GOOGLE_SKUS: Final = {
    "input": "Generate content input token count {} text",
    "cache_read": "Generate content cached input token count {} text",
    "output": "Generate content output token count {} text",
}


def _google_json(amounts: Amounts, names: Mapping[str, Names]) -> Mapping[str, str]:
    """JSON lines; the discount as a credit beside the list price."""
    rows = []
    for (day, model, name), (tokens, usd) in amounts.items():
        listed = RATES[model][name] * tokens / MILLION
        credits_ = [{"name": "agreement", "type": "DISCOUNT", "amount": str(usd - listed)}] if usd != listed else []
        rows.append(
            {
                "service": {"id": "AEFD", "description": "Gemini API"},
                "sku": {"id": "1", "description": _GOOGLE_SKUS[name].format(names[model].billed)},
                "usage_start_time": f"{day} 00:00:00 UTC",
                "usage_end_time": f"{day} 23:00:00 UTC",
                "cost": str(listed),
                "currency": "USD",
                "usage": {"amount": tokens, "unit": "count"},
                "credits": credits_,
                "cost_type": "regular",
            }
        )
    rows.append({**rows[0], "service": {"description": "Compute Engine"}, "cost": "99"})
    return {"billing.jsonl": "".join(json.text(row) + "\n" for row in rows)}


def _google_csv(amounts: Amounts, names: Mapping[str, Names]) -> Mapping[str, str]:
    """Flattened columns, Vertex AI's way to write SKUs, another currency."""
    skus = {
        "input": "{} GA Text Input - Predictions",
        "cache_read": "{} Text Input Caching",
        "output": "{} GA Thinking Text Output - Predictions",
    }
    rows = [
        [
            "Vertex AI",
            skus[name].format(names[model].billed.title()),
            f"{day}T05:00:00+00:00",
            usd * 2,
            "XTS",
            2,
            tokens,
            "count",
        ]
        for (day, model, name), (tokens, usd) in amounts.items()
    ]
    first = ["service.description", "sku.description", "usage_start_time", "cost", "currency"]
    return {"billing.csv": _table([*first, "currency_conversion_rate", "usage.amount", "usage.unit"], rows)}


_BEDROCK_TYPES: Final = {
    "input": "input-tokens",
    "cache_read": "cache-read-input-token-count",
    "output": "output-tokens",
}
_MANTLE_TYPES: Final = {"input": "mantle-input-tokens-standard", "output": "mantle-output-tokens-standard"}


def _aws_rows(amounts: Amounts, names: Mapping[str, Names]) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for (day, model, name), (tokens, usd) in amounts.items():
        what = (_MANTLE_TYPES if names[model].billed.startswith("openai.") else _BEDROCK_TYPES)[name]
        first = [f"{day}T00:00:00Z", "Usage", "AmazonBedrock", f"USE1-{names[model].billed}-{what}"]
        rows.append([*first, Decimal(tokens) / 1000, "USD", usd])
    rows.append(["2026-10-01T00:00:00Z", "Usage", "AmazonEC2", "USE1-BoxUsage:t3.micro", 24, "USD", "0.25"])
    return rows


def _aws(amounts: Amounts, names: Mapping[str, Names]) -> Mapping[str, str]:
    columns = ["usage_start_date", "line_item_type", "product_code", "usage_type"]
    more = ["usage_amount", "currency_code", "unblended_cost"]
    header = [f"line_item_{name}" for name in (*columns, *more)]
    return {"cur.csv": _table(header, _aws_rows(amounts, names))}


def _aws_legacy(amounts: Amounts, names: Mapping[str, Names]) -> Mapping[str, str]:
    columns = ["UsageStartDate", "LineItemType", "ProductCode", "UsageType", "UsageAmount", "CurrencyCode"]
    header = [f"lineItem/{name}" for name in (*columns, "UnblendedCost")]
    return {"cur.csv": _table(header, _aws_rows(amounts, names))}


def _openrouter_items(amounts: Amounts, names: Mapping[str, Names]) -> Iterator[dict[str, Any]]:
    for day, models in _by_day(amounts).items():
        for model, buckets in models.items():
            yield {
                "date": day.isoformat(),
                "model": names[model].billed,
                "usage": str(sum(usd for _, usd in buckets.values())),
                "byok_usage_inference": 0,
                "requests": 2,
                "prompt_tokens": sum(buckets[name][0] for name in buckets if name != "output"),
                "completion_tokens": buckets["output"][0],
                "reasoning_tokens": buckets["output"][0] // 3,
            }


def _openrouter_json(amounts: Amounts, names: Mapping[str, Names]) -> Mapping[str, str]:
    items = [{**item, "usage": json.Fragment(item["usage"].encode())} for item in _openrouter_items(amounts, names)]
    return {"activity.json": json.pretty({"data": items})}


_COUNTS: Final = ("byok_usage_inference", "requests", "prompt_tokens", "completion_tokens")


def _openrouter_csv(amounts: Amounts, names: Mapping[str, Names]) -> Mapping[str, str]:
    header = ["Date", "Slug", "Usage", "BYOK Usage", "Requests", "Prompt Tokens", "Completion Tokens"]
    rows = [
        [f"{item['date']} 00:00:00", *(item[name] for name in ("model", "usage", *_COUNTS))]
        for item in _openrouter_items(amounts, names)
    ]
    return {"activity.csv": _table(header, rows)}


def _names(**names: tuple[str, str | None, str]) -> Mapping[str, Names]:
    return {model: Names(*each) for model, each in names.items()}


_OPENAI: Final = _names(
    large=("gpt-5", "gpt-5-2025-08-07", "gpt-5-2025-08-07"),
    small=("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", "gpt-4.1-mini-2025-04-14"),
    unknown=("gpt-6", None, "gpt-6-2026-09-01"),
)
_ANTHROPIC: Final = _names(
    large=("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929"),
    small=("claude-haiku-4-5", "claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001"),
    unknown=("claude-opus-5", "claude-opus-5", "claude-opus-5"),
)
_GOOGLE: Final = _names(
    large=("gemini-2.5-pro", "gemini-2.5-pro", "gemini 2.5 pro"),
    small=("gemini-2.5-flash", "gemini-2.5-flash-preview-09-2025", "gemini 2.5 flash"),
    unknown=("gemini-3-flash", "gemini-3-flash", "gemini 3 flash"),
)
_AWS: Final = _names(
    large=("us.anthropic.claude-sonnet-4-5-20250929-v1:0", None, "Claude4.5Sonnet"),
    small=("amazon.nova-pro-v1:0", None, "NovaPro"),
    unknown=("openai.gpt-oss-120b-1:0", None, "openai.gpt-oss-120b"),
)
_OPENROUTER: Final = _names(
    large=("openai/gpt-5", "openai/gpt-5-2025-08-07", "openai/gpt-5"),
    small=("openai/gpt-4.1-mini", "openai/gpt-4.1-mini", "openai/gpt-4.1-mini"),
    unknown=("x-ai/grok-9", None, "x-ai/grok-9"),
)

BILLINGS: Final[Mapping[str, Billing]] = MappingProxyType(
    {
        "openai": Billing("openai", _OPENAI, _openai_json),
        "openai's dashboard": Billing("openai", _OPENAI, _openai_csv),
        "anthropic": Billing("anthropic", _ANTHROPIC, _anthropic_json),
        "anthropic's console": Billing("anthropic", _ANTHROPIC, _anthropic_csv),
        "google": Billing("gemini", _GOOGLE, _google_json),
        "google, vertex in another currency": Billing("vertex", _GOOGLE, _google_csv),
        "aws": Billing("bedrock", _AWS, _aws),
        "aws, legacy": Billing("bedrock", _AWS, _aws_legacy),
        "openrouter": Billing("openrouter", _OPENROUTER, _openrouter_json),
        "openrouter's page": Billing("openrouter", _OPENROUTER, _openrouter_csv),
    }
)
