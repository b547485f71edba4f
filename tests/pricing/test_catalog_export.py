"""pricing.catalog_export: what leaves genai-prices prices as genai-prices does.

Every model of seven providers, on random usage, in every service tier, before and after each change of price and in and
out of each time of day, against genai-prices' own `calc_price`. Intended differences, kept out of the comparison:

- Counts that `Usage` has no bucket for (cached images, citations, output video) stay 0.
- A fee for requests is compared with `requests` of 1, which genai-prices assumes.
Tiers need no exception: genai-prices too switches the whole request strictly above the threshold.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from random import Random

import genai_prices
import pytest
from genai_prices import types
from genai_prices.data import providers

from costspan.ir.usage import INPUT_BUCKETS, OUTPUT_BUCKETS, Usage
from costspan.pricing.book import PriceBook
from costspan.pricing.catalog import Catalog
from costspan.pricing.catalog_export import RELEASED, _match, _minute, export
from costspan.pricing.cost import cost
from costspan.wire import json

PROVIDERS = ("openai", "anthropic", "google", "groq", "mistral", "x-ai", "deepseek")
TIERS = {
    None: None,
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast", "speed": "fast"},
    "batch": {"processing": "batch"},
}


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook([], Catalog.from_export(export(PROVIDERS)), "none")


def _usage(random: Random) -> Usage:
    """A usage of about half of the buckets, on both sides of the usual thresholds."""
    size = random.choice([300, 50_000, 400_000])
    tokens = {bucket: random.randrange(size) for bucket in INPUT_BUCKETS + OUTPUT_BUCKETS if random.random() < 0.5}
    units: dict[str, int | Decimal] = {
        unit: random.choice([1, 7, random.randrange(10, 5000)])
        for unit in ("web_search_calls", "file_search_calls", "characters", "audio_seconds", "pages")
        if random.random() < 0.3
    }
    return Usage(tokens, units)


def _as_theirs(usage: Usage) -> types.Usage:
    """The same usage in overlapping counts: each includes its parts."""
    tokens = {bucket: usage.tokens.get(bucket, 0) for bucket in INPUT_BUCKETS + OUTPUT_BUCKETS}
    cached_audio = tokens["cache_read_audio"]
    return types.Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=tokens["cache_read"] + cached_audio,
        cache_write_tokens=tokens["cache_write"] + tokens["cache_write_1h"],
        cache_write_1h_tokens=tokens["cache_write_1h"],
        input_audio_tokens=tokens["input_audio"] + cached_audio,
        cache_audio_read_tokens=cached_audio,
        cache_image_read_tokens=0,
        input_image_tokens=tokens["input_image"],
        input_video_tokens=tokens["input_video"],
        output_reasoning_tokens=tokens["reasoning"],
        output_audio_tokens=tokens["output_audio"],
        output_image_tokens=tokens["output_image"],
        **{
            theirs: usage.units.get(ours, 0)
            for ours, theirs in {
                "web_search_calls": "web_searches",
                "file_search_calls": "storage_searches",
                "characters": "input_characters",
                "audio_seconds": "audio_seconds",
                "pages": "input_document_pages",
            }.items()
        },
        input_audio_seconds=usage.units.get("audio_seconds", 0),
    )


def _moments(model: types.ModelInfo) -> list[datetime]:
    """A little before and after everything that changes the price."""
    moments = [datetime(2026, 11, 1, 12, 0, tzinfo=UTC)]
    conditional = model.prices if isinstance(model.prices, list) else []
    for each in (*conditional, *(model.price_variants or ())):
        match each.constraint:
            case types.StartDateConstraint(start_date=day):
                start = datetime(day.year, day.month, day.day, tzinfo=UTC)
                moments += [start - timedelta(seconds=1), start]
            case types.TimeOfDateConstraint(start_time=begin, end_time=end):
                moments += [datetime(2026, 11, 1, time.hour, time.minute, tzinfo=UTC) for time in (begin, end)]
    return sorted(set(moments))


@pytest.mark.parametrize("provider_id", PROVIDERS)
def test_every_model_costs_what_genai_prices_says(book: PriceBook, provider_id: str) -> None:
    provider = next(each for each in providers if each.id == provider_id)
    random = Random(provider_id)
    compared = 0
    for model in provider.models:
        for at in _moments(model):
            for tier, context in TIERS.items():
                usage = _usage(random)
                price = book.find(provider_id, provider_id, model.id, at=at)
                found = provider.find_model(model.id)
                if found is None:  # some ids do not match their own rule
                    assert price is None
                    continue
                assert price is not None
                theirs = _their_price(found, provider, usage, at, context)
                ours = cost(usage, price, service_tier=tier, at=at)
                assert _close(ours.total, theirs), (model.id, at, tier, usage, ours, theirs)
                compared += 1

    assert compared >= 5 * len(provider.models) - 25


def _their_price(
    model: types.ModelInfo, provider: types.Provider, usage: Usage, at: datetime, context: dict[str, str] | None
) -> Decimal:
    with localcontext(prec=60):
        return model.calc_price(
            _as_theirs(usage), provider, genai_request_timestamp=at, price_context=context
        ).total_price


def _close(ours: Decimal, theirs: Decimal) -> bool:
    """Equal, but for the last of 60 digits where an hour's price is divided into seconds."""
    return abs(ours - theirs) < Decimal("1E-40")


