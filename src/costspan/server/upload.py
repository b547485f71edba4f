"""Forms with files: read until it is known where they go, then streamed there, never held whole.

The field `model` has to come to the target under the target's own name, so the bytes before it are held; clients that
send it after the file pay for that with memory, up to the limit of a body.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp.web import RequestPayloadError

from costspan.dialects import PASSED
from costspan.errors import ClientError, Malformed
from costspan.server import body as bodies
from costspan.wire.multipart import Form

if TYPE_CHECKING:
    from aiohttp import web

    from costspan.server.paths import Operation
    from costspan.wire import json
    from costspan.wire.http import Upload

_TYPE: Final = "multipart/form-data"


def is_form(request: web.BaseRequest) -> bool:
    """Whether the request's body is a form with parts."""
    return request.headers.get("Content-Type", "").lower().startswith(_TYPE)


def takes_forms(asked: Operation) -> bool:
    """Whether the operation is one whose requests may be forms."""
    passed = PASSED.get(asked.dialect.NAME)
    return passed is not None and passed.TAKES_FORMS


class BodyUpload:
    """A body on its way, as it is. Implements `costspan.wire.http.Upload`."""

    def __init__(self, request: web.BaseRequest, limit: int) -> None:
        self.begun = False
        self.ended = False
        self.length = request.content_length
        self._content = request.content
        self._limit = limit
        self._size = 0

    async def chunk(self) -> bytes:
        """See the protocol."""
        self.begun = True
        return await self.read()

    async def read(self) -> bytes:
        """The next bytes, as they come; none at the end. Raises `ClientError`."""
        content = self._content
        try:
            async with asyncio.timeout(bodies.IDLE_SECONDS):
                data = await content.readany()  # raises where the body broke, also at what looks like its end
            if (flaw := content.exception()) is not None:
                raise flaw
        except TimeoutError:
            raise bodies.too_slow() from None
        except (RequestPayloadError, ConnectionError):
            raise bodies.broken() from None
        self.ended = not data
        self._size += len(data)
        if self._size > self._limit:
            raise bodies.too_large(self._limit)
        return data


class FormUpload:
    """One form on its way. Implements `costspan.wire.http.Upload` and the engine's `Form`."""

    def __init__(self, request: web.BaseRequest, form: Form, body: BodyUpload) -> None:
        self.begun = False
        self.ended = False
        self.length: int | None = None
        self.content_type = request.headers["Content-Type"]
        self._declared = request.content_length
        self._form = form
        self._body = body
        self._model = ""

    @property
    def fields(self) -> json.Object:
        """The text fields that came so far."""
        return dict(self._form.fields)

    async def until_routable(self) -> None:
        """Read until the model is known and the text before the first file with it, or to the end."""
        while not self.ended and not ("model" in self._form.fields and self._form.files):
            await self._read()
        self._model = self._form.fields.get("model", "")

    def renamed(self, model: str) -> Upload:
        """See the protocol."""
        self._form.replace("model", model)
        if self._declared is not None:
            self.length = self._declared + len(model.encode()) - len(self._model.encode())
        return self

    async def chunk(self) -> bytes:
        """See the protocol."""
        self.begun = True
        while not (data := self._form.take()):
            if self.ended:
                return b""
            await self._read()
        return data

    async def _read(self) -> None:
        data = await self._body.read()
        try:
            if data:
                self._form.feed(data)
            else:
                self.ended = True
                self._form.finish()
        except Malformed:
            raise ClientError(
                "the form is not valid multipart/form-data", code="bad_framing", headers={"connection": "close"}
            ) from None


async def passing(request: web.BaseRequest, limit: int) -> BodyUpload:
    """A body that is streamed as it is. Raises `ClientError`."""
    bodies.check_encoding(request)
    declared = request.content_length
    if declared is not None and declared > limit:
        raise bodies.too_large(limit)
    await bodies.welcome(request)
    return BodyUpload(request, limit)


async def begin(request: web.BaseRequest, limit: int) -> FormUpload:
    """Read a form until it can be routed. Raises `ClientError`."""
    body = await passing(request, limit)
    try:
        form = Form(request.headers["Content-Type"])
    except Malformed:
        raise ClientError("the form has no valid boundary", code="bad_framing") from None
    begun = FormUpload(request, form, body)
    try:
        async with asyncio.timeout(bodies.TOTAL_SECONDS):
            await begun.until_routable()
    except TimeoutError:
        raise bodies.too_slow() from None
    return begun
