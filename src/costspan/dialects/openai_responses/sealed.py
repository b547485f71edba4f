"""Reasoning items: the sealed part that has to come back unchanged, or the item is refused.

An item's `encrypted_content` is good only together with its `id`. So both are one `Opaque` of this dialect, of kind
`encrypted`, whose data is the JSON object `{"id": ..., "encrypted_content": ...}`; `"in_full": true` is added where the
item showed its reasoning, not only a summary of it, since other dialects forget that. What another dialect sealed rides
wrapped in `encrypted_content`, and so does a mark on reasoning that nobody sealed: OpenAI looks up items without sealed
content among those it has stored, knows no id of ours and answers 404 (github.com/anomalyco/opencode/issues/8987, read
2026-11-25). By the mark the gateway knows that the conversation has to be written anew.

With a foreign signature goes the text that it signs: clients give back an item's sealed part without its text (the AI
SDK and LangChain drop reasoning text), and Anthropic refuses thinking that was emptied
(github.com/Yeachan-Heo/gajae-code/issues/4247, read 2026-11-25).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from costspan.dialects.openai_responses.vocabulary import NAME, list_of, text_of
from costspan.errors import Malformed
from costspan.ir import opaque
from costspan.ir.request import Opaque, Reasoning
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

UNSEALED: Final = opaque.wrap(Opaque("none", "redacted", ""))
"""In the place of sealed content where there is none."""

PARAGRAPH: Final = "\n\n"
"""Between the parts of a summary."""


def blocks(item: json.Object, *, stored: bool = False) -> Iterator[Reasoning]:
    """A reasoning item as blocks: its summary, then its text; the last of them has the sealed part.

    With `stored`, an item that is no more than the id under which its provider keeps it is kept by that.
    """
    kept = sealed(item, stored=stored)
    summary, text = joined(item.get("summary")), joined(item.get("content"))
    signed = opaque.signed_text(text_of(item.get("encrypted_content")))
    if signed:
        yield Reasoning(signed, summary=not text, opaque=kept)  # as it was shown, also where that came back empty
        return
    if summary and text:
        yield Reasoning(summary, summary=True)
    if text or summary or kept is not None:
        yield Reasoning(text or summary, summary=bool(summary and not text), opaque=kept)


def joined(parts: object) -> str:
    """The text of all parts of a summary or of reasoning text."""
    texts = (text_of(part.get("text")) for part in list_of(parts) if isinstance(part, dict))
    return PARAGRAPH.join(text for text in texts if text)


def sealed(item: json.Object, *, stored: bool = False) -> Opaque | None:
    """The sealed part of an item: its own, or what was wrapped into it."""
    data, id_ = text_of(item.get("encrypted_content")), text_of(item.get("id"))
    if data:
        foreign = opaque.unwrap(data)
        if foreign is not None:
            return foreign if foreign.data else None
        in_full = {"in_full": True} if joined(item.get("content")) else {}
        return Opaque(NAME, "encrypted", json.text({"id": id_, "encrypted_content": data} | in_full))
    return Opaque(NAME, "encrypted", json.text({"id": id_})) if stored and id_ else None


@dataclass(frozen=True, slots=True)
class Native:
    """What this dialect's model sealed: `id` and `encrypted_content` as they came, and how the text is shown."""

    fields: json.Object
    in_full: bool


def native(kept: Opaque | None) -> Native | None:
    """The sealed part of an item of this dialect; None for any other."""
    if kept is None or kept.origin != NAME or kept.kind != "encrypted":
        return None
    try:
        fields = json.loads_object(kept.data)
    except Malformed:
        return None
    in_full = fields.pop("in_full", False) is True
    return Native(fields, in_full) if isinstance(fields.get("id"), str) else None


def carry(kept: Opaque | None, text: str) -> str:
    """What takes `kept`, and the text if it signs that, to a client and back in `encrypted_content`."""
    if kept is None:
        return UNSEALED
    return opaque.wrap(kept, text if kept.kind == "signature" else "")
