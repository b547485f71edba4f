"""docs/telemetry.md."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from costspan.telemetry import semconv
from costspan.telemetry.attributes import attempt_attributes, exchange_attributes
from costspan.telemetry.logs import exchange_line
from costspan.telemetry.metrics import Gauges, Metrics
from costspan.telemetry.prometheus import name_of
from docs.pages import DOCS, codes, rows, section
from fakes.records import ANSWERED, ATTEMPTS, EXCHANGE, FAILED

if TYPE_CHECKING:
    from costspan.telemetry.metrics import Instrument

PAGE = DOCS / "telemetry.md"
GAUGES = Gauges(
    inflight=lambda: 0, config_generation=lambda: 1, reload_success=lambda: True, ledger_degraded=lambda: False
)
LOSER = replace(ANSWERED, outcome="lost_race", cost_usd=Decimal(1))


def documented(span: str) -> set[str]:
    return {codes(row[0])[0] for row in rows(section(PAGE, "Attributes")) if span in row[1].split(", ")}


def general(names: set[str]) -> set[str]:
    """Names with the parts that differ from record to record as the page writes them."""
    parts = {semconv.COST_PART: "{bucket}", semconv.ATTRIBUTE: "{name}"}
    prefix = {name: next((start for start in parts if name.startswith(start)), None) for name in names}
    return {name if (start := prefix[name]) is None else start + parts[start] for name in names}


def test_an_exchange_has_the_attributes_of_the_page() -> None:
    failed = replace(EXCHANGE, outcome="failed", error_type="upstream_error")
    emitted = exchange_attributes(EXCHANGE, (*ATTEMPTS, LOSER)).keys() | exchange_attributes(failed).keys()

    assert general(set(emitted)) == documented("exchange")


def test_an_attempt_has_the_attributes_of_the_page() -> None:
    emitted = attempt_attributes(ANSWERED).keys() | attempt_attributes(FAILED).keys()

    assert general(set(emitted)) == documented("attempt")


def test_every_metric_has_its_row() -> None:
    families = Metrics(GAUGES, ("team",), lambda: 0).collect()

    assert [row(family.instrument) for family in families] == [r[:5] for r in rows(section(PAGE, "Metrics"))]


def row(instrument: Instrument) -> list[str]:
    labels = ["attributes" if label == "team" else f"`{label}`" for label in instrument.labels]
    unit = f"`{instrument.unit}`" if instrument.unit else ""
    return [f"`{instrument.name}`", f"`{name_of(instrument)}`", instrument.kind, unit, ", ".join(labels)]


def test_a_log_line_has_the_fields_of_the_page() -> None:
    listed = [name for cells in rows(section(PAGE, "Log")) for name in codes(cells[0])]

    assert listed == list(exchange_line(EXCHANGE, ATTEMPTS))
