"""billing.exports.openai: line items, pages of usage and costs, and the dashboard's tables."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from costspan.billing.exports import openai
from costspan.billing.exports.charge import Charge
from costspan.billing.exports.rows import Row
from costspan.errors import Malformed

DAY = date(2026, 10, 1)
SECONDS = 1_790_812_800


def page(*results: dict[str, Any], **bucket: Any) -> Row:
    one = {"start_time": SECONDS, "end_time": SECONDS + 86_400, **bucket, "results": list(results)}
    return Row({"object": "page", "data": [one]}, "line 1")


def cost(value: object = Decimal("0.06"), **changes: Any) -> dict[str, Any]:
    return {"object": "organization.costs.result", "amount": {"value": value, "currency": "usd"}, **changes}


ITEMS: dict[str, tuple[str, str | None, str | None, str]] = {
    "input": ("gpt-5.5-2026-04-23, input", "gpt-5.5-2026-04-23", "input", "usage"),
    "cached": ("gpt-5.5-2026-04-23, cached input", "gpt-5.5-2026-04-23", "cache_read", "usage"),
    "with underscores": ("gpt-6-astra, input_tokens", "gpt-6-astra", "input", "usage"),
    "cache writes": ("gpt-5.6-sol, cache writes", "gpt-5.6-sol", "cache_write", "usage"),
    "another tier": ("priority | gpt-5.6-sol, output, long context", "gpt-5.6-sol", "output", "usage"),
    "audio": ("gpt-audio-mini-2025-12-15 audio, input", "gpt-audio-mini-2025-12-15", "input_audio", "usage"),
    "an image": ("gpt-image-2.5-flare image, output", "gpt-image-2.5-flare", "output_image", "usage"),
    "text of an image model": ("gpt-image-2.5 text, cached input", "gpt-image-2.5", "cache_read", "usage"),
    "tuned": ("ft-gpt-4o-2024-08-06, input", "ft-gpt-4o-2024-08-06", "input", "usage"),
    "a model only": ("gpt-4o-mini", "gpt-4o-mini", None, "usage"),
    "a tool": ("web search tool calls", None, "web_search_calls", "usage"),
    "storage": ("assistants api | file search storage", None, None, "unknown"),
    "a direction that is new": ("gpt-9, thought", "gpt-9", None, "unknown"),
}


@pytest.mark.parametrize(("item", "model", "bucket", "kind"), ITEMS.values(), ids=ITEMS)
def test_line_items(item: str, model: str | None, bucket: str | None, kind: Any) -> None:
    (charge,) = openai.charges(page(cost(line_item=item)))

    assert charge == Charge(DAY, model, bucket, usd=Decimal("0.06"), label=item, kind=kind)


def test_quantities_of_line_items_count_in_their_unit() -> None:
    charges = openai.charges(
        page(
            cost(line_item="gpt-5, input", quantity=12, quantity_unit="1000_tokens"),
            cost(line_item="gpt-5, output", quantity=12),
            cost(line_item="gpt-5, output", quantity=12, quantity_unit="gibibyte_hours"),
        )
    )

    assert [charge.quantity for charge in charges] == [12_000, 12, None]


def test_costs_that_are_not_grouped_are_of_the_whole_day() -> None:
    assert list(openai.charges(page(cost(line_item=None)))) == [Charge(DAY, usd=Decimal("0.06"))]


def test_a_day_without_costs_has_none() -> None:
    assert list(openai.charges(page({"object": "organization.costs.result", "amount": None}))) == []


def test_usage_is_taken_apart_into_disjoint_buckets() -> None:
    usage = {
        "object": "organization.usage.completions.result",
        "model": "gpt-5-2025-08-07",
        "input_tokens": 1000,
        "input_cached_tokens": 300,
        "input_cached_audio_tokens": 100,
        "input_audio_tokens": 50,
        "input_cache_write_tokens": 25,
        "input_image_tokens": 7,
        "output_tokens": 200,
        "output_audio_tokens": 30,
    }

    found = {charge.bucket: charge.quantity for charge in openai.charges(page(usage))}

    assert found == {
        "input": 625,
        "cache_read": 200,
        "cache_read_audio": 100,
        "cache_write": 25,
        "input_audio": 50,
        "output": 170,
        "output_audio": 30,
    }
    assert all(charge.metered and charge.model == "gpt-5-2025-08-07" for charge in openai.charges(page(usage)))


COUNTED: dict[str, tuple[dict[str, Any], str, int]] = {
    "embeddings": ({"input_tokens": 5, "model": "m"}, "input", 5),
    "images": ({"images": 2, "model": "m"}, "images", 2),
    "audio_speeches": ({"characters": 40, "model": "m"}, "characters", 40),
    "audio_transcriptions": ({"seconds": 12, "model": "m"}, "audio_seconds", 12),
    "web_searches": ({"num_requests": 3, "model": "m"}, "web_search_calls", 3),
}


@pytest.mark.parametrize("name", COUNTED)
def test_other_usage(name: str) -> None:
    counts, bucket, quantity = COUNTED[name]

    found = openai.charges(page({"object": f"organization.usage.{name}.result", **counts}))

    assert list(found) == [Charge(DAY, "m", bucket, Decimal(quantity), metered=True)]


def test_the_dashboards_tables() -> None:
    times = {
        "start_time": str(SECONDS),
        "end_time": str(SECONDS + 86_400),
        "start_time_iso": "2026-10-01T00:00:00+00:00",
    }
    spent = Row({**times, "amount_value": "0.8958740000000000", "amount_currency": "usd", "line_item": ""}, "line 2")
    nothing = Row({**times, "amount_value": "", "amount_currency": "", "line_item": ""}, "line 3")
    used = Row({**times, "model": "gpt-4o", "input_tokens": "59200.0", "output_tokens": "10.0"}, "line 2")
    idle = Row({**times, "model": "", "input_tokens": "", "output_tokens": ""}, "line 3")

    assert list(openai.charges(spent)) == [Charge(DAY, usd=Decimal("0.8958740000000000"))]
    assert list(openai.charges(nothing)) == list(openai.charges(idle)) == []
    assert {each.bucket: each.quantity for each in openai.charges(used)} == {"input": 59_200, "output": 10}


BAD: dict[str, tuple[Row, str]] = {
    "another currency": (page({**cost(), "amount": {"value": 1, "currency": "eur"}}), "currency must be usd"),
    "weeks": (page(cost(), end_time=SECONDS + 7 * 86_400), "end_time must be within a day"),
    "no tokens": (page({"object": "organization.usage.completions.result"}), "input_tokens must be a number"),
    "parts beyond the whole": (
        page(
            {"object": "organization.usage.completions.result", "input_tokens": 1, "output_tokens": 1}
            | {"input_cached_tokens": 2}
        ),
        "must be the sums of their parts",
    ),
    "no time": (page(cost(), start_time=None), "start_time must be a date"),
}


@pytest.mark.parametrize(("row", "said"), BAD.values(), ids=BAD)
def test_what_is_needed_is_insisted_on(row: Row, said: str) -> None:
    with pytest.raises(Malformed, match=f"line 1: .*{said}"):
        list(openai.charges(row))
