"""A process that appends to a ledger until it is killed: DIRECTORY and, as a control, `without-starts`.

Each attempt's id goes to stdout before its record does, as an upstream would know of it.
"""

from __future__ import annotations

import os
import sys
from itertools import count
from pathlib import Path

from costspan.ledger.writer import Writer
from fakes import ledger_records as records


def main(directory: str, *options: str) -> None:
    writer = Writer(Path(directory), fsync_interval=0, keep_days=90, clock=lambda: records.TIME)
    writer.start()
    for number in count():
        id_, exchange_id = f"at_{os.getpid()}_{number}", f"cs_{os.getpid()}_{number}"
        started = records.started(id_, exchange_id)
        if "without-starts" not in options:
            writer.attempt_started(started)
        os.write(1, f"{id_}\n".encode())
        writer.attempt_ended(records.attempt(started))
        writer.exchange_ended(records.exchange(exchange_id), [])


if __name__ == "__main__":
    main(*sys.argv[1:])
