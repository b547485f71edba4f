"""pricing.difference: what a table's row says otherwise than the catalog."""

from __future__ import annotations

from decimal import Decimal

from costspan.pricing.difference import difference
from costspan.pricing.rates import Hours, Row, ServiceTier, Tier, rates_of


def rates(**amounts: str) -> dict[str, Decimal]:
    return {name: Decimal(amount) for name, amount in amounts.items()}


def row(
    tiers: tuple[Tier, ...] = (),
    service_tiers: dict[str, ServiceTier] | None = None,
    hours: tuple[Hours, ...] = (),
    **amounts: str,
) -> Row:
    return Row("p", "m", rates_of(rates(**amounts)), "s", tiers=tiers, service_tiers=service_tiers or {}, hours=hours)


def changes(ours: Row, theirs: Row, *, everything: bool = False) -> list[tuple[str, str, str, str, str]]:
    return [
        (each.case, each.name, str(each.ours), str(each.theirs), str(each.ratio))
        for each in difference(ours, theirs, everything=everything)
    ]


def test_the_same_prices_do_not_differ_however_they_are_written() -> None:
    halved = row(service_tiers={"flex": ServiceTier(Decimal("0.5"))}, input="2", output="8", per_audio_hour="3.6")
    written = row(
        service_tiers={"flex": ServiceTier(rates=rates_of(rates(input="1", output="4.0", audio_seconds="0.0005")))},
        input="2.0",
        output="8",
        per_audio_minute="0.06",
    )

    assert changes(halved, written) == []


def test_each_bucket_and_unit_has_its_ratio() -> None:
    ours = row(input="1.25", output="10", cache_read="0.125", web_search="0.01", per_image="0")
    theirs = row(input="2.5", output="10", cache_read="0.25", web_search="0.03", per_image="0")

    assert changes(ours, theirs) == [
        ("", "input", "1.25", "2.5", "0.5000"),
        ("", "cache_read", "0.125", "0.25", "0.5000"),
        ("", "web_search_calls", "0.01", "0.03", "0.3333"),
    ]
    assert [name for _, name, *_ in changes(ours, theirs, everything=True)] == [
        *("input", "cache_read", "output", "web_search_calls", "images")
    ]


def test_what_only_one_states_is_compared_with_what_the_other_bills() -> None:
    assert changes(row(input="3", output="15"), row(input="3", output="15", cache_write="3.75", web_search="0.01")) == [
        ("", "cache_write", "3", "3.75", "0.8000"),
        ("", "web_search_calls", "None", "0.01", "None"),
    ]


def test_a_price_beside_nothing_to_pay_has_no_ratio() -> None:
    assert changes(row(input="1"), row(input="0")) == [("", "input", "1", "0", "None")]


def test_tiers_are_compared_where_they_begin() -> None:
    ours = row((Tier(200_000, rates_of(rates(input="6"))),), input="3", output="15")
    theirs = row((Tier(272_000, rates_of(rates(input="6", output="22.5"))),), input="3", output="15")

    assert changes(ours, theirs) == [
        ("above 200000", "input", "6", "3", "2.0000"),
        ("above 272000", "output", "15", "22.5", "0.6667"),
    ]


def test_service_tiers_and_hours_are_compared_too() -> None:
    flex = {"flex": ServiceTier(Decimal("0.5"))}
    ours = row(service_tiers=flex, input="2", output="8")
    theirs = row(hours=(Hours(990, 30, Decimal("0.25")),), service_tiers=flex, input="2", output="8")

    assert changes(ours, theirs) == [
        ("16:30-00:30", "input", "2", "0.50", "4.0000"),
        ("16:30-00:30", "output", "8", "2.00", "4.0000"),
        ("flex, 16:30-00:30", "input", "1.0", "0.250", "4.0000"),
        ("flex, 16:30-00:30", "output", "4.0", "1.000", "4.0000"),
    ]


def test_a_tier_that_only_one_knows_is_billed_at_the_list_price_by_the_other() -> None:
    ours = row(service_tiers={"priority": ServiceTier(Decimal(2))}, input="2", output="8")

    assert changes(ours, row(input="2", output="8")) == [
        ("priority", "input", "4", "2", "2.0000"),
        ("priority", "output", "16", "8", "2.0000"),
    ]


def test_a_difference_of_the_list_price_is_not_said_again_for_each_tier() -> None:
    flex = {"flex": ServiceTier(Decimal("0.5"))}

    assert changes(row(service_tiers=flex, input="1"), row(service_tiers=flex, input="2")) == [
        ("", "input", "1", "2", "0.5000")
    ]