RESOLVED = {
    "requested as an alias": ("vertex", "gemini-2.5-pro", "catalog:google/gemini-2.5-pro"),
    "resold": ("azure", "gpt-5", "catalog:openai/gpt-5"),
    "a dated snapshot": ("openai", "gpt-5-2025-08-07", "catalog:openai/gpt-5"),
    "another spelling": ("anthropic", "claude-sonnet-4-5-20250929", "catalog:anthropic/claude-sonnet-4-5"),
}


@pytest.mark.parametrize(("kind", "model", "source"), RESOLVED.values(), ids=RESOLVED.keys())
def test_names_are_resolved_as_genai_prices_does(kind: str, model: str, source: str) -> None:
    made = PriceBook([], Catalog.from_export(export([kind])), "none")

    price = made.find("any", kind, model, at=datetime(2026, 11, 1, tzinfo=UTC))

    assert price is not None
    assert (price.source, price.version) == (source, f"genai-prices {genai_prices.__version__}")


def test_the_child_process_writes_what_was_asked_for_and_what_that_resells() -> None:
    ran = subprocess.run(
        [sys.executable, "-I", "-m", "costspan.pricing.catalog_export", "azure", "gemini", "nobody"],
        capture_output=True,
        check=True,
        timeout=30,
    )
    written = json.loads_object(ran.stdout)

    assert ran.stderr == b""
    assert written["aliases"] == {"gemini": "google"}
    assert {"azure", "google", "openai", "anthropic", "deepseek"} <= written["providers"].keys()
    assert "groq" not in written["providers"]


def test_without_names_every_provider_is_written() -> None:
    written = json.loads_object(export([]))

    assert written["providers"].keys() == {provider.id for provider in providers}
    assert written["aliases"] == {}


def test_the_catalog_does_not_bring_genai_prices_into_the_gateway() -> None:
    code = "import sys, costspan.pricing.book, costspan.pricing.catalog; print('genai_prices' in sys.modules)"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=30)

    assert ran.stdout == b"False\n"


def test_a_match_rule_of_a_future_version_is_refused() -> None:
    with pytest.raises(TypeError, match="str"):
        _match("a new kind of clause")  # type: ignore[arg-type] # - what the types exclude


def test_a_time_of_day_is_utc() -> None:
    local = types.TimeOfDateConstraint(
        start_time=datetime.fromisoformat("2026-01-01T08:30:00+08:00").timetz(),
        end_time=datetime.fromisoformat("2026-01-01T00:30:00").time(),
    )

    assert [_minute(local.start_time), _minute(local.end_time)] == [30, 30]


def test_the_installed_version_is_one_whose_age_is_known() -> None:
    written = json.loads_object(export(["groq"]))

    assert written["released"] == RELEASED[written["version"]]


def test_every_day_on_which_a_price_begins_is_written_whatever_was_asked_for() -> None:
    assert json.loads_object(export(["groq"]))["changes"] == json.loads_object(export([]))["changes"]
    assert {"2026-12-01", "2027-01-01"} <= set(json.loads_object(export(["groq"]))["changes"])


def test_seconds_that_are_billed_at_least_are_written_and_billed(book: PriceBook) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    price = book.find("groq", "groq", "whisper-large-v3-turbo", at=at)

    assert price is not None
    assert price.least == {"audio_seconds": 10}
    # 0.04 USD an hour; three seconds, ten and twenty
    assert [round(cost(Usage({}, {"audio_seconds": seconds}), price, at=at).total, 10) for seconds in (3, 10, 20)] == [
        *(Decimal("0.0001111111"), Decimal("0.0001111111"), Decimal("0.0002222222"))
    ]


def test_the_tokens_that_models_take_come_along(book: PriceBook) -> None:
    known = {name: book.context_window("openai", name) for name in ("gpt-5", "gpt-4", "gpt-3.5-turbo", "tts-1")}

    assert known == {"gpt-5": 400_000, "gpt-4": 8192, "gpt-3.5-turbo": 16_385, "tts-1": None}
    assert book.context_window("anthropic", "claude-sonnet-4-5") == 200_000
