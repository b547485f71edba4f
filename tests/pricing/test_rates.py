"""pricing.rates: which rate bills which bucket, and the words of gateway.yaml."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from costspan.ir.usage import BUCKETS, UNITS, Usage
from costspan.pricing.cost import cost
from costspan.pricing.rates import Hours, Price, Rates, Row, ServiceTier, Tier, in_force, rates_of

D = Decimal
NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)

FALLBACKS = {
    # bucket: own rates, the rate that bills, the flag
    "own rate": ("cache_read", {"input": 4, "cache_read": 1}, 1, ()),
    "own rate of zero": ("cache_read", {"input": 4, "cache_read": 0}, 0, ()),
    "reasoning is output": ("reasoning", {"output": 8}, 8, ()),
    "images are input": ("input_image", {"input": 4}, 4, ()),
    "video is input": ("input_video", {"input": 4}, 4, ()),
    "cache read": ("cache_read", {"input": 4}, 4, ("billed_as:cache_read:input",)),
    "cache write": ("cache_write", {"input": 4}, 4, ("billed_as:cache_write:input",)),
    "1h write, 5m known": (
        "cache_write_1h",
        {"input": 4, "cache_write": 5},
        5,
        ("billed_as:cache_write_1h:cache_write",),
    ),
    "1h write, nothing known": ("cache_write_1h", {"input": 4}, 4, ("billed_as:cache_write_1h:input",)),
    "audio": ("input_audio", {"input": 4}, 4, ("billed_as:input_audio:input",)),
    "cached audio": (
        "cache_read_audio",
        {"input": 4, "cache_read": 1, "input_audio": 32},
        1,
        ("billed_as:cache_read_audio:cache_read",),
    ),
    "cached audio, no cache": (
        "cache_read_audio",
        {"input": 4, "input_audio": 32},
        32,
        ("billed_as:cache_read_audio:input_audio",),
    ),
    "audio output": ("output_audio", {"output": 8}, 8, ("billed_as:output_audio:output",)),
    "image output": ("output_image", {"output": 8}, 8, ("billed_as:output_image:output",)),
}


@pytest.mark.parametrize(("bucket", "own", "rate", "flags"), FALLBACKS.values(), ids=FALLBACKS.keys())
def test_a_bucket_without_its_own_rate_is_billed_at_anothers(
    bucket: str, own: dict[str, int], rate: int, flags: tuple[str, ...]
) -> None:
    price = Price(Rates({name: D(each) for name, each in own.items()}))

    result = cost(Usage({bucket: 1_000_000}), price, at=NOON)

    assert (result.total, result.flags) == (D(rate), flags)


def test_a_flag_appears_only_when_the_bucket_was_used() -> None:
    assert cost(Usage({"input": 5, "cache_read": 0}), Price(Rates({"input": D(4)})), at=NOON).flags == ()


def test_every_word_of_the_file_names_a_bucket_or_a_unit() -> None:
    words = {
        "input": D(1),
        "reasoning": D(2),
        "per_request": D(3),
        "web_search": D(4),
        "per_audio_minute": D(5),
        "per_million_characters": D(6),
        "pages": D(7),
    }

    assert rates_of(words) == Rates(
        tokens={"input": D(1), "reasoning": D(2)},
        units={
            "requests": D(3),
            "web_search_calls": D(4),
            "audio_seconds": D(5),
            "characters": D(6),
            "pages": D(7),
        },
        per={"audio_seconds": 60, "characters": 1_000_000},
    )


def test_every_bucket_and_unit_can_be_priced_by_its_own_name() -> None:
    rates = rates_of(dict.fromkeys((*BUCKETS, *UNITS), D(1)))

    assert (set(rates.tokens), set(rates.units)) == (set(BUCKETS), set(UNITS))


def test_an_unknown_word_is_an_error() -> None:
    with pytest.raises(KeyError, match="inptu"):
        rates_of({"inptu": D(1)})


def test_two_fees_for_one_unit_are_an_error() -> None:
    with pytest.raises(ValueError, match="per_audio_hour, per_audio_minute"):
        rates_of({"per_audio_minute": D(1), "per_audio_hour": D(1)})


def test_an_overlaid_fee_brings_its_own_size() -> None:
    by_hour = rates_of({"per_audio_hour": D(36), "per_million_characters": D(15)})

    assert by_hour.overlaid(rates_of({"per_audio_second": D(1)})) == Rates(
        units={"audio_seconds": D(1), "characters": D(15)}, per={"characters": 1_000_000}
    )


ORDER = {
    "base": (Usage({"input": 10}), 12, D("0.00001")),
    "size tier": (Usage({"input": 11}), 12, D("0.000022")),
    "own rates of the service tier": (Usage({"input": 11}, service_tier="fast"), 12, D("0.000055")),
    "own size tier of the service tier": (Usage({"input": 21}, service_tier="fast"), 12, D("0.000147")),
    "a factor on the size tier": (Usage({"input": 11}, service_tier="flex"), 12, D("0.000011")),
    "hour band": (Usage({"input": 10}), 23, D("0.0000025")),
    "hour band past midnight": (Usage({"input": 10}), 0, D("0.0000025")),
    "own rates of an hour band": (Usage({"input": 10}), 5, D("0.00003")),
    "everything": (Usage({"input": 21}, service_tier="flex"), 23, D("0.00000525")),
}


@pytest.mark.parametrize(("usage", "hour", "expected"), ORDER.values(), ids=ORDER.keys())
def test_size_tier_then_service_tier_then_hours(usage: Usage, hour: int, expected: Decimal) -> None:
    price = Price(
        rates_of({"input": D(1), "output": D(1)}),
        tiers=(Tier(10, rates_of({"input": D(2)})),),
        service_tiers={
            "fast": ServiceTier(rates=rates_of({"input": D(5)}), tiers=(Tier(20, rates_of({"input": D(7)})),)),
            "flex": ServiceTier(multiplier=D("0.5")),
        },
        hours=(Hours(22 * 60, 60, D("0.25")), Hours(5 * 60, 6 * 60, rates=rates_of({"input": D(3)}))),
    )

    assert cost(usage, price, at=NOON.replace(hour=hour)).total == expected


TIERS = {
    "the highest that is exceeded": (250, D("0.00075")),
    "the lower one": (200, D("0.0004")),
    "none": (100, D("0.0001")),
}


@pytest.mark.parametrize(("prompt", "expected"), TIERS.values(), ids=TIERS.keys())
def test_of_several_tiers_the_highest_exceeded_counts(prompt: int, expected: Decimal) -> None:
    tiers = (Tier(200, rates_of({"input": D(3)})), Tier(100, rates_of({"input": D(2)})))

    assert cost(Usage({"input": prompt}), Price(rates_of({"input": D(1)}), tiers=tiers), at=NOON).total == expected


BANDS = {
    "first minute": (Hours(60, 120), 60, True),
    "end is outside": (Hours(60, 120), 120, False),
    "before midnight": (Hours(990, 30), 1439, True),
    "after midnight": (Hours(990, 30), 29, True),
    "midday": (Hours(990, 30), 720, False),
    "whole day": (Hours(0, 0), 720, True),
}


@pytest.mark.parametrize(("band", "minute", "expected"), BANDS.values(), ids=BANDS.keys())
def test_hour_bands_are_half_open_and_wrap(band: Hours, minute: int, expected: bool) -> None:
    assert band.covers(minute) is expected


def test_of_two_hour_bands_the_first_counts() -> None:
    price = Price(rates_of({"input": D(1)}), hours=(Hours(0, 780, D(2)), Hours(700, 800, D(3))))

    assert cost(Usage({"input": 1_000_000}), price, at=NOON).total == D(2)


def test_two_hour_bands_that_begin_together_do_not_share_their_rates() -> None:
    own = rates_of({"input": D(5)})
    price = Price(rates_of({"input": D(1)}), hours=(Hours(720, 721, D(2)), Hours(720, 800, D(1), own)))
    usage = Usage({"input": 1_000_000})

    assert [cost(usage, price, at=NOON.replace(minute=minute)).total for minute in (0, 1, 0)] == [D(2), D(5), D(2)]


def _row(source: str, from_: date | None = None, to: date | None = None) -> Row:
    return Row("p", "m", Rates(), source, from_=from_, to=to)


def test_of_rows_in_force_the_latest_counts_then_the_first_written() -> None:
    may = date(2026, 5, 1)
    rows = (
        _row("always"),
        _row("may", may),
        _row("may again", may),
        _row("past", None, may),
        _row("june", date(2026, 6, 1)),
    )

    assert [row and row.source for row in (in_force(rows, day) for day in (date(2026, 4, 30), may))] == [
        "always",
        "may",
    ]


def test_no_row_may_be_in_force() -> None:
    assert in_force((_row("past", None, date(2026, 5, 1)),), date(2026, 5, 1)) is None


FREE = {
    "all zero": (Price(rates_of({"input": D(0), "output": D(0), "web_search": D("0.00")})), True),
    "one fee": (Price(rates_of({"input": D(0), "web_search": D("0.01")})), False),
    "no rates": (Price(Rates()), False),
    "a dear size tier": (Price(rates_of({"input": D(0)}), tiers=(Tier(9, rates_of({"input": D(1)})),)), False),
    "a dear service tier": (
        Price(rates_of({"input": D(0)}), service_tiers={"fast": ServiceTier(rates=rates_of({"input": D(1)}))}),
        False,
    ),
    "a service tier with a dear size tier": (
        Price(
            rates_of({"input": D(0)}), service_tiers={"fast": ServiceTier(tiers=(Tier(9, rates_of({"input": D(1)})),))}
        ),
        False,
    ),
    "dear hours": (Price(rates_of({"input": D(0)}), hours=(Hours(0, 9, rates=rates_of({"input": D(1)})),)), False),
}


@pytest.mark.parametrize(("price", "expected"), FREE.values(), ids=FREE.keys())
def test_a_price_is_free_when_every_rate_is_zero(price: Price, expected: bool) -> None:
    assert price.free is expected
