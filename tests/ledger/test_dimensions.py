"""dimensions: what lines are grouped and filtered by."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from costspan.ledger import lines
from costspan.ledger.dimensions import DIMENSIONS, Filter
from costspan.wire import json
from fakes import ledger_records as records

if TYPE_CHECKING:
    from costspan.ledger.read import Line

ATTEMPT = cast("Line", json.loads_object(lines.attempt(records.attempt())))
NO_GROUPS = {
    "type", "v", "id", "time", "attributes", "usage", "units", "duration_ms", "first_token_ms",
    "cost_usd", "cost_estimated_usd", "cost_parts", "cost_reported_usd", "cost_computed_usd",
    "span_id", "exchange_span_id", "parent_span_id",
}  # fmt: skip
"""Amounts, and what is a single line's own."""


def test_every_field_of_a_line_groups_unless_it_is_an_amount_or_its_own() -> None:
    assert set(ATTEMPT) - set(DIMENSIONS) == NO_GROUPS


def test_a_name_that_nothing_has_is_told() -> None:
    wanted = Filter({"tema": ["checkout"]})

    assert not wanted.wants(ATTEMPT)
    assert wanted.unknown(["team", "attributes.team", "tema", "attributes.tema", "key"]) == ("tema", "attributes.tema")


def test_names_are_known_from_lines_that_are_not_wanted_too() -> None:
    wanted = Filter({"key": ["nobody"]})

    assert not wanted.wants(ATTEMPT)
    assert (wanted.seen, wanted.unknown(["team"])) == (1, ())
