"""Going through the ledger for a command: with progress, and with damage told and survived."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from costspan.cli.progress import Progress
from costspan.ledger.read import DAMAGED, Reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from costspan.ledger.read import Line


def walk(
    directory: Path, since: datetime | None, until: datetime | None, take: Callable[[Line], None], *, command: str
) -> bool:
    """Hand every line to `take`, which raises what `read.DAMAGED` says for one it cannot read. False: no ledger."""
    progress = Progress()
    reader = Reader(directory, since, until, progress)
    try:
        for line in reader.raw():
            try:
                take(line)
            except DAMAGED:
                reader.skipped += 1
    except OSError as error:
        progress.done()
        remark(command, f"cannot read the ledger in {directory}: {error.strerror or error}")
        return False
    progress.done()
    if reader.skipped:
        remark(command, f"{reader.skipped} lines could not be read and are in no figure")
    return True


def remark(command: str, text: str) -> None:
    """Say something on stderr."""
    sys.stderr.write(f"costspan {command}: {text}\n")
