"""Citations, from `groundingMetadata` and `citationMetadata` and back.

Their positions count bytes of UTF-8, ours characters. A support says where in its part a claim stands; of streams, and
in practice of whole answers, that is the candidate's text from its beginning. The text that it repeats tells which.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from costspan.ir.request import Citation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from costspan.wire import json

_URLS: Final = ("uri", "sourceUri", "imageUri")


def citations(candidate: json.Object, text: str) -> Iterator[Citation]:
    """Those of a candidate that has said `text`, with positions in it."""
    encoded = text.encode(errors="replace")
    grounding = candidate.get("groundingMetadata")
    if isinstance(grounding, dict):
        yield from _grounded(grounding, encoded, text)
    sources = candidate.get("citationMetadata")
    if isinstance(sources, dict):
        for source in _objects(sources.get("citations") or sources.get("citationSources")):
            if cited := _source(source):
                yield _placed(cited, source, encoded, text)


def _grounded(grounding: json.Object, encoded: bytes, text: str) -> Iterator[Citation]:
    """A citation for each claim and source; a source that supports no claim is cited without a position."""
    chunks = grounding.get("groundingChunks")
    sources = [_chunk(chunk) for chunk in chunks] if isinstance(chunks, list) else []
    used: set[int] = set()
    for support in _objects(grounding.get("groundingSupports")):
        indexes, segment = support.get("groundingChunkIndices"), support.get("segment")
        for index in indexes if isinstance(indexes, list) else ():
            if type(index) is int and 0 <= index < len(sources) and (source := sources[index]):
                used.add(index)
                yield _placed(source, segment if isinstance(segment, dict) else {}, encoded, text)
    for index, unused in enumerate(sources):
        if unused and index not in used:
            yield unused


def _chunk(chunk: Any) -> Citation | None:  # noqa: ANN401 - JSON
    """`web`, `maps`, `retrievedContext` or `image`: all tell a title and where it is."""
    for kind in chunk.values() if isinstance(chunk, dict) else ():
        if isinstance(kind, dict) and (found := _source(kind)):
            return found
    return None


def _source(raw: json.Object) -> Citation | None:
    url = next((value for name in _URLS if isinstance(value := raw.get(name), str) and value), None)
    title, cited = raw.get("title"), raw.get("text")
    if url is None and not isinstance(title, str):
        return None
    return Citation(
        url, title if isinstance(title, str) and title else None, cited if isinstance(cited, str) and cited else None
    )


def _placed(citation: Citation, segment: json.Object, encoded: bytes, text: str) -> Citation:
    """The citation at the characters that `segment` means by bytes, or by the text that it repeats."""
    start, end, repeated = segment.get("startIndex", 0), segment.get("endIndex"), segment.get("text")
    if type(start) is int and type(end) is int and 0 <= start < end <= len(encoded):
        claim = encoded[start:end].decode(errors="ignore")
        if not isinstance(repeated, str) or repeated == claim:
            first = len(encoded[:start].decode(errors="ignore"))
            return replace(citation, start=first, end=first + len(claim))
    if isinstance(repeated, str) and repeated and (first := text.find(repeated)) >= 0:
        return replace(citation, start=first, end=first + len(repeated))
    return citation


def _objects(value: Any) -> list[json.Object]:  # noqa: ANN401 - JSON
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def grounding_of(texts: Iterable[tuple[str, Iterable[Citation]]]) -> json.Object | None:
    """`groundingMetadata` for texts and their citations, positions counted from the beginning of the first.

    Citations without a URL have no form here and are not given. None where none is left.
    """
    sources: dict[tuple[str, str | None], int] = {}
    supports: list[json.Object] = []
    before = ""
    for text, cited in texts:
        for citation in cited:
            if citation.url is None:
                continue
            index = sources.setdefault((citation.url, citation.title), len(sources))
            if citation.end is not None:
                supports.append(_support(before, text, citation, index))
        before += text
    if not sources:
        return None
    chunks = [{"web": {"uri": url} | ({"title": title} if title else {})} for url, title in sources]
    return {"groundingChunks": chunks} | ({"groundingSupports": supports} if supports else {})


def _support(before: str, text: str, citation: Citation, index: int) -> json.Object:
    start, end = citation.start or 0, citation.end
    offset = len(before.encode(errors="replace"))
    claim = text[start:end]
    first = offset + len(text[:start].encode(errors="replace"))
    segment = {"startIndex": first, "endIndex": first + len(claim.encode(errors="replace")), "text": claim}
    return {"segment": segment, "groundingChunkIndices": [index]}
