"""costspan.telemetry.metrics: exact sums, bounded labels."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from costspan.routing.budget import Budget, Standing, period
from costspan.telemetry.metrics import Counter, Distribution, Gauges, Histogram, Instrument, Metrics
from fakes.records import ANSWERED, EXCHANGE, FAILED, ORIGIN

GAUGES = Gauges(
    inflight=lambda: 0, config_generation=lambda: 1, reload_success=lambda: True, ledger_degraded=lambda: False
)


def metrics(*attributes: str) -> Metrics:
    return Metrics(GAUGES, attributes, lambda: 0)


def points(recorded: Metrics, name: str) -> dict[tuple[tuple[str, str], ...], Any]:
    (family,) = (family for family in recorded.collect() if family.instrument.name == name)
    return {tuple(point.labels.items()): point.value for point in family.points}


def test_costs_add_up_exactly() -> None:
    recorded = metrics()
    for _ in range(10):
        recorded.record_attempt(replace(ANSWERED, cost_usd=Decimal("0.1")))

    assert list(points(recorded, "costspan.cost.usd").values()) == [Decimal("1.0")]


def test_estimates_have_a_series_of_their_own() -> None:
    recorded = metrics()
    recorded.record_attempt(FAILED)
    recorded.record_attempt(replace(FAILED, cost_status="exact", cost_usd=Decimal(2)))

    assert {dict(labels)["status"]: value for labels, value in points(recorded, "costspan.cost.usd").items()} == {
        "estimated": Decimal("0.01"),
        "exact": Decimal(2),
    }


def test_an_unpriced_attempt_is_counted_and_adds_no_cost() -> None:
    recorded = metrics()
    recorded.record_attempt(replace(ANSWERED, cost_usd=None, cost_status="unpriced"))

    assert points(recorded, "costspan.cost.usd") == {}
    assert list(points(recorded, "costspan.unpriced").values()) == [1]


def test_a_free_attempt_is_not_unpriced() -> None:
    recorded = metrics()
    recorded.record_attempt(replace(ANSWERED, cost_usd=Decimal(0), cost_status="free"))

    assert points(recorded, "costspan.unpriced") == {}


def test_an_attempt_without_even_an_estimate_is_not_unpriced() -> None:
    recorded = metrics()
    recorded.record_attempt(replace(FAILED, cost_estimated_usd=None))

    assert points(recorded, "costspan.unpriced") == {}
    assert points(recorded, "costspan.cost.usd") == {}


def test_drift_is_what_the_provider_s_own_figures_are_above_and_below_ours() -> None:
    recorded = metrics()
    for ours, reported in (("0.10", "0.13"), ("0.10", "0.08"), ("0.10", "0.10")):
        attempt = replace(ANSWERED, cost_usd=Decimal(ours), cost_reported_usd=Decimal(reported))
        recorded.record_attempt(attempt)

    assert {
        dict(labels)["direction"]: value for labels, value in points(recorded, "costspan.cost.drift_usd").items()
    } == {
        "over": Decimal("0.03"),
        "under": Decimal("0.02"),
    }


def test_drift_is_against_our_own_figure_where_the_provider_s_was_taken() -> None:
    recorded = metrics()
    taken = replace(ANSWERED, cost_status="provider", cost_usd=Decimal("0.9"), cost_reported_usd=Decimal("0.9"))
    recorded.record_attempt(replace(taken, cost_computed_usd=Decimal("1.25")))
    recorded.record_attempt(taken)  # of a model without a price: nothing to compare

    (labels,) = (labels for labels, value in points(recorded, "costspan.cost.drift_usd").items() if value)
    assert dict(labels) == {"provider": "anthropic", "model": "claude-sonnet-4-5", "direction": "under"}
    assert points(recorded, "costspan.cost.drift_usd")[labels] == Decimal("0.35")


def test_there_is_no_drift_where_nobody_reports_or_nothing_is_known() -> None:
    recorded = metrics()
    recorded.record_attempt(ANSWERED)
    recorded.record_attempt(replace(ANSWERED, cost_usd=None, cost_status="unpriced", cost_reported_usd=Decimal(1)))
    recorded.record_attempt(replace(FAILED, cost_reported_usd=Decimal(1)))

    assert points(recorded, "costspan.cost.drift_usd") == {}


def test_tokens_are_counted_by_type_and_only_when_reported() -> None:
    recorded = metrics("team")
    recorded.record_attempt(ANSWERED)
    recorded.record_attempt(FAILED)

    found = points(recorded, "gen_ai.client.token.usage")
    assert {dict(labels)["gen_ai.token.type"]: value.total for labels, value in found.items()} == {
        "input": 160.0,
        "output": 25.0,
    }
    assert {dict(labels)["team"] for labels in found} == {"checkout"}


def test_the_first_chunk_is_measured_on_streams_only() -> None:
    recorded = metrics()
    whole = replace(ANSWERED, started=replace(ANSWERED.started, origin=replace(ORIGIN, stream=False)))
    recorded.record_attempt(whole)
    assert points(recorded, "gen_ai.client.operation.time_to_first_chunk") == {}

    recorded.record_attempt(ANSWERED)
    (value,) = points(recorded, "gen_ai.client.operation.time_to_first_chunk").values()
    assert value.total == 0.25


def test_overhead_is_what_upstreams_did_not_take_and_never_negative() -> None:
    recorded = metrics()
    recorded.record_exchange(EXCHANGE)
    recorded.record_exchange(replace(EXCHANGE, upstream_ms=2000.0))

    (value,) = points(recorded, "costspan.overhead").values()
    assert value.total == pytest.approx(0.002)
    assert value.count == 2


def test_an_attribute_has_at_most_200_values() -> None:
    recorded = metrics("team")
    for number in range(300):
        origin = replace(ORIGIN, attributes={"team": f"team{number}"})
        recorded.record_attempt(replace(ANSWERED, started=replace(ANSWERED.started, origin=origin)))

    found = {dict(labels)["team"]: value for labels, value in points(recorded, "costspan.cost.usd").items()}
    assert len(found) == 201
    assert found["team0"] == Decimal("0.000725")
    assert found["other"] == Decimal("0.0725")


def test_models_that_clients_make_up_are_bounded_too() -> None:
    recorded = metrics()
    for number in range(300):
        recorded.record_attempt(replace(ANSWERED, started=replace(ANSWERED.started, model_requested=f"model{number}")))

    assert len(points(recorded, "costspan.cost.usd")) == 201


def test_names_keep_their_labels_however_many_kinds_of_records_there_were() -> None:
    recorded = metrics()
    for number in range(2500):
        recorded.record_attempt(replace(ANSWERED, started=replace(ANSWERED.started, model_requested=f"model{number}")))
    recorded.record_attempt(replace(ANSWERED, started=replace(ANSWERED.started, model_requested="model0")))

    found = {dict(labels)["model"]: value for labels, value in points(recorded, "costspan.cost.usd").items()}
    assert len(found) == 201
    assert found["model0"] == Decimal("0.00145")
    assert found["other"] == Decimal("1.6675")


def test_records_that_differ_in_one_thing_are_counted_apart() -> None:
    recorded = metrics()
    other = replace(ORIGIN, operation="embeddings", route="cheap")
    recorded.record_attempt(ANSWERED)
    recorded.record_attempt(replace(ANSWERED, outcome="lost_race"))
    recorded.record_attempt(replace(ANSWERED, started=replace(ANSWERED.started, origin=other)))
    recorded.record_exchange(EXCHANGE)
    recorded.record_exchange(replace(EXCHANGE, outcome="failed", error_type="timeout"))

    assert [dict(labels) for labels in points(recorded, "costspan.attempts")] == [
        {"provider": "anthropic", "route": "smart", "outcome": "ok"},
        {"provider": "anthropic", "route": "smart", "outcome": "lost_race"},
        {"provider": "anthropic", "route": "cheap", "outcome": "ok"},
    ]
    served = points(recorded, "gen_ai.server.request.duration")
    assert [dict(labels).get("error.type") for labels in served] == [None, "timeout"]


def test_a_missing_attribute_is_a_missing_label_and_a_reserved_one_is_left_out() -> None:
    recorded = metrics("customer", "model")
    recorded.record_attempt(ANSWERED)

    (labels,) = points(recorded, "costspan.cost.usd")
    assert dict(labels) == {
        "provider": "anthropic",
        "model": "claude-sonnet-4-5",
        "route": "smart",
        "status": "exact",
    }


def test_series_of_one_instrument_are_bounded() -> None:
    counter = Counter(Instrument("c", "counter", "", "", ("a",)))
    histogram = Histogram(Instrument("h", "histogram", "", "", ("a",), (1.0,)))
    for number in range(2100):
        counter.add((str(number),), 1)
        histogram.record((str(number),), 1.0)

    for family in (counter.collect(), histogram.collect()):
        assert len(family.points) == 2001
    assert {point.value for point in counter.collect().points if point.labels == {"a": "other"}} == {100}


def test_cooldowns_of_keys_are_counted_by_provider_and_reason() -> None:
    told = {("openai", "rate_limit"): 3, ("openai", "auth"): 1}
    recorded = Metrics(replace(GAUGES, key_cooldowns=lambda: told), (), lambda: 0)

    assert points(metrics(), "costspan.key.cooldowns") == {}
    assert points(recorded, "costspan.key.cooldowns") == {
        (("provider", "openai"), ("reason", "rate_limit")): 3,
        (("provider", "openai"), ("reason", "auth")): 1,
    }


def test_the_health_of_targets_is_told_by_provider_and_model_the_worst_of_those_that_share_a_name() -> None:
    told = {("openai", "gpt-5"): 1.0, ("groq", "llama"): 0.5}
    recorded = Metrics(replace(GAUGES, target_health=lambda: told), (), lambda: 0)
    assert points(recorded, "costspan.target.health") == {
        (("provider", "openai"), ("model", "gpt-5")): 1.0,
        (("provider", "groq"), ("model", "llama")): 0.5,
    }
    many = {("openai", f"m{number}"): 0.0 if number == 205 else 1.0 for number in range(210)}
    told.clear()
    told.update(many)
    found = points(recorded, "costspan.target.health")
    assert found[("provider", "openai"), ("model", "other")] == 0.0
    assert len(found) == 199, "two names were taken before, and one series is of all the others"


def test_what_losers_of_a_race_cost_is_counted_apart_by_how_far_it_is_known() -> None:
    lost = replace(ANSWERED, outcome="lost_race", cost_usd=Decimal("0.5"))
    guessed = replace(lost, cost_status="estimated", cost_usd=None, cost_estimated_usd=Decimal("0.25"))
    recorded = metrics()
    for attempt in (ANSWERED, lost, lost, guessed):
        recorded.record_attempt(attempt)
    found = points(recorded, "costspan.race.extra_usd")
    assert {dict(key)["status"]: value for key, value in found.items()} == {
        "exact": Decimal("1.0"),
        "estimated": Decimal("0.25"),
    }


def test_bounds_of_buckets_are_inclusive() -> None:
    histogram = Histogram(Instrument("h", "histogram", "", "", (), (1.0, 2.0)))
    for value in (0.5, 1.0, 1.5, 2.0, 99.0):
        histogram.record((), value)

    (point,) = histogram.collect().points
    assert point.value == Distribution((2, 2, 1), 104.0)


def test_budgets_tell_what_is_left_what_is_used_and_whether_others_are_known() -> None:
    month = period("month", 20_000)
    checkout = Budget("checkout", {"team": "checkout"}, Decimal(500), "month")
    everything = Budget("all", {}, Decimal(0), "day")
    standings = (
        Standing(checkout, month, spent=Decimal("400.5"), reserved=Decimal("0.25")),
        Standing(everything, month, spent=Decimal("0.01"), reserved=Decimal(0), shared_up=False),
    )
    recorded = Metrics(replace(GAUGES, budgets=lambda: standings), (), lambda: 0)

    assert points(recorded, "costspan.budget.remaining_usd") == {
        (("budget", "checkout"),): Decimal("99.25"),
        (("budget", "all"),): Decimal("-0.01"),
    }
    assert points(recorded, "costspan.budget.used_ratio") == {(("budget", "checkout"),): 0.801, (("budget", "all"),): 1}
    assert points(recorded, "costspan.budget.warned") == {(("budget", "checkout"),): 1, (("budget", "all"),): 1}
    assert points(recorded, "costspan.budget.shared_up") == {(("budget", "all"),): 0}
