"""Reading a request's body: bounded, patient for so long, JSON in UTF-8 only."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp.web import RequestPayloadError

from costspan.errors import ClientError, Malformed
from costspan.wire import json

if TYPE_CHECKING:
    from aiohttp import StreamReader, web

JSON = "application/json"
IDLE_SECONDS = 30.0
TOTAL_SECONDS = 120.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CODES = {
    json.TooDeep: "json_too_deep",
    json.TooLarge: "json_too_large",
    json.LoneSurrogate: "invalid_unicode",
    json.DuplicateKey: "duplicate_key",
}
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})


def check_media_type(request: web.BaseRequest) -> None:
    """Raise `ClientError` 415 unless the body is plain JSON in UTF-8 (which also stops cross-site form posts)."""
    check_encoding(request)
    content_type = request.headers.get("Content-Type", "")
    if content_type == JSON:
        return
    media_type, _, rest = content_type.partition(";")
    if media_type.strip().lower() != JSON:
        raise ClientError("the Content-Type must be application/json", status=415, code="unsupported_media_type")
    for parameter in rest.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in _CHARSETS:
            raise ClientError("the only charset is UTF-8", status=415, code="unsupported_charset")


def check_encoding(request: web.BaseRequest) -> None:
    """Raise `ClientError` 415 where the body is compressed: nobody here unpacks it, and no provider would be told."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ClientError("encoded request bodies are not accepted", status=415, code="unsupported_encoding")


async def read(request: web.BaseRequest, limit: int) -> bytes:
    """The body, at most `limit` bytes. Raises `ClientError` 413, 408 or 400; the connection is of no more use then."""
    declared = request.content_length
    if declared is not None and declared > limit:
        raise too_large(limit)
    await welcome(request)
    try:
        if request.content.is_eof():  # all of it is here already: nothing to wait for
            return await _read(request, limit)
        async with asyncio.timeout(TOTAL_SECONDS):
            return await _read(request, limit)
    except TimeoutError:
        raise too_slow() from None
    except RequestPayloadError:
        raise broken() from None


async def welcome(request: web.BaseRequest) -> None:
    """Tell a client that asks first that its body may come."""
    if "Expect" in request.headers:
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0  # the answer itself has not begun


async def _read(request: web.BaseRequest, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    content = request.content
    while not content.at_eof():
        chunk = content.read_nowait() if content.is_eof() else await _patiently(content)
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        chunks.append(chunk)
    if (flaw := content.exception()) is not None:  # it came with the last bytes, which are no whole body
        raise flaw
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _patiently(content: StreamReader) -> bytes:
    async with asyncio.timeout(IDLE_SECONDS):
        return await content.readany()


def too_slow() -> ClientError:
    """The body did not come in time."""
    return ClientError("the body came too slowly", status=408, code="request_timeout", headers={"connection": "close"})


def broken() -> ClientError:
    """The body broke off, or its chunks are no chunks."""
    return ClientError("the body's framing is not valid", code="bad_framing", headers={"connection": "close"})


def too_large(limit: int) -> ClientError:
    """The body is over the limit; the rest of it is not read."""
    return ClientError(
        f"the body is larger than the limit of {limit} bytes (server.max_request_bytes)",
        status=413,
        code="request_too_large",
        headers={"connection": "close"},
    )


def parse(body: bytes) -> json.Object:
    """The body as a JSON object. Raises `ClientError` 400."""
    try:
        return json.loads_strictly(body)
    except Malformed as error:
        code = _CODES.get(type(error)) or ("invalid_type" if "object" in str(error) else "invalid_json")
        raise ClientError(f"the body is refused: {error}", code=code) from None
