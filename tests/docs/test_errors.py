"""docs/errors.md."""

from __future__ import annotations

import pytest

from costspan.dialects import CLIENT_DIALECTS
from costspan.dialects.types import ErrorAnswer
from costspan.engine import failure
from costspan.errors import Category, UpstreamError
from costspan.server import errors
from docs.codes import answers, upstream_kinds
from docs.pages import DOCS, SOURCES, blocks, codes, rows, section

PAGE = DOCS / "errors.md"
OURS = "The client has to change something"
THEIRS = "The upstream failed, or the gateway cannot"
EXAMPLES = ("openai-chat", "anthropic-messages", "gemini-generate")
"""In the order of the page. openai-responses writes the first."""
NEVER_SEEN = {"connect", "cancelled"}
"""Categories that an attempt's failure never has as its kind: the transport and the records have words of their own."""


def documented(title: str) -> list[tuple[int, str]]:
    return [(int(row[0]), codes(row[1])[0]) for row in rows(section(PAGE, title))]


def of_a_kind(kind: str) -> tuple[int, str]:
    """Status and code for an attempt's failure that has a code of its own."""
    category = Category.TIMEOUT if kind == "deadline_exceeded" else Category.SERVER_ERROR
    answer = errors.from_upstream_error(UpstreamError("", kind=kind, category=category), "cs_1", ())
    return answer.status, answer.code


def test_every_code_that_the_source_answers_with_has_its_row_and_no_other() -> None:
    assert {*documented(OURS), *documented(THEIRS)} == answers(SOURCES) | set(map(of_a_kind, errors._OWN_CODES))


@pytest.mark.parametrize("title", [OURS, THEIRS])
def test_the_rows_are_in_order(title: str) -> None:
    assert documented(title) == sorted(documented(title))


def test_every_error_type_of_an_attempt_has_its_row_and_no_other() -> None:
    of_categories = {failure._KINDS.get(c, c.value) for c in Category if c.value not in NEVER_SEEN}
    listed = [codes(row[0])[0] for row in rows(section(PAGE, "Error types of attempts"))]

    assert set(listed) == of_categories | upstream_kinds(SOURCES)
    assert listed == sorted(listed)


def test_fallback_words_are_those_of_the_configuration() -> None:
    words = {word for row in rows(section(PAGE, "Error types of attempts")) for word in codes(row[1])}

    assert words == {c.value for c in Category} - {"cancelled", "invalid_request", "not_found"}


@pytest.mark.parametrize(("position", "dialect"), list(enumerate(EXAMPLES)))
def test_the_examples_are_what_the_dialects_write(position: int, dialect: str) -> None:
    answer = ErrorAnswer(
        429,
        "rate_limit_exceeded",
        "the last attempt failed with rate_limit (status 429): slow down",
        "cs_1",
        None,
        ({"target": "openai/gpt-5", "status": 429, "error_type": "rate_limit"},),
    )

    assert blocks(PAGE, "json")[position].strip() == CLIENT_DIALECTS[dialect].encode_error(answer).decode()
