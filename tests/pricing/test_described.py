"""pricing.described: rows in the words of the file."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from costspan.pricing.described import clock, described, plain, summary, words
from costspan.pricing.rates import Hours, Rates, Row, ServiceTier, Tier, rates_of

D = Decimal
ROW = Row(
    "openai",
    "gpt-5",
    rates_of({"output": D("10.00"), "input": D("1.25"), "per_audio_hour": D("0.36"), "web_search": D("0.010")}),
    "table:gateway.yaml:41",
    from_=date(2026, 1, 1),
    tiers=(Tier(272_000, rates_of({"input": D("2.5")})),),
    service_tiers={
        "flex": ServiceTier(D("0.5")),
        "priority": ServiceTier(rates=rates_of({"input": D("2.5")}), tiers=(Tier(272_000, rates_of({"input": D(5)})),)),
    },
    hours=(Hours(990, 30, D("0.5")), Hours(60, 120, rates=rates_of({"input": D(1)}))),
    gaps=("citation",),
    stated="list price page, read 2026-01-02",
    least={"audio_seconds": 10},
)


@pytest.mark.parametrize(
    ("amount", "text"),
    [("1.250", "1.25"), ("1E+2", "100"), ("0E-10", "0"), ("1E-10", "0.0000000001"), ("1" * 40 + ".5", "1" * 40 + ".5")],
)
def test_amounts_have_all_their_digits_and_no_exponent(amount: str, text: str) -> None:
    assert plain(D(amount)) == text


def test_a_program_gets_everything() -> None:
    assert described(ROW) == {
        "provider": "openai",
        "model": "gpt-5",
        "from": "2026-01-01",
        "to": None,
        "rates": {"input": "1.25", "output": "10", "per_audio_hour": "0.36", "web_search": "0.01"},
        "tiers": [{"above": 272_000, "rates": {"input": "2.5"}}],
        "service_tiers": {
            "flex": {"multiplier": "0.5", "rates": {}, "tiers": []},
            "priority": {
                "multiplier": "1",
                "rates": {"input": "2.5"},
                "tiers": [{"above": 272_000, "rates": {"input": "5"}}],
            },
        },
        "hours": [
            {"utc": "16:30-00:30", "multiplier": "0.5", "rates": {}},
            {"utc": "01:00-02:00", "multiplier": "1", "rates": {"input": "1"}},
        ],
        "least": {"audio_seconds": 10},
        "unmapped": ["citation"],
        "price_source": "table:gateway.yaml:41",
        "stated_source": "list price page, read 2026-01-02",
    }


def test_people_get_a_line_for_each_thing_that_changes_the_rates() -> None:
    assert summary(ROW) == [
        "above 272000: input 2.5",
        "flex: x 0.5",
        "priority: input 2.5",
        "priority, above 272000: input 5",
        "16:30-00:30 UTC: x 0.5",
        "01:00-02:00 UTC: input 1",
        "at least 10 audio_seconds",
    ]


def test_a_fee_for_a_number_without_a_word_is_that_for_one() -> None:
    catalogs = Rates(units={"web_search_calls": D(14), "characters": D(15), "audio_seconds": D("0.111")})
    per = Rates(catalogs.tokens, catalogs.units, {"web_search_calls": 1000, "characters": 10**6, "audio_seconds": 3600})

    assert words(per) == {"web_search": D("0.014"), "per_million_characters": D(15), "per_audio_hour": D("0.111")}


@pytest.mark.parametrize(
    ("band", "text"), [(Hours(990, 30), "16:30-00:30"), (Hours(0, 0), "00:00-24:00"), (Hours(60, 0), "01:00-00:00")]
)
def test_hours_are_written_as_in_the_file(band: Hours, text: str) -> None:
    assert clock(band) == text
