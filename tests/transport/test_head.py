"""transport.head: what may be written to an upstream's socket, and how."""

from __future__ import annotations

import pytest

from costspan.errors import Category, UpstreamError
from costspan.transport.head import encode_head, host_field
from costspan.wire.http import Outgoing

HOSTS: dict[str, tuple[tuple[str, str, int], str]] = {
    "usual port": (("https", "api.example.com", 443), "api.example.com"),
    "other port": (("https", "api.example.com", 80), "api.example.com:80"),
    "plain": (("http", "localhost", 80), "localhost"),
    "IPv6": (("http", "::1", 8080), "[::1]:8080"),
}


@pytest.mark.parametrize(("address", "expected"), HOSTS.values(), ids=HOSTS.keys())
def test_the_host_is_written_as_the_url_has_it(address: tuple[str, str, int], expected: str) -> None:
    assert host_field(*address) == expected


def test_a_head_ends_with_a_blank_line() -> None:
    outgoing = Outgoing("POST", "/v1?a=%20", [("authorization", "Bearer x"), ("x-empty", "")], b"body")

    assert encode_head(outgoing, "h:1") == (
        b"POST /v1?a=%20 HTTP/1.1\r\nhost: h:1\r\nconnection: keep-alive\r\n"
        b"authorization: Bearer x\r\nx-empty: \r\ncontent-length: 4\r\n\r\n"
    )


def test_only_a_method_with_a_body_has_a_length() -> None:
    assert b"content-length: 0\r\n" in encode_head(Outgoing("POST", "/", [], b""), "h")
    assert b"content-length: 0\r\n" in encode_head(Outgoing("PUT", "/", [], b""), "h")
    assert b"content-length" not in encode_head(Outgoing("GET", "/", [], b""), "h")
    assert b"content-length: 1\r\n" in encode_head(Outgoing("GET", "/", [], b"x"), "h")


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Connection", "Transfer-Encoding", "Expect", "Keep-Alive", "Upgrade"]
)
def test_framing_belongs_to_the_pool(name: str) -> None:
    head = encode_head(Outgoing("POST", "/", [(name, "9")], b"ab"), "h")

    assert head == b"POST / HTTP/1.1\r\nhost: h\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\n"


UNSAFE: dict[str, Outgoing] = {
    "line feed in a value": Outgoing("POST", "/", [("a", "secret\nb: c")], b""),
    "carriage return in a value": Outgoing("POST", "/", [("a", "secret\r")], b""),
    "NUL in a value": Outgoing("POST", "/", [("a", "secret\0")], b""),
    "delete in a value": Outgoing("POST", "/", [("a", "secret\x7f")], b""),
    "not latin-1": Outgoing("POST", "/", [("a", "secret\u20ac")], b""),
    "a surrogate": Outgoing("POST", "/", [("a", "secret\udc80")], b""),
    "colon in a name": Outgoing("POST", "/", [("a:b", "secret")], b""),
    "space in a name": Outgoing("POST", "/", [("a b", "secret")], b""),
    "line feed in a name": Outgoing("POST", "/", [("a\n", "secret")], b""),
    "no name": Outgoing("POST", "/", [("", "secret")], b""),
    "space in the path": Outgoing("POST", "/secret x", [], b""),
    "line feed in the path": Outgoing("POST", "/secret\r\nx: y", [], b""),
    "a whole address": Outgoing("POST", "http://secret/", [], b""),
    "not ASCII in the path": Outgoing("POST", "/secr\xe9t", [], b""),
    "no path": Outgoing("POST", "", [], b""),
    "a method in lower case": Outgoing("post", "/", [], b""),
    "a method with a space": Outgoing("GET /secret", "/", [], b""),
}


@pytest.mark.parametrize("outgoing", UNSAFE.values(), ids=UNSAFE.keys())
def test_what_could_end_a_line_is_refused_and_not_quoted(outgoing: Outgoing) -> None:
    with pytest.raises(UpstreamError) as caught:
        encode_head(outgoing, "h")

    assert (caught.value.kind, caught.value.category) == ("invalid_request_head", Category.INVALID_REQUEST)
    assert caught.value.reached is False
    assert "secret" not in str(caught.value)
