"""Log probabilities of odd shapes: an upstream may send anything, and the answer does not break by it."""

from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects.gemini_generate.logprobs import read_logprobs, write_logprobs

ODD: list[Any] = [None, True, 0, 1, 1.5, "", "x", [], [None], ["x"], [[]], {}, {"a": 1}]
TOKEN = {"token": "Hi", "logProbability": -0.5}


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_what_is_no_list_of_alternatives_is_none(odd: Any) -> None:
    written = write_logprobs({"content": [{"token": "Hi", "logprob": -0.5, "top_logprobs": odd}]})

    assert written is not None
    assert written["chosenCandidates"] == [TOKEN]
    assert written.get("topCandidates") in (None, [{"candidates": []}])


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_what_is_no_tokens_is_nothing(odd: Any) -> None:
    assert write_logprobs(odd) is None
    assert write_logprobs({"content": odd}) in (None, {"chosenCandidates": [{"token": "", "logProbability": 0.0}]})
    assert read_logprobs(odd) is None
    read = read_logprobs({"chosenCandidates": [TOKEN], "topCandidates": odd})
    assert read is not None
    assert read["content"][0]["token"] == "Hi"
