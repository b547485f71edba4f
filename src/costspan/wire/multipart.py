"""Forms with files (multipart/form-data), sans-IO: read what stands in text, pass every byte on. RFC 7578, RFC 2046.

A form is fed chunks cut anywhere. Its text fields are known as they complete; of a file only its beginning is told.
What was fed can be taken again byte for byte, but for the values that `replace` sets: those fields are held until they
are whole, files are not held at all.

Strict where readers might not agree on what a form says: lines end in CRLF, nothing stands before the first boundary,
each part has one name, and a field that a gateway acts on comes once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from costspan.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FIELDS: Final = 64
MAX_PARTS: Final = 256
MAX_FIELD_BYTES: Final = 64 * 1024
MAX_HEAD_BYTES: Final = 8 * 1024
"""Of all headers of one part."""
MAX_PADDING: Final = 64
"""Spaces that may follow a boundary on its line."""

ONCE: Final = frozenset({"model", "stream"})
"""Fields that decide where a request goes and how it is answered."""

_BOUNDARY: Final = re.compile(
    r"""multipart/form-data(?:\s*;\s*[\w-]+\s*=\s*(?:"[^"]*"|[^;"\s]+))*?"""
    r"""\s*;\s*boundary\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<plain>[^;"\s]+))""",
    re.IGNORECASE | re.ASCII,
)
_ANOTHER: Final = re.compile(r";\s*boundary\s*=", re.IGNORECASE | re.ASCII)
_VALID: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]", re.ASCII)
"""RFC 2046, 5.1.1: `bchars`, at most 70, no space at the end."""
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*)")
_PARAMETER: Final = re.compile(rb""";[ \t]*([\w*-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))[ \t]*""", re.ASCII)
_ESCAPED: Final = re.compile(r'\\(["\\])')

_LENGTH: Final = re.compile(rb"(?im)^content-length(?=:)")
_FORMER_LENGTH: Final = b"X-Prior-Length"
"""Some clients (OkHttp) give a part its length. It is no longer true of a replaced value, so the header gets a name of
the same size that says nothing: the form grows by what the value grows."""


class Form:
    """Feed it chunks, look at `fields` and `in_file`, take what may go out. Raises `Malformed` on what is no form."""

    def __init__(self, content_type: str) -> None:
        self.fields: dict[str, str] = {}
        """Text fields that are complete. Of a name that occurs more than once, the first."""
        self.files: list[str] = []
        """Names of the file fields that have begun."""
        self.ended = False
        """Whether the closing boundary came."""
        self._delimiter = b"\r\n--" + _boundary(content_type)
        self._buffer = b"\r\n"  # so that the first boundary is found as the others are
        self._added = 2
        self._indented = False
        """Whether an empty line stands before the first boundary."""
        self._part: _Text | None = None
        self._searched = 0
        """Bytes of a text field that hold no boundary."""
        self._step = self._preamble
        self._parts = 0
        self._out: list[bytes | _Text] = []
        self._replaced: dict[str, str] = {}
        self._gone: set[str] = set()

    @property
    def in_file(self) -> bool:
        """Whether the first file has begun: nothing that follows is short."""
        return bool(self.files)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self._buffer = self._buffer + chunk if self._buffer else chunk
        while self._buffer and self._step():
            pass

    def finish(self) -> None:
        """The body has ended. Raises `Malformed` where it breaks off before its closing boundary."""
        if not self.ended:
            raise Malformed("the form breaks off before its end")

    def replace(self, name: str, value: str) -> None:
        """Give the field `name` another value in what is taken. Its own must not have been taken yet."""
        if name in self._gone or "\r" in value or "\n" in value:
            raise ValueError(name)
        self._replaced[name] = value

    def take(self) -> bytes:
        """The bytes that may go out now; a field that is not complete and what follows it may not."""
        out, self._out = self._out, []
        return b"".join(one if isinstance(one, bytes) else self._written(one) for one in out)

    def _written(self, text: _Text) -> bytes:
        self._gone.add(text.name)
        value = self._replaced.get(text.name)
        if value is None:
            return text.head + text.value
        return _LENGTH.sub(_FORMER_LENGTH, text.head) + value.encode()

    def _pass(self, length: int) -> bytes:
        """Move bytes from the buffer to what may go out."""
        data, self._buffer = self._buffer[:length], self._buffer[length:]
        if self._added:  # never more than the first bytes
            data, self._added = data[self._added :], 0
        if data:
            self._out.append(data)
        return data

    def _preamble(self) -> bool:
        """The first boundary, with nothing before it but an empty line."""
        if not self._indented:
            if self._buffer == b"\r\n\r":
                return False
            if self._buffer.startswith(b"\r\n\r\n"):
                self._buffer = self._buffer[2:]
                self._out.append(b"\r\n")
                self._indented = True
        wanted = self._delimiter
        if not self._buffer.startswith(wanted[: len(self._buffer)]):
            raise Malformed("the form does not begin with its boundary")
        if len(self._buffer) < len(wanted):
            return False
        self._step = self._boundary_line
        return True

    def _boundary_line(self) -> bool:
        """A boundary that was found, with what follows on its line: a part begins, or the form ends."""
        after = len(self._delimiter)
        if self._buffer.startswith(b"--", after):
            self._pass(after + 2)
            self.ended, self._step = True, self._epilogue
            return True
        end = self._buffer.find(b"\r\n", after, after + MAX_PADDING + 2)
        if end < 0:
            rest = self._buffer[after:]
            if len(rest) > MAX_PADDING or rest.strip(b" \t") not in {b"", b"\r", b"-"}:
                raise Malformed("a boundary is followed by something else")
            return False
        if self._buffer[after:end].strip(b" \t"):
            raise Malformed("a boundary is followed by something else")
        self._pass(end + 2)
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise Malformed(f"more than {MAX_PARTS} parts")
        self._step = self._head
        return True

    def _head(self) -> bool:
        """A part's headers."""
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES + 4)
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise Malformed(f"the headers of a part are larger than {MAX_HEAD_BYTES} bytes")
            return False
        name, is_file = _disposition(self._buffer[:end])
        if name in ONCE and (is_file or name in self.fields):
            raise Malformed("a field that has to be one text is a file, or comes twice")
        if is_file:
            self._pass(end + 2)  # the empty line may be the beginning of the boundary, where the file is empty
            self.files.append(name)
            self._step = self._file
            return True
        self._part = _Text(name, self._buffer[: end + 2])
        self._buffer = self._buffer[end + 2 :]
        self._step = self._text
        return True

    def _text(self) -> bool:
        """A text field: held until it is whole. What stands in the buffer begins with the empty line of its head."""
        end = self._buffer.find(self._delimiter, self._searched)
        if end < 0:
            if len(self._buffer) > MAX_FIELD_BYTES + len(self._delimiter):
                raise Malformed(f"a field is larger than {MAX_FIELD_BYTES} bytes")
            self._searched = max(len(self._buffer) - len(self._delimiter) + 1, 0)
            return False
        part = self._part
        assert part is not None  # noqa: S101 - the step before made it
        if not end:
            raise Malformed("a field has no empty line after its headers")
        part.complete(self._buffer[:end])
        self._out.append(part)
        self._buffer, self._part, self._searched = self._buffer[end:], None, 0
        self._learn(part)
        self._step = self._boundary_line
        return True

    def _learn(self, part: _Text) -> None:
        if len(part.value) > MAX_FIELD_BYTES:
            raise Malformed(f"a field is larger than {MAX_FIELD_BYTES} bytes")
        if part.name not in self.fields and len(self.fields) == MAX_FIELDS:
            raise Malformed(f"more than {MAX_FIELDS} fields")
        try:
            self.fields.setdefault(part.name, part.value.decode())
        except UnicodeDecodeError:
            raise Malformed("a field is not UTF-8") from None

    def _file(self) -> bool:
        """A file: passed as it comes, but for what may be the beginning of a boundary."""
        end = self._buffer.find(self._delimiter)
        if end >= 0:
            self._pass(end)
            self._step = self._boundary_line
            return True
        start = self._buffer.find(b"\r", max(len(self._buffer) - len(self._delimiter) + 1, 0))
        self._pass(len(self._buffer) if start < 0 else start)
        return False

    def _epilogue(self) -> bool:
        """What follows the closing boundary means nothing, and passes."""
        self._pass(len(self._buffer))
        return False


