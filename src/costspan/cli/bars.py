"""Costs as bars of text: no colour, no wider than there is room. A bar is what is known; estimates follow, lighter."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from costspan.cli.tables import printable, readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from costspan.ledger.report import Group, Report, Sums

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_FULL: Final = "█"
_ESTIMATE: Final = "░"
_GAP: Final = "  "
_SHORTEST: Final = 10
"""Cells of the longest bar, however long the names are."""
_NAMES: Final = 0.4
"""Part of the width that names may take."""
_MOST_LINES: Final = 100
"""Times without any record get a line of their own, unless that made more lines than this and than twice the others."""

_STEPS: Final = {"day": ("%Y-%m-%d", timedelta(days=1)), "hour": ("%Y-%m-%dT%H", timedelta(hours=1))}


def draw(report: Report, width: int) -> Iterator[str]:
    """A line for each group of `report`, and the total. Days and hours without records are shown as such."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - slow to import, and only people need it

    groups = _with_gaps(report)
    allowed = max(int(width * _NAMES), _SHORTEST)
    names = _names([[printable(value) for value in group] for group in groups], allowed)
    costs = [readable(sums.known("cost_usd")) if sums else "" for sums in groups.values()]
    total = readable(report.total.known("cost_usd"))
    label = min(max(map(cell_len, [*names, "total"])), allowed)
    figure = max(map(len, (*costs, total)))
    room = max(width - label - figure - 2 * len(_GAP), _SHORTEST)
    most = max((_spent(sums) for sums in report.groups.values()), default=Decimal(0))
    for name, cost, sums in zip(names, costs, groups.values(), strict=True):
        bar = _bar(sums, most, room) if sums else ""
        yield f"{set_cell_size(_short(name, label), label)}{_GAP}{cost:>{figure}}{_GAP}{bar}".rstrip()
    yield f"{'total':{label}}{_GAP}{total:>{figure}}"


def _names(groups: Sequence[Sequence[str]], allowed: int) -> list[str]:
    """What is written before the bars: parts below each other, where there is room for that."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - as above

    widths = [max(map(cell_len, column)) for column in zip(*groups, strict=True)]
    if sum(widths) + len(_GAP) * (len(widths) - 1) > allowed:
        return [_GAP.join(parts) for parts in groups]
    return [_GAP.join(map(set_cell_size, parts, widths)) for parts in groups]


def _spent(sums: Sums) -> Decimal:
    return sums.cost_usd + sums.cost_estimated_usd


def _bar(sums: Sums, most: Decimal, room: int) -> str:
    """The cost in blocks of an eighth, at least one for any cost at all, and the estimate in whole ones."""
    if not most:
        return ""
    eighths = int(sums.cost_usd / most * room * 8)
    whole, part = divmod(max(eighths, 1 if sums.cost_usd else 0), 8)
    known = _FULL * whole + (_EIGHTHS[part] if part else "")
    until = int(_spent(sums) / most * room)
    estimated = max(until - len(known), 1 if sums.cost_estimated_usd and len(known) < room else 0)
    return known + _ESTIMATE * estimated


def _short(name: str, cells: int) -> str:
    """`name`, with a mark where it is cut."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - as above

    return name if cell_len(name) <= cells else set_cell_size(name, cells - 1).rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def _with_gaps(report: Report) -> dict[Group, Sums | None]:
    """The groups; where they are days or hours alone, also those between them that have no record."""
    groups: dict[Group, Sums | None] = dict(report.groups)
    if len(report.by) != 1 or report.by[0] not in _STEPS:
        return groups
    pattern, step = _STEPS[report.by[0]]
    times = [value for (value,) in report.groups if value]
    if not times:
        return groups
    first, last = (datetime.strptime(value, pattern) for value in (times[0], times[-1]))  # noqa: DTZ007 - UTC, as all
    count = (last - first) // step + 1
    if count > max(_MOST_LINES, 2 * len(times)):
        return groups
    every = ((first + place * step).strftime(pattern) for place in range(count))
    return {(time,): report.groups.get((time,)) for time in every}
