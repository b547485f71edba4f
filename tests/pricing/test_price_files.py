"""A price from gateway.yaml and prices.d to the cost of a call: what the file says is what is billed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from costspan import snapshot as snapshots
from costspan.config.load import load
from costspan.ir.usage import Usage
from costspan.pricing.cost import cost

if TYPE_CHECKING:
    from pathlib import Path

    from costspan.pricing.cost import Cost
    from costspan.snapshot import Snapshot

D = Decimal
MILLION = 1_000_000

GATEWAY = """providers:
  openai: {api_key: a-key, base_url: "http://127.0.0.1:1/v1", discount: 10%}
  local: {kind: openai-compatible, base_url: "http://127.0.0.1:1/v1"}
prices:
  catalog: none
  files: [prices.d/*.yaml]
  table:
    - provider: openai
      model: gpt-5
      from: 2026-01-01
      to: 2026-06-01
      input: 1.25
      output: 10
      cache_read: 0.125
      web_search: 0.01
      tiers: [{above: 272000, input: 2.5, output: 15, cache_read: 0.25}]
      service_tiers:
        flex: {multiplier: 0.5}
        priority: {input: 2.5, output: 20, tiers: [{above: 272000, input: 5, output: 30}]}
        batch: {multiplier: 0.5}
      hours: [{utc: "16:30-00:30", multiplier: 0.5}]
    - {provider: openai, model: gpt-5, from: 2026-06-01, input: 1, output: 8}
    - {provider: openai, model: gpt-5-nano, input: 0, output: 0.4}
"""
FILES = {
    "prices.d/a.yaml": """- {provider: local, model: "night-*", input: 0.27, output: 1.1, cache_read: 0.07,
   hours: [{utc: "16:30-00:30", input: 0.135, output: 0.55}]}
""",
    "prices.d/b.yaml": """table:
  - {provider: local, model: everything, per_request: 0.1, web_search: 0.2, file_search: 0.3, code_execution: 0.4,
     per_image: 0.5, per_audio_minute: 0.6, per_million_characters: 15, per_page: 0.7, per_search: 0.8}
  - {provider: local, model: seconds, per_audio_second: 0.0001}
  - {provider: local, model: at-least, per_audio_hour: 0.036, least_audio_seconds: 10}
""",
    "elsewhere/c.yaml": "- {provider: local, model: not-read, input: 1}\n",
}


@pytest.fixture
def book(tmp_path: Path) -> Snapshot:
    for name, text in {"gateway.yaml": GATEWAY, **FILES}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return snapshots.build(load(tmp_path / "gateway.yaml", {}), generation=1, catalog=None)


def billed(book: Snapshot, target: str, usage: Usage, at: str) -> tuple[Cost | None, str | None]:
    provider, _, model = target.partition("/")
    account = book.accounts[provider]
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    price = book.book.find(provider, account.kind.name, model, discount=account.discount, at=moment)
    return (cost(usage, price, at=moment), price.source) if price else (None, None)


SHORT = {"input": 100_000, "cache_read": 100_000, "output": 1_000}
LONG = {"input": 100_000, "cache_read": 172_001, "output": 1_000}
EXACTLY = {"input": 100_000, "cache_read": 172_000, "output": 0}

COSTS: dict[str, tuple[str, Usage, str, str, str]] = {
    # ((100000 x 1.25 + 100000 x 0.125 + 1000 x 10) / 10^6) x 0.9
    "list": ("openai/gpt-5", Usage(SHORT), "2026-05-31T12:00", "0.13275", "table:gateway.yaml:8"),
    "at the threshold": ("openai/gpt-5", Usage(EXACTLY), "2026-05-31T12:00", "0.13185", "table:gateway.yaml:8"),
    # ((100000 x 2.5 + 172001 x 0.25 + 1000 x 15) / 10^6) x 0.9
    "above it": ("openai/gpt-5", Usage(LONG), "2026-05-31T12:00", "0.277200225", "table:gateway.yaml:8"),
    "flex": (
        "openai/gpt-5",
        Usage(SHORT, service_tier="flex"),
        "2026-05-31T12:00",
        "0.066375",
        "table:gateway.yaml:8",
    ),
    # ((100000 x 2.5 + 100000 x 0.125 + 1000 x 20) / 10^6) x 0.9
    "priority": (
        "openai/gpt-5",
        Usage(SHORT, service_tier="priority"),
        "2026-05-31T12:00",
        "0.25425",
        "table:gateway.yaml:8",
    ),
    # ((100000 x 5 + 172001 x 0.25 + 1000 x 30) / 10^6) x 0.9
    "priority, above": (
        "openai/gpt-5",
        Usage(LONG, service_tier="priority"),
        "2026-05-31T12:00",
        "0.515700225",
        "table:gateway.yaml:8",
    ),
    "batch with a search": (
        "openai/gpt-5",
        Usage(SHORT, {"web_search_calls": 2}, service_tier="batch"),
        "2026-05-31T12:00",
        "0.075375",
        "table:gateway.yaml:8",
    ),
    "batch at night": (
        "openai/gpt-5",
        Usage(SHORT, service_tier="batch"),
        "2026-05-31T16:30",
        "0.0331875",
        "table:gateway.yaml:8",
    ),
    "the first day of the next row": (
        "openai/gpt-5",
        Usage({"input": MILLION, "output": MILLION}),
        "2026-06-01T00:00",
        "8.1",
        "table:gateway.yaml:22",
    ),
    "zero is a price": (
        "openai/gpt-5-nano",
        Usage({"input": MILLION}),
        "2026-06-01T00:00",
        "0",
        "table:gateway.yaml:23",
    ),
    "a file of rows, by day": (
        "local/night-owl",
        Usage({"input": MILLION, "cache_read": MILLION, "output": MILLION}),
        "2026-06-01T16:29",
        "1.44",
        "table:a.yaml:1",
    ),
    "own rates by night, the rest as by day": (
        "local/night-owl",
        Usage({"input": MILLION, "cache_read": MILLION, "output": MILLION}),
        "2026-06-01T00:29",
        "0.755",
        "table:a.yaml:1",
    ),
    # 0.1 + 0.4 + 0.9 + 1.6 + 2.5 + 90 s x 0.6 / 60 s + 1000 x 15 / 10^6 + 2.1 + 0.8
    "each unit": (
        "local/everything",
        Usage(
            {},
            {
                "web_search_calls": 2,
                "file_search_calls": 3,
                "code_execution_calls": 4,
                "images": 5,
                "audio_seconds": 90,
                "characters": 1_000,
                "pages": 3,
                "searches": 1,
            },
        ),
        "2026-06-01T00:00",
        "9.315",
        "table:b.yaml:2",
    ),
    "less than the least": (
        "local/at-least",
        Usage({}, {"audio_seconds": D("3.5")}),
        "2026-06-01",
        "0.0001",
        "table:b.yaml:5",
    ),
    "the least": ("local/at-least", Usage({}, {"audio_seconds": 10}), "2026-06-01", "0.0001", "table:b.yaml:5"),
    "more than the least": (
        "local/at-least",
        Usage({}, {"audio_seconds": 20}),
        "2026-06-01",
        "0.0002",
        "table:b.yaml:5",
    ),
    "none of it": ("local/at-least", Usage({}, {"audio_seconds": 0}), "2026-06-01", "0", "table:b.yaml:5"),
    "a second": ("local/seconds", Usage({}, {"audio_seconds": D("12.34")}), "2026-06-01", "0.001234", "table:b.yaml:4"),
}


@pytest.mark.parametrize(("target", "usage", "at", "expected", "source"), COSTS.values(), ids=COSTS.keys())
def test_what_the_files_say_is_billed(
    book: Snapshot, target: str, usage: Usage, at: str, expected: str, source: str
) -> None:
    found, where = billed(book, target, usage, at)

    assert (found and found.total, where) == (D(expected), source)


@pytest.mark.parametrize(
    ("target", "at"),
    [("openai/gpt-5", "2025-12-31T23:59"), ("local/not-read", "2026-06-01"), ("local/x", "2026-06-01")],
)
def test_what_no_row_says_has_no_price(book: Snapshot, target: str, at: str) -> None:
    assert billed(book, target, Usage({"input": 1}), at) == (None, None)


def test_zero_is_free_only_where_everything_is(book: Snapshot) -> None:
    moment = datetime(2026, 6, 1, tzinfo=UTC)
    found = [book.book.find("openai", "openai", name, at=moment) for name in ("gpt-5", "gpt-5-nano")]

    assert [price and price.free for price in found] == [False, False]
