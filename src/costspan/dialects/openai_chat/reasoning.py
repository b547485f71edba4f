"""Reasoning and annotations, as messages, deltas and requests alike carry them.

`reasoning_details[]` is OpenRouter's (openrouter.ai/docs, reasoning-tokens, read 2026-08-22): items of the types
`reasoning.text` {text, signature}, `reasoning.summary` {summary} and `reasoning.encrypted` {data}, which a client sends
back unchanged. Hosts repeat the text as `reasoning` or `reasoning_content`; some send only that.
An item of `reasoning.encrypted` whose `id` is that of a tool call belongs to the call.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.openai_chat.vocabulary import NAME, REASONING_FORMATS
from costspan.errors import Malformed
from costspan.ir import opaque
from costspan.ir.request import Citation, Opaque, Reasoning
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TEXT: Final = "reasoning.text"
_SUMMARY: Final = "reasoning.summary"
_ENCRYPTED: Final = "reasoning.encrypted"


@dataclass(frozen=True, slots=True)
class Detail:
    """One item of reasoning. `index` is its number on the wire, None where it has none."""

    text: str = ""
    summary: bool = False
    opaque: Opaque | None = None
    index: int | None = None
    id: str | None = None


def details(holder: json.Object) -> Iterator[Detail]:
    """The reasoning of a message or a delta, once, by its most complete account."""
    items = holder.get("reasoning_details")
    found = [detail for item in items if (detail := _detail(item)) is not None] if isinstance(items, list) else []
    if not any(detail.text for detail in found):  # opaque parts may come beside a plain text
        for name in ("reasoning", "reasoning_content"):
            text = holder.get(name)
            if isinstance(text, str) and text:
                yield Detail(text, index=found[0].index if found else None)
                break
    yield from found


def _detail(item: Any) -> Detail | None:  # noqa: ANN401 - JSON
    if not isinstance(item, dict):
        return None
    number, id_ = item.get("index"), item.get("id")
    index = number if type(number) is int else None
    name = id_ if isinstance(id_, str) else None
    match item:
        case {"type": "reasoning.text" | "reasoning.encrypted"}:
            return Detail(_text(item.get("text")), opaque=_opaque(item), index=index, id=name)
        case {"type": "reasoning.summary"}:
            return Detail(_text(item.get("summary")), summary=True, opaque=_opaque(item), index=index, id=name)
        case _:
            return None


def _opaque(item: json.Object) -> Opaque | None:
    """Wrapped by us for another dialect, or this dialect's own: then the whole item is kept, but for its text.

    The slot is looked for in every type: the official SDK's accumulator adds up items of one index, whatever their
    types.
    """
    signature, data = _text(item.get("signature")), _text(item.get("data"))
    if not signature and not data:
        return None
    foreign = opaque.unwrap(signature or data)
    if foreign is not None:
        return foreign
    sealed = {name: value for name, value in item.items() if name not in {"text", "summary"}}
    return Opaque(NAME, "signature" if signature else "encrypted", json.text(sealed))


def thinking_part(part: json.Object) -> Iterator[Detail]:
    """Mistral's content part: `{"type": "thinking", "thinking": [{"type": "text", "text": ...}]}`."""
    inner = part.get("thinking")
    if isinstance(inner, str):
        inner = [{"text": inner}]
    for piece in inner if isinstance(inner, list) else ():
        text = piece.get("text") if isinstance(piece, dict) else None
        if isinstance(text, str) and text:
            yield Detail(text)


def blocks(found: Iterable[Detail]) -> Iterator[Reasoning]:
    """Whole reasoning blocks. Items of one number add up: clients send back a stream's deltas as they came."""
    pending: Detail | None = None
    for detail in found:
        if pending is not None and _continues(pending, detail):
            pending = replace(pending, text=pending.text + detail.text, opaque=detail.opaque)
            continue
        if pending is not None:
            yield Reasoning(pending.text, pending.summary, pending.opaque)
        pending = detail
    if pending is not None:
        yield Reasoning(pending.text, pending.summary, pending.opaque)


