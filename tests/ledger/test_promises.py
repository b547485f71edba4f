"""docs/ledger.md says which tests hold its promises: they are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def table() -> list[str]:
    text = (ROOT / "docs" / "ledger.md").read_text()
    return [row for row in text.partition("## What tests the promises")[2].splitlines() if row.startswith("| ")][1:]


def test_each_promise_has_its_tests() -> None:
    assert {row[2] for row in table()} >= set("12345")


def test_the_tests_that_are_named_are_there() -> None:
    for row in table():
        folder, tests = Path(), ""
        for named in re.findall(r"`([^`]+)`", row):
            if named.endswith(".py"):
                folder = (ROOT / named).parent if "/" in named else folder
                tests = (folder / Path(named).name).read_text()
            else:
                pattern = "".join(".*" if part == "..." else re.escape(part) for part in re.split(r"(\.\.\.)", named))
                assert re.search(f"def {pattern}", tests), f"{named} in: {row}"
