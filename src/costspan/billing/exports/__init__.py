"""Providers' exports of usage and costs. To add one: write its module, then add it to `FORMATS`."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from costspan.billing.exports import anthropic, aws, google, openai, openrouter
from costspan.billing.exports.rows import read_rows
from costspan.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from costspan.billing.exports.charge import Charge, Format
    from costspan.billing.exports.rows import Row

FORMATS: Mapping[str, Format] = MappingProxyType(
    {each.NAME: each for each in (openai, anthropic, google, aws, openrouter)}
)
"""By the name that `--format` takes."""


class Export:
    """One file: its format, and its charges as it is read. Raises `Malformed`."""

    def __init__(self, lines: Iterable[str], name: str | None = None) -> None:
        """`lines` is text, `name` the format; without it the first row decides."""
        self._rows = read_rows(lines)
        self._first = next(self._rows, None)
        if self._first is None:
            raise Malformed("the file is empty")
        self.format = FORMATS[name] if name is not None else _recognise(self._first)
        if name is not None and not self.format.recognises(self._first):
            raise Malformed(f"the columns are none of the format {name}")
        self.foreign = 0
        """Rows so far that are of other services on the same bill."""

    def __iter__(self) -> Iterator[Charge]:
        if self._first is not None:
            yield from self._of(self._first)
        for row in self._rows:
            yield from self._of(row)

    def _of(self, row: Row) -> Iterator[Charge]:
        nothing = True
        for charge in self.format.charges(row):
            nothing = False
            yield charge
        self.foreign += nothing and not row.has("data")


def _recognise(row: Row) -> Format:
    found = next((each for each in FORMATS.values() if each.recognises(row)), None)
    if found is None:
        raise Malformed(f"no format that is known: {', '.join(FORMATS)}; the first row has {_names(row)}")
    return found


def _names(row: Row) -> str:
    most = 8
    names = list(row.values)
    return ", ".join(map(repr, names[:most])) + (", ..." if len(names) > most else "")
