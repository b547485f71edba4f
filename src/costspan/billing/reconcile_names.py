"""Which of the provider's model names is which of the ledger's.

`gpt-4o-2024-08-06` and `gpt-4o`, "Claude Sonnet 4.5", `Claude4.5Sonnet` and
`us.anthropic.claude-sonnet-4-5-20250929-v1:0` are one family: the same words and numbers, without dates and spelling.
An exact name counts before a family, so snapshots that both sides tell apart stay apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Identity(NamedTuple):
    """A model in the ledger: as it was asked for, and as the answer named it."""

    requested: str | None
    served: str | None

    @property
    def name(self) -> str:
        """The one to show."""
        return self.served or self.requested or ""


_OWNER: Final = re.compile(r"[a-z][a-z0-9-]*\.(?=[a-z])", re.IGNORECASE)
"""What stands before a Bedrock model's name: `us.`, `anthropic.`."""
_REVISION: Final = re.compile(r"-v?\d+:\d+$")
"""What stands behind one: `-v1:0`."""
_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=\d)(?=[A-Z][a-z])|(?<=[A-Za-z]{2})(?=\d)|[^A-Za-z0-9.]+")
_DATES: Final = re.compile(
    r"\b20\d\d ?[01]\d ?[0-3]\d\b|\b[01]\d 20\d\d\b|\b[01]\d[0-3]\d\b|\b00\d\b"  # 2025-08-07, 09-2025, 0613, 001
)
_SPELLING: Final = frozenset({"preview", "latest", "exp", "experimental", "v1", "ga"})
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)*")


def family(name: str) -> str:
    """What all spellings and snapshots of a model have in common."""
    plain = name.rpartition("/")[2]
    plain = _REVISION.sub("", plain)
    parts = plain.split(":")  # OpenRouter's `:free`, OpenAI's `ft:gpt-4o:organization::id`
    plain = ":".join(parts[:2]) if parts[0] == "ft" else parts[0]
    while owner := _OWNER.match(plain):
        plain = plain[owner.end() :]
    text = _DATES.sub(" ", " ".join(filter(None, _WORDS.split(plain))).lower())
    words = [word for word in text.split() if word not in _SPELLING]
    numbers = [word.removesuffix(".0") for word in words if _NUMBER.fullmatch(word)]
    return " ".join([*sorted(word for word in words if not _NUMBER.fullmatch(word)), ".".join(numbers)]).strip()


class Names(NamedTuple):
    """The name under which each side's models are compared."""

    billed: Mapping[str, str]
    own: Mapping[Identity, str]


def align(billed: Mapping[str, bool], own: Iterable[Identity]) -> Names:
    """Find each model of the ledger among the billed ones. What is found nowhere keeps its own name.

    `billed` says of each name whether it has both usage and amounts. Where one report has the usage under an id and
    another the amounts under a title, the two are one model.
    """
    families: dict[str, list[str]] = {}
    for name in sorted(billed):
        families.setdefault(family(name), []).append(name)
    labels = {name: name for name in billed}
    for members in families.values():
        if not all(billed[name] for name in members):
            labels |= dict.fromkeys(members, max(members, key=_is_id))
    exact = {name.lower(): name for name in labels}
    found: dict[Identity, str] = {}
    for identity in sorted(own, key=repr):
        names = [name for name in (identity.served, identity.requested) if name]
        same = next((exact[name.lower()] for name in names if name.lower() in exact), None)
        candidates = [same] if same else next((families[f] for f in map(family, names) if f in families), [])
        if len({labels[name] for name in candidates}) > 1:  # several snapshots may be meant: their sum is compared
            labels |= dict.fromkeys(candidates, identity.requested or identity.name)
        found[identity] = candidates[0] if candidates else ""
    return Names(labels, {each: labels[name] if name else each.name for each, name in found.items()})


def _is_id(name: str) -> bool:
    return " " not in name
