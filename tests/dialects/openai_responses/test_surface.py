from __future__ import annotations

from costspan.dialects import CLIENT_DIALECTS, openai_responses


def test_where_it_is_served() -> None:
    assert openai_responses.path("m", stream=True) == openai_responses.path("m", stream=False) == "/responses"


def test_clients_and_providers_speak_it_by_its_name() -> None:
    assert CLIENT_DIALECTS["openai-responses"] is openai_responses
    assert openai_responses.USAGE_PATHS == (("usage",), ("response", "usage"))