def _continues(before: Detail, detail: Detail) -> bool:
    if before.opaque is not None or before.index != detail.index:
        return False
    return not detail.text or (before.summary == detail.summary and detail.index is not None)


def items(reasoning: Reasoning, index: int) -> list[json.Object]:
    """A block as items of `reasoning_details`."""
    shown: list[json.Object] = []
    sealed = None if reasoning.opaque is None else sealed_item(reasoning.opaque, index)
    if reasoning.text:
        slot = {_TEXT: "text", _SUMMARY: "summary"}.get("" if sealed is None else sealed["type"])
        if sealed is not None and slot is not None:
            return [sealed | {slot: reasoning.text}]
        shown.append(text_item(reasoning.text, index, summary=reasoning.summary))
    if sealed is not None:
        shown.append(sealed)
    return shown


def text_item(text: str, index: int, *, summary: bool) -> json.Object:
    """An item that holds plain text."""
    return (
        {"type": _SUMMARY, "summary": text, "index": index}
        if summary
        else {"type": _TEXT, "text": text, "index": index}
    )


def sealed_item(sealed: Opaque, index: int, id_: str | None = None) -> json.Object:
    """An item that holds an opaque part: as it came when it is this dialect's own, else wrapped."""
    if sealed.origin == NAME:
        native = _native(sealed)
        if native is not None:
            return native
    slot = ("signature", _TEXT) if sealed.kind == "signature" and id_ is None else ("data", _ENCRYPTED)
    item: json.Object = {
        "type": slot[1],
        slot[0]: opaque.wrap(sealed),
        "format": REASONING_FORMATS.get(sealed.origin, "unknown"),
        "index": index,
    }
    return item if id_ is None else item | {"id": id_}


def _native(sealed: Opaque) -> json.Object | None:
    try:
        item = json.loads_object(sealed.data)
    except Malformed:
        return None
    return item if item.get("type") in {_TEXT, _SUMMARY, _ENCRYPTED} else None


def citations(annotations: Any) -> Iterator[Citation]:  # noqa: ANN401 - JSON
    """The `url_citation` annotations of a message or delta."""
    for annotation in annotations if isinstance(annotations, list) else ():
        match annotation:
            case {"type": "url_citation", "url_citation": {"url": str(url), **more}}:
                start, end = more.get("start_index"), more.get("end_index")
                yield Citation(
                    url=url,
                    title=_text(more.get("title")) or None,
                    cited_text=_text(more.get("content")) or None,
                    start=start if type(start) is int else None,
                    end=end if type(end) is int else None,
                )
            case _:
                pass


def sources(body: json.Object) -> Iterator[Citation]:
    """Perplexity's citations: of the whole answer, beside its choices, in every chunk of a stream.

    `search_results` tells the titles too (recorded 2025-06).
    """
    for name in ("search_results", "citations"):
        found = body.get(name)
        if isinstance(found, list) and found:
            for source in found:
                match source:
                    case str(url) | {"url": str(url)}:
                        title = source.get("title") if isinstance(source, dict) else None
                        yield Citation(url=url, title=_text(title) or None)
                    case _:
                        pass
            return


def annotation(citation: Citation, offset: int = 0, length: int = 0) -> json.Object | None:
    """A citation as an annotation, its position shifted by `offset`; None where it has no URL.

    The SDK's types demand positions: where the origin gave none, the whole text of `length` characters is meant.
    """
    if citation.url is None:
        return None
    cited: json.Object = {
        "url": citation.url,
        "title": citation.title or "",
        "start_index": offset + (citation.start or 0),
        "end_index": offset + (length if citation.end is None else citation.end),
    }
    if citation.cited_text:
        cited["content"] = citation.cited_text
    return {"type": "url_citation", "url_citation": cited}


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    return value if isinstance(value, str) else ""
