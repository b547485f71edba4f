"""Blocks of an answer as parts, for a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.gemini_generate.media import part_of
from costspan.dialects.gemini_generate.signatures import shown
from costspan.dialects.gemini_generate.write_contents import arguments_object, wrapped_arguments
from costspan.dialects.losses import name_of, name_of_kind
from costspan.errors import Untranslatable

if TYPE_CHECKING:
    from costspan.dialects.losses import AnswerLosses
    from costspan.ir.request import Media, Opaque
    from costspan.wire import json


def text_part(text: str, sealed: Opaque | None = None, *, thought: bool = False) -> json.Object:
    """Text, or a thought, and what it is signed with."""
    part: json.Object = {"text": text}
    if thought:
        part["thought"] = True
    return _signed(part, sealed)


def call_part(id_: str, name: str, arguments: str, sealed: Opaque | None, losses: AnswerLosses) -> json.Object:
    """A function call. Its arguments are an object by definition."""
    fields: json.Fragment | json.Object | None = arguments_object(arguments)
    if fields is None:
        losses.add("tool_calls.arguments")
        fields = wrapped_arguments(arguments)
    return _signed({"functionCall": {"id": id_, "name": name, "args": fields}}, sealed)


def media_part(media: Media, losses: AnswerLosses) -> json.Object | None:
    """A picture or a sound; None for a file that another provider keeps."""
    try:
        return part_of(media)
    except Untranslatable:
        losses.add(name_of(media))
        return None


def lose_tool(kind: str, losses: AnswerLosses) -> None:
    """What another provider's own tool did has no part here."""
    losses.add(name_of_kind(kind))


def _signed(part: json.Object, sealed: Opaque | None) -> json.Object:
    return part if sealed is None else {**part, "thoughtSignature": shown(sealed)}
