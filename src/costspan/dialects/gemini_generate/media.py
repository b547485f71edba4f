"""Images, sounds, videos and documents as parts. URLs are passed on, base64 is never decoded.

`fileData` takes what the Files API or Cloud Storage keeps, YouTube's pages, and any public https URL (blog.google,
gemini-api-new-file-limits, read 2026-11-25).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from costspan.dialects.gemini_generate import fields
from costspan.dialects.gemini_generate.vocabulary import NAME
from costspan.errors import Untranslatable
from costspan.ir.request import Media

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.dialects.losses import Losses
    from costspan.wire import json

_Kind: TypeAlias = Literal["image", "audio", "document", "video"]

_KINDS: Final[Mapping[str, _Kind]] = MappingProxyType({"image": "image", "audio": "audio", "video": "video"})
_KEPT: Final = ("https://generativelanguage.googleapis.com/", "gs://", "files/")
"""How files begin that Google keeps and nobody else can read."""
_STANDARD: Final = str.maketrans("-_", "+/")
"""The API takes both alphabets of base64 and Google's SDK writes the one for URLs, which other providers refuse."""
_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "png": "image/png",
        "jpg": "image/jpeg",
        "jpeg": "image/jpeg",
        "webp": "image/webp",
        "gif": "image/gif",
        "heic": "image/heic",
        "heif": "image/heif",
        "pdf": "application/pdf",
        "txt": "text/plain",
        "md": "text/markdown",
        "html": "text/html",
        "csv": "text/csv",
        "json": "application/json",
        "mp3": "audio/mpeg",
        "wav": "audio/wav",
        "ogg": "audio/ogg",
        "flac": "audio/flac",
        "m4a": "audio/mp4",
        "mp4": "video/mp4",
        "mov": "video/quicktime",
        "webm": "video/webm",
    }
)
_DEFAULTS: Final[Mapping[_Kind, str]] = MappingProxyType(
    {"image": "image/png", "audio": "audio/wav", "document": "application/pdf", "video": "video/mp4"}
)
"""Of data that came without a type; the other dialects assume the same."""


def kind_of(mime: str | None) -> _Kind:
    """What a media type stands for."""
    return _KINDS.get((mime or "").partition("/")[0], "document")


def read_inline(raw: Any, where: str) -> Media:  # noqa: ANN401 - unchecked input
    """`inlineData`. Raises `ClientError` naming a field under `where`."""
    blob = fields.message(raw, where)
    mime = fields.string(blob.get("mimeType"), f"{where}.mimeType")
    name = fields.string(blob.get("displayName"), f"{where}.displayName")
    data = fields.needed(blob.get("data"), f"{where}.data")
    return Media(kind_of(mime), mime, data=data.translate(_STANDARD), name=name)


def read_file(raw: Any, where: str) -> Media:  # noqa: ANN401 - unchecked input
    """`fileData`. Raises `ClientError` naming a field under `where`."""
    file = fields.message(raw, where)
    uri = fields.needed(file.get("fileUri"), f"{where}.fileUri")
    mime = fields.string(file.get("mimeType"), f"{where}.mimeType")
    name = fields.string(file.get("displayName"), f"{where}.displayName")
    kind = kind_of(mime or _type_by_name(uri))
    if uri.startswith(_KEPT):
        return Media(kind, mime, file_id=uri, name=name)
    return Media(kind, mime, url=uri, name=name)


def write_media(media: Media, losses: Losses) -> json.Object:
    """A part. Raises `Untranslatable` for a file that another provider keeps."""
    if media.detail not in {None, "auto"}:  # a resolution by part is for models from 3 on, in a preview
        losses.add("image_url.detail")
    if media.name:  # `displayName` is Vertex's, and there for a few uses only
        losses.add("file.filename")
    return part_of(media)


def part_of(media: Media) -> json.Object:
    """The same, for an answer."""
    if media.data is not None:
        return {"inlineData": {"mimeType": media.mime or _DEFAULTS[media.kind], "data": media.data}}
    uri = media.url if media.url is not None else media.file_id or ""
    if media.url is None and not uri.startswith(_KEPT):
        raise Untranslatable(f"a file of another provider cannot be read in {NAME}", param="messages.file")
    mime = media.mime or _type_by_name(uri)
    return {"fileData": {"fileUri": uri} if mime is None else {"mimeType": mime, "fileUri": uri}}


def _type_by_name(uri: str) -> str | None:
    """The type that a URL's ending tells, None where it tells none: then the API is to find out."""
    _, dot, ending = urlsplit(uri).path.rpartition(".")
    return _TYPES.get(ending.lower()) if dot else None
