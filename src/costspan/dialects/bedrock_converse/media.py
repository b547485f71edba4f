"""Images, documents, video and sound, to the wire: bytes as base64 of known formats, or an object in S3."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from costspan.dialects.bedrock_converse.vocabulary import (
    AUDIO_FORMATS,
    DOCUMENT_FORMATS,
    IMAGE_FORMATS,
    NAME,
    VIDEO_FORMATS,
)
from costspan.errors import Untranslatable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.dialects.losses import Losses
    from costspan.ir.request import Media
    from costspan.wire import json

_FORMATS: Final[Mapping[str, Mapping[str, str]]] = {
    "image": IMAGE_FORMATS,
    "document": DOCUMENT_FORMATS,
    "video": VIDEO_FORMATS,
    "audio": AUDIO_FORMATS,
}
_DEFAULTS: Final = {"image": "png", "document": "pdf"}
_S3: Final = "s3://"
_MAX_NAME: Final = 200
_ROOM_FOR_NUMBER: Final = 12
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9\s()\[\]-]+", re.ASCII)


class Documents:
    """Names of the documents of one request, each given once: the API refuses two of one name.

    It allows letters, digits, hyphens, round and square brackets, and single spaces; an extension is the format's.
    """

    def __init__(self) -> None:
        self._given: set[str] = set()

    def name(self, wanted: str | None) -> str:
        """`wanted` as far as it may be used; a neutral one where there is none."""
        stem, _, extension = (wanted or "").rpartition(".")
        chosen = stem if extension.lower() in DOCUMENT_FORMATS.values() else wanted or ""
        single_spaced = " ".join(_NOT_IN_NAMES.sub("-", chosen).split())
        base = single_spaced[: _MAX_NAME - _ROOM_FOR_NUMBER].strip("- ") or "Document"
        name, number = base, 1
        while name in self._given:
            number += 1
            name = f"{base} ({number})"
        self._given.add(name)
        return name


def encode_media(block: Media, documents: Documents, losses: Losses) -> json.Object:
    """The block. Raises `Untranslatable` for what the API cannot be given: URLs but S3's, files of other providers."""
    if block.detail not in {None, "auto"}:
        losses.add("image_url.detail")
    raw: json.Object = {"format": _format(block), "source": _source(block)}
    if block.kind == "document":
        raw["name"] = documents.name(block.name)
    return {block.kind: raw}


def _source(block: Media) -> json.Object:
    if block.file_id is not None:
        raise Untranslatable(f"a file of another provider cannot be read in {NAME}", param="messages.file")
    if block.url is None:
        return {"bytes": block.data or ""}
    if not block.url.startswith(_S3):
        raise Untranslatable(f"{NAME} reads no URLs but those of S3", param=f"messages.{block.kind}")
    return {"s3Location": {"uri": block.url}}


def _format(block: Media) -> str:
    formats, mime = _FORMATS[block.kind], (block.mime or "").partition(";")[0].strip().lower()
    if known := formats.get(mime):
        return known
    if mime.startswith("text/") and block.kind == "document":
        return "txt"
    extension = (block.url or block.name or "").rpartition(".")[2].lower()
    if not mime and extension in {"jpg", *formats.values()}:
        return "jpeg" if extension == "jpg" else extension
    if not mime and block.url is None and (default := _DEFAULTS.get(block.kind)):
        return default
    raise Untranslatable(f"a format that {NAME} does not read", param=f"messages.{block.kind}")
