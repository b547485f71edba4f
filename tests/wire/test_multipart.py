"""multipart: read the text of a form, pass every byte on."""

from __future__ import annotations

import io
from email.parser import BytesParser
from email.policy import HTTP
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.errors import Malformed
from costspan.wire.multipart import MAX_FIELD_BYTES, MAX_FIELDS, MAX_HEAD_BYTES, MAX_PARTS, Form

if TYPE_CHECKING:
    from collections.abc import Iterable

TYPE = "multipart/form-data; boundary=XX"
DATA = b"\x00\xff\r\n--X\r\n\r\n--XY\r\r\n-"
"""A file's bytes, with what is nearly a boundary in them."""


def text(name: str, value: str | bytes, *headers: str) -> bytes:
    head = "\r\n".join([f'Content-Disposition: form-data; name="{name}"', *headers])
    return f"{head}\r\n\r\n".encode() + (value if isinstance(value, bytes) else value.encode())


def file(name: str, data: bytes) -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    return head.encode() + data


def form(*parts: bytes, boundary: str = "XX") -> bytes:
    mark = f"--{boundary}".encode()
    return b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"


def read(
    body: bytes, cuts: Iterable[int] = (), content_type: str = TYPE, model: str | None = None
) -> tuple[Form, bytes]:
    found = Form(content_type)
    if model is not None:
        found.replace("model", model)
    out = b""
    ends = [0, *cuts, len(body)]
    for start, end in pairwise(ends):
        found.feed(body[start:end])
        out += found.take()
    found.finish()
    return found, out + found.take()


BODY = form(text("model", "whisper-1"), text("prompt", "Grüße\r\n--X"), file("file", DATA), text("language", "de"))
FIELDS = {"model": "whisper-1", "prompt": "Grüße\r\n--X", "language": "de"}


def test_text_is_read_and_all_passes_byte_for_byte() -> None:
    found, out = read(BODY)

    assert found.fields == FIELDS
    assert found.files == ["file"]
    assert out == BODY


def test_only_the_value_of_a_replaced_field_changes() -> None:
    _, out = read(BODY, model="whisper-large-v3-turbo")

    assert out == BODY.replace(b"whisper-1", b"whisper-large-v3-turbo")


def test_the_cuts_between_chunks_do_not_matter() -> None:
    whole = BODY.replace(b"whisper-1", b"m")
    for cut in range(1, len(BODY)):
        found, out = read(BODY, [cut], model="m")
        assert (found.fields, found.files, out) == (FIELDS, ["file"], whole)
    found, out = read(BODY, range(1, len(BODY)), model="m")
    assert (found.fields, found.files, out) == (FIELDS, ["file"], whole)


def test_no_prefix_is_a_whole_form() -> None:
    for end in range(len(BODY) - 2):
        with pytest.raises(Malformed):
            read(BODY[:end])


def test_a_file_is_not_held() -> None:
    found = Form(TYPE)
    begun = b"--XX\r\n" + file("file", b"a" * 100_000)
    found.feed(begun)

    assert found.in_file
    assert found.take() == begun


def test_a_field_is_held_until_it_is_whole() -> None:
    found = Form(TYPE)
    found.feed(b"--XX\r\n" + text("model", "whis"))
    assert found.take() == b"--XX\r\n"

    found.feed(b"per-1\r\n--XX")
    found.replace("model", "m")

    assert found.fields == {"model": "whisper-1"}
    assert found.take() == text("model", "m")


def test_a_model_after_the_file_can_be_replaced_while_nothing_is_taken() -> None:
    found = Form(TYPE)
    found.feed(form(file("file", DATA), text("model", "whisper-1")))
    found.replace("model", "m")

    assert found.take() == form(file("file", DATA), text("model", "m"))


def test_a_value_can_be_replaced_again_for_another_target() -> None:
    found = Form(TYPE)
    found.feed(BODY)
    found.replace("model", "first")
    found.replace("model", "second")

    assert found.take() == BODY.replace(b"whisper-1", b"second")


def test_what_was_taken_cannot_be_replaced() -> None:
    found, _ = read(BODY)

    with pytest.raises(ValueError, match="model"):
        found.replace("model", "m")


@pytest.mark.parametrize("value", ["a\r\n--XX--", "a\nb"])
def test_a_value_of_several_lines_is_no_replacement(value: str) -> None:
    with pytest.raises(ValueError, match="model"):
        Form(TYPE).replace("model", value)


def test_a_part_s_own_length_is_not_passed_on_when_it_is_no_longer_true() -> None:
    """The form grows by what the value grows, so that its Content-Length can be told before its end."""
    body = form(text("model", "whisper-1", "Content-Length: 9"), text("n", "1", "content-length: 1"))

    _, out = read(body, model="m")

    assert out == form(text("model", "m", "X-Prior-Length: 9"), text("n", "1", "content-length: 1"))
    assert len(out) == len(body) + len("m") - len("whisper-1")


