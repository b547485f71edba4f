"""Annotations of a text: to and from citations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.dialects.openai_responses.vocabulary import NAME, list_of, text_of
from costspan.ir.request import Citation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from costspan.wire import json


def citations(annotations: Any) -> Iterator[Citation]:  # noqa: ANN401 - JSON
    """All of them, in their order. Those that are no web page keep their object, for this dialect alone."""
    for annotation in list_of(annotations):
        if isinstance(annotation, dict):
            yield citation(annotation)


def citation(annotation: json.Object) -> Citation:
    """One annotation."""
    match annotation:
        case {"type": "url_citation", "url": str(url)}:
            start, end = annotation.get("start_index"), annotation.get("end_index")
            return Citation(
                url=url,
                title=text_of(annotation.get("title")) or None,
                start=start if type(start) is int else None,
                end=end if type(end) is int else None,
            )
        case _:
            name = annotation.get("filename")
            return Citation(title=name if isinstance(name, str) else None, origin=NAME, raw=annotation)


def is_placed(cited: Citation) -> bool:
    """Whether its annotation can be written before the text is whole."""
    return cited.end is not None or cited.origin == NAME


def annotation(cited: Citation, length: int, lose: Callable[[str], None]) -> json.Object | None:
    """A citation of a text of `length` characters; None where it has no URL and is not of this dialect's making.

    The SDK's types demand positions: where the origin gave none, the whole text is meant.
    """
    if cited.origin == NAME and isinstance(cited.raw, dict):
        return cited.raw
    if cited.url is None:
        lose("citations")
        return None
    if cited.cited_text:
        lose("citations.cited_text")
    return {
        "type": "url_citation",
        "start_index": cited.start or 0,
        "end_index": length if cited.end is None else cited.end,
        "title": cited.title or "",
        "url": cited.url,
    }
