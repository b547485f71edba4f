"""docs/sdks.md says what is tried."""

from __future__ import annotations

from matrix.page import PAGE, page


def test_the_page_is_what_is_tried() -> None:
    assert PAGE.read_text() == page(), "run `make docs`"
