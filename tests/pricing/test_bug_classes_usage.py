"""The cost bugs of other gateways (reference peers.md 2.1) that lived where usage is read: reports as providers send
them, to the cost worked out by hand.

Prices are USD per million tokens: Claude Opus 4.5 (platform.claude.com/docs/en/about-claude/pricing, 2026-11-23),
GPT-5 and gpt-realtime (developers.openai.com/api/docs/pricing), Gemini 2.5 Pro and Flash
(ai.google.dev/gemini-api/docs/pricing), the latter three as genai-prices 0.2.3 has them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from costspan.pricing.cost import Cost, cost
from costspan.pricing.rates import Price, rates_of
from fakes.usage_reports import anthropic, chat, of_stream, of_whole, responses

if TYPE_CHECKING:
    from costspan.ir.usage import Usage

D = Decimal
NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def price(**words: str) -> Price:
    return Price(rates_of({word: Decimal(rate) for word, rate in words.items()}))


OPUS_4_5 = price(input="5", output="25", cache_write="6.25", cache_write_1h="10", cache_read="0.5")
GPT_5 = price(input="1.25", output="10", cache_read="0.125")
GPT_REALTIME = price(input="4", output="16", cache_read="0.4", input_audio="32", output_audio="64")
GEMINI_2_5_PRO = price(input="1.25", output="10", cache_read="0.125")
GEMINI_2_5_FLASH = price(input="0.3", output="2.5", cache_read="0.03", input_audio="1", cache_read_audio="0.1")


def bill(usage: Usage, at: Price) -> Cost:
    return cost(usage, at, at=NOON)


def test_c01_a_stream_s_cache_writes_are_not_input_too() -> None:
    # Bifrost#3451: message_start and message_delta both tell of 159,217 written tokens; $1.860 was billed for $1.064.
    start = {
        "input_tokens": 12,
        "cache_creation_input_tokens": 159_217,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 159_217, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 1,
    }
    end = {"input_tokens": 12, "cache_creation_input_tokens": 159_217, "output_tokens": 200}

    result = bill(of_stream("anthropic-messages", anthropic(start, end)), OPUS_4_5)

    assert result.parts == {"input": D("0.00006"), "cache_write": D("0.99510625"), "output": D("0.005")}


def test_c02_nearly_all_of_a_prompt_from_the_cache() -> None:
    report = {
        "prompt_tokens": 200_000,
        "completion_tokens": 1_000,
        "total_tokens": 201_000,
        "prompt_tokens_details": {"cached_tokens": 196_608},
    }

    result = bill(of_whole("openai-chat", {"usage": report}), GPT_5)

    assert result.parts == {"input": D("0.00424"), "cache_read": D("0.024576"), "output": D("0.01")}


CHAT = {
    "prompt_tokens": 10_000,
    "completion_tokens": 500,
    "total_tokens": 10_500,
    "prompt_tokens_details": {"cached_tokens": 9_000},
    "completion_tokens_details": {"reasoning_tokens": 300},
}
MESSAGES = {
    "input_tokens": 400,
    "cache_read_input_tokens": 9_000,
    "cache_creation_input_tokens": 600,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 400},
    "output_tokens": 500,
}
RESPONSES = {
    "input_tokens": 10_000,
    "input_tokens_details": {"cached_tokens": 9_000},
    "output_tokens": 500,
    "output_tokens_details": {"reasoning_tokens": 300},
    "total_tokens": 10_500,
}
GEMINI = {
    "promptTokenCount": 10_000,
    "cachedContentTokenCount": 9_000,
    "candidatesTokenCount": 200,
    "thoughtsTokenCount": 300,
    "totalTokenCount": 10_500,
}
CONVERSE = {
    "inputTokens": 1_000,
    "cacheReadInputTokens": 9_000,
    "cacheWriteInputTokens": 0,
    "outputTokens": 500,
    "totalTokens": 10_500,
}
BOTH_WAYS: dict[str, tuple[Usage, Usage]] = {
    # each time 1,000 fresh, 9,000 from the cache and 500 of output, at GPT-5's prices: 0.00125 + 0.001125 + 0.005
    "openai-chat": (of_whole("openai-chat", {"usage": CHAT}), of_stream("openai-chat", chat(CHAT))),
    "openai-responses": (
        of_whole("openai-responses", {"usage": RESPONSES, "output": []}),
        of_stream("openai-responses", responses({"usage": RESPONSES, "output": []})),
    ),
    "gemini-generate": (
        of_whole("gemini-generate", {"usageMetadata": GEMINI}),
        of_stream(
            "gemini-generate",
            [
                {"usageMetadata": {"promptTokenCount": 10_000, "totalTokenCount": 10_000}, "candidates": []},
                {"usageMetadata": GEMINI, "candidates": []},
            ],
        ),
    ),
    "mistral-chat": (
        of_whole("mistral-chat", {"usage": {**CHAT, "completion_tokens_details": None}}, "mistral"),
        of_stream("mistral-chat", chat({**CHAT, "completion_tokens_details": None}), "mistral"),
    ),
    "bedrock-converse": (
        of_whole("bedrock-converse", {"usage": CONVERSE}),
        of_stream("bedrock-converse", [{"messageStop": {"stopReason": "end_turn"}}, {"metadata": {"usage": CONVERSE}}]),
    ),
}


@pytest.mark.parametrize(("whole", "streamed"), BOTH_WAYS.values(), ids=BOTH_WAYS.keys())
def test_c03_a_stream_keeps_the_cache_and_costs_what_the_whole_answer_costs(whole: Usage, streamed: Usage) -> None:
    assert bill(whole, GPT_5).total == D("0.007375")
    assert bill(streamed, GPT_5) == bill(whole, GPT_5)


def test_c03_anthropic_tells_the_cache_at_the_start_of_a_stream_only() -> None:
    early = {**MESSAGES, "output_tokens": 2}

    whole = bill(of_whole("anthropic-messages", {"usage": MESSAGES}), OPUS_4_5)
    streamed = bill(of_stream("anthropic-messages", anthropic(early, {"output_tokens": 500})), OPUS_4_5)

    # 400 x 5 + 9,000 x 0.5 + 200 x 6.25 + 400 x 10 + 500 x 25
    assert (whole.total, streamed.total) == (D("0.02425"), D("0.02425"))


def test_c04_a_cached_part_beyond_its_total_is_clamped_and_said() -> None:
    # new-api#5003: an input of 56,322, of which 72,960 are said to be cached
    report = {"prompt_tokens": 56_322, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 72_960}}

    usage = of_whole("openai-chat", {"usage": report})

    assert usage.inconsistent
    assert bill(usage, GPT_5).parts == {"cache_read": D("0.00704025")}  # 56,322 x 0.125


def test_c05_anthropic_s_names_in_an_openai_report_are_not_counted_again() -> None:
    # LiteLLM#40006: a gateway behind a gateway gives the cached part under both names.
    report = {
        **CHAT,
        "completion_tokens_details": None,
        "cache_read_input_tokens": 9_000,
        "cache_creation_input_tokens": 0,
    }

    assert bill(of_whole("openai-chat", {"usage": report}), GPT_5).total == D("0.007375")


def test_c05_openai_s_names_in_an_anthropic_report_are_not_taken_off() -> None:
    report = {**MESSAGES, "prompt_tokens": 10_000, "prompt_tokens_details": {"cached_tokens": 9_000}}

    assert bill(of_whole("anthropic-messages", {"usage": report}), OPUS_4_5).total == D("0.02425")


def test_c06_how_long_a_cache_write_is_kept_is_read() -> None:
    report = {
        "input_tokens": 0,
        "cache_creation_input_tokens": 1_000_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 600_000, "ephemeral_1h_input_tokens": 400_000},
        "output_tokens": 0,
    }
    bedrock = {
        "inputTokens": 0,
        "outputTokens": 0,
        "cacheWriteInputTokens": 1_000_000,
        "cacheDetails": [{"ttl": "5m", "inputTokens": 600_000}, {"ttl": "1h", "inputTokens": 400_000}],
    }

    expected = {"cache_write": D("3.75"), "cache_write_1h": D(4)}
    assert bill(of_whole("anthropic-messages", {"usage": report}), OPUS_4_5).parts == expected
    assert bill(of_whole("bedrock-converse", {"usage": bedrock}), OPUS_4_5).parts == expected


THOUGHTS = {
    "beside the candidates": {"candidatesTokenCount": 100, "thoughtsTokenCount": 900, "totalTokenCount": 2_000},
    "inside the candidates": {"candidatesTokenCount": 1_000, "thoughtsTokenCount": 900, "totalTokenCount": 2_000},
    "none told apart": {"candidatesTokenCount": 1_000, "totalTokenCount": 2_000},
    "no total": {"candidatesTokenCount": 100, "thoughtsTokenCount": 900},
}


@pytest.mark.parametrize("report", THOUGHTS.values(), ids=THOUGHTS.keys())
def test_c11_gemini_s_thoughts_are_billed_once(report: dict[str, int]) -> None:
    usage = of_whole("gemini-generate", {"usageMetadata": {"promptTokenCount": 1_000, **report}})

    assert bill(usage, GEMINI_2_5_PRO).total == D("0.01125")  # 1,000 x 1.25 + 1,000 x 10
    assert not usage.inconsistent


def test_c26_usage_nested_in_the_last_event_of_responses() -> None:
    # theam/facility#232: whole runs of Codex were metered at $0
    events = [
        {"type": "response.created", "response": {"id": "r", "status": "in_progress", "usage": None}},
        *responses({"usage": RESPONSES, "output": []}),
    ]

    assert bill(of_stream("openai-responses", events), GPT_5).total == D("0.007375")


def test_c26_the_cache_in_the_last_event_only() -> None:
    # jeremychone/rust-genai#258: DashScope's Anthropic-compatible streams begin with zeros
    zeros = {"input_tokens": 0, "output_tokens": 0}

    assert bill(of_stream("anthropic-messages", anthropic(zeros, MESSAGES)), OPUS_4_5).total == D("0.02425")


PLAIN = {"prompt_tokens": 10_000, "completion_tokens": 500, "total_tokens": 10_500}
CACHED: dict[str, tuple[str, dict[str, Any]]] = {
    "vLLM, OpenAI, Groq, Fireworks": ("vllm", {**PLAIN, "prompt_tokens_details": {"cached_tokens": 9_000}}),
    "DeepSeek": (
        "deepseek",
        {**PLAIN, "prompt_cache_hit_tokens": 9_000, "prompt_cache_miss_tokens": 1_000},
    ),
    "DeepSeek, both ways": (
        "deepseek",
        {**PLAIN, "prompt_cache_hit_tokens": 9_000, "prompt_tokens_details": {"cached_tokens": 9_000}},
    ),
    "Together, Moonshot": ("together", {**PLAIN, "cached_tokens": 9_000}),
    "Mistral": ("mistral", {**PLAIN, "num_cached_tokens": 9_000}),
    "xAI": (
        "xai",
        {
            "prompt_tokens": 10_000,
            "completion_tokens": 200,
            "total_tokens": 10_500,
            "prompt_tokens_details": {"cached_tokens": 9_000},
            "completion_tokens_details": {"reasoning_tokens": 300},
        },
    ),
}


@pytest.mark.parametrize(("kind", "report"), CACHED.values(), ids=CACHED.keys())
def test_c27_every_host_s_cached_tokens_are_read(kind: str, report: dict[str, Any]) -> None:
    dialect = "mistral-chat" if kind == "mistral" else "openai-chat"

    result = bill(of_whole(dialect, {"usage": report}, kind), GPT_5)

    assert (result.total, result.parts["cache_read"]) == (D("0.007375"), D("0.001125"))


def test_c28_cached_sound_is_told_from_fresh_sound_and_from_cached_text() -> None:
    report = {
        "prompt_tokens": 12_000,
        "completion_tokens": 0,
        "prompt_tokens_details": {
            "cached_tokens": 11_000,
            "audio_tokens": 11_000,
            "cached_tokens_details": {"text_tokens": 1_000, "audio_tokens": 10_000},
        },
    }
    gemini = {
        "promptTokenCount": 12_000,
        "cachedContentTokenCount": 11_000,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 11_000}, {"modality": "TEXT", "tokenCount": 1_000}],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 10_000}, {"modality": "TEXT", "tokenCount": 1_000}],
    }

    assert bill(of_whole("openai-chat", {"usage": report}), GPT_REALTIME).parts == {
        "cache_read": D("0.0004"),
        "cache_read_audio": D("0.004"),
        "input_audio": D("0.032"),
    }
    assert bill(of_whole("gemini-generate", {"usageMetadata": gemini}), GEMINI_2_5_FLASH).parts == {
        "cache_read": D("0.00003"),
        "cache_read_audio": D("0.001"),
        "input_audio": D("0.001"),
    }
