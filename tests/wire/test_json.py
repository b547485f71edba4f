"""wire.json: nothing but Malformed comes out, and strict reading refuses what others may read otherwise."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.errors import Malformed
from costspan.wire import json

REFUSED: dict[str, tuple[bytes, type[Malformed]]] = {
    "a key twice": (b'{"a":1,"a":1}', json.DuplicateKey),
    "a key twice, spaced": (b'{"a": 1, "a": 2}', json.DuplicateKey),
    "a key twice, escaped": (b'{"a":1,"\\u0061":2}', json.DuplicateKey),
    "a key twice, inside": (b'{"x":[{"a":{"b":1,"b":1}}]}', json.DuplicateKey),
    "an empty key twice": (b'{"":1,"":2}', json.DuplicateKey),
    "65 levels": (b'{"a":' * 65 + b"1" + b"}" * 65, json.TooDeep),
    "1 025 levels": (b'{"a":' + b"[" * 1024 + b"]" * 1024 + b"}", json.TooDeep),
    "a hundred thousand levels, cut off": (b"[" * 100_000, json.TooDeep),
    "too many values": (b'{"a":[' + b"[]," * 250_001 + b"[]]}", json.TooLarge),
    "too many values, cut off inside a string": (b'{"a":[' + b"[]," * 250_001 + b'"\\', json.TooLarge),
    "half of a pair": (b'{"a":"\\ud800"}', json.LoneSurrogate),
    "an array": (b"[]", Malformed),
    "nothing": (b"", Malformed),
    "an infinite number": (b'{"a":1e999}', Malformed),
}


@pytest.mark.parametrize(("data", "kind"), REFUSED.values(), ids=REFUSED.keys())
def test_what_strict_reading_refuses(data: bytes, kind: type[Malformed]) -> None:
    with pytest.raises(Malformed) as caught:
        json.loads_strictly(data)

    assert type(caught.value) is kind
    assert len(str(caught.value)) < 80


ACCEPTED: dict[str, bytes] = {
    "64 levels": b'{"a":' * 64 + b"1" + b"}" * 64,
    "as many values as may be": b'{"a":[' + b"0," * 250_000 + b"0]}",
    "many commas in a string": b'{"a":"' + b',\\"' * 300_000 + b'"}',
    "one key at two places": b'{"a":{"a":[{"a":1},{"a":1}]}}',
    "keys that differ in case and space": b'{"a":1,"A":2,"a ":3}',
    "a key that holds another": b'{"a":"\\"a\\":1","b":"a"}',
    "numbers of all kinds": b'{"a":-0,"b":1.50,"c":1E5,"d":123456789012345678901234567890}',
}


@pytest.mark.parametrize("data", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_strict_reading_accepts(data: bytes) -> None:
    assert json.loads_strictly(data) == json.loads(data)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('ab" \\', max_size=2), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from("abc"), values, max_size=3), st.booleans())
def test_what_was_written_is_read_strictly(value: dict[str, Any], pretty: bool) -> None:
    data = json.pretty(value).encode() if pretty else json.dumps(value)

    assert json.loads_strictly(data) == value


@given(st.dictionaries(st.sampled_from("abc"), values, min_size=1, max_size=3), values, st.booleans())
def test_a_member_that_is_added_again_is_found(value: dict[str, Any], other: Any, spaced: bool) -> None:
    name = next(iter(value))
    again = b", " if spaced else b","
    data = b"{" + json.dumps({name: other})[1:-1] + again + json.dumps(value)[1:]

    with pytest.raises(json.DuplicateKey):
        json.loads_strictly(data)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_malformed(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert isinstance(json.loads_strictly(data), dict)


def test_reading_exactly_keeps_every_digit() -> None:
    read = json.loads_exactly('{"a": 0.1000000000000000055511151231257827, "b": 1e2, "c": 3, "d": "0.10"}')

    assert read == {"a": Decimal("0.1000000000000000055511151231257827"), "b": Decimal(100), "c": 3, "d": "0.10"}
    assert [type(value) for value in read.values()] == [Decimal, Decimal, int, str]


@pytest.mark.parametrize("text", ["", "{", "[NaN]", "[-Infinity]", "[" * 100_000, "[" + "1" * 5000 + "]"])
def test_what_cannot_be_read_exactly_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        json.loads_exactly(text)
