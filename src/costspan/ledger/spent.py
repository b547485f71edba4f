"""What was spent before this process began: the ledger's attempts, summed by day for the attributes of budgets.

<dir>/.spent    sums by attributes and day, with the size of each file up to which they were taken

Files of the ledger only grow, so a start reads what came after those sizes, whatever the ledger's length; and what
`ledger.keep` has deleted is still in the sums. The file is derived: without it, or when a file of the ledger is shorter
than it was, the sums are taken again from all that is there.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from costspan.errors import Malformed
from costspan.ledger import files
from costspan.ledger.read import DAMAGED, Recent, decode
from costspan.ledger.split import EXACT
from costspan.routing.budget import agrees, date_of, number_of
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from costspan.ledger.read import Line
    from costspan.routing.budget import Match

log = logging.getLogger(__name__)

NAME: Final = ".spent"
_VERSION: Final = 1
_ATTEMPT: Final = b'{"type":"attempt",'
_BLOCK: Final = 1 << 20
_LONGEST: Final = 4 << 20
"""A longer line is none of ours: a file that is all zeros must not fill the memory."""
OVERLAP: Final = 16 << 20
"""Bytes that are read again for their ids: what a writer appends a second time (`writer.RING` lines) is among them."""

Days = dict[int, Decimal]
Cut = dict[files.Name, int]
"""Files, and how many of their bytes count."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What the file says. `spent` has, by attributes, the day since when that is all, and the sums by day."""

    sizes: Mapping[str, int]
    spent: Mapping[Match, tuple[int, Days]]


class Spent:
    """Looks up and keeps the sums of one directory. `worker` tells which of its files this process writes."""

    def __init__(self, directory: Path, worker: Callable[[], int]) -> None:
        self._directory = directory
        self._worker = worker
        self._others: Cut | None = None
        """Of other processes: what they wrote before this one looked. What came later, it does not know."""

    def cut(self) -> Cut:
        """What there is to read now. Called where nothing is being written. Raises OSError."""
        mine = self._worker()
        found: Cut = {}
        others: Cut = {}
        for name in files.names(self._directory):
            with suppress(FileNotFoundError):  # it became too old meanwhile
                (found if name.worker == mine else others)[name] = (self._directory / str(name)).stat().st_size
        if self._others is None:
            self._others = others
        return found | {name: size for name, size in self._others.items() if name in others}

    def restore(self, wanted: Mapping[Match, int], cut: Cut) -> dict[Match, Days]:
        """What was spent by the attributes `wanted`, by day, from the day on that each of them says. Raises OSError.

        Slow where it has to read much: for a thread.
        """
        saved = self._load()
        shrunk = [str(name) for name, size in cut.items() if size < saved.sizes.get(str(name), 0)]
        if shrunk:
            log.warning("ledger: %s is shorter than it was; what budgets have spent is summed again", ", ".join(shrunk))
        known = {
            match: dict(saved.spent[match][1])
            for match, since in wanted.items()
            if not shrunk and match in saved.spent and saved.spent[match][0] <= since
        }
        oldest = min((number_of(name.day) for name in cut), default=0)
        fresh = {match: _before(saved, match, oldest) for match in wanted if match not in known}
        since = {match: max(wanted[match], oldest) if fresh[match] else wanted[match] for match in fresh}
        sums = _Sums(known, fresh, since)
        for reader in self._readers(cut, saved, since=min(since.values(), default=None)):
            reader.read(sums)
        if sums.damaged:
            log.warning("ledger: %d damaged lines are in no budget's sum", sums.damaged)
        return known | fresh

    def save(self, spent: Mapping[Match, tuple[int, Days]], cut: Cut) -> None:
        """Keep sums that were taken from `cut`. Raises OSError. It waits for the disk: for a thread."""
        fields = {
            "v": _VERSION,
            "files": {str(name): size for name, size in cut.items()},
            "spent": [
                {
                    "match": dict(match),
                    "since": date_of(since).isoformat(),
                    "days": {date_of(day).isoformat(): format(usd, "f") for day, usd in sorted(days.items())},
                }
                for match, (since, days) in spent.items()
            ],
        }
        draft = self._directory / f"{NAME}.{os.getpid()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(fields) + b"\n")
            file.flush()
            os.fsync(file.fileno())  # sums of files that are deleted by now are nowhere else
        draft.replace(self._directory / NAME)
        files.sync(self._directory)

    def _load(self) -> Saved:
        path = self._directory / NAME
        try:
            return _saved(json.loads_object(path.read_bytes()))
        except FileNotFoundError:
            log.info("ledger: %s is not there; what budgets have spent is summed from the files", NAME)
        except (OSError, Malformed, *DAMAGED):
            log.warning("ledger: %s cannot be read; what budgets have spent is summed from the files again", NAME)
        return Saved({}, {})

    def _readers(self, cut: Cut, saved: Saved, since: int | None) -> Iterator[_Reader]:
        """Readers of what has to be read, in order. `since` is the first day of sums that have to be taken anew."""
        by_worker: dict[int, list[files.Name]] = {}
        for name in sorted(cut):
            by_worker.setdefault(name.worker, []).append(name)
        for mine in by_worker.values():
            recent = Recent()
            known = [saved.sizes.get(str(name), 0) for name in mine]
            unread = next((place for place, name in enumerate(mine) if known[place] < cut[name]), len(mine))
            for place, name in enumerate(mine):
                size, offset = cut[name], min(known[place], cut[name])
                start = max(offset - OVERLAP, 0)
                anew = since is not None and number_of(name.day) >= since - 1  # a clock may have been set back
                if anew:
                    start = 0
                elif unread == len(mine) or place < unread - 1:
                    continue
                yield _Reader(self._directory / str(name), start, offset, size, recent, anew=anew)


