"""What a translation leaves out, by name.

Of a request, encoders name losses in openai-chat's words, whoever asked; `in_words` says them in the client's own. Of
an answer they begin with `response.`; a name that an upstream made up is used only where it is short and plain, since
it goes into a header and into the ledger.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from costspan.ir import events
from costspan.ir.reply import FinishReason
from costspan.ir.request import Media, ServerTool

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from costspan.ir.request import ToolResult

PREFIX: Final = "response."
MAX_ANSWER_LOSSES: Final = 32
"""An upstream can invent any number of names; beyond this many they are `response.others`."""

NO_WORD_ANYWHERE: Final = frozenset({FinishReason.MALFORMED_TOOL_CALL, FinishReason.OTHER})
"""Finish reasons that every dialect can only show as an ordinary end."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


class Losses:
    """Names of what could not be carried, each once, in the order they were met."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, name: str) -> None:
        """Note that `name` was left out or changed."""
        self._names[name] = None

    def names(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._names)


class AnswerLosses(Losses):
    """The same of an answer: prefixed, plain and bounded."""

    def add(self, name: str) -> None:
        """Note that the client is not shown `name`."""
        known = PREFIX + (name if _PLAIN.fullmatch(name) else "unknown")
        if known not in self._names and len(self._names) >= MAX_ANSWER_LOSSES:
            known = f"{PREFIX}others"
        self._names[known] = None

    def add_all(self, names: Iterable[str]) -> None:
        """Note several, in the order of the alphabet."""
        for name in sorted(names):
            self.add(name)


class Unread:
    """What a stream's decoder could not read, told once per name and no more often than anybody will note."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, names: Iterable[str]) -> Iterator[events.Unread]:
        """An event for each of `names` that is new."""
        for name in names:
            if name not in self._told and len(self._told) <= MAX_ANSWER_LOSSES:
                self._told.add(name)
                yield events.Unread(name)


def in_words(name: str, words: Mapping[str, str]) -> str:
    """A loss in a client's own words: by its name, else by the field that it is a part of, else as it is."""
    if name in words:
        return words[name]
    field, dot, part = name.partition(".")
    return f"{words.get(field, field)}{dot}{part}"


def beyond(fields: Mapping[str, object], known: Collection[str]) -> Iterator[str]:
    """Names of `fields` that are not `known` and hold something."""
    return (name for name, value in fields.items() if name not in known and holds(value))


def holds(value: object) -> bool:
    """Whether a field says anything: hosts write out empty lists, nulls, and objects of nulls."""
    return any(value.values()) if isinstance(value, dict) else bool(value)


def name_of(block: ServerTool | Media | ToolResult) -> str:
    """How the loss of a block is named."""
    match block:
        case ServerTool(kind=kind):
            return name_of_kind(kind)
        case Media(kind=kind):
            return kind
        case _:
            return "tool_result"


def name_of_kind(kind: str) -> str:
    """How the loss of a provider's own block is named: calls and results of its tools alike, others by their kind."""
    return kind if kind and "tool" not in kind else "server_tool"
