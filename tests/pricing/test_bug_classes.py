"""The cost bugs that users of other gateways reported (reference peers.md 2.1), each with figures worked out by hand.

Prices are USD per million tokens, from the providers' price pages:
Claude Opus 4.5 and Sonnet 4.5: https://platform.claude.com/docs/en/about-claude/pricing (read 2026-11-23), Sonnet's
long-context rates as genai-prices 0.2.3 has them; GPT-5, gpt-realtime: https://developers.openai.com/api/docs/pricing
(genai-prices 0.2.3; gpt-realtime-1.5's model page, read 2026-11-23, has the same); Gemini 2.5 Pro and Flash:
https://ai.google.dev/gemini-api/docs/pricing (genai-prices 0.2.3).
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from costspan.ir.usage import Usage
from costspan.pricing.book import PriceBook
from costspan.pricing.cost import cost
from costspan.pricing.rates import Hours, Price, Rates, Row, ServiceTier, Tier, rates_of
from costspan.pricing.settle import add, settle

D = Decimal
NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def rates(**words: str) -> Rates:
    return rates_of({word: Decimal(rate) for word, rate in words.items()})


OPUS_4_5 = Price(
    rates(input="5", output="25", cache_write="6.25", cache_write_1h="10", cache_read="0.5", web_search="0.01")
)
SONNET_4_5 = Price(
    rates(input="3", output="15", cache_write="3.75", cache_write_1h="6", cache_read="0.3"),
    tiers=(Tier(200_000, rates(input="6", output="22.5", cache_write="7.5", cache_write_1h="12", cache_read="0.6")),),
    service_tiers={"batch": ServiceTier(D("0.5"))},
)
GPT_5 = Price(
    rates(input="1.25", output="10", cache_read="0.125", web_search="0.01"),
    service_tiers={
        "flex": ServiceTier(rates=rates(input="0.625", output="5", cache_read="0.0625")),
        "priority": ServiceTier(rates=rates(input="2.5", output="20", cache_read="0.25")),
    },
)
GPT_REALTIME = Price(
    rates(input="4", output="16", cache_read="0.4", input_audio="32", output_audio="64", cache_read_audio="0.4")
)
GEMINI_2_5_PRO = Price(
    rates(input="1.25", output="10", cache_read="0.125"), service_tiers={"flex": ServiceTier(D("0.5"))}
)


def test_c01_cache_writes_are_billed_once() -> None:
    # Bifrost#3451 billed 159,217 written tokens a second time as input: 0.796085 too much.
    result = cost(Usage({"input": 12, "cache_write": 159_217, "output": 200}), OPUS_4_5, at=NOON)

    assert result.parts == {"input": D("0.00006"), "cache_write": D("0.99510625"), "output": D("0.005")}
    assert result.total == D("1.00016625")


def test_c02_cache_reads_are_not_billed_as_input() -> None:
    # 10,000 x 1.25 + 190,000 x 0.125 + 1,000 x 10, per million; as input it would be 0.26.
    result = cost(Usage({"input": 10_000, "cache_read": 190_000, "output": 1_000}), GPT_5, at=NOON)

    assert result.total == D("0.04625")


CONVENTIONS = {
    "the total includes the cached part": Usage({"input": 56_322 - 40_000, "cache_read": 40_000}),
    "the total excludes the cached part": Usage({"input": 16_322, "cache_read": 40_000}),
}


@pytest.mark.parametrize("usage", CONVENTIONS.values(), ids=CONVENTIONS.keys())
def test_c04_both_conventions_cost_the_same_once_disjoint(usage: Usage) -> None:
    assert cost(usage, GPT_5, at=NOON).total == D("0.0254025")  # 16,322 x 1.25 + 40,000 x 0.125


def test_c04_a_negative_count_never_lowers_the_cost() -> None:
    # new-api#5003: input 56,322 - cache 72,960 = -16,638, and a negative bill.
    result = cost(Usage({"input": -16_638, "cache_read": 72_960}, {"web_search_calls": -1}), GPT_5, at=NOON)

    assert result.total == D("0.00912")
    assert result.flags == ("usage_inconsistent",)


def test_c06_one_hour_cache_writes_have_their_own_price() -> None:
    result = cost(Usage({"cache_write": 600_000, "cache_write_1h": 400_000}), OPUS_4_5, at=NOON)

    assert result.parts == {"cache_write": D("3.75"), "cache_write_1h": D(4)}


def test_c06_one_hour_cache_writes_without_a_price_say_whose_they_were_billed_at() -> None:
    result = cost(Usage({"cache_write_1h": 400_000}), Price(rates(input="5", output="25", cache_write="6.25")), at=NOON)

    assert result.total == D("2.5")
    assert result.flags == ("billed_as:cache_write_1h:cache_write",)


LONG_PROMPTS = {
    # 200,000 x 3 + 1,000 x 15
    "exactly at the threshold": (Usage({"input": 200_000, "output": 1_000}), D("0.615")),
    # 100,000 x 6 + 100,001 x 0.6 + 1,000 x 22.5: the whole request, cached part and output too
    "one cached token above": (Usage({"input": 100_000, "cache_read": 100_001, "output": 1_000}), D("0.6825006")),
    # 200,001 x 6 + 1,000 x 22.5
    "one token above": (Usage({"input": 200_001, "output": 1_000}), D("1.222506")),
    # output does not count as prompt: 10 x 3 + 300,000 x 15
    "long output": (Usage({"input": 10, "output": 300_000}), D("4.50003")),
}


@pytest.mark.parametrize(("usage", "expected"), LONG_PROMPTS.values(), ids=LONG_PROMPTS.keys())
def test_c07_a_tier_switches_the_whole_request_strictly_above_its_threshold(usage: Usage, expected: Decimal) -> None:
    assert cost(usage, SONNET_4_5, at=NOON).total == expected


def test_c08_a_tier_without_a_rate_for_a_bucket_keeps_the_rate_below() -> None:
    price = Price(rates(input="1", output="2", cache_read="0.1"), tiers=(Tier(100, rates(input="2")),))

    assert cost(Usage({"input": 100, "cache_read": 1, "output": 10}), price, at=NOON).total == D("0.0002201")


SERVED = {  # 10,000 input, 90,000 cached, 1,000 output
    "default": (GPT_5, "default", D("0.03375")),
    "flex": (GPT_5, "flex", D("0.016875")),
    "priority": (GPT_5, "priority", D("0.0675")),
    "vertex on demand": (GEMINI_2_5_PRO, "ON_DEMAND", D("0.03375")),
    "vertex flex": (GEMINI_2_5_PRO, "ON_DEMAND_FLEX", D("0.016875")),  # LiteLLM#37724: twice too much
}


@pytest.mark.parametrize(("price", "tier", "expected"), SERVED.values(), ids=SERVED.keys())
def test_c09_the_service_tier_sets_the_price(price: Price, tier: str, expected: Decimal) -> None:
    usage = Usage({"input": 10_000, "cache_read": 90_000, "output": 1_000}, service_tier=tier)

    result = cost(usage, price, at=NOON)

    assert (result.total, result.flags) == (expected, ())


def test_c09_a_tier_without_a_price_is_billed_at_the_base_and_said() -> None:
    result = cost(Usage({"input": 1_000_000}, service_tier="scale"), GPT_5, at=NOON)

    assert (result.total, result.flags) == (D("1.25"), ("tier_unpriced:scale",))


def test_c10_the_served_tier_wins_over_the_requested_one() -> None:
    # LiteLLM#31837: asked priority, served default, billed priority.
    result = cost(Usage({"input": 1_000_000}, service_tier="default"), GPT_5, service_tier="priority", at=NOON)

    assert (result.total, result.flags) == (D("1.25"), ())


def test_c10_a_requested_tier_that_nobody_confirmed_is_marked() -> None:
    result = cost(Usage({"input": 1_000_000}), GPT_5, service_tier="priority", at=NOON)

    assert (result.total, result.flags) == (D("2.5"), ("tier_assumed",))


def test_c11_thinking_is_billed_once_at_the_output_rate() -> None:
    result = cost(Usage({"input": 1_000, "output": 100, "reasoning": 900}), GEMINI_2_5_PRO, at=NOON)

    assert result.total == D("0.01125")  # 1,000 x 1.25 + (100 + 900) x 10
    assert result.flags == ()


def test_c12_server_tools_are_billed_by_the_call() -> None:
    # GPT-5 through Responses, 10 USD per 1,000 calls (LiteLLM#31316 billed none).
    result = cost(Usage({"input": 8_000, "output": 500}, {"web_search_calls": 3}), GPT_5, at=NOON)

    assert result.parts == {"input": D("0.01"), "output": D("0.005"), "web_search_calls": D("0.03")}


def test_c13_a_tool_without_a_fee_is_not_billed_as_another() -> None:
    result = cost(Usage({"input": 8_000}, {"file_search_calls": 2, "web_search_calls": 1}), GPT_5, at=NOON)

    assert result.parts == {"input": D("0.01"), "web_search_calls": D("0.01")}
    assert result.flags == ("unpriced_unit:file_search_calls",)


def test_c16_an_estimate_never_becomes_a_cost() -> None:
    # llmgateway#3443: one failed request billed 23.17 from characters / 4.
    settled = settle(
        None, GPT_5, price_as=None, reached=True, estimate=D("23.17"), estimate_basis="b", service_tier=None, at=NOON
    )

    assert (settled.cost_usd, settled.cost_estimated_usd, settled.status) == (None, D("23.17"), "estimated")


REPORTED = Usage({"input": 1_000_000}, reported_cost=D("0.9"))


def test_c18_the_providers_own_figure_counts_only_where_it_is_trusted() -> None:
    trusted, ours = (
        settle(
            REPORTED,
            GPT_5,
            price_as=price_as,
            reached=True,
            estimate=None,
            estimate_basis="",
            service_tier=None,
            at=NOON,
        )
        for price_as in ("provider", None)
    )

    assert (trusted.cost_usd, trusted.status, trusted.computed_usd) == (D("0.9"), "provider", D("1.25"))
    assert (ours.cost_usd, ours.status, ours.computed_usd) == (D("1.25"), "exact", D("1.25"))


def test_c19_a_configured_zero_is_a_price() -> None:
    row = Row("subscription", "*", rates(input="0", output="0"), "table:gateway.yaml:9")
    price = PriceBook([row], None, "1").find("subscription", "anthropic", "claude-opus-4-5", at=NOON)
    assert price is not None

    settled = settle(
        Usage({"input": 9, "output": 9, "cache_read": 7}),
        price,
        price_as=None,
        reached=True,
        estimate=None,
        estimate_basis="",
        service_tier=None,
        at=NOON,
    )

    assert (settled.cost_usd, settled.status) == (D(0), "free")


def test_c20_the_requested_name_is_priced_before_the_served_one() -> None:
    deployed = Row("azure-eu", "our-gpt", rates(input="1", output="2"), "table:a:1")
    canonical = Row("azure", "gpt-5-*", rates(input="3", output="4"), "table:a:2")
    book = PriceBook([canonical, deployed], None, "1")

    by_deployment = book.find("azure-eu", "azure", "our-gpt", served="gpt-5-2025-08-07", at=NOON)
    by_served = book.find("azure-eu", "azure", "other", served="gpt-5-2025-08-07", at=NOON)

    assert [price.source for price in (by_deployment, by_served) if price] == ["table:a:1", "table:a:2"]


def test_c21_an_unknown_model_has_no_cost_rather_than_none_to_pay() -> None:
    settled = settle(
        Usage({"input": 5}),
        PriceBook([], None, "1").find("openai", "openai", "gpt-99", at=NOON),
        price_as=None,
        reached=True,
        estimate=None,
        estimate_basis="",
        service_tier=None,
        at=NOON,
    )

    assert (settled.cost_usd, settled.cost_estimated_usd, settled.status) == (None, None, "unpriced")


def test_c28_cached_audio_has_its_own_price() -> None:
    result = cost(Usage({"input_audio": 1_000, "cache_read_audio": 10_000, "output_audio": 500}), GPT_REALTIME, at=NOON)

    # langwatch#7048: as fresh audio the cached part alone would be 0.32.
    assert result.parts == {"input_audio": D("0.032"), "cache_read_audio": D("0.004"), "output_audio": D("0.032")}


def test_c28_cached_audio_without_a_price_is_billed_as_cached_text_and_said() -> None:
    result = cost(
        Usage({"cache_read_audio": 10_000}), Price(rates(input="4", input_audio="32", cache_read="0.4")), at=NOON
    )

    assert (result.total, result.flags) == (D("0.004"), ("billed_as:cache_read_audio:cache_read",))


def test_c29_tokens_are_per_million_and_fees_per_one() -> None:
    price = Price(rates(input="1", output="1", per_request="1", per_audio_hour="0.111"))

    result = cost(Usage({"input": 1}, {"requests": 1, "audio_seconds": D(7200)}), price, at=NOON)

    assert result.parts == {"input": D("0.000001"), "requests": D(1), "audio_seconds": D("0.222")}


def test_c31_old_prices_stay_with_old_calls() -> None:
    book = PriceBook(
        [
            Row("deepseek", "v4", rates(input="0.22", output="0.66"), "table:a:1", to=date(2026, 9, 10)),
            Row("deepseek", "v4", rates(input="0.15", output="0.6"), "table:a:2", from_=date(2026, 9, 10)),
        ],
        None,
        "1",
    )
    times = (datetime(2026, 9, 9, 23, 59, 59, tzinfo=UTC), datetime(2026, 9, 10, tzinfo=UTC))

    prices = [book.find("deepseek", "deepseek", "v4", at=at) for at in times]

    assert [price.source for price in prices if price] == ["table:a:1", "table:a:2"]


def test_c33_a_trillion_tokens_stay_exact() -> None:
    price = Price(
        rates(input="0.123456789", output="9.87654321"),
        service_tiers={"flex": ServiceTier(D("0.333333333"))},
        hours=(Hours(0, 1440, D("0.77777")),),
        discount=D("0.123457"),
    )
    usage = Usage({"input": 10**12 + 1, "output": 10**12 - 1}, service_tier="flex")

    # ((10^12 + 1) x 123456789 + (10^12 - 1) x 9876543210) x 333333333 x 77777 x 876543 = 2272...1177, in integers;
    # decimals: 9 of the rates, 6 of the million, 9 + 5 + 6 of the factors. Python's default context keeps 28 digits.
    assert str(cost(usage, price, at=NOON).total) == "2272496.16119803783501187029520582570631177"


def test_c34_batch_applies_to_every_bucket() -> None:
    usage = Usage(
        {"input": 1_000, "cache_read": 10_000, "cache_write": 2_000, "cache_write_1h": 1_000, "output": 1_000},
        service_tier="batch",
    )

    assert cost(usage, SONNET_4_5, at=NOON).parts == {
        "input": D("0.0015"),
        "cache_read": D("0.0015"),
        "cache_write": D("0.00375"),
        "cache_write_1h": D("0.003"),
        "output": D("0.0075"),
    }


def test_c35_the_discount_applies_to_every_bucket_and_unit() -> None:
    price = Price(rates(input="5", output="25", per_image="0.04", web_search="0.01"), discount=D("0.12"))

    result = cost(
        Usage({"input": 1_000_000, "output": 1_000_000}, {"images": 3, "web_search_calls": 1}), price, at=NOON
    )

    assert result.parts == {
        "input": D("4.4"),
        "output": D(22),
        "images": D("0.1056"),
        "web_search_calls": D("0.0088"),
    }


def test_c36_an_exchange_is_the_sum_of_what_is_known_of_its_attempts() -> None:
    assert add([D("0.1"), None, D("0.02")]) == D("0.12")


def test_c37_tokens_without_a_rate_make_the_cost_unknown() -> None:
    settled = settle(
        Usage({"input": 10, "output": 10}),
        Price(rates(output="5")),
        price_as=None,
        reached=True,
        estimate=None,
        estimate_basis="",
        service_tier=None,
        at=NOON,
    )

    assert (settled.cost_usd, settled.status) == (None, "unpriced")
    assert settled.flags == ("unpriced_bucket:input",)
