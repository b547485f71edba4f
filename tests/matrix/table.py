"""The matrix as text: a line for each client and upstream, a column for each scene, and the notes below."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from matrix.clients.every import ORDER
from matrix.expected import NOTES, OK
from matrix.scenes import SCENES
from matrix.upstreams import UPSTREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Cell = tuple[str, str, str]
"""Client, upstream, scene."""


def table(outcomes: Mapping[Cell, str]) -> Iterator[str]:
    """`outcomes` in lines. What is not `ok` is a number, explained below; what is missing says so."""
    said = list(dict.fromkeys(text for text in outcomes.values() if text != OK))
    scenes = [scene.name for scene in SCENES]
    upstreams = [upstream.name for upstream in UPSTREAMS]
    pairs = {(client, upstream) for client, upstream, _ in outcomes}
    rows = sorted(pairs, key=lambda pair: (ORDER.index(pair[0]), upstreams.index(pair[1])))
    lines = [["client", "upstream", *scenes]]
    for client, upstream in rows:
        cells = [outcomes.get((client, upstream, scene), "MISSING") for scene in scenes]
        lines.append([client, upstream, *(f"({said.index(cell) + 1})" if cell in said else cell for cell in cells)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for number, line in enumerate(lines):
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        if number == 0:
            yield "  ".join("-" * width for width in widths)
    for number, text in enumerate(said, 1):
        yield ""
        yield f"({number}) {text}"
        for why in dict.fromkeys(note.why for note in NOTES if note.outcome == text):
            yield from wrap(why, 116, initial_indent="    ", subsequent_indent="    ")