class _Text:
    """A text field. The head ends before its empty line until the value is there."""

    __slots__ = ("head", "name", "value")

    def __init__(self, name: str, head: bytes) -> None:
        self.name = name
        self.head = head
        self.value = b""

    def complete(self, rest: bytes) -> None:
        """`rest` is what stands between the head and the next boundary."""
        self.head, self.value = self.head + rest[:2], rest[2:]


def _boundary(content_type: str) -> bytes:
    found = _BOUNDARY.match(content_type)
    boundary = "" if found is None else found["quoted"] or found["plain"] or ""
    if found is None or not _VALID.fullmatch(boundary) or _ANOTHER.search(content_type, found.end()):
        raise Malformed("the Content-Type names no valid boundary, or two")
    return boundary.encode()


def _disposition(head: bytes) -> tuple[str, bool]:
    """A part's name, and whether it is a file."""
    found = [value for name, value in map(_header, head.split(b"\r\n")) if name == b"content-disposition"]
    if len(found) != 1:
        raise Malformed("a part has no Content-Disposition, or two")
    kind, mark, rest = found[0].partition(b";")
    if kind.strip().lower() != b"form-data":
        raise Malformed("a part is no form-data")
    parameters = _parameters(mark + rest)
    name = parameters.get("name")
    if not name or "name*" in parameters:
        raise Malformed("a part has no plain name")
    return name, "filename" in parameters or "filename*" in parameters


def _header(line: bytes) -> tuple[bytes, bytes]:
    found = _HEADER.fullmatch(line)
    if found is None:
        raise Malformed("a header of a part cannot be read")
    return found[1].lower(), found[2]


def _parameters(text: bytes) -> Mapping[str, str]:
    found: dict[str, str] = {}
    end = 0
    while end < len(text):
        parameter = _PARAMETER.match(text, end)
        if parameter is None:
            raise Malformed("a Content-Disposition cannot be read")
        name = parameter[1].decode().lower()
        if name in found:
            raise Malformed("a Content-Disposition says something twice")
        raw = parameter[3] if parameter[2] is None else parameter[2]
        found[name] = _ESCAPED.sub(r"\1", raw.decode(errors="replace"))
        end = parameter.end()
    return found
