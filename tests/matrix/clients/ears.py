"""An HTTP client for the SDKs that remembers what came: headers, and events before an SDK reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import httpx2

from costspan.wire import json
from matrix.scenes import KEY, OTHER_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator


class Ears:
    """`modern` is for SDKs on httpx2, `plain` for the one on httpx."""

    def __init__(self) -> None:
        self.body = bytearray()
        """Of the last answer."""
        self._dropped = ""
        self._asked = 0

    def modern(self) -> httpx2.Client:
        return httpx2.Client(
            event_hooks={"request": [self._ask], "response": [self._listen]}, verify=False, trust_env=False
        )

    def plain(self) -> httpx.Client:
        return httpx.Client(
            event_hooks={"request": [self._ask], "response": [self._listen]}, verify=False, trust_env=False
        )

    @property
    def dropped(self) -> tuple[str, ...]:
        """What the last answer says was left out."""
        return tuple(name for name in self._dropped.split(",") if name)

    def events(self) -> list[tuple[str, Any]]:
        """Name and JSON of each event of the last answer's stream, `[DONE]` left out."""
        found: list[tuple[str, Any]] = []
        for block in bytes(self.body).replace(b"\r\n", b"\n").split(b"\n\n"):
            lines = dict(line.split(b": ", 1) for line in block.split(b"\n") if line and not line.startswith(b":"))
            data = lines.get(b"data", b"[DONE]")
            if data != b"[DONE]":
                found.append((lines.get(b"event", b"").decode(), json.loads(data)))
        return found

    def _ask(self, request: Any) -> None:
        """Every other request has another key: the gateway remembers sealed reasoning for the key that it came to, and
        here the client has to bring it back itself.
        """
        self._asked += 1
        for name, value in list(request.headers.items()):
            if KEY in value and self._asked % 2 == 0:
                request.headers[name] = value.replace(KEY, OTHER_KEY)

    def _listen(self, response: Any) -> None:
        self.body.clear()
        self._dropped = response.headers.get("x-costspan-dropped", "")
        response.stream = (ModernTee if isinstance(response, httpx2.Response) else PlainTee)(response.stream, self.body)


def _copied(stream: Any, body: bytearray) -> Iterator[bytes]:
    for chunk in stream:
        body.extend(chunk)
        yield chunk


class ModernTee(httpx2.SyncByteStream):
    def __init__(self, stream: Any, body: bytearray) -> None:
        self._stream, self._body = stream, body

    def __iter__(self) -> Iterator[bytes]:
        return _copied(self._stream, self._body)

    def close(self) -> None:
        self._stream.close()


class PlainTee(httpx.SyncByteStream):
    def __init__(self, stream: Any, body: bytearray) -> None:
        self._stream, self._body = stream, body

    def __iter__(self) -> Iterator[bytes]:
        return _copied(self._stream, self._body)

    def close(self) -> None:
        self._stream.close()
