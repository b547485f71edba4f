"""Embeddings, in no provider's dialect."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.ir.usage import Usage

Task: TypeAlias = Literal[
    "query", "document", "similarity", "classification", "clustering", "code_query", "question_answering", "fact_check"
]
"""What the vectors are for. Providers have their own words for it; some have none."""


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to turn into vectors, in their order.

    `tokens` holds inputs given as token ids instead of texts, where the dialect knows them; then `texts` is empty.
    `format` is how the client wants its vectors: JSON numbers, or little-endian float32 in base64.
    `names` are the client's own words for fields of this form, where they differ: losses are told in them.
    """

    model: str
    texts: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...] = ()
    dimensions: int | None = None
    format: Literal["float", "base64"] = "float"
    task: Task | None = None
    title: str | None = None
    truncate: bool | None = None
    end_user: str | None = None
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    extensions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Top-level fields that only the dialect (the outer key) knows. Towards another dialect each is a loss."""

    def name_of(self, name: str) -> str:
        """What the client calls the field `name` of this form."""
        return self.names.get(name, name)


@dataclass(frozen=True, slots=True)
class EmbeddingReply:
    """One vector per input, in the inputs' order. `format` of the request decides how the client sees them."""

    model: str
    vectors: tuple[tuple[float, ...], ...]
    usage: Usage | None = None
    format: Literal["float", "base64"] = "float"
    unread: frozenset[str] = frozenset()
