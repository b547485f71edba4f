from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import openai_responses

CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "a limit under its older name": ({}, {"max_tokens": 9}, {"max_output_tokens": 9}),
    "a limit under its newer name": ({}, {"max_completion_tokens": 9}, {"max_output_tokens": 9}),
    "a limit that is there": ({"max_output_tokens": 3}, {"max_tokens": 9}, {}),
    "a name that is the same": ({}, {"temperature": 0.5}, {"temperature": 0.5}),
    "an effort": ({}, {"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
    "an effort beside a summary": (
        {"reasoning": {"summary": "auto"}},
        {"reasoning_effort": "low"},
        {"reasoning": {"summary": "auto", "effort": "low"}},
    ),
    "an effort that is there": ({"reasoning": {"effort": "high"}}, {"reasoning_effort": "low"}, {}),
    "a format and verbosity": (
        {},
        {"verbosity": "low", "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}},
        {"text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": {}}}},
    ),
    "what this dialect lacks": ({}, {"seed": 7, "stop": ["x"], "top_k": 3}, {}),
}


@pytest.mark.parametrize(("body", "params", "added"), CASES.values(), ids=CASES.keys())
def test_params_go_where_this_dialect_has_them(
    body: dict[str, Any], params: dict[str, Any], added: dict[str, Any]
) -> None:
    assert openai_responses.defaults(body, params) == added
