"""The catalog: prices that ship with genai-prices, read from an export.

genai-prices is never imported here: it costs 31 MiB and half a second. `catalog_export` runs in a short-lived child
and writes what this module reads; the format is described there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from costspan.pricing.rates import Row


class Catalog:
    """Prices by the catalog's provider ids."""

    def __init__(self, version: str) -> None:
        self.version = version

    def find(self, catalog_provider: str, model: str, at: datetime) -> Row | None:
        """The price of `model` on the day of `at`."""
        raise NotImplementedError
