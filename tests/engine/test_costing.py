"""The cost in whole answers and in events of any line end."""

from __future__ import annotations

from decimal import Decimal

import pytest

from costspan.engine import costing

USAGE = b'data: {"usage":{"n":1}}'
COSTED = b'data: {"usage":{"cost":0.25,"n":1}}\n\n'
TEXT = b'data: {"x":1}'

CASES: dict[str, tuple[bytes, bytes]] = {
    "LF": (TEXT + b"\n\n" + USAGE + b"\n\n", TEXT + b"\n\n" + COSTED),
    "CRLF": (TEXT + b"\r\n\r\n" + USAGE + b"\r\n\r\n", TEXT + b"\r\n\r\n" + COSTED),
    "CR": (TEXT + b"\r\r" + USAGE + b"\r\r", TEXT + b"\r\r" + COSTED),
    "no last blank line": (USAGE + b"\n\ndata: [DONE]", COSTED + b"data: [DONE]"),
    "no last blank line, CRLF": (USAGE + b"\r\n\r\ndata: [DONE]\r\n", COSTED + b"data: [DONE]\r\n"),
    "usage without a blank line": (TEXT + b"\n\n" + USAGE, TEXT + b"\n\n" + COSTED),
    "comment": (b": ping\n\n" + USAGE + b"\n\n", b": ping\n\n" + COSTED),
    "word in a text": (b'data: {"x":"\\"usage\\""}\r\n\r\n', b'data: {"x":"\\"usage\\""}\r\n\r\n'),
    "null": (b'data: {"usage":null}\n\n', b'data: {"usage":null}\n\n'),
}


@pytest.mark.parametrize(("events", "expected"), CASES.values(), ids=CASES.keys())
def test_events_with_usage_get_the_cost_and_nothing_is_lost(events: bytes, expected: bytes) -> None:
    assert costing.in_events(events, lambda: Decimal("0.25"), (("usage",),)) == expected


def test_an_unknown_cost_is_null() -> None:
    assert costing.in_reply(b'{"usage":{"n":1}}', None, (("usage",),)) == b'{"usage":{"cost":null,"n":1}}'
