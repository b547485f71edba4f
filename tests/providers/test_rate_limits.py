"""costspan.providers.rate_limits: headers as providers send them, and as nobody should."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.providers.rate_limits import LONGEST_SECONDS, Need, Remaining, read

NOW = 1000.0
WALL = 1_767_323_045.0
"""2026-01-02T03:04:05Z"""

ANSWERS: dict[str, tuple[dict[str, str], list[tuple[str, int, float]]]] = {
    "openai": (
        {
            "x-ratelimit-limit-requests": "15000",
            "x-ratelimit-limit-tokens": "2000000",
            "x-ratelimit-remaining-requests": "14999",
            "x-ratelimit-remaining-tokens": "1999985",
            "x-ratelimit-reset-requests": "4ms",
            "x-ratelimit-reset-tokens": "6m0s",
        },
        [("requests", 14999, 0.004), ("tokens", 1999985, 300.0)],
    ),
    "openai, with all of its tokens": (
        {
            "x-ratelimit-remaining-requests": "9999",
            "x-ratelimit-remaining-tokens": "30000000",
            "x-ratelimit-reset-requests": "6ms",
            "x-ratelimit-reset-tokens": "0s",
        },
        [("requests", 9999, 0.006), ("tokens", 30000000, 0.0)],
    ),
    "groq": (
        {
            "x-ratelimit-remaining-requests": "997",
            "x-ratelimit-remaining-tokens": "9571",
            "x-ratelimit-reset-requests": "4m18.807s",
            "x-ratelimit-reset-tokens": "2.571999999s",
        },
        [("requests", 997, 258.807), ("tokens", 9571, 2.571999999)],
    ),
    "azure, of Responses": (
        {
            "x-ratelimit-remaining-requests": "49",
            "x-ratelimit-reset-requests": "1",
            "x-ratelimit-remaining-tokens": "49994",
            "x-ratelimit-reset-tokens": "0",
        },
        [("requests", 49, 1.0), ("tokens", 49994, 0.0)],
    ),
    "xai": (
        {"x-ratelimit-remaining-tokens": "10000000", "x-ratelimit-remaining-requests": "1800"},
        [("requests", 1800, 5.0), ("tokens", 10000000, 5.0)],
    ),
    "anthropic": (
        {
            "anthropic-ratelimit-requests-remaining": "999",
            "anthropic-ratelimit-requests-reset": "2026-01-02T03:04:06Z",
            "anthropic-ratelimit-tokens-remaining": "540000",
            "anthropic-ratelimit-tokens-reset": "2026-01-02T03:04:05Z",
            "anthropic-ratelimit-input-tokens-remaining": "449000",
            "anthropic-ratelimit-input-tokens-reset": "2026-01-02T03:04:25+00:00",
            "anthropic-ratelimit-output-tokens-remaining": "0",
            "anthropic-ratelimit-output-tokens-reset": "2026-01-02T03:05:05Z",
        },
        [
            ("requests", 999, 1.0),
            ("tokens", 540000, 0.0),
            ("input", 449000, 20.0),
            ("output", 0, 60.0),
        ],
    ),
    "mistral": (
        {
            "x-ratelimit-limit-req-minute": "100",
            "x-ratelimit-remaining-req-minute": "91",
            "x-ratelimit-remaining-tokens-minute": "98282",
            "x-ratelimit-tokens-query-cost": "999",
        },
        [("requests", 91, 5.0), ("tokens", 98282, 5.0)],
    ),
    "mistral, earlier": (
        {"ratelimitbysize-limit": "500000", "ratelimitbysize-remaining": "499900", "ratelimitbysize-reset": "28"},
        [("tokens", 499900, 28.0)],
    ),
    "cerebras": (
        {
            "x-ratelimit-remaining-requests-day": "13693",
            "x-ratelimit-reset-requests-day": "11726.2840924263",
            "x-ratelimit-remaining-tokens-minute": "60000",
            "x-ratelimit-reset-tokens-minute": "26.5",
        },
        [("tokens", 60000, 26.5), ("requests", 13693, 300.0)],
    ),
    "fireworks": (
        {"x-ratelimit-remaining-tokens-prompt": "7193993", "x-ratelimit-remaining-tokens-generated": "69338"},
        [("input", 7193993, 5.0), ("output", 69338, 5.0)],
    ),
    "openrouter's own 429": (
        {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1767323105000"},
        [("requests", 0, 60.0)],
    ),
}


@pytest.mark.parametrize(("headers", "expected"), ANSWERS.values(), ids=ANSWERS.keys())
def test_what_a_provider_says_is_left(headers: dict[str, str], expected: list[tuple[str, int, float]]) -> None:
    found = read({"content-type": "application/json", **headers}, NOW, WALL)

    assert found is not None
    assert [(counted, left) for counted, left, _ in found.limits] == [(counted, left) for counted, left, _ in expected]
    waits = [replace(found, limits=((counted, -1, reset),)).until(Need()) - NOW for counted, _, reset in found.limits]
    assert waits == pytest.approx([seconds for _, _, seconds in expected], abs=1e-6)


SILENT: dict[str, dict[str, str]] = {
    "no headers": {},
    "other headers": {"content-type": "application/json", "x-request-id": "1", "retry-after": "3"},
    "azure, of another maker's models": {"x-ratelimit-remaining-tokens": "-1", "x-ratelimit-reset-tokens": "0"},
    "a limit alone": {"x-ratelimit-limit-requests": "10", "x-ratelimit-reset-requests": "1s"},
    "a placeholder": {"x-ratelimit-remaining-requests": "X-RATELIMIT-REMAINING-REQUESTS-XXX"},
    "nothing": {"x-ratelimit-remaining-requests": ""},
    "a fraction": {"x-ratelimit-remaining-requests": "0.5"},
    "two fields joined": {"x-ratelimit-remaining-requests": "0, 5"},
    "digits of another script": {"x-ratelimit-remaining-requests": "\N{ARABIC-INDIC DIGIT ZERO}"},
    "more digits than a number is read for": {"x-ratelimit-remaining-requests": "0" * 5000},
}


@pytest.mark.parametrize("headers", SILENT.values(), ids=SILENT.keys())
def test_what_is_not_said_is_not_known(headers: dict[str, str]) -> None:
    assert read(headers, NOW, WALL) is None


RESETS = {
    "12ms": 0.012,
    "6m0s": 300.0,
    "1h2m3s": 300.0,
    "500µs": 0.0005,
    "1m0.5s": 60.5,
    "0.25": 0.25,
    "17": 17.0,
    "99999999": 300.0,
    "1767323055": 10.0,
    "1767323055.5": 10.5,
    "1767323055000": 10.0,
    "1767323055.5s": 300.0,
    "2026-01-02T03:04:15.250Z": 10.25,
    "2026-01-02T05:04:15+02:00": 10.0,
    "9999-12-31T23:59:59Z": 300.0,
    "": 5.0,
    "soon": 5.0,
    "-3": 5.0,
    "-3s": 5.0,
    "1e999": 5.0,
    "nan": 5.0,
    "3 s": 5.0,
    "1x": 5.0,
    "s": 5.0,
    "2026-01-02T03:04:15": 5.0,
    "0001-01-01T00:00:00+23:59": 0.0,
    "2020-01-01T00:00:00Z": 0.0,
    "0s": 0.0,
    "0": 0.0,
    "1767323045": 0.0,
    "1000000000": 0.0,
    "Fri, 02 Jan 2026 03:04:15 GMT": 5.0,
    "9" * 400: 5.0,
    "1s" * 400: 5.0,
}


@pytest.mark.parametrize(("reset", "seconds"), RESETS.items(), ids=[text[:30] or "none" for text in RESETS])
def test_when_a_limit_is_whole_again(reset: str, seconds: float) -> None:
    found = read({"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}, NOW, WALL)

    assert found is not None
    assert found.until(Need()) - NOW == pytest.approx(seconds, abs=1e-6)


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_raises_or_stands_for_more_than_five_minutes(left: str, reset: str) -> None:
    found = read({"x-ratelimit-remaining": left, "x-ratelimit-reset": reset}, NOW, WALL)

    assert found is None or NOW <= found.until(Need("m", 10**16)) <= NOW + LONGEST_SECONDS


ROOM: list[tuple[tuple[Any, int], Need, bool]] = [
    (("requests", 1), Need("m", 10, 10), True),
    (("requests", 0), Need("m"), False),
    (("tokens", 20), Need("m", 10, 10), True),
    (("tokens", 19), Need("m", 10, 10), False),
    (("input", 10), Need("m", 10, 99), True),
    (("input", 9), Need("m", 10, 0), False),
    (("output", 10), Need("m", 99, 10), True),
    (("output", 9), Need("m", 0, 10), False),
]


@pytest.mark.parametrize(("limit", "need", "room"), ROOM)
def test_a_request_has_room_where_it_takes_no_more_than_is_left(limit: tuple[Any, int], need: Need, room: bool) -> None:
    remaining = Remaining(NOW, WALL, ((*limit, "30s"),))

    assert remaining.until(need) == (NOW if room else NOW + 30)


def test_a_request_waits_for_the_last_of_the_limits_that_it_lacks() -> None:
    limits: Any = (("requests", 0, "2s"), ("tokens", 5, "40s"), ("output", 0, "20s"))

    assert Remaining(NOW, WALL, limits).until(Need("m", 3, 2)) == NOW + 20
