"""pricing.lint: each doubt about a price table, and none about a sound one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from costspan.pricing.lint import Reach, lint
from costspan.pricing.rates import Hours, Row, ServiceTier, Tier, rates_of

ANYWHERE = Reach({"openai": "openai", "mine": "groq"}, {}, direct=True)


def rates(**amounts: str) -> dict[str, Decimal]:
    return {name: Decimal(amount) for name, amount in amounts.items()}


def row(
    place: str = "1",
    *,
    model: str = "m",
    provider: str = "openai",
    begin: str | None = None,
    end: str | None = None,
    stated: str | None = "read 2026-11-01",
    tiers: tuple[Tier, ...] = (),
    service_tiers: dict[str, ServiceTier] | None = None,
    hours: tuple[Hours, ...] = (),
    **amounts: str,
) -> Row:
    return Row(
        provider,
        model,
        rates_of(rates(**(amounts or {"input": "1", "output": "4", "cache_read": "0.1"}))),
        f"table:f.yaml:{place}",
        from_=date.fromisoformat(begin) if begin else None,
        to=date.fromisoformat(end) if end else None,
        tiers=tiers,
        service_tiers=service_tiers or {},
        hours=hours,
        stated=stated,
    )


def found(*rows: Row, reach: Reach = ANYWHERE) -> list[str]:
    return [f"{each.severity} {each.where} {each.about}: {each.reason}" for each in lint(rows, reach)]


def test_a_sound_table_has_none() -> None:
    sound = row(
        input="1.25",
        output="10",
        cache_read="0.125",
        cache_write="1.5625",
        web_search="0.01",
        tiers=(Tier(272_000, rates_of(rates(input="2.5", output="15", cache_read="0.25"))),),
        service_tiers={
            "flex": ServiceTier(Decimal("0.5")),
            "priority": ServiceTier(
                rates=rates_of(rates(input="2.5", output="20")),
                tiers=(Tier(272_000, rates_of(rates(input="5", output="30"))),),
            ),
            "batch": ServiceTier(Decimal("0.5")),
        },
        hours=(Hours(990, 30, Decimal("0.5")), Hours(30, 60, Decimal("0.75"))),
    )
    embeddings = row(model="e", input="0.02", output="0")
    speech = row(model="s", per_audio_hour="0.36", per_million_characters="15", per_image="0.04", per_page="0.001")
    free = row(model="free", input="0", output="0")

    assert found(sound, embeddings, speech, free) == []


def test_dated_rows_may_follow_each_other_with_and_without_an_end() -> None:
    rows = (
        row("1", end="2026-03-01"),
        row("2", begin="2026-03-01"),
        row("3", begin="2026-06-01", end="2026-07-01"),
        row("4", begin="2026-09-01"),
    )

    assert found(*rows) == []


DATES: dict[str, tuple[tuple[Row, ...], list[str]]] = {
    "one row ends after the next has begun": (
        (row("1", end="2026-03-02"), row("2", begin="2026-03-01")),
        ["error f.yaml:2 openai/m: overlaps with the row of f.yaml:1, which ends on 2026-03-02"],
    ),
    "a row behind one that began later": (
        (row("1", begin="2026-01-01"), row("2", begin="2026-02-01", end="2026-04-01"), row("3", begin="2026-02-01")),
        ["error f.yaml:3 openai/m: overlaps with the row of f.yaml:2, which ends on 2026-04-01"],
    ),
    "a row that never holds": (
        (row("1", begin="2026-02-01"), row("2", begin="2026-02-01", end="2026-04-01")),
        ["error f.yaml:2 openai/m: never holds: on each of its days another row of the same name began later"],
    ),
    "days without a row": (
        (row("1", end="2026-03-01"), row("2", begin="2026-03-03")),
        [
            "warning f.yaml:2 openai/m: from 2026-03-01 to 2026-03-03 no row of this name holds",
        ],
    ),
    "another model's row": ((row("1", end="2026-03-02"), row("2", model="n", begin="2026-03-01")), []),
}


@pytest.mark.parametrize(("rows", "expected"), DATES.values(), ids=DATES.keys())
def test_dates_that_contradict_are_told(rows: tuple[Row, ...], expected: list[str]) -> None:
    assert found(*rows) == expected


def of(multiplier: str = "1", **amounts: str) -> ServiceTier:
    return ServiceTier(Decimal(multiplier), rates_of(rates(**amounts)) if amounts else None)


ROWS: dict[str, tuple[Row, list[str]]] = {
    "cache reads dearer": (
        row(input="1", output="2", cache_read="1.25"),
        ["error: cache_read 1.25 is dearer than input 1"],
    ),
    "cache reads dearer above a size": (
        row(input="1", output="2", cache_read="0.5", tiers=(Tier(9, rates_of(rates(cache_read="2"))),)),
        ["error: above 9: cache_read 2 is dearer than input 1"],
    ),
    "cache reads as dear": (row(input="1", output="1", cache_read="1"), []),
    "output cheaper": (row(input="3", output="2"), ["warning: output 2 is cheaper than input 3"]),
    "free reasoning": (
        row(input="1", output="2", reasoning="0"),
        ["warning: reasoning costs nothing and output does; leave it out where it is billed as output"],
    ),
    "per token": (
        row(input="0.00000125", output="0.00001"),
        [
            "error: input 0.00000125 looks like a price per token; write the one per million",
            "error: output 0.00001 looks like a price per token; write the one per million",
        ],
    ),
    "just not per token": (row(input="0.0001", output="0.0001"), []),
    "per thousand calls": (
        row(web_search="10"),
        ["warning: web_search 10 is very dear for one; write the price of one, not of a thousand"],
    ),
    "per second for an hour": (
        row(per_audio_second="0.36"),
        ["warning: per_audio_second 0.36 is very dear for one; write the price of one, not of a thousand"],
    ),
    "a dearer flex": (
        row(service_tiers={"flex": of("2")}),
        ["error: service tier flex: the multiplier 2 makes it dearer than the list price"],
    ),
    "a dearer batch": (
        row(service_tiers={"batch": of(input="2")}),
        ["error: service tier batch: input 2 is dearer than the list price 1"],
    ),
    "a cheaper priority": (
        row(service_tiers={"priority": of("0.5")}),
        ["warning: service tier priority: the multiplier 0.5 makes it cheaper than the list price"],
    ),
    "a cheaper fast": (
        row(service_tiers={"fast": of(output="3")}),
        ["warning: service tier fast: output 3 is cheaper than the list price 4"],
    ),
    "an unknown word": (
        row(service_tiers={"prioritiy": of("2")}),
        ["warning: service tier prioritiy: no provider is known to use this word; did you mean priority?"],
    ),
    "too dear in a service tier": (
        row(input="600", output="900", service_tiers={"priority": of("2")}),
        ["error: service tier priority: more than 1000 USD per million tokens"],
    ),
    "a service tier that forgets long prompts": (
        row(
            tiers=(Tier(9, rates_of(rates(input="2", output="8"))),),
            service_tiers={"priority": of(input="3", output="9")},
        ),
        ["warning: service tier priority: has rates but no tiers of its own: long prompts are billed like short ones"],
    ),
    "long prompts cheaper": (
        row(tiers=(Tier(9, rates_of(rates(output="3"))),)),
        ["warning: above 9: output 3 is cheaper than 4 for short prompts"],
    ),
    "hours that meet": (
        row(hours=(Hours(990, 30, Decimal("0.5")), Hours(0, 60, Decimal("0.75")))),
        ["warning: hours 16:30-00:30 and 00:00-01:00 overlap: the first written counts"],
    ),
    "dear cache reads by night": (
        row(hours=(Hours(0, 60, rates=rates_of(rates(cache_read="3"))),)),
        ["error: 00:00-01:00: cache_read 3 is dearer than input 1"],
    ),
    "the same work twice": (
        row(input="5", output_image="40", per_image="0.04"),
        ["warning: per_image beside rates for tokens: a call that reports both is billed both"],
    ),
    "no source": (
        row(stated=None),
        ["warning: no source: nobody can tell where the price was read, and when"],
    ),
}


@pytest.mark.parametrize(("doubtful", "expected"), ROWS.values(), ids=ROWS.keys())
def test_doubtful_rates_are_told(doubtful: Row, expected: list[str]) -> None:
    assert found(doubtful) == [each.replace(":", " f.yaml:1 openai/m:", 1) for each in expected]


UNREACHED = "warning f.yaml:1 {}: no route or listed model leads to it, and direct_targets is off"
REACHES: dict[str, tuple[Row, bool]] = {
    "a target": (row(model="gpt-5"), True),
    "a glob with a target": (row(model="gpt-*"), True),
    "a name under a route's glob": (row(provider="groq", model="llama-3"), True),
    "another model": (row(model="gpt-4"), False),
    "another provider's target": (row(provider="mine", model="gpt-5"), False),
}


@pytest.mark.parametrize(("reached", "expected"), REACHES.values(), ids=REACHES.keys())
def test_rows_that_no_request_can_reach_are_told(reached: Row, expected: bool) -> None:
    reach = Reach({"openai": "openai", "mine": "groq"}, {"openai": ["gpt-5"], "mine": ["llama-*"]}, direct=False)

    told = found(reached, reach=reach)

    assert told == ([] if expected else [UNREACHED.format(f"{reached.provider}/{reached.model}")])
    assert found(reached) == []
