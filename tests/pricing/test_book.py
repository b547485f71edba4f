"""pricing.book: which price holds."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from timeit import repeat

import pytest

from costspan.ir.usage import Usage
from costspan.pricing.book import FREE, PriceBook
from costspan.pricing.catalog import Catalog
from costspan.pricing.cost import cost
from costspan.pricing.rates import Rates, Row, rates_of

D = Decimal
NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def row(provider: str, model: str, source: str, from_: date | None = None, to: date | None = None) -> Row:
    return Row(provider, model, rates_of({"input": D(1), "output": D(2)}), source, from_=from_, to=to)


CATALOG = Catalog(
    {
        "version": "0.2.3",
        "aliases": {"vertex": "google"},
        "providers": {
            "openai": {
                "fallback": [],
                "models": [
                    ["gpt-5-mini", ["starts_with", "gpt-5-mini"], [[None, {"input_mtok": "0.25"}]], []],
                    ["gpt-4", ["equals", "gpt-4"], [[None, {"input_mtok": "30"}]], []],
                    ["gpt-4-old", ["equals", "gpt-4-0314"], [[None, {"input_mtok": "60"}]], []],
                    ["gpt-5", ["starts_with", "gpt-5"], [[None, {"input_mtok": "1.25"}]], []],
                ],
            },
            "google": {
                "fallback": [],
                "models": [["gemini", ["contains", "gemini"], [[None, {"input_mtok": "0.3"}]], []]],
            },
        },
    }
)

ROWS = [
    row("openai", "gpt-5", "kind exact"),
    row("openai", "gpt-*", "kind glob"),
    row("openai", "gpt-5*", "kind longer glob"),
    row("team", "gpt-?", "name glob"),
    row("team", "o3", "name exact"),
    row("team", "o3-[mp]*", "name class"),
    row("team", "dated", "old", None, date(2026, 5, 1)),
    row("openai", "dated", "kind, dated"),
]

FOUND: dict[str, tuple[dict[str, str | None], str | None]] = {
    "the name's glob before the kind's exact row": ({"model": "gpt-5"}, "name glob"),
    "the kind's exact row before its globs": ({"provider": "openai", "model": "gpt-5"}, "kind exact"),
    "the longer glob": ({"model": "gpt-5-mini"}, "kind longer glob"),
    "the shorter glob": ({"model": "gpt-4.1"}, "kind glob"),
    "the name's exact row": ({"model": "o3"}, "name exact"),
    "a character class": ({"model": "o3-mini"}, "name class"),
    "globs match the whole name": ({"model": "xgpt-5", "kind": "none"}, None),
    "case counts": ({"model": "O3", "kind": "none"}, None),
    "a row that has ended gives way": ({"model": "dated"}, "kind, dated"),
    "the served model when the requested is unknown": ({"model": "alias", "served": "o3"}, "name exact"),
    "the requested model before the served": ({"model": "o3", "served": "gpt-5"}, "name exact"),
    "another provider's rows are not ours": ({"provider": "other", "model": "o3", "kind": "none"}, None),
    "free, though the kind has a row": ({"model": "dated", "price_as": "free"}, "free"),
    "a row for the name, though free": ({"model": "o3", "price_as": "free"}, "name exact"),
    "the catalog by kind": ({"model": "gpt-5x", "provider": "x", "kind": "vertex"}, None),
    "the catalog by the kind's alias": ({"model": "gemini-9", "kind": "vertex"}, "catalog:google/gemini"),
    "the catalog as configured": ({"model": "gemini-9", "price_as": "google"}, "catalog:google/gemini"),
    "the catalog where the provider reports cost": (
        {"model": "gemini-9", "kind": "google", "price_as": "provider"},
        "catalog:google/gemini",
    ),
    "the catalog by served model": ({"model": "x", "kind": "google", "served": "gemini"}, "catalog:google/gemini"),
    "a row for the served model before the catalog": (
        {"model": "gemini-9", "kind": "google", "served": "o3"},
        "name exact",
    ),
    "nothing": ({"model": "x"}, None),
}


@pytest.mark.parametrize(("asked", "source"), FOUND.values(), ids=FOUND.keys())
def test_look_up(asked: dict[str, str | None], source: str | None) -> None:
    book = PriceBook(ROWS, CATALOG, "table-1")

    price = book.find(
        asked.get("provider") or "team",
        asked.get("kind") or "openai",
        asked["model"] or "",
        served=asked.get("served"),
        price_as=asked.get("price_as"),
        at=NOON,
    )

    assert (price and price.source) == source


BEFORE_ANSWERS = {name: case for name, case in FOUND.items() if "served" not in case[0]}


@pytest.mark.parametrize(("asked", "source"), BEFORE_ANSWERS.values(), ids=BEFORE_ANSWERS.keys())
def test_the_row_before_any_answer_is_the_one_that_is_billed(asked: dict[str, str | None], source: str | None) -> None:
    book = PriceBook(ROWS, CATALOG, "table-1")

    row = book.row(
        asked.get("provider") or "team",
        asked.get("kind") or "openai",
        asked["model"] or "",
        price_as=asked.get("price_as"),
        at=NOON,
    )

    assert (row and row.source) == source


SERVED: dict[str, tuple[str, str | None, str | None, bool]] = {
    "not known": ("gpt-5", None, "gpt-5", False),
    "the same": ("gpt-5", "gpt-5", "gpt-5", False),
    "another": ("gpt-5", "gpt-5-mini-2025-08-07", "gpt-5-mini", True),
    "another, smaller asked": ("gpt-5-mini", "gpt-5", "gpt-5", True),
    "dated": ("gpt-5", "gpt-5-2025-08-07", "gpt-5", False),
    "another name for the same row": ("gpt-5", "gpt-5x", "gpt-5", False),
    "a dated spelling keeps the requested price": ("gpt-4", "gpt-4-0314", "gpt-4", False),
    "without `latest` and its variant": ("gpt-4:nitro", "gpt-4-0314", "gpt-4-old", False),
    "without a price": ("gpt-5", "mystery", "gpt-5", False),
    "only the served has one": ("auto", "gpt-5", "gpt-5", False),
    "neither": ("auto", "mystery", None, False),
}


@pytest.mark.parametrize(("asked", "served", "name", "flagged"), SERVED.values(), ids=SERVED.keys())
def test_another_model_that_answered_is_billed_at_its_own_price(
    asked: str, served: str | None, name: str | None, *, flagged: bool
) -> None:
    price = PriceBook([], CATALOG, "1").find("openai", "openai", asked, served=served, at=NOON)

    assert (price and price.source) == (name and f"catalog:openai/{name}")
    assert price is None or cost(Usage({"input": 1}), price, at=NOON).flags == ("served_other_model",) * flagged


def test_a_row_for_the_requested_model_holds_whatever_served() -> None:
    book = PriceBook([row("openai", "gpt-5", "deployment")], CATALOG, "1")

    price = book.find("openai", "openai", "gpt-5", served="gpt-4", at=NOON)

    assert price is not None
    assert (price.source, price.flags) == ("deployment", ())


def test_a_price_carries_the_version_of_where_it_was_found() -> None:
    book = PriceBook(ROWS, CATALOG, "table-1")

    prices = [book.find("team", "google", model, at=NOON) for model in ("o3", "gemini")]

    assert [price.version for price in prices if price] == ["table-1", "genai-prices 0.2.3"]


def test_a_price_carries_all_of_its_row_and_the_discount() -> None:
    book = PriceBook([row("team", "o3", "here")], None, "1")

    price = book.find("team", "openai", "o3", discount=D("0.12"), at=NOON)

    assert price is not None
    assert cost(Usage({"input": 1_000_000}), price, at=NOON).total == D("0.88")


def test_without_a_catalog_only_rows_count() -> None:
    assert PriceBook(ROWS, None, "1").find("x", "google", "gemini", at=NOON) is None


def test_an_answer_is_remembered_for_its_day_only() -> None:
    change = date(2026, 11, 2)
    book = PriceBook([row("p", "m", "old", None, change), row("p", "m", "new", change)], None, "1")
    times = (NOON, NOON.replace(hour=23), NOON.replace(day=2, hour=0), NOON)

    prices = [book.find("p", "p", "m", at=at) for at in times]

    assert [price and price.source for price in prices] == ["old", "old", "new", "old"]
    assert prices[0] is prices[1]


def test_the_memory_is_bounded_though_names_come_from_clients() -> None:
    book = PriceBook(ROWS, None, "1")

    for number in range(5_000):
        book.find("team", "openai", f"gpt-{number}", at=NOON)

    assert len(book._answers) <= 4096


def test_a_remembered_price_is_found_in_microseconds() -> None:
    book = PriceBook(ROWS, CATALOG, "1")

    best = min(repeat(lambda: book.find("team", "openai", "gpt-5", at=NOON), number=200, repeat=20)) / 200

    assert best < 10e-6  # measured 0.3 µs; the slack is for loaded machines


def test_the_free_price_covers_everything() -> None:
    usage = Usage({"input": 1, "output_image": 2, "cache_write_1h": 3}, {"searches": 4, "requests": 1})

    result = cost(usage, FREE, at=NOON)

    assert (result.total, result.flags, FREE.free) == (D(0), (), True)


def test_a_row_without_rates_prices_nothing() -> None:
    price = PriceBook([Row("p", "m", Rates(), "here")], None, "1").find("p", "p", "m", at=NOON)

    assert price is not None
    assert cost(Usage({"input": 1}), price, at=NOON).flags == ("unpriced_bucket:input",)
