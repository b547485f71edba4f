"""costspan.config.values"""

import copy
import pickle
from collections.abc import Callable
from decimal import Decimal

import pytest

from costspan.config.schema import Admin
from costspan.config.values import (
    Secret,
    looks_like_key,
    parse_decimal,
    parse_duration,
    parse_percent,
    parse_size,
)

GOOD: dict[str, tuple[Callable[[str], object], object]] = {
    "500ms": (parse_duration, 0.5),
    "10s": (parse_duration, 10.0),
    "1.5m": (parse_duration, 90.0),
    "2h": (parse_duration, 7200.0),
    "90d": (parse_duration, 7776000.0),
    "0": (parse_duration, 0.0),
    "32MiB": (parse_size, 33554432),
    "1.5KiB": (parse_size, 1536),
    "1 GB": (parse_size, 1000000000),
    "4096": (parse_size, 4096),
    "12%": (parse_percent, Decimal("0.12")),
    "5.5 %": (parse_percent, Decimal("0.055")),
    "0.1": (parse_decimal, Decimal("0.1")),
    "1e-6": (parse_decimal, Decimal("0.000001")),
    "-3": (parse_decimal, Decimal(-3)),
}


@pytest.mark.parametrize(("text", "case"), GOOD.items(), ids=GOOD.keys())
def test_values_are_read_exactly(text: str, case: tuple[Callable[[str], object], object]) -> None:
    parser, expected = case

    assert parser(text) == expected


BAD: list[tuple[Callable[[str], object], str]] = [
    (parse_duration, "10"),
    (parse_duration, "-1s"),
    (parse_duration, "10 parsecs"),
    (parse_duration, ""),
    (parse_duration, "٣s"),
    (parse_size, "32Mib"),
    (parse_size, "1.0001KiB"),
    (parse_size, "-1"),
    (parse_percent, "12"),
    (parse_percent, "0.12"),
    (parse_percent, "12 percent"),
    (parse_decimal, "NaN"),
    (parse_decimal, "Infinity"),
    (parse_decimal, "$3/M"),
    (parse_decimal, "1,5"),
    (parse_decimal, "1" * 41),
    (parse_decimal, "1e9999999"),
    (parse_decimal, "٣"),
]


@pytest.mark.parametrize(("parser", "text"), BAD, ids=[f"{parser.__name__} {text!r}" for parser, text in BAD])
def test_other_values_are_refused_without_being_repeated(parser: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        parser(text)

    assert not text or text not in str(caught.value).split()


KEYS = [
    "sk-abcdefghijklmnopqrst",
    "sk-proj-abcdefghijklmnop",
    "sk-ant-api03-abcdefgh",
    "sk-or-v1-0123456789abcdef",
    "AIzaSyA0123456789abcdefgh",
    "ya29.a0AfH6SMBx0123456789",
    "gsk_0123456789abcdefgh",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "xai-0123456789abcdefgh",
    "pplx-0123456789abcdefgh",
    "csk-0123456789abcdefgh",
    "hf_0123456789abcdefgh",
    "fw_0123456789abcdefgh",
    "r8_0123456789abcdefgh",
    "nvapi-0123456789abcdefgh",
    "Bearer sk-abcdefghijklmnopqrst",
]


@pytest.mark.parametrize("text", KEYS)
def test_provider_keys_are_recognised(text: str) -> None:
    assert looks_like_key(text)


@pytest.mark.parametrize(
    "text", ["ollama", "dummy", "sk-1", "task-force-with-a-long-name", "risk_free", "${OPENAI_API_KEY}"]
)
def test_other_words_are_no_keys(text: str) -> None:
    assert not looks_like_key(text)


SHOWN: dict[str, Callable[[Secret], str]] = {
    "str": str,
    "repr": repr,
    "format": lambda secret: f"{secret:>10}{secret!r}{secret}",
    "percent": lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - the old way must not show it either
    "in a list": lambda secret: repr([secret]),
    "pickle": lambda secret: pickle.loads(pickle.dumps(secret)).reveal(),
    "json": lambda secret: Admin(token=secret).model_dump_json(),
}


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN.keys())
def test_a_secret_shows_itself_only_when_asked(show: Callable[[Secret], str]) -> None:
    shown = show(Secret("hunter2"))

    assert "hunter2" not in shown
    assert "***" in shown


def test_secrets_compare_by_value() -> None:
    assert Secret("a") == Secret("a", literal=True)
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert not Secret("")


def test_a_copied_secret_keeps_its_value() -> None:
    secret = Secret("hunter2")

    assert copy.copy(secret).reveal() == "hunter2"
    assert copy.deepcopy({"key": secret})["key"].reveal() == "hunter2"
