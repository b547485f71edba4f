"""What a way is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costspan.wire.http import Upload


@dataclass(slots=True)  # not frozen, as `ledger.records`: made for every request
class Asked:
    """A request in a dialect, before it is known how its provider takes it.

    `path` is the dialect's own, below a base URL (`/chat/completions`, `/models/x:generateContent`); a query may
    follow. `forwarded` are the client's headers that may pass, names in lower case. `key` is None where the account
    has none, and a credential chain may answer later.
    """

    dialect: str
    path: str
    model: str
    body: bytes | Upload
    stream: bool = False
    key: str | None = None
    forwarded: Sequence[tuple[str, str]] = ()
    content_type: str = "application/json"