def test_a_repeated_field_keeps_its_first_value() -> None:
    body = form(text("include[]", "logprobs"), text("include[]", "other"), text("model", "m"))

    found, out = read(body)

    assert found.fields == {"include[]": "logprobs", "model": "m"}
    assert out == body


def test_an_empty_field_and_an_empty_file_are_allowed() -> None:
    body = form(text("prompt", ""), file("file", b""), text("model", "m"))

    found, out = read(body)

    assert (found.fields, found.files, out) == ({"prompt": "", "model": "m"}, ["file"], body)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=XX",
        'Multipart/Form-Data;boundary="XX"',
        "multipart/form-data; charset=utf-8; Boundary=XX; x=y",
    ],
)
def test_the_boundary_is_found(content_type: str) -> None:
    found, _ = read(BODY, content_type=content_type)

    assert found.fields == FIELDS


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="a b "',
        "multipart/form-data; boundary=" + "a" * 71,
        'multipart/form-data; boundary="ä"',
        "multipart/form-data; boundary=XX; boundary=YY",
        "multipart/mixed; boundary=XX",
        "application/json",
    ],
)
def test_without_one_valid_boundary_there_is_no_form(content_type: str) -> None:
    with pytest.raises(Malformed):
        Form(content_type)


def test_an_empty_line_before_and_anything_after_passes() -> None:
    body = b"\r\n" + BODY + b"epilogue"

    for cut in range(len(body)):
        assert read(body, [cut])[1] == body


@pytest.mark.parametrize("cut", range(6))
def test_two_empty_lines_before_are_one_too_many_wherever_they_are_cut(cut: int) -> None:
    with pytest.raises(Malformed):
        read(b"\r\n\r\n" + BODY, [cut])


def test_padding_after_a_boundary_passes() -> None:
    body = BODY.replace(b"--XX\r\n", b"--XX \t\r\n")

    assert read(body)[1] == body


BROKEN: dict[str, bytes] = {
    "something before the first boundary": b"preamble\r\n" + BODY,
    "another boundary": BODY.replace(b"--XX", b"--YY"),
    "lines in LF": BODY.replace(b"\r\n", b"\n"),
    "something behind a boundary": BODY.replace(b"--XX\r\n", b"--XXYY\r\n", 2),
    "much padding": BODY.replace(b"--XX\r\n", b"--XX" + b" " * 65 + b"\r\n"),
    "the model twice": form(text("model", "a"), text("model", "b")),
    "stream twice": form(text("stream", "true"), text("stream", "false")),
    "the model as a file": form(file("model", b"a")),
    "no headers": form(b"\r\nvalue"),
    "no empty line": form(text("model", "a")[:-3]),
    "a header without a colon": form(text("a", "b", "nonsense")),
    "a folded header": form(text("a", "b", "X: y\r\n z")),
    "a NUL in a header": form(text("a", "b", "X: \x00")),
    "no Content-Disposition": form(b"Content-Type: text/plain\r\n\r\nvalue"),
    "two of them": form(text("a", "b", 'Content-Disposition: form-data; name="c"')),
    "another kind": form(text("a", "b").replace(b"form-data", b"attachment")),
    "no name": form(b"Content-Disposition: form-data\r\n\r\nb"),
    "an empty name": form(text("", "b")),
    "two names": form(b'Content-Disposition: form-data; name="a"; name="b"\r\n\r\nb'),
    "an encoded name": form(b"Content-Disposition: form-data; name=\"a\"; name*=UTF-8''model\r\n\r\nb"),
    "an open quote": form(b'Content-Disposition: form-data; name="a\r\n\r\nb'),
    "no UTF-8": form(text("a", b"\xff")),
    "a large field": form(text("a", "b" * (MAX_FIELD_BYTES + 1))),
    "large headers": form(text("a", "b", "X: " + "y" * MAX_HEAD_BYTES)),
    "many fields": form(*(text(f"f{number}", "") for number in range(MAX_FIELDS + 1))),
    "many parts": form(*[file("file", b"")] * (MAX_PARTS + 1)),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_what_readers_could_take_otherwise_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(body)
    with pytest.raises(Malformed):
        read(body, range(1, len(body), 7))


@pytest.mark.parametrize("size", [MAX_FIELD_BYTES, MAX_FIELD_BYTES + 1])
def test_a_field_may_be_so_large(size: int) -> None:
    body = form(text("prompt", "b" * size))

    if size == MAX_FIELD_BYTES:
        assert len(read(body)[0].fields["prompt"]) == size
    else:
        with pytest.raises(Malformed, match="larger than"):
            read(body, range(1000, len(body), 1000))


def test_a_field_without_an_end_is_not_collected() -> None:
    found = Form(TYPE)
    found.feed(b"--XX\r\n" + text("prompt", "a" * MAX_FIELD_BYTES))

    with pytest.raises(Malformed, match="larger than"):
        found.feed(b"a" * 100)


NAMES = st.text("abcxyz[]_", min_size=1, max_size=6)
PARTS = st.lists(
    st.tuples(NAMES, st.text(max_size=20), st.none()) | st.tuples(NAMES, st.none(), st.binary(max_size=60)), max_size=6
)


@given(parts=PARTS, cuts=st.sets(st.integers(1, 900), max_size=12))
def test_what_an_independent_reader_finds_is_found_at_every_cut(
    parts: list[tuple[str, str | None, bytes | None]], cuts: set[int]
) -> None:
    boundary = "b0undary-of-the-test"
    content_type = f"multipart/form-data; boundary={boundary}"
    body = form(
        *(file(name, data or b"") if value is None else text(name, value) for name, value, data in parts),
        boundary=boundary,
    )
    wanted: dict[str, str] = {}
    for name, value, _ in parts:
        if value is not None:
            wanted.setdefault(name, value)

    found, out = read(body, sorted(cut for cut in cuts if cut < len(body)), content_type)

    assert found.fields == wanted
    assert found.files == [name for name, value, _ in parts if value is None]
    assert out == body
    assert [part for part in by_email(content_type, body) if part[2] is None] == [
        (name, value.encode(), None) for name, value, _ in parts if value is not None
    ]


def by_email(content_type: str, body: bytes) -> list[tuple[Any, Any, Any]]:
    """As the standard library's reader of mail sees it."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    parts = [part for part in message.iter_parts() if part["Content-Disposition"]] if message.is_multipart() else []
    return [
        (part["Content-Disposition"].params["name"], part.get_payload(decode=True), part.get_filename())
        for part in parts
    ]


@given(
    body=st.binary(max_size=200)
    | st.lists(st.sampled_from([b"--XX", b"\r\n", b"--", text("a", "b"), b"x"])).map(b"".join)
)
def test_any_bytes_are_a_form_or_malformed(body: bytes) -> None:
    try:
        _, out = read(body, range(1, len(body), 3))
    except Malformed:
        return
    assert out == body


def sent_by_the_sdk(call: Any) -> httpx2.Request:
    """The request that a call of OpenAI's SDK makes."""
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        request.read()
        seen.append(request)
        return httpx2.Response(200, json={"text": "Hi", "data": [], "created": 1})

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        openai.OpenAI(api_key="k", base_url="http://test", http_client=http) as client,
    ):
        call(client)
    return seen[0]


