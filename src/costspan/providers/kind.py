"""What a provider kind is: the facts that all its accounts share, as data."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal

from costspan.ir.profile import PLAIN, Profile

Auth = Literal["bearer", "x-api-key", "api-key", "x-goog-api-key", "none"]
"""Where a configured key goes: `Authorization: Bearer`, the header of that name, or nowhere."""

Credentials = Literal["aws", "entra", "google"]
"""Whose credential chain answers where an account has no key of its own."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What models of these names speak, where that is not what the kind speaks. Dialects in order of preference."""

    globs: tuple[str, ...]
    dialects: tuple[str, ...]

    def holds(self, model: str) -> bool:
        """Whether it is about `model`."""
        return any(fnmatchcase(model, glob) for glob in self.globs)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of provider. `dialects` in order of preference, of all operations; `catalog` is its id in genai-prices.

    `base_url` may name `{location}` or `{region}`; None where each account has an address of its own.
    """

    name: str
    base_url: str | None
    dialects: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    """The first that holds for a model is taken."""
    way: Literal["plain", "azure", "bedrock", "vertex"] = "plain"
    """How a dialect's request is addressed and wrapped: a module of `providers.ways`."""
    auth: Auth = "bearer"
    credentials: Credentials | None = None
    key_variable: str | None = None
    other_key_variables: tuple[str, ...] = ()
    """Further names of environment variables that hold the key."""
    version: str = ""
    """`/v1`: the end of its base path, which official SDKs add to the URL that they are given, and so do we."""
    needs: tuple[str, ...] = ()
    """Settings of an account (`project`, `location`, `region`, `api_version`) that its requests need."""
    takes: tuple[str, ...] = ()
    """Those that it can do without."""
    catalog: str | None = None
    abort_stops_billing: bool = False
    """Whether closing the connection of a stream does."""
    abort_stops_whole: bool = False
    """Whether closing that of a whole answer does."""
    profile: Profile = PLAIN
    globs: tuple[str, ...] = ()
    """Model names that a zero-config start sends here."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent when the client gave none of that name."""

    @property
    def all_dialects(self) -> tuple[str, ...]:
        """Each dialect that any of its models speaks."""
        return tuple(dict.fromkeys([*self.dialects, *(name for rule in self.rules for name in rule.dialects)]))


@lru_cache(maxsize=4096)  # asked for every attempt; clients may name any model
def spoken(rules: tuple[Rule, ...], dialects: tuple[str, ...], model: str) -> tuple[str, ...]:
    """The dialects of `model`: those of the first rule that holds for it, else `dialects`."""
    return next((rule.dialects for rule in rules if rule.holds(model)), dialects)
