"""Images, sounds and files as content parts. URLs are passed on, base64 is never decoded."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from costspan.dialects.openai_chat.fields import invalid
from costspan.errors import ClientError, Untranslatable
from costspan.ir.request import Media

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.wire import json

_Kind: TypeAlias = Literal["image", "audio", "document", "video"]

_MIME_OF_FORMAT: Final[Mapping[str, str]] = MappingProxyType({"mp3": "audio/mpeg"})
_FORMAT_OF_MIME: Final[Mapping[str, str]] = MappingProxyType(
    {"audio/mpeg": "mp3", "audio/x-wav": "wav", "audio/wave": "wav", "audio/x-flac": "flac"}
)
# Anthropic's ids are `file_011...`, Google's are addresses, OpenAI's `file-...`.
_FOREIGN_FILES: Final = ("file_", "https://", "gs://", "files/")
_KINDS: Final[Mapping[str, _Kind]] = MappingProxyType({"image": "image", "audio": "audio", "video": "video"})


def read_media(kind: str, value: Any, where: str) -> Media:  # noqa: ANN401 - unchecked input
    """The part of type `kind` whose like-named field is `value`. Raises `ClientError` naming a field under `where`."""
    match kind, value:
        case "image_url", str(url) | {"url": str(url)}:
            detail = value.get("detail") if isinstance(value, dict) else None
            return _from_url("image", url, f"{where}.image_url.url", detail=detail if isinstance(detail, str) else None)
        case "input_audio", {"data": str(data), "format": str(format_)}:
            return Media("audio", mime=_MIME_OF_FORMAT.get(format_, f"audio/{format_}"), data=data)
        case "file", dict():
            return _file(value, where)
        case (("video_url" | "input_video"), {"url": str(url)}):
            return _from_url("video", url, f"{where}.{kind}.url")
        case (("image_url" | "input_audio" | "video_url" | "input_video"), _):
            raise invalid(f"'{kind}' lacks a field or has one of the wrong type", f"{where}.{kind}", "invalid_messages")
        case _:
            raise invalid("unknown kind of part", f"{where}.type", "invalid_messages")


def _file(file: json.Object, where: str) -> Media:
    name = file.get("filename")
    name = name if isinstance(name, str) and name else None
    match file:
        case {"file_id": str(id_)} if id_:
            return Media("document", file_id=id_, name=name)
        case {"file_data": str(data)} if data:
            if data.startswith(("data:", "http://", "https://")):
                return _from_url("document", data, f"{where}.file.file_data", name=name)
            return Media("document", mime="application/pdf", data=data, name=name)
        case _:
            raise invalid("'file' must have file_data or file_id", f"{where}.file", "invalid_messages")


def _from_url(kind: _Kind, url: str, where: str, *, detail: str | None = None, name: str | None = None) -> Media:
    """By reference, or inline where it is a `data:` URL (RFC 2397)."""
    if not url.startswith("data:"):
        return Media(kind, url=url, detail=detail, name=name)
    head, comma, data = url.removeprefix("data:").partition(",")
    mime, *parameters = head.split(";")
    if not comma or "base64" not in parameters or not data:
        raise invalid("a data URL must be base64", where, "invalid_messages")
    family = _KINDS.get(mime.partition("/")[0], kind)
    return Media(family if kind == "document" else kind, mime=mime or None, data=data, detail=detail, name=name)


def write_media(media: Media, *, file_urls: bool) -> json.Object:
    """A content part. Raises `Untranslatable` for what this dialect cannot carry."""
    match media:
        case Media(kind="image", url=str(url)):
            return _image(url, media.detail)
        case Media(kind="image", data=str(data)):
            return _image(f"data:{media.mime or 'image/png'};base64,{data}", media.detail)
        case Media(kind="audio", data=str(data)):
            mime = media.mime or "audio/wav"
            format_ = _FORMAT_OF_MIME.get(mime, mime.partition("/")[2])
            return {"type": "input_audio", "input_audio": {"data": data, "format": format_}}
        case Media(kind="document"):
            return {"type": "file", "file": _file_of(media, file_urls=file_urls)}
        case _:
            how = "by id" if media.file_id else "by URL" if media.url else "inline"
            raise Untranslatable(f"the target cannot be sent {media.kind} {how}", param="messages.content")


def read_picture(part: Any) -> Media | None:  # noqa: ANN401 - JSON
    """An `image_url` part that a model made; None for any other, since an odd picture is no reason to lose the rest."""
    match part:
        case {"type": "image_url", "image_url": image}:
            try:
                return read_media("image_url", image, "images")
            except ClientError:
                return None
        case _:
            return None


def write_picture(media: Media | None) -> json.Object | None:
    """The same, for an answer; None for what is no picture that can be shown."""
    if media is None or media.kind != "image":
        return None
    url = media.url or (f"data:{media.mime or 'image/png'};base64,{media.data}" if media.data else None)
    return None if url is None else {"type": "image_url", "image_url": {"url": url}}


def _image(url: str, detail: str | None) -> json.Object:
    return {"type": "image_url", "image_url": {"url": url} if detail is None else {"url": url, "detail": detail}}


def _file_of(media: Media, *, file_urls: bool) -> json.Object:
    if media.file_id:
        if media.file_id.startswith(_FOREIGN_FILES):
            raise Untranslatable("a file that another provider keeps cannot be sent", param="messages.content")
        return {"file_id": media.file_id}
    name = media.name or "document.pdf"
    if media.data:
        return {"filename": name, "file_data": f"data:{media.mime or 'application/pdf'};base64,{media.data}"}
    if media.url and file_urls:
        return {"filename": name, "file_data": media.url}
    raise Untranslatable("the target cannot be sent documents by URL", param="messages.content")
