"""Citations of text blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.anthropic_messages.vocabulary import NAME
from costspan.ir.request import Citation

if TYPE_CHECKING:
    from costspan.dialects.losses import AnswerLosses
    from costspan.wire import json


def decode_citation(raw: json.Object) -> Citation:
    """Any of the five kinds; the whole object rides along as `raw`.

    Its indexes point into the cited document, ours into the answer: they are not the same thing and stay in `raw`.
    """
    made_here = raw.get("encrypted_index") == ""  # by `encode_citation`: no model of this dialect knows it
    url, title, cited = raw.get("url"), raw.get("title") or raw.get("document_title"), raw.get("cited_text")
    return Citation(
        url=url if isinstance(url, str) else None,
        title=title if isinstance(title, str) else None,
        cited_text=cited if isinstance(cited, str) else None,
        origin="" if made_here else NAME,
        raw=None if made_here else raw,
    )


def encode_citation(citation: Citation, losses: AnswerLosses) -> json.Object | None:
    """The citation as this dialect's object, None where it has no form for it (no URL, not of its own making).

    Its place in the answer has no form either: here a citation belongs to its whole block.
    """
    if citation.origin == NAME and isinstance(citation.raw, dict):
        return citation.raw
    if citation.url is None:
        losses.add("citations")
        return None
    if citation.start is not None or citation.end is not None:
        losses.add("citations.position")
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.cited_text or "",
        "encrypted_index": "",
    }
