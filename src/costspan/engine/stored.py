"""Who made what a later request refers to: answers that one provider stored can be continued only there."""

from __future__ import annotations

from collections import OrderedDict

from costspan.routing.bounded import put

MAX_IDS = 100_000
"""Some ten megabytes; older ids are forgotten first."""
MAX_ID_CHARS = 256
"""What is longer is not remembered: the bound above would be none."""


class StoredBy:
    """Ids of answers, by the provider that has them. In this process only: there is no database."""

    def __init__(self, limit: int = MAX_IDS) -> None:
        self._owners: OrderedDict[str, str] = OrderedDict()
        self._limit = limit

    def remember(self, id_: str, provider: str) -> None:
        """`provider` (its name in the configuration) gave an answer this id."""
        if len(id_) <= MAX_ID_CHARS:
            put(self._owners, id_, provider, self._limit)

    def owner(self, id_: str) -> str | None:
        """Whose id it is, None where that is not known."""
        return self._owners.get(id_)
