"""billing.exports.anthropic: pages of the usage and cost report, and the Console's tables."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from costspan.billing.exports import anthropic
from costspan.billing.exports.charge import Charge
from costspan.billing.exports.rows import Row
from costspan.errors import Malformed

DAY = date(2026, 8, 1)


def page(*results: dict[str, Any]) -> Row:
    bucket = {"starting_at": "2026-08-01T00:00:00Z", "ending_at": "2026-08-02T00:00:00Z", "results": list(results)}
    return Row({"data": [bucket], "has_more": False, "next_page": None}, "line 1")


def cost(**changes: Any) -> dict[str, Any]:
    return {
        "amount": "123.78912",
        "currency": "USD",
        "cost_type": "tokens",
        "description": "Claude Opus 5 Usage - Input Tokens",
        "model": "claude-opus-5",
        "token_type": "uncached_input_tokens",
        **changes,
    }


def test_amounts_are_in_cents() -> None:
    label = "Claude Opus 5 Usage - Input Tokens"

    assert list(anthropic.charges(page(cost()))) == [
        Charge(DAY, "claude-opus-5", "input", usd=Decimal("1.2378912"), label=label)
    ]


TYPES = {
    "cache_read_input_tokens": "cache_read",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
    "output_tokens": "output",
}


@pytest.mark.parametrize(("token_type", "bucket"), TYPES.items(), ids=TYPES)
def test_token_types(token_type: str, bucket: str) -> None:
    (charge,) = anthropic.charges(page(cost(token_type=token_type)))

    assert (charge.bucket, charge.kind) == (bucket, "usage")


OTHERS: dict[str, tuple[dict[str, Any], str | None, str | None, str]] = {
    "a web search": ({"cost_type": "web_search", "model": None, "token_type": None}, None, "web_search_calls", "usage"),
    "a session": ({"cost_type": "session_usage", "model": None, "token_type": None}, None, None, "unknown"),
    "tokens of a kind that is new": ({"token_type": "thought_tokens"}, "claude-opus-5", None, "unknown"),
    "not grouped": ({"cost_type": None, "model": None, "token_type": None, "description": None}, None, None, "usage"),
}


@pytest.mark.parametrize(("changes", "model", "bucket", "kind"), OTHERS.values(), ids=OTHERS)
def test_other_costs(changes: dict[str, Any], model: str | None, bucket: str | None, kind: str) -> None:
    (charge,) = anthropic.charges(page(cost(**changes)))

    assert (charge.model, charge.bucket, charge.kind) == (model, bucket, kind)


def test_usage() -> None:
    usage = {
        "model": "claude-opus-5",
        "uncached_input_tokens": 1500,
        "cache_creation": {"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500},
        "cache_read_input_tokens": 200,
        "output_tokens": 300,
        "server_tool_use": {"web_search_requests": 10},
    }

    found = list(anthropic.charges(page(usage)))

    assert {charge.bucket: charge.quantity for charge in found} == {
        "input": 1500,
        "cache_read": 200,
        "cache_write": 500,
        "cache_write_1h": 1000,
        "output": 300,
        "web_search_calls": 10,
    }
    assert all(charge.metered for charge in found)


def test_the_consoles_tables() -> None:
    used = {
        "usage_date_utc": "2026-08-01",
        "model_version": "claude-opus-5",
        "usage_input_tokens_no_cache": "46981",
        "usage_input_tokens_cache_write_5m": "15969",
        "usage_input_tokens_cache_write_1h": "0",
        "usage_input_tokens_cache_read": "0",
        "usage_output_tokens": "16932",
        "web_search_count": "0",
    }
    spent = {"usage_date_utc": "2026-08-01", "model": "Claude Haiku 4.5", "token_type": "input_cache_write_1h"}

    assert {each.bucket: each.quantity for each in anthropic.charges(Row(used, "line 2"))} == {
        "input": 46_981,
        "cache_write": 15_969,
        "output": 16_932,
    }
    (charge,) = anthropic.charges(Row({**spent, "cost_usd": "0.05", "cost_type": "token"}, "line 2"))
    assert (charge.model, charge.bucket, charge.usd) == ("Claude Haiku 4.5", "cache_write_1h", Decimal("0.05"))


BAD: dict[str, tuple[Row, str]] = {
    "another currency": (page(cost(currency="EUR")), "currency must be USD"),
    "no amount": (page(cost(amount=None)), "amount must be a number"),
    "a report without tokens": (page({"model": "claude-opus-5"}), "uncached_input_tokens must be a number"),
    "a table of neither kind": (Row({"usage_date_utc": "2026-08-01"}, "line 2"), "usage_output_tokens must be there"),
}


@pytest.mark.parametrize(("row", "said"), BAD.values(), ids=BAD)
def test_what_is_needed_is_insisted_on(row: Row, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        list(anthropic.charges(row))
