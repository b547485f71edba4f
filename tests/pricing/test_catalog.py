"""pricing.catalog: models, dates and tiers of an export, written by hand here."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from costspan.errors import Malformed
from costspan.ir.usage import Usage
from costspan.pricing.book import PriceBook
from costspan.pricing.catalog import Catalog
from costspan.pricing.rates import Hours, Rates, ServiceTier, Tier
from costspan.pricing.settle import settle
from costspan.wire import json

D = Decimal
NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def catalog(*models: list[Any], **more: Any) -> Catalog:
    providers = {"p": {"fallback": [], "models": list(models)}, **more.pop("providers", {})}
    return Catalog.from_export(json.dumps({"version": "0.2.3", "aliases": {}, "providers": providers, **more}))


def model(name: str, match: list[Any] | None = None, prices: list[Any] | None = None, *variants: Any) -> list[Any]:
    return [name, match or ["equals", name], prices or [[None, {"input_mtok": "1"}]], list(variants)]


MATCHES: dict[str, tuple[list[Any], str, bool]] = {
    "equals": (["equals", "gpt-5"], "GPT-5", True),
    "equals all": (["equals", "gpt-5"], "gpt-5-mini", False),
    "starts with": (["starts_with", "gpt-5"], "gpt-5-mini", True),
    "ends with": (["ends_with", "-mini"], "gpt-5-mini", True),
    "ends with, not": (["ends_with", "-mini"], "gpt-5", False),
    "contains": (["contains", "t-5"], "gpt-5-mini", True),
    "regex": (["regex", "^gpt-5-\\d{4}-\\d{2}-\\d{2}$"], "gpt-5-2025-08-07", True),
    "regex, not": (["regex", "^gpt-5-\\d{4}-\\d{2}-\\d{2}$"], "gpt-5", False),
    "any": (["or", ["equals", "a"], ["equals", "b"]], "b", True),
    "all": (["and", ["starts_with", "a"], ["ends_with", "z"]], "abz", True),
    "not all": (["and", ["starts_with", "a"], ["ends_with", "z"]], "ab", False),
    "a compact date is read as a dashed one": (["equals", "gpt-5.2-2025-12-11"], "gpt-5.2-20251211", True),
    "digits that are no date": (["equals", "m-2025-13-41"], "m-20251341", False),
}


@pytest.mark.parametrize(("match", "name", "expected"), MATCHES.values(), ids=MATCHES.keys())
def test_models_are_matched(match: list[Any], name: str, expected: bool) -> None:
    assert (catalog(model("m", match)).find("p", name, NOON) is not None) is expected


def test_the_first_model_that_matches_counts() -> None:
    row = catalog(model("first", ["contains", "x"]), model("second", ["equals", "x"])).find("p", "x", NOON)

    assert row is not None
    assert row.source == "catalog:p/first"


def test_an_unknown_provider_has_no_prices() -> None:
    assert catalog().find("nobody", "x", NOON) is None


def test_an_alias_names_its_provider() -> None:
    assert catalog(model("x"), aliases={"q": "p"}).find("q", "x", NOON) is not None


def test_a_reseller_has_the_list_prices_of_the_maker_without_its_service_tiers() -> None:
    variant = [{"service_tier": "flex"}, None, {"input_mtok": "0.5"}]
    made = catalog(
        model("x", None, None, variant), providers={"azure": {"fallback": ["gone", "p"], "models": [model("y")]}}
    )

    own, resold = made.find("p", "x", NOON), made.find("azure", "x", NOON)

    assert own is not None
    assert resold is not None
    assert ([*own.service_tiers], [*resold.service_tiers]) == (["flex"], [])
    assert resold.source == "catalog:p/x"


def test_the_tokens_that_a_model_takes_are_known_where_the_export_says_so() -> None:
    made = catalog(
        [*model("small"), {}, 8192],
        [*model("unsaid"), {}, None],
        model("old"),
        providers={"azure": {"fallback": ["p"], "models": []}},
        aliases={"q": "p"},
    )
    windows = {name: made.context_window("p", name) for name in ("small", "unsaid", "old", "unknown")}

    assert windows == {"small": 8192, "unsaid": None, "old": None, "unknown": None}
    assert made.context_window("q", "SMALL") == made.context_window("azure", "small") == 8192
    assert made.context_window("nobody", "small") is None


def test_price_keys_become_buckets_and_units() -> None:
    prices = {
        "input_mtok": "2",
        "output_reasoning_mtok": "3",
        "cache_audio_read_mtok": "4",
        "web_searches_kcount": "10",
        "input_mchars": "15",
        "input_audio_hours": "0.1",
        "audio_hours": "0.111",
        "output_video_mtok": "2",
        "cache_image_read_mtok": "2",
    }
    row = catalog(model("x", None, [[None, prices]])).find("p", "x", NOON)

    assert row is not None
    assert row.rates == Rates(
        tokens={"input": D(2), "reasoning": D(3), "cache_read_audio": D(4)},
        units={"web_search_calls": D(10), "characters": D(15), "audio_seconds": D("0.111")},
        per={"web_search_calls": 1000, "characters": 1_000_000, "audio_seconds": 3600},
    )
    assert row.gaps == ("output_video_mtok",)


def test_tiers_of_several_rates_become_tiers_of_the_request() -> None:
    prices = {
        "input_mtok": ["1", [[100, "2"], [200, "3"]]],
        "output_mtok": ["4", [[100, "5"]]],
        "cache_read_mtok": "0.1",
    }
    row = catalog(model("x", None, [[None, prices]])).find("p", "x", NOON)

    assert row is not None
    assert row.rates == Rates({"input": D(1), "output": D(4), "cache_read": D("0.1")})
    assert row.tiers == (
        Tier(100, Rates({"input": D(2), "output": D(5)})),
        Tier(200, Rates({"input": D(3), "output": D(5)})),
    )


DATED = [
    [None, {"input_mtok": "1"}],
    [{"from": "2026-08-17"}, {"input_mtok": "2"}],
    [{"from": "2026-09-10"}, {"input_mtok": "3"}],
]
DAYS = {
    "before": ("2026-08-16T23:59:59+00:00", "1", None, date(2026, 8, 17)),
    "first day": ("2026-08-17T00:00:00+00:00", "2", date(2026, 8, 17), date(2026, 9, 10)),
    "last": ("2027-01-01T00:00:00+00:00", "3", date(2026, 9, 10), None),
}


@pytest.mark.parametrize(("at", "rate", "begin", "end"), DAYS.values(), ids=DAYS.keys())
def test_the_last_price_that_has_begun_counts(at: str, rate: str, begin: date | None, end: date | None) -> None:
    row = catalog(model("x", None, DATED)).find("p", "x", datetime.fromisoformat(at))

    assert row is not None
    assert (row.rates.tokens["input"], row.from_, row.to) == (D(rate), begin, end)


def test_before_every_price_the_first_counts() -> None:
    row = catalog(model("x", None, [[{"from": "2027-01-01"}, {"input_mtok": "1"}]])).find("p", "x", NOON)

    assert row is not None
    assert row.rates.tokens == {"input": D(1)}


def test_a_row_is_made_once_for_a_stretch_of_days() -> None:
    made = catalog(model("x", None, DATED))

    assert made.find("p", "x", NOON) is made.find("p", "x", NOON.replace(month=12))


def test_times_of_day_become_hour_bands_the_last_first() -> None:
    prices = [
        [None, {"input_mtok": "1"}],
        [{"utc": [60, 240]}, {"input_mtok": "2"}],
        [{"utc": [360, 30]}, {"input_mtok": "3"}],
    ]
    row = catalog(model("x", None, prices)).find("p", "x", NOON)

    assert row is not None
    assert row.hours == (Hours(360, 30, rates=Rates({"input": D(3)})), Hours(60, 240, rates=Rates({"input": D(2)})))


def test_a_dated_price_after_a_time_of_day_replaces_it() -> None:
    prices = [
        [None, {"input_mtok": "1"}],
        [{"utc": [60, 240]}, {"input_mtok": "2"}],
        [{"from": "2026-10-01"}, {"input_mtok": "3"}],
    ]
    made = catalog(model("x", None, prices))

    rows = [made.find("p", "x", at) for at in (NOON, NOON.replace(month=9))]

    assert [(row.rates.tokens["input"], len(row.hours)) for row in rows if row] == [(D(3), 0), (D(1), 1)]


def test_only_times_of_day_leave_the_first_as_the_price() -> None:
    row = catalog(model("x", None, [[{"utc": [60, 240]}, {"input_mtok": "2"}]])).find("p", "x", NOON)

    assert row is not None
    assert row.rates.tokens == {"input": D(2)}


def test_variants_become_service_tiers_key_by_key_the_first_counts() -> None:
    row = catalog(
        model(
            "x",
            None,
            None,
            [{"service_tier": "flex"}, None, {"input_mtok": ["0.5", [[100, "0.7"]]]}],
            [{"service_tier": "flex"}, None, {"input_mtok": "0.1", "output_mtok": "2"}],
            [{"processing": "batch"}, {"from": "2026-10-14"}, {"input_mtok": "0.4"}],
            [{"speed": "fast"}, {"from": "2027-10-14"}, {"input_mtok": "9"}],
            [{"route": "eu"}, None, {"input_mtok": "9"}],
            [{"service_tier": "flex", "route": "eu"}, None, {"input_mtok": "9"}],
        )
    ).find("p", "x", NOON)

    assert row is not None
    assert row.service_tiers == {
        "flex": ServiceTier(
            rates=Rates({"input": D("0.5"), "output": D(2)}), tiers=(Tier(100, Rates({"input": D("0.7")})),)
        ),
        "batch": ServiceTier(rates=Rates({"input": D("0.4")})),
    }
    assert (row.from_, row.to) == (date(2026, 10, 14), date(2027, 10, 14))


def test_an_export_that_is_not_json_is_malformed() -> None:
    with pytest.raises(Malformed):
        Catalog.from_export(b"Traceback (most recent call last):")


def test_a_free_model_without_prices_costs_nothing_and_another_stays_unpriced() -> None:
    book = PriceBook([], catalog(model("a/b:free", prices=[[None, {}]]), model("a/b", prices=[[None, {}]])), "1")
    usage = Usage({"input": 10, "cache_read": 5, "output": 3})
    asked = [(name, book.find("p", "p", name, at=NOON)) for name in ("a/b:free", "a/b")]

    settled = [
        settle(usage, price, price_as=None, reached=True, estimate=None, estimate_basis="", service_tier=None, at=NOON)
        for _, price in asked
    ]

    assert [(each.status, each.cost_usd) for each in settled] == [("free", Decimal(0)), ("unpriced", None)]


def test_a_model_that_searches_without_a_fee_in_the_catalog_has_a_gap() -> None:
    fees = {"input_mtok": "2.5", "web_searches_kcount": "10"}
    found = catalog(
        model("gpt-4o-search-preview", prices=[[None, {"input_mtok": "2.5"}]]),
        model("gpt-5-search-api", prices=[[None, fees]]),
    )

    rows = [found.find("p", name, NOON) for name in ("gpt-4o-search-preview", "gpt-5-search-api")]

    assert [row and row.gaps for row in rows] == [("web_search",), ()]
