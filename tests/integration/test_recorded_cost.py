"""What recorded answers cost: the same streamed and whole, and what the provider itself says, to the last digit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import DIALECTS
from costspan.ir.usage import BUCKETS
from costspan.pricing.catalog import Catalog
from costspan.pricing.catalog_export import export
from costspan.pricing.rates import ZERO, Price, Rates, ServiceTier, rates_of
from costspan.pricing.settle import settle
from costspan.providers.hosts import KINDS
from costspan.wire import json, sse
from fakes.corpus import ALL, GOOD, MISSING, ROWS, Row
from fakes.corpus_shapes import as_stream, as_whole
from fakes.corpus_usage import buckets, total

if TYPE_CHECKING:
    from costspan.ir.usage import Usage
    from costspan.pricing.settle import Settlement

pytestmark = pytest.mark.skipif(not ROWS, reason=MISSING)

D = Decimal
NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
REPORTED = {name: row for name, row in GOOD.items() if row.usage}

PRIMES = (101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157)
DISTINCT = Price(Rates(dict(zip(BUCKETS, map(Decimal, PRIMES), strict=True)), {"web_search_calls": D("0.0163")}))
"""No mistake of one bucket for another makes up for a second one."""


def whole(dialect: str, body: dict[str, Any], kind: str) -> Usage | None:
    return DIALECTS[dialect].read_usage(body, KINDS[kind].profile)


def streamed(dialect: str, raw: bytes, kind: str) -> Usage | None:
    decoder = DIALECTS[dialect].new_decoder(KINDS[kind].profile)
    for event in sse.Parser().feed(raw):
        list(decoder.feed(event))
    return decoder.usage


def settled(usage: Usage | None, price: Price | None = DISTINCT, price_as: str | None = None) -> Settlement:
    return settle(
        usage,
        price,
        price_as=price_as,
        reached=True,
        estimate=None,
        estimate_basis="",
        service_tier=None,
        at=NOON,
    )


def both(row: Row) -> tuple[Usage | None, Usage | None]:
    """As a stream and as a whole answer: one as recorded, the other made of it."""
    if row.stream:
        return streamed(row.dialect, row.sse, row.kind), whole(row.dialect, as_whole(row), row.kind)
    body = json.loads_object(row.raw)
    return streamed(row.dialect, as_stream(row), row.kind), whole(row.dialect, body, row.kind)


@pytest.mark.parametrize("name", REPORTED)
def test_a_stream_costs_what_the_whole_answer_costs(name: str) -> None:
    row = REPORTED[name]
    of_stream, of_whole = both(row)

    assert of_stream == of_whole
    assert settled(of_stream) == settled(of_whole)
    by_hand = sum(DISTINCT.rates.tokens[bucket] * count for bucket, count in buckets(row).items()) / 1_000_000
    assert (settled(of_stream).cost_usd, settled(of_stream).status) == (by_hand, "exact")


@pytest.mark.parametrize("name", REPORTED)
def test_the_buckets_add_up_to_the_provider_s_own_total(name: str) -> None:
    row = REPORTED[name]

    for usage in both(row):
        assert usage is not None
        assert sum(usage.tokens.values()) == total(row)
        assert {bucket: count for bucket, count in usage.tokens.items() if count} == buckets(row)
        assert (usage.units, usage.inconsistent) == ({}, False)


@dataclass(frozen=True)
class Stated:
    """A figure that a provider gave with its answer, and the list price of that day. `off` is theirs less ours."""

    usd: Decimal
    price: Price
    source: str
    off: Decimal = ZERO
    reason: str = ""


def listed(**words: str) -> Price:
    return Price(rates_of({word: Decimal(rate) for word, rate in words.items()}))


HAIKU = (
    "ruby_llm/chat_basic_chat_functionality_openrouter_claude-haiku-4-5_replaces_previous_system_messages_by_default#1"
)
GROK_4_3 = listed(input="1.25", cache_read="0.2", output="2.5", web_search="0.005")
RECORDED: dict[str, Stated] = {
    "fantasy/TestOpenAICompatibleCommon/xai-grok-4-fast/simple#0": Stated(
        D("0.0000731"), listed(input="0.2", cache_read="0.05", output="0.5"), "docs.x.ai/developers/models, 2026-03"
    ),
    "fantasy/TestOpenRouterCommonWithAnthropicCache/anthropic/simple_streaming#0": Stated(
        D("0.000106"), listed(input="1", output="5"), "genai-prices 0.2.3, anthropic/claude-haiku-4.5"
    ),
    "req_llm/openrouter/google_gemini_2_5_pro_preview_06_05/object_streaming#0": Stated(
        D("0.00078125"), listed(input="1.25", output="10"), "genai-prices 0.2.3, google/gemini-2.5-pro"
    ),
    HAIKU: Stated(D("0.002261"), listed(input="1", output="5"), "genai-prices 0.2.3, anthropic/claude-haiku-4.5"),
    "rig/xai/agent_tool_sessions/sequential_complex_tool_calls_nonstreaming#2": Stated(
        D("0.0009581"), GROK_4_3, "docs.x.ai/developers/pricing, 2026-11-25"
    ),
    "ruby_llm/chat_function_calling_xai_grok-4-1-fast-non-reasoning_can_use_tools_with_multi-turn_"
    "streaming_conversations#0": Stated(D("0.0003515"), GROK_4_3, "docs.x.ai/developers/pricing, 2026-11-25"),
    "rig/venice/venice_parameters/character_slug#0": Stated(
        # 2,335 a + 37 b = 239.05: no other prices in whole cents give the figure
        D("0.00023905"),
        listed(input="0.1", output="0.15"),
        "worked out of the figure: no price list was found",
    ),
}
"""All recordings whose provider states its own cost. None differs."""


def test_the_table_holds_every_recording_with_a_stated_cost() -> None:
    stating = {
        line["id"]
        for line in ALL
        if line["cost_reported"] or (isinstance(line["response_json"], dict) and "cost" in line["response_json"])
    }

    assert stating == set(RECORDED)


@pytest.mark.parametrize("name", RECORDED)
def test_our_cost_is_the_one_that_the_provider_states(name: str) -> None:
    stated = RECORDED[name]

    for usage in both(GOOD[name]):
        assert usage is not None
        ours = settled(usage, stated.price)
        theirs = settled(usage, stated.price, price_as="provider")
        assert usage.reported_cost == stated.usd
        assert (ours.cost_usd, ours.status, ours.flags) == (stated.usd, "exact", ())
        assert (theirs.cost_usd, theirs.status, theirs.computed_usd) == (stated.usd, "provider", stated.usd)


ELSEWHERE: dict[str, tuple[str, str, dict[str, Any], dict[str, int], Stated]] = {
    "DeepInfra, priority": (
        "openai-chat",
        "deepinfra",
        {
            "service_tier": "priority",
            "usage": {
                "prompt_tokens": 11,
                "completion_tokens": 5,
                "total_tokens": 16,
                "estimated_cost": 8.775e-06,
            },
        },
        {},
        Stated(
            D("0.000008775"),
            Price(
                rates_of({"input": D("0.1"), "output": D("0.95")}),
                service_tiers={"priority": ServiceTier(D("1.5"))},
            ),
            "BerriAI/litellm#38802, 2026-08-29",
        ),
    ),
    "xAI with searches of X": (
        "openai-responses",
        "xai",
        {
            "usage": {
                "input_tokens": 7583,
                "input_tokens_details": {"cached_tokens": 3072},
                "output_tokens": 3192,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": 10775,
                "cost_in_usd_ticks": 292331500,
                "server_side_tool_usage_details": {"web_search_calls": 0, "x_search_calls": 3},
            }
        },
        {"web_search_calls": 3},
        # 4,511 x 1.25 + 3,072 x 0.2 + 3,192 x 2.5 per million, and 3 x 0.005
        Stated(D("0.02923315"), GROK_4_3, "usage of grok-4.3 that somebody published, 2026-08-24"),
    ),
    "Perplexity's search": (
        "openai-chat",
        "perplexity",
        {
            "usage": {
                "prompt_tokens": 6,
                "completion_tokens": 238,
                "total_tokens": 244,
                "search_context_size": "low",
                "cost": {
                    "input_tokens_cost": 0.0,
                    "output_tokens_cost": 0.004,
                    "request_cost": 0.006,
                    "total_cost": 0.01,
                },
            }
        },
        {},
        # 6 x 3 + 238 x 15 per million, and 0.006 for a request of a small context: 0.009588
        Stated(
            D("0.01"),
            listed(input="3", output="15", per_request="0.006"),
            "docs.perplexity.ai/docs/sonar/pro-search/stream-mode, 2026-08-15",
            D("0.000412"),
            "Perplexity rounds each part to a thousandth of a dollar",
        ),
    ),
    "Perplexity's deep research": (
        "openai-chat",
        "perplexity",
        {
            "usage": {
                "prompt_tokens": 33,
                "completion_tokens": 11395,
                "total_tokens": 11428,
                "citation_tokens": 19028,
                "num_search_queries": 21,
                "reasoning_tokens": 193947,
                "cost": {
                    "input_tokens_cost": 0.0,
                    "output_tokens_cost": 0.091,
                    "citation_tokens_cost": 0.038,
                    "reasoning_tokens_cost": 0.582,
                    "search_queries_cost": 0.105,
                    "total_cost": 0.816,
                },
            }
        },
        {"web_search_calls": 21},
        # (33 + 19,028) x 2 + 11,395 x 8 + 193,947 x 3 per million, and 21 x 0.005: 0.816123
        Stated(
            D("0.816"),
            listed(input="2", output="8", reasoning="3", web_search="0.005"),
            "docs.perplexity.ai, pricing of sonar-deep-research, 2026",
            D("-0.000123"),
            "Perplexity rounds each part to a thousandth of a dollar",
        ),
    ),
    "OpenRouter with the caller's own key": (
        "openai-chat",
        "openrouter",
        {
            "usage": {
                "prompt_tokens": 1000,
                "completion_tokens": 100,
                "total_tokens": 1100,
                "cost": 0.000075,
                "is_byok": True,
                "cost_details": {"upstream_inference_cost": 0.0015},
            }
        },
        {},
        # The provider bills 1,000 x 1 + 100 x 5 per million = 0.0015; OpenRouter's fee of 5 % comes on top.
        Stated(
            D("0.001575"),
            listed(input="1", output="5"),
            "openrouter.ai/docs, bring your own key, 2026-08-22",
            D("0.000075"),
            "the fee is no price of a token: it belongs to the billing plan (`costspan compare`)",
        ),
    ),
}
"""What providers that no recording is of published of their answers, and where ours differs and why."""


@pytest.mark.parametrize(("dialect", "kind", "body", "units", "stated"), ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_where_ours_differs_the_difference_is_known(
    dialect: str, kind: str, body: dict[str, Any], units: dict[str, int], stated: Stated
) -> None:
    usage = whole(dialect, body, kind)
    assert usage is not None
    ours = settled(usage, stated.price)

    assert usage.units == units
    assert usage.reported_cost == stated.usd
    assert ours.cost_usd is not None
    assert (stated.usd - ours.cost_usd, ours.flags) == (stated.off, ())
    assert bool(stated.reason) is bool(stated.off)


IN_CATALOG = {
    "fantasy/TestOpenAICompatibleCommon/xai-grok-4-fast/simple#0": ("x-ai", "grok-4-fast", "2026-03-12"),
    "fantasy/TestOpenRouterCommonWithAnthropicCache/anthropic/simple_streaming#0": (
        "openrouter",
        "anthropic/claude-haiku-4.5",
        "2026-04-27",
    ),
    "req_llm/openrouter/google_gemini_2_5_pro_preview_06_05/object_streaming#0": (
        "openrouter",
        "google/gemini-2.5-pro",  # that served; the one asked for is not in the catalog
        "2025-11-02",
    ),
    HAIKU: (
        "openrouter",
        "anthropic/claude-haiku-4.5",
        "2026-06-08",
    ),
    "ruby_llm/chat_function_calling_xai_grok-4-1-fast-non-reasoning_can_use_tools_with_multi-turn_"
    "streaming_conversations#0": ("x-ai", "grok-4.3", "2026-08-10"),
}
"""Model and day of those that say when they were recorded, of providers that the catalog knows."""


def test_the_catalog_s_price_of_that_day_gives_the_provider_s_figure_too() -> None:
    catalog = Catalog.from_export(export(("x-ai", "openrouter")))

    for name, (owner, model, day) in IN_CATALOG.items():
        usage, _ = both(GOOD[name])
        row = catalog.find(owner, model, datetime.fromisoformat(f"{day}T12:00:00+00:00"))
        assert row is not None, name
        price = Price(row.rates, row.tiers, row.service_tiers)
        assert settled(usage, price).cost_usd == RECORDED[name].usd, name
