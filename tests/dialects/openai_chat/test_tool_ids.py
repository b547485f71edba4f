from __future__ import annotations

import re

import pytest

from costspan.dialects.openai_chat.tool_ids import tool_id

MISTRAL = frozenset({"nine_character_tool_ids"})


@pytest.mark.parametrize("id_", ["toolu_01abc", "x" * 40])
def test_an_accepted_id_is_kept(id_: str) -> None:
    assert tool_id(id_, frozenset()) == id_


@pytest.mark.parametrize("id_", ["", "x" * 41])
def test_any_other_is_derived(id_: str) -> None:
    derived = tool_id(id_, frozenset())

    assert re.fullmatch("call_[0-9a-f]{24}", derived)
    assert derived == tool_id(id_, frozenset())


def test_some_hosts_want_nine_characters() -> None:
    assert tool_id("aX2gaLIyo", MISTRAL) == "aX2gaLIyo"
    assert re.fullmatch("[a-zA-Z0-9]{9}", tool_id("call_1", MISTRAL))
    assert tool_id("call_1", MISTRAL) != tool_id("call_2", MISTRAL)
