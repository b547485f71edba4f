"""What encoders of embedding requests have in common: what is lost, and what may not be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.errors import Untranslatable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.ir.embedding import EmbeddingRequest


def texts(request: EmbeddingRequest, dialect: str) -> list[str]:
    """The inputs, for a dialect that takes texts only. Raises `Untranslatable` where they are token ids."""
    if request.tokens:
        raise Untranslatable(f"token ids cannot be expressed in {dialect}: send texts", param=request.name_of("input"))
    return list(request.texts)


def text(request: EmbeddingRequest, dialect: str) -> str:
    """The input, for a dialect that takes one text in a request. Raises `Untranslatable` where there are more."""
    found = texts(request, dialect)
    if len(found) != 1:
        raise Untranslatable(f"{dialect} takes one text in a request, not {len(found)}", param=request.name_of("input"))
    return found[0]


def losses(request: EmbeddingRequest, *carried: str, own: str = "") -> tuple[str, ...]:
    """What the request says beyond the fields `carried` and the extensions of the dialect `own`."""
    return tuple(dict.fromkeys((*_fields(request, carried), *_extensions(request, own))))


def _fields(request: EmbeddingRequest, carried: tuple[str, ...]) -> Iterator[str]:
    said = {
        "task": request.task is not None,
        "title": request.title is not None,
        "truncate": request.truncate is not None,
        "end_user": request.end_user is not None,
    }
    return (request.name_of(name) for name, given in said.items() if given and name not in carried)


def _extensions(request: EmbeddingRequest, own: str) -> Iterator[str]:
    return (name for dialect, fields in request.extensions.items() if dialect != own for name in fields)
