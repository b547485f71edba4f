"""The pages of docs/ as tests read them: fenced blocks and tables."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "costspan"
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks in `language`, in order."""
    return [text for found, text in _FENCE.findall(page.read_text()) if found == language]


def section(page: Path, title: str) -> str:
    """The text below the heading `title`, to the next heading of the same level."""
    _before, _, rest = page.read_text().partition(f"\n## {title}\n")
    assert rest, f"{page.name} has no section {title}"
    return rest.partition("\n## ")[0]


def rows(text: str) -> Iterator[list[str]]:
    """The cells of each table row of `text`, heads and rules left out."""
    lines = text.splitlines()
    for before, line in pairwise(lines):
        is_head = line.startswith("|") and not before.startswith("|")
        if line.startswith("|") and not is_head and not re.fullmatch(r"[|\s:-]+", line):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def codes(cell: str) -> list[str]:
    """What stands in backquotes in `cell`."""
    return _CODE.findall(cell)
