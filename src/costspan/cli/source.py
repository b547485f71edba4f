"""Which configuration a command works on: a file, or the environment when there is none."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from costspan.config.environment import KnownProvider, from_environment
from costspan.config.load import load
from costspan.errors import ConfigError
from costspan.providers.hosts import KINDS

if TYPE_CHECKING:
    from costspan.config.load import Loaded

DEFAULT = Path("gateway.yaml")
EX_CONFIG = 78
"""sysexits.h: something was wrong with the configuration."""

KNOWN = tuple(
    KnownProvider(kind.name, kind.key_variable, kind.globs, kind.other_key_variables)
    for kind in KINDS.values()
    if kind.key_variable is not None and kind.base_url is not None and not kind.needs
)
"""Providers that a key is all to know of."""

_MISSING = re.compile(r"the environment variable (\w+) is (?:not set|empty)$")
_PLACEHOLDER = "not-set"
"""Stands for a variable that is not set here. Not a number, so that nothing is ever priced by it."""


@dataclass(frozen=True, slots=True)
class Source:
    """`path` None stands for the environment."""

    path: Path | None

    def load(self) -> Loaded:
        """Read it. Raises `ConfigError`."""
        if self.path is None:
            return from_environment(os.environ, KNOWN)
        return load(self.path, os.environ)

    def load_to_look_at(self) -> Loaded:
        """As `load`, with a placeholder for each variable that is missing and has no default. Raises `ConfigError`.

        Prices, plans and discounts can be looked at where the keys are not.
        """
        try:
            return self.load()
        except ConfigError as error:
            missing = {match[1] for problem in error.problems if (match := _MISSING.search(str(problem)))}
            if self.path is None or not missing:
                raise
        return load(self.path, {**os.environ, **dict.fromkeys(missing, _PLACEHOLDER)})

    @property
    def name(self) -> str:
        """For messages."""
        return "the environment" if self.path is None else str(self.path)


def find(option: Path | None) -> Source:
    """`--config`, else `$COSTSPAN_CONFIG`, else `./gateway.yaml` where it exists, else the environment."""
    if option is not None:
        return Source(option)
    if variable := os.environ.get("COSTSPAN_CONFIG"):
        return Source(Path(variable))
    return Source(DEFAULT if DEFAULT.exists() else None)


def ledger_dir(option: Path | None) -> Path:
    """The ledger's folder as the configuration says it; its default where that cannot be loaded here (keys missing)."""
    try:
        configured = find(option).load().config.ledger.dir
    except ConfigError as error:
        if option is not None:
            print(f"{error}\nreading ./ledger instead", file=sys.stderr)  # noqa: T201 - for the person at the terminal
        configured = None
    return Path(configured or "ledger")
