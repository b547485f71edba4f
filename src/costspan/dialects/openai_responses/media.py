"""Images, files and sounds as content parts. URLs are passed on, base64 is never decoded."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from costspan.dialects.openai_responses.fields import bad_input
from costspan.errors import Untranslatable
from costspan.ir.request import Media

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.wire import json

_Kind: TypeAlias = Literal["image", "audio", "document", "video"]

_MIME_OF_FORMAT: Final[Mapping[str, str]] = MappingProxyType({"mp3": "audio/mpeg"})
# Anthropic's ids are `file_011...`, OpenAI's `file-...`.
_FOREIGN_FILE: Final = "file_"
_KINDS: Final[Mapping[str, _Kind]] = MappingProxyType({"image": "image", "audio": "audio", "video": "video"})


def read_media(part: json.Object, where: str) -> Media:
    """The media part `part`. Raises `ClientError` naming a field under `where`."""
    match part:
        case {"type": "input_image", "image_url": str(url)} if url:
            return _from_url("image", url, f"{where}.image_url", detail=_text(part, "detail"))
        case {"type": "input_image", "file_id": str(id_)} if id_:
            return Media("image", file_id=id_, detail=_text(part, "detail"))
        case {"type": "input_image"}:
            raise bad_input("'input_image' must have image_url or file_id", f"{where}.image_url")
        case {"type": "input_file"}:
            return _file(part, where)
        case {"type": "input_audio", "input_audio": {"data": str(data), "format": str(format_)}}:
            return Media("audio", mime=_MIME_OF_FORMAT.get(format_, f"audio/{format_}"), data=data)
        case {"type": "input_audio"}:
            raise bad_input("'input_audio' must have data and format", f"{where}.input_audio")
        case _:
            raise bad_input("unknown kind of part", f"{where}.type")


def _file(part: json.Object, where: str) -> Media:
    name, detail = _text(part, "filename"), _text(part, "detail")
    match part:
        case {"file_id": str(id_)} if id_:
            return Media("document", file_id=id_, name=name, detail=detail)
        case {"file_url": str(url)} if url:
            return Media("document", url=url, name=name, detail=detail)
        case {"file_data": str(data)} if data.startswith("data:"):
            return _from_url("document", data, f"{where}.file_data", name=name, detail=detail)
        case {"file_data": str(data)} if data:
            return Media("document", mime="application/pdf", data=data, name=name, detail=detail)
        case _:
            raise bad_input("'input_file' must have file_data, file_url or file_id", where)


def _from_url(kind: _Kind, url: str, where: str, *, detail: str | None = None, name: str | None = None) -> Media:
    """By reference, or inline where it is a `data:` URL (RFC 2397)."""
    if not url.startswith("data:"):
        return Media(kind, url=url, detail=detail, name=name)
    head, comma, data = url.removeprefix("data:").partition(",")
    mime, *parameters = head.split(";")
    if not comma or "base64" not in parameters or not data:
        raise bad_input("a data URL must be base64", where)
    family = _KINDS.get(mime.partition("/")[0], kind)
    return Media(family if kind == "document" else kind, mime=mime or None, data=data, detail=detail, name=name)


def _text(part: json.Object, name: str) -> str | None:
    value = part.get(name)
    return value if isinstance(value, str) and value else None


def write_media(media: Media) -> json.Object:
    """A content part. Raises `Untranslatable` for what the API takes no part of (SDK: `ResponseInputContent`)."""
    if media.file_id is not None and media.file_id.startswith(_FOREIGN_FILE):
        raise Untranslatable("a file that another provider keeps cannot be sent", param="messages.content")
    match media:
        case Media(kind="image"):
            part: json.Object = {"type": "input_image", **_image(media)}
        case Media(kind="document"):
            part = {"type": "input_file", **_document(media)}
        case _:
            raise Untranslatable(f"the target cannot be sent {media.kind}", param="messages.content")
    return part if media.detail is None else part | {"detail": media.detail}


def _image(media: Media) -> json.Object:
    if media.file_id is not None:
        return {"file_id": media.file_id}
    return {"image_url": media.url or f"data:{media.mime or 'image/png'};base64,{media.data}"}


def _document(media: Media) -> json.Object:
    if media.file_id is not None:
        return {"file_id": media.file_id}
    named: json.Object = {} if media.name is None else {"filename": media.name}
    if media.url is not None:
        return {**named, "file_url": media.url}
    data = f"data:{media.mime or 'application/pdf'};base64,{media.data}"
    return {"filename": media.name or "document.pdf", "file_data": data}