class _Sums:
    """Sums as they grow. `known` are those of before, to which what is new is added; `fresh` are taken anew."""

    def __init__(self, known: dict[Match, Days], fresh: dict[Match, Days], since: Mapping[Match, int]) -> None:
        """`since` is the day from which on `fresh` is taken from the files."""
        self.damaged = 0
        self._known = list(known.items())
        self._fresh = [(match, since[match], days) for match, days in fresh.items()]

    def take(self, line: Line, *, new: bool, anew: bool) -> None:
        """Count an attempt. `new`: it is not in the sums of before. `anew`: `fresh` counts it. Raises `DAMAGED`."""
        attributes = line["attributes"]
        usd = line["cost_usd"] if line["cost_usd"] is not None else line["cost_estimated_usd"]
        if usd is None:
            return
        amount = Decimal(usd)
        day = _day(line["time"][:10])
        if new:
            for match, days in self._known:
                if agrees(match, attributes):
                    days[day] = EXACT.add(days.get(day, Decimal(0)), amount)
        if anew:
            for match, since, days in self._fresh:
                if day >= since and agrees(match, attributes):
                    days[day] = EXACT.add(days.get(day, Decimal(0)), amount)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one file from `start` to `size`. What is before `offset` is in the sums of before."""

    path: Path
    start: int
    offset: int
    size: int
    recent: Recent
    anew: bool

    def read(self, sums: _Sums) -> None:
        """Add up the attempts. Raises OSError."""
        with suppress(FileNotFoundError):  # it became too old meanwhile
            for place, text in self._lines():
                if not text.startswith(_ATTEMPT):
                    continue
                found = decode(text)
                if found is None:
                    sums.damaged += 1
                elif self.recent.is_new(found[0]["id"]):
                    try:
                        sums.take(found[0], new=place >= self.offset, anew=self.anew)
                    except DAMAGED:
                        sums.damaged += 1

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """The lines that begin after `start`, with their places."""
        with self.path.open("rb", buffering=0) as file:
            place = max(self.start - 1, 0)  # a line may begin just here: then its newline is all that is left out
            file.seek(place)
            left = self.size - place
            partial = self.start > 0
            rest = b""
            while left > 0 and (block := file.read(min(_BLOCK, left))):
                left -= len(block)
                lines = (rest + block).split(b"\n")
                rest = lines.pop()
                for text in lines:
                    if not partial:
                        yield place, text
                    partial = False
                    place += len(text) + 1
                if len(rest) > _LONGEST:
                    place += len(rest) - 1
                    rest = b"\0"  # whatever follows on this line, it is one that nobody can read
            if rest and not partial:
                yield place, rest


@lru_cache(maxsize=64)
def _day(text: str) -> int:
    """Raises ValueError."""
    return number_of(date.fromisoformat(text))


def _before(saved: Saved, match: Match, oldest: int) -> Days:
    """What was spent before the oldest file that is still there."""
    return {day: usd for day, usd in saved.spent.get(match, (0, {}))[1].items() if day < oldest}


def _saved(fields: json.Object) -> Saved:
    """Raises what `DAMAGED` says."""
    if fields["v"] != _VERSION:
        raise ValueError(fields["v"])
    spent: dict[Match, tuple[int, Days]] = {}
    for entry in fields["spent"]:
        days = {number_of(date.fromisoformat(day)): Decimal(usd) for day, usd in entry["days"].items()}
        spent[tuple(sorted(entry["match"].items()))] = number_of(date.fromisoformat(entry["since"])), days
    return Saved({name: int(size) for name, size in fields["files"].items()}, spent)
