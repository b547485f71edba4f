"""docs/translation.md is what the code does, and leaves out no feature that has golden files."""

from __future__ import annotations

import pytest

from costspan.dialects import CLIENT_DIALECTS, DIALECTS
from costspan.dialects.openai_chat import decode_request
from docs import translation


def test_the_page_is_what_the_code_does() -> None:
    assert translation.PAGE.read_text() == translation.page(), "run `make docs`"


def test_every_feature_with_files_is_listed() -> None:
    folders = [path for place in (translation.GOLDEN, translation.OWN) for path in place.iterdir()]
    asked = {folder.name for folder in folders if any((folder / f"{name}.json").is_file() for name in CLIENT_DIALECTS)}

    assert asked - translation.UNLISTED == set(translation.REQUESTS)
    for folder in translation.ANSWERS:
        assert any((translation.GOLDEN / folder / f"{name}.reply.json").is_file() for name in DIALECTS)


@pytest.mark.parametrize("client", CLIENT_DIALECTS)
def test_each_client_has_most_features_and_each_cell_is_filled(client: str) -> None:
    rows = list(translation.listed(client))

    assert len(rows) > 20
    for _, body in rows:
        for target in DIALECTS:
            assert translation.request_cell(client, body, target)[0] in "✓~✗"


def test_a_cell_tells_what_is_lost_and_what_is_refused() -> None:
    """The generator itself, on two requests whose fate is known."""
    message = {"role": "user", "content": "hi"}
    biased = {"model": "m", "messages": [message], "logit_bias": {"1": 1}}
    several = {"model": "m", "messages": [message], "n": 2}

    assert decode_request(biased).sampling.logit_bias == {"1": 1}
    assert translation.request_cell("openai-chat", biased, "anthropic-messages") == "~ `logit_bias`"
    assert translation.request_cell("openai-chat", several, "anthropic-messages") == "✗ `n`"
