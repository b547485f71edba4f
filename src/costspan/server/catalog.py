"""The catalog of prices, read from genai-prices in a short-lived child process.

Importing genai_prices costs 31 MiB and half a second; the child pays for it and hands over what the configured
providers need.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING

from costspan.errors import CostspanError
from costspan.pricing.catalog import Catalog
from costspan.providers.hosts import KINDS

if TYPE_CHECKING:
    from costspan.config.schema import Config

_log = logging.getLogger(__name__)
_SECONDS = 30.0


class CatalogReader:
    """Starts the child early, so that it works while the rest of the start goes on; remembers its answer."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Catalog] = {}
        self._running: dict[tuple[str, ...], subprocess.Popen[bytes]] = {}

    def begin(self, config: Config) -> None:
        """Start reading what `config` needs."""
        ids = catalog_ids(config)
        if config.prices.catalog != "none" and ids and ids not in self._known and ids not in self._running:
            self._running[ids] = subprocess.Popen(  # noqa: S603 - our own module, ids of our own table
                [sys.executable, "-I", "-m", "costspan.pricing.catalog_export", *ids],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )

    def catalog(self, config: Config) -> Catalog | None:
        """The catalog for `config`, None when it is switched off, not needed or cannot be read (which is logged)."""
        self.begin(config)
        ids = catalog_ids(config)
        process = self._running.pop(ids, None)
        if process is not None:
            try:
                data, _ = process.communicate(timeout=_SECONDS)
                self._known[ids] = Catalog.from_export(data)
            except (subprocess.TimeoutExpired, CostspanError, ValueError, KeyError) as error:
                process.kill()
                _log.error(
                    "the price catalog cannot be read (%s): models outside the price table are unpriced",
                    type(error).__name__,
                )
        return self._known.get(ids)


def catalog_ids(config: Config) -> tuple[str, ...]:
    """The catalog's ids of the providers that `config` names."""
    found = set()
    for name, provider in config.providers.items():
        kind = KINDS.get(provider.kind or name)
        found |= {kind.catalog if kind else None, provider.price_as}
    return tuple(sorted(found - {None, "free", "provider"}, key=str))  # type: ignore[arg-type] # - None is taken out
