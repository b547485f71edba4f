"""patch: change top-level fields, leave every other byte alone."""

import json  # noqa: TID251 - a reader that is not ours

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.errors import Malformed
from costspan.wire.patch import fields, insert, patch, prepend, remove, replace_string

REPLACED: dict[str, tuple[bytes, bytes]] = {
    "first": (b'{"model":"a","x":1.0}', b'{"model":"b","x":1.0}'),
    "last": (b'{"x":1e2,"model":"a"}', b'{"x":1e2,"model":"b"}'),
    "with spaces": (b'{ "x" : [1,2] , "model" :  "a" }', b'{ "x" : [1,2] , "model":"b" }'),
    "same key nested deeper first": (b'{"m":{"model":"a"},"model":"a"}', b'{"m":{"model":"a"},"model":"b"}'),
    "same key nested deeper last": (b'{"model":"a","m":[{"model":"a"}]}', b'{"model":"b","m":[{"model":"a"}]}'),
    "key written with an escape": (b'{"mod\\u0065l":"a","m":{"model":"a"}}', b'{"mod\\u0065l":"b","m":{"model":"a"}}'),
    "value written with an escape": (b'{"model":"\\u0061","n":1}', b'{"model":"b","n":1}'),
    "big integer and escapes survive": (
        b'{"s":"\\u00e9\\/","i":123456789012345678901234567890,"model":"a"}',
        b'{"s":"\\u00e9\\/","i":123456789012345678901234567890,"model":"b"}',
    ),
    "the text in a string is no key": (
        b'{"s":"\\"model\\":\\"a\\"","model":"a"}',
        b'{"s":"\\"model\\":\\"a\\"","model":"b"}',
    ),
}


@pytest.mark.parametrize(("body", "expected"), REPLACED.values(), ids=REPLACED.keys())
def test_only_the_named_field_changes(body: bytes, expected: bytes) -> None:
    assert replace_string(body, "model", "a", "b") == expected


def test_missing_fields_go_to_the_front() -> None:
    assert patch(b'{ "a":1 }', {"stream": True}) == b'{"stream":true, "a":1 }'


def test_an_empty_object_takes_fields() -> None:
    assert patch(b"{}", {"stream": True}) == b'{"stream":true}'


def test_defaults_do_not_replace_what_is_there() -> None:
    assert patch(b'{"max_tokens":5}', {}, insert={"max_tokens": 9, "top_p": 1}) == b'{"top_p":1,"max_tokens":5}'


@pytest.mark.parametrize("body", [b'{"model":"a","model":"b"}', b'{"model":"a","mod\\u0065l":"b"}'])
def test_duplicate_keys_are_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        replace_string(body, "model", "b", "c")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, max_size=5), st.text(), st.text(), st.booleans())
def test_patching_is_what_parsing_says(value: dict[str, object], old: str, new: str, pretty: bool) -> None:
    value["model"] = old
    body = json.dumps(value, indent=2 if pretty else None).encode()

    patched = replace_string(body, "model", old, new)

    assert json.loads(patched) == {**value, "model": new}


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_fields_finds_every_value(value: dict[str, object]) -> None:
    body = json.dumps(value).encode()

    assert {name: json.loads(body[a:b]) for name, (a, b) in fields(body).items()} == value


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", b'{"n":1}'),
        (b" { } ", b' {"n":1 } '),
        (b'{"a":2}', b'{"n":1,"a":2}'),
        (b'{\n "a":2}', b'{"n":1,\n "a":2}'),
    ],
)
def test_fields_that_are_known_to_be_missing_go_to_the_front_without_a_scan(body: bytes, expected: bytes) -> None:
    assert prepend(body, {"n": 1}) == expected


REMOVED: dict[str, tuple[bytes, bytes]] = {
    "first": (b'{"model":"a","x":1.0}', b'{"x":1.0}'),
    "last": (b'{"x":1e2,"model":"a"}', b'{"x":1e2}'),
    "between": (b'{"x":1.50 , "model" : "a" , "y":[ 1 ]}', b'{"x":1.50 ,"y":[ 1 ]}'),
    "the only one": (b'{ "model":"a" }', b"{}"),
    "a word": (b'{"model":true,"x":null}', b'{"x":null}'),
    "a value with parts": (b'{"model":{"a":[1,{"model":2}]},"x":1.0}', b'{"x":1.0}'),
    "a value with an escape": (b'{"model":"\\u0061\\"","x":1.0}', b'{"x":1.0}'),
    "nested deeper as well": (b'{"m":{"model":"a"},"model":"a"}', b'{"m":{"model":"a"}}'),
    "nested deeper only": (b'{"m":{"model":"a"}}', b'{"m":{"model":"a"}}'),
    "nested deeper at the end of a list": (b'{"m":[{"model":"a"}],"x":1}', b'{"m":[{"model":"a"}],"x":1}'),
    "written with an escape": (b'{"mod\\u0065l":"a","x":1.0}', b'{"x":1.0}'),
    "beside escapes of another alphabet": (b'{"s":"\\u00e9","model":"a"}', b'{"s":"\\u00e9"}'),
    "absent": (b'{ "x" : 1 }', b'{ "x" : 1 }'),
}


@pytest.mark.parametrize(("body", "expected"), REMOVED.values(), ids=REMOVED.keys())
def test_only_the_named_field_goes(body: bytes, expected: bytes) -> None:
    assert remove(body, "model") == expected


def test_several_fields_go() -> None:
    assert remove(b'{"stream":true,"a":1,"model":"m"}', "model", "stream") == b'{"a":1}'


def test_a_field_that_occurs_twice_is_not_guessed_at() -> None:
    with pytest.raises(Malformed):
        remove(b'{"model":"a","model":"b"}', "model")


@given(st.dictionaries(st.sampled_from(["model", "x", "mod\u00e9l", "y"]), JSON), st.booleans())
def test_a_reader_sees_the_same_without_the_field(value: dict[str, object], ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode()

    assert json.loads(remove(body, "model")) == {name: v for name, v in value.items() if name != "model"}


INSERTED: dict[str, tuple[bytes, bytes]] = {
    "absent": (b'{"x":1.0}', b'{"version":"v","x":1.0}'),
    "present": (b'{"x":1.0,"version":"old"}', b'{"x":1.0,"version":"old"}'),
    "present deeper only": (b'{"x":{"version":"old"}}', b'{"version":"v","x":{"version":"old"}}'),
    "present with an escape": (b'{"\\u0076ersion":"old"}', b'{"\\u0076ersion":"old"}'),
    "nothing there": (b"{}", b'{"version":"v"}'),
}


@pytest.mark.parametrize(("body", "expected"), INSERTED.values(), ids=INSERTED.keys())
def test_a_field_is_put_in_where_it_lacks(body: bytes, expected: bytes) -> None:
    assert insert(body, {"version": "v"}) == expected
