"""Recorded streams, carried from one dialect to the other: what is said, called and billed stays the same."""

from __future__ import annotations

import base64
import os
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import CLIENT_DIALECTS, DIALECTS
from costspan.dialects.types import PLAIN, StreamOptions
from costspan.ir.fold import fold
from costspan.ir.request import Reasoning, Refusal, Text, ToolCall
from costspan.providers.hosts import KINDS
from costspan.wire import json, sse

if TYPE_CHECKING:
    from costspan.ir import events
    from costspan.ir.reply import Reply

CORPUS = Path(
    os.environ.get("COSTSPAN_CORPUS", str(Path(__file__).parents[2].parent / "shared" / "corpus" / "recorded.jsonl"))
)
NAMES = {"anthropic": "anthropic-messages", "openai-chat": "openai-chat", "openai-responses": "openai-responses"}
LOSSES = {"response.prompt_filter_results", "response.content_filters"}
"""What of a recorded stream has no place in the other dialect: Azure's verdicts. Hosts' bookkeeping is not among it."""
OPTIONS = StreamOptions("cs_1", "m", 0, prompt_tokens=1)


def recorded() -> dict[str, dict[str, Any]]:
    rows = map(json.loads_object, CORPUS.read_bytes().splitlines() if CORPUS.is_file() else ())
    return {row["id"]: row for row in rows if row["dialect"] in NAMES and row["status"] == 200}


ROWS = recorded()
CASES = [
    pytest.param(source, target, row, id=f"{name}: to {target}")
    for name, row in ROWS.items()
    if row["framing"] == "sse"
    for source, target in permutations(NAMES.values(), 2)
    if source == NAMES[row["dialect"]]
]
pytestmark = pytest.mark.skipif(not ROWS, reason=f"no recorded traffic at {CORPUS}")


def decode(name: str, data: bytes, provider: str = "") -> list[events.Event]:
    kind = KINDS.get(provider)
    decoder = DIALECTS[name].new_decoder(kind.profile if kind else PLAIN)
    found = [event for raw in sse.Parser().feed(data) for event in decoder.feed(raw)]
    decoder.close()
    return found


def said(reply: Reply) -> list[tuple[str, str]]:
    shown = []
    for block in reply.choices[0].blocks:
        match block:
            case Text(text) | Refusal(text) | Reasoning(text):
                shown.append((type(block).__name__, text))
            case ToolCall(_, name, arguments):
                shown.append((name, arguments))
            case _:
                pass
    return shown


@pytest.mark.parametrize(("source", "target", "row"), CASES)
def test_a_stream_says_the_same_in_another_dialect(source: str, target: str, row: dict[str, Any]) -> None:
    found = decode(source, base64.b64decode(row["response_body_b64"]), row["provider"])
    encoder = CLIENT_DIALECTS[target].new_encoder(OPTIONS)
    before = fold(found)

    after = fold(decode(target, b"".join(map(encoder.feed, found)) + encoder.close()))

    assert set(encoder.losses) <= LOSSES
    assert said(after) == said(before)
    assert [choice.finish for choice in after.choices] == [choice.finish for choice in before.choices]
    if before.usage is not None:
        assert after.usage is not None
        assert after.usage.prompt_tokens == before.usage.prompt_tokens
        assert after.usage.completion_tokens == before.usage.completion_tokens
