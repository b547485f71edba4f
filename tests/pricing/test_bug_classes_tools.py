"""The cost bugs of other gateways (reference peers.md 2.1): ways of being served, and what tools of the provider did.

Prices are USD per million tokens and per call: Claude (platform.claude.com/docs/en/about-claude/pricing), GPT-5
(developers.openai.com/api/docs/pricing), Gemini (ai.google.dev/gemini-api/docs/pricing), as genai-prices 0.2.3 has
them. Those of `TIERS` are made up, so that each tier has a price of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from costspan.pricing.cost import Cost, cost
from costspan.pricing.rates import Price, ServiceTier, rates_of
from fakes.usage_reports import anthropic, chat, of_stream, of_whole, responses

if TYPE_CHECKING:
    from costspan.ir.usage import Usage

D = Decimal
NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def price(**words: str) -> Price:
    return Price(rates_of({word: Decimal(rate) for word, rate in words.items()}))


OPUS_4_5 = price(input="5", output="25", web_search="0.01")
GPT_5 = price(input="1.25", output="10", web_search="0.01", file_search="0.0025")
GEMINI_2_5_PRO = price(input="1.25", output="10", web_search="0.035")


def bill(usage: Usage, at: Price) -> Cost:
    return cost(usage, at, at=NOON)


TIERS = Price(rates_of({"input": D(2), "output": D(8)}), service_tiers={
    "flex": ServiceTier(D("0.5")),
    "priority": ServiceTier(D("1.75")),
    "batch": ServiceTier(D("0.5")),
    "fast": ServiceTier(D(6)),
})  # fmt: skip
SMALL_CHAT = {"prompt_tokens": 1_000, "completion_tokens": 0, "total_tokens": 1_000}
SMALL_GEMINI = {"promptTokenCount": 1_000, "totalTokenCount": 1_000}
SERVED: dict[str, tuple[Usage, str]] = {
    "OpenAI": (of_whole("openai-chat", {"usage": SMALL_CHAT, "service_tier": "priority"}), "0.0035"),
    "OpenAI, streamed": (of_stream("openai-chat", chat(SMALL_CHAT, service_tier="flex")), "0.001"),
    "Responses": (
        of_whole("openai-responses", {"usage": {"input_tokens": 1_000, "output_tokens": 0}, "service_tier": "flex"}),
        "0.001",
    ),
    "Anthropic": (
        of_whole("anthropic-messages", {"usage": {"input_tokens": 1_000, "output_tokens": 0, "service_tier": "batch"}}),
        "0.001",
    ),
    "Anthropic's fast mode": (
        of_stream(
            "anthropic-messages",
            anthropic({"input_tokens": 1_000, "output_tokens": 0, "speed": "fast"}, {"output_tokens": 0}),
        ),
        "0.012",
    ),
    "Gemini": (
        of_whole("gemini-generate", {"usageMetadata": {**SMALL_GEMINI, "serviceTier": "PRIORITY"}}),
        "0.0035",
    ),
    "Vertex": (
        of_whole("gemini-generate", {"usageMetadata": {**SMALL_GEMINI, "trafficType": "ON_DEMAND_FLEX"}}),
        "0.001",
    ),
    "Bedrock": (
        of_whole(
            "bedrock-converse",
            {"usage": {"inputTokens": 1_000, "outputTokens": 0}, "serviceTier": {"type": "priority"}},
        ),
        "0.0035",
    ),
    "Mistral": (
        of_whole("mistral-chat", {"usage": {**SMALL_CHAT, "service_tier": "priority"}}, "mistral"),
        "0.0035",
    ),
}


@pytest.mark.parametrize(("usage", "expected"), SERVED.values(), ids=SERVED.keys())
def test_c09_the_tier_comes_from_the_answer(usage: Usage, expected: str) -> None:
    result = bill(usage, TIERS)

    assert (result.total, result.flags) == (D(expected), ())


SEARCHED_WEB = {"type": "web_search_call", "action": {"type": "search", "query": "q"}}
OPENED = {"type": "web_search_call", "action": {"type": "open_page", "url": "u"}}
ITEMS = [SEARCHED_WEB, OPENED, SEARCHED_WEB, SEARCHED_WEB, {"type": "file_search_call"}]
ASKED = {"groundingMetadata": {"webSearchQueries": ["a", "b"]}}
SEARCHES: dict[str, tuple[Usage, Price, dict[str, Decimal]]] = {
    # LiteLLM#31316, #15227: three searches, a page opened and a file search, only in `output[]`
    "Responses": (
        of_whole("openai-responses", {"usage": {"input_tokens": 0, "output_tokens": 0}, "output": ITEMS}),
        GPT_5,
        {"web_search_calls": D("0.03"), "file_search_calls": D("0.0025")},
    ),
    "Responses, streamed": (
        of_stream(
            "openai-responses", responses({"usage": {"input_tokens": 0, "output_tokens": 0}, "output": ITEMS})
        ),
        GPT_5,
        {"web_search_calls": D("0.03"), "file_search_calls": D("0.0025")},
    ),
    # LiteLLM#16826: Anthropic's fees were lost in streams
    "Anthropic": (
        of_whole(
            "anthropic-messages",
            {"usage": {"input_tokens": 0, "output_tokens": 0, "server_tool_use": {"web_search_requests": 2}}},
        ),
        OPUS_4_5,
        {"web_search_calls": D("0.02")},
    ),
    "Anthropic, streamed": (
        of_stream(
            "anthropic-messages",
            anthropic(
                {"input_tokens": 0, "output_tokens": 0, "server_tool_use": {"web_search_requests": 0}},
                {"output_tokens": 0, "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 5}},
            ),
        ),
        OPUS_4_5,
        {"web_search_calls": D("0.02")},
    ),
    "Gemini 2.5 bills requests that search": (
        of_whole("gemini-generate", {"modelVersion": "gemini-2.5-pro", "usageMetadata": {"promptTokenCount": 0},
                                     "candidates": [ASKED]}),
        GEMINI_2_5_PRO,
        {"web_search_calls": D("0.035")},
    ),
    "Gemini 3 bills searches, streamed": (
        of_stream(
            "gemini-generate",
            [
                {"modelVersion": "gemini-3-pro-preview", "candidates": [{"index": 0, **ASKED}]},
                {
                    "modelVersion": "gemini-3-pro-preview",
                    "candidates": [{"index": 0, **ASKED, "finishReason": "STOP"}],
                    "usageMetadata": {"promptTokenCount": 0},
                },
            ],
        ),
        price(input="2", output="12", web_search="0.014"),
        {"web_search_calls": D("0.028")},
    ),
    "OpenRouter": (
        of_whole(
            "openai-chat",
            {"usage": {"prompt_tokens": 0, "completion_tokens": 0, "server_tool_use": {"web_search_requests": 4}}},
            "openrouter",
        ),
        GPT_5,
        {"web_search_calls": D("0.04")},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("usage", "at", "parts"), SEARCHES.values(), ids=SEARCHES.keys())
def test_c12_what_tools_of_the_provider_did_is_billed(usage: Usage, at: Price, parts: dict[str, Decimal]) -> None:
    assert bill(usage, at).parts == parts


def test_c12_a_picture_that_a_chat_had_drawn_is_not_free() -> None:
    drawn = {"usage": {"input_tokens": 1_000, "output_tokens": 0}, "output": [{"type": "image_generation_call"}]}

    assert bill(of_whole("openai-responses", drawn), GPT_5).flags == ("unpriced_unit:images",)


def test_c13_pages_that_gemini_read_are_no_searches() -> None:
    # LiteLLM#26253: url_context has no fee; what it read is counted as the results of a tool.
    body: dict[str, Any] = {
        "modelVersion": "gemini-2.5-pro",
        "candidates": [{"urlContextMetadata": {"urlMetadata": [{"retrievedUrl": "u"}]}, "groundingMetadata": {}}],
        "usageMetadata": {
            "promptTokenCount": 100,
            "toolUsePromptTokenCount": 900,
            "candidatesTokenCount": 0,
            "totalTokenCount": 1_000,
        },
    }

    assert bill(of_whole("gemini-generate", body), GEMINI_2_5_PRO).parts == {"input": D("0.00125")}


def test_c13_pages_that_claude_read_are_no_searches() -> None:
    report = {"input_tokens": 1_000, "output_tokens": 0, "server_tool_use": {"web_fetch_requests": 3}}

    assert bill(of_whole("anthropic-messages", {"usage": report}), OPUS_4_5).parts == {"input": D("0.005")}