def test_a_transcription_of_openai_s_sdk_is_read() -> None:
    request = sent_by_the_sdk(
        lambda client: client.audio.transcriptions.create(
            model="gpt-4o-transcribe",
            file=("grüße.wav", DATA, "audio/wav"),
            include=["logprobs"],
            temperature=0.5,
            timestamp_granularities=["word", "segment"],
        )
    )

    found, out = read(request.content, range(1, len(request.content), 5), request.headers["content-type"], model="m")

    assert found.fields == {
        "model": "gpt-4o-transcribe",
        "include[]": "logprobs",
        "temperature": "0.5",
        "timestamp_granularities[]": "word",
    }
    assert found.files == ["file"]
    assert out == request.content.replace(b"gpt-4o-transcribe", b"m")


def test_an_edit_of_several_pictures_of_openai_s_sdk_is_read() -> None:
    request = sent_by_the_sdk(
        lambda client: client.images.edit(
            model="gpt-image-1", prompt="A hat", image=[("a.png", DATA), ("b.png", b"b")], mask=("m.png", b""), n=2
        )
    )

    found, out = read(request.content, [], request.headers["content-type"])

    assert found.fields == {"model": "gpt-image-1", "prompt": "A hat", "n": "2"}
    assert sorted(found.files) == ["image[]", "image[]", "mask"]
    assert out == request.content


async def test_a_form_of_aiohttp_is_read() -> None:
    data = aiohttp.FormData()
    data.add_field("model", "whisper-1")
    data.add_field("file", io.BytesIO(DATA), filename='a "b".wav', content_type="audio/wav")
    payload = data()
    written = bytearray()

    class Writer:
        async def write(self, chunk: bytes) -> None:
            written.extend(chunk)

    await payload.write(Writer())  # type: ignore[arg-type] # - all that a payload writes to

    found, out = read(bytes(written), [9], payload.headers["Content-Type"])

    assert (found.fields, found.files, out) == ({"model": "whisper-1"}, ["file"], bytes(written))


def test_a_form_of_curl_is_read() -> None:
    """As curl 8 writes it: quotes escaped with a backslash."""
    body = form(
        b'Content-Disposition: form-data; name="file"; filename="a \\"b\\".wav"\r\nContent-Type: audio/wav\r\n\r\n'
        + DATA,
        text("model", "whisper-1"),
        boundary="------------------------d74496d66958873e",
    )

    found, _ = read(body, [], "multipart/form-data; boundary=------------------------d74496d66958873e")

    assert (found.fields, found.files) == ({"model": "whisper-1"}, ["file"])
