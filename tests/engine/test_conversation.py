"""engine.conversation: what is recognised of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from costspan.engine.conversation import recognised
from costspan.routing.asked import Asked

if TYPE_CHECKING:
    from costspan.wire import json

PLAIN = Asked(1000)
RULES = "You are the clerk of a lending library. " * 20
"""800 characters."""
FIRST = "Which books are due?"


def see(fields: json.Object, key: str | None = "team-a") -> Asked:
    return recognised(PLAIN, fields, key)


def openai(*later: json.Object, first: str = FIRST, rules: str = RULES) -> json.Object:
    return {"messages": [{"role": "system", "content": rules}, {"role": "user", "content": first}, *later]}


LATER = {
    "chat": (
        openai(),
        openai({"role": "assistant", "content": "Two."}, {"role": "user", "content": "Which?"}),
    ),
    "developer": (
        {"messages": [{"role": "developer", "content": RULES}, {"role": "user", "content": FIRST}]},
        {
            "messages": [
                {"role": "developer", "content": RULES},
                {"role": "user", "content": FIRST},
                {"role": "assistant", "content": "Two."},
            ]
        },
    ),
    "blocks whose marker moves on": (
        {
            "system": [{"type": "text", "text": RULES, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": FIRST, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
                }
            ],
        },
        {
            "system": [{"type": "text", "text": RULES}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": FIRST}]},
                {"role": "assistant", "content": "Two."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Which?", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
                    ],
                },
            ],
        },
    ),
    "contents": (
        {"systemInstruction": {"parts": [{"text": RULES}]}, "contents": [{"role": "user", "parts": [{"text": FIRST}]}]},
        {
            "systemInstruction": {"parts": [{"text": RULES}]},
            "contents": [
                {"role": "user", "parts": [{"text": FIRST}]},
                {"role": "model", "parts": [{"text": "Two."}]},
                {"role": "user", "parts": [{"text": "Which?"}]},
            ],
        },
    ),
    "input": (
        {"instructions": RULES, "input": [{"role": "user", "content": FIRST}]},
        {
            "instructions": RULES,
            "input": [{"role": "user", "content": FIRST}, {"role": "assistant", "content": "Two."}],
        },
    ),
}


@pytest.mark.parametrize(("turn", "later"), LATER.values(), ids=LATER.keys())
def test_a_later_turn_belongs_to_its_conversation(turn: json.Object, later: json.Object) -> None:
    first, second = see(turn), see(later)

    assert first.conversation is not None
    assert first.prefix is not None
    assert (first.conversation, first.prefix) == (second.conversation, second.prefix)
    assert first.prefix_chars == 800


OTHERS = {
    "another first question": (openai(first="Who has it?"), True),
    "another first question of the same length and beginning": (openai(first="Which books are dry?"), True),
    "other instructions": (openai(rules=RULES + "Be brief."), False),
    "tools": (openai() | {"tools": [{"type": "function", "function": {"name": "look_up"}}]}, False),
}


@pytest.mark.parametrize(("other", "shares"), OTHERS.values(), ids=OTHERS.keys())
def test_what_begins_differently_is_another_conversation(other: json.Object, shares: bool) -> None:
    mine, theirs = see(openai()), see(other)

    assert mine.conversation != theirs.conversation
    assert (mine.prefix == theirs.prefix) is shares


@pytest.mark.parametrize("key", ["team-b", None])
def test_nobody_is_recognised_by_somebody_elses_prompt(key: str | None) -> None:
    mine, theirs = see(openai()), see(openai(), key)

    assert mine.conversation != theirs.conversation
    assert mine.prefix != theirs.prefix


def test_a_conversation_without_instructions_has_no_prefix() -> None:
    asked = see({"messages": [{"role": "user", "content": FIRST}]})

    assert asked.conversation is not None
    assert (asked.prefix, asked.prefix_chars) == (None, 0)


def test_a_plain_text_is_a_first_turn() -> None:
    assert see({"input": FIRST}).conversation == see({"input": [FIRST, "More."]}).conversation


def test_tools_count_to_the_prefix_with_their_size() -> None:
    asked = see({"tools": [{"name": "f"}], "messages": [{"role": "user", "content": FIRST}]})

    assert asked.prefix is not None
    assert asked.prefix_chars == 14  # [{"name":"f"}]


@pytest.mark.parametrize(
    "fields", [{}, {"messages": []}, {"prompt": "x"}], ids=["nothing", "no turns", "another field"]
)
def test_where_nothing_is_known_nothing_is_recognised(fields: json.Object) -> None:
    assert see(fields) == PLAIN


def test_texts_are_told_apart_by_their_ends_and_their_length() -> None:
    long = "a" * 100_000

    seen = {see({"input": text}).conversation for text in (long, long + "a", long[:-1] + "b", "b" + long[1:])}

    assert len(seen) == 4


def test_texts_do_not_run_into_each_other() -> None:
    one, other = ({"input": [{"content": list(texts)}]} for texts in (("ab", "c"), ("a", "bc")))

    assert see(one).conversation != see(other).conversation


def test_what_no_bound_holds_is_not_looked_through() -> None:
    wide = {"input": [{"content": ["a"] * 100_000}]}
    deep: json.Object = {"text": "x"}
    for _ in range(10_000):
        deep = {"content": deep}

    assert see(wide).conversation == see({"input": [{"content": ["a"] * 90_000}]}).conversation
    assert see({"input": [deep]}).conversation is not None


def test_halves_of_surrogate_pairs_are_text_too() -> None:
    assert see({"input": "\ud800"}).conversation != see({"input": "\ud801"}).conversation
