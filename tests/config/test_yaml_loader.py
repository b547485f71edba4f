"""costspan.config.yaml_loader"""

import time
from decimal import Decimal

import pytest

from costspan.config.yaml_loader import Node, nearest, parse, resolve
from costspan.errors import ConfigError

SCALARS: dict[str, object] = {
    "on": "on",
    "off": "off",
    "yes": "yes",
    "y": "y",
    "true": True,
    "False": False,
    "null": None,
    "~": None,
    "": None,
    "022": 22,
    "0o17": 15,
    "0x1F": 31,
    "-7": -7,
    "1:30": "1:30",
    "1_000": "1_000",
    "1.10": Decimal("1.10"),
    "1e3": Decimal(1000),
    ".5": Decimal("0.5"),
    "-.inf": Decimal("-Infinity"),
    "2026-01-01": "2026-01-01",
    "12%": "12%",
    "0x": "0x",
}


@pytest.mark.parametrize(("text", "expected"), SCALARS.items(), ids=SCALARS.keys())
def test_scalars_resolve_as_in_yaml_1_2(text: str, expected: object) -> None:
    value = resolve(text)

    assert value == expected
    assert type(value) is type(expected)


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "f: the file is empty"),
    "only comments": (b"# nothing\n\n# here\n", "f: the file is empty"),
    "only a document mark": (b"---\n", "f: the file is empty"),
    "a tab": (b"a:\n\tb: 1\n", "f:2:1: not valid YAML: while scanning for the next token, "),
    "an open bracket": (b"a: [1, 2\nb: 3\n", "f:2:2: not valid YAML: "),
    "a reference in a flow sequence": (b"a: [${KEY}]\n", "references inside [ ] and { } must be quoted"),
    "utf-16": ("a: 1".encode("utf-16"), "f: the file is not UTF-8 but UTF-16"),
    "latin-1": (b"a: 1\nb: caf\xe9\n", "f:2:7: not UTF-8"),
    "nul": (b"a: 1\nb: \0\n", "f:2:1: the file contains a NUL byte"),
    "a control character": (b"a: \x07\n", "f: not valid YAML: a character that YAML does not allow"),
    "more than a mebibyte": (b"a" * 1048577, "f: the file is larger than 1048576 bytes"),
    "an object tag": (b"a: !!python/object/apply:os.system [id]\n", "f:1:4: tags are not allowed"),
    "a plain tag": (b"a: !!str 1\n", "f:1:4: tags are not allowed"),
    "a non-specific tag": (b"a: ! 1\n", "f:1:4: tags are not allowed"),
    "a duplicate key": (b"a: 1\nb: 2\na: 3\n", "f:3:1: duplicate key; the first is on line 1"),
    "a duplicate in a flow mapping": (b"a: {b: 1, b: 2}\n", "f:1:11: duplicate key; the first is on line 1"),
    "a duplicate in other quotes": (b'a: 1\n"a": 2\n', "f:2:1: duplicate key; the first is on line 1"),
    "a merge key": (b"a: &a {b: 1}\nc:\n  <<: *a\n", "f:3:3: merge keys are not allowed"),
    "two documents": (b"a: 1\n---\nb: 1\n", "f:2:1: more than one YAML document"),
    "a recursive alias": (b"a: &x [*x]\n", "f:1:8: an alias inside the node that it names"),
    "an unknown alias": (b"a: *sk-ant-secret\n", "f:1:4: no such anchor; a value that begins with * must be quoted"),
    "a list as a key": (b"? [a]\n: 1\n", "f:1:3: a key must be a plain or quoted string"),
    "an alias as a key": (b"a: &a b\n? *a\n: 1\n", "f:2:3: a key must be a plain or quoted string"),
    "deep flow nesting": (b"[" * 3000, "f:1:65: nested deeper than 64 levels"),
    "deep block nesting": (b"- " * 3000 + b"1", "f:1:129: nested deeper than 64 levels"),
    "deep mappings": (b"{a: " * 3000, "nested deeper than 64 levels"),
    "many aliases": (b"a: &a 1\nb: [" + b"*a, " * 101 + b"]\n", "more than 100 aliases"),
}


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_strict_yaml_is_refused_with_its_place(data: bytes, reason: str) -> None:
    began = time.perf_counter()
    with pytest.raises(ConfigError) as caught:
        parse(data, "f")

    assert reason in str(caught.value)
    assert time.perf_counter() - began < 1


def test_an_alias_bomb_is_refused_before_it_is_written_out() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]

    with pytest.raises(ConfigError, match="more than 100000 values, aliases written out"):
        parse("\n".join(lines).encode(), "f")


def test_all_duplicates_and_tags_are_reported_not_only_the_first() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(b"a: 1\na: !!int 2\nb: {c: 1, c: 2}\n", "f")

    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(2, 1), (2, 4), (3, 11)]


def test_what_pyyaml_quotes_of_the_file_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(b"a: !sk-ant-verysecret!x 1\n", "f")

    assert "verysecret" not in str(caught.value)


def test_aliases_within_bounds_are_followed() -> None:
    root = parse(b"a: &limits {x: 1}\nb: *limits\n", "f")

    assert nearest(root, ("b", "x"))[0].content == "1"


def test_a_byte_order_mark_is_ignored() -> None:
    assert parse(b"\xef\xbb\xbfa: 1\n", "f").child("a") is not None


def test_keys_are_strings_whatever_they_look_like() -> None:
    root = parse(b"1: a\non: b\n4.10: c\n", "f")

    assert [key for key, _ in root.children()] == ["1", "on", "4.10"]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), (1, 1)),
        (("routes", "smart", "targets", 1), (4, 18)),
        (("routes", "smart", "union-member", "targets", 1, "target"), (4, 18)),
        (("routes", "gone"), (3, 3)),
    ],
)
def test_the_nearest_node_on_a_path_has_the_place(path: tuple[str | int, ...], place: tuple[int, int]) -> None:
    root: Node = parse(b"a: 1\nroutes:\n  smart:\n    targets: [x, y]\n", "f")

    node, _ = nearest(root, path)

    assert (node.line, node.column) == place
