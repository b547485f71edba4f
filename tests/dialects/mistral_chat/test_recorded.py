"""Laws, held against recorded traffic. The recordings are not ours to ship: skipped where they are missing."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import mistral_chat as dialect
from costspan.dialects.openai_chat import decode_request
from costspan.errors import Malformed
from costspan.ir.fold import fold
from costspan.wire import json, sse

if TYPE_CHECKING:
    from costspan.ir import events
    from costspan.ir.reply import Reply

CORPUS = Path(
    os.environ.get("COSTSPAN_CORPUS", str(Path(__file__).parents[3].parent / "shared" / "corpus" / "recorded.jsonl"))
)


def recorded() -> list[dict[str, Any]]:
    if not CORPUS.is_file():
        return []
    rows = [json.loads_object(line) for line in CORPUS.read_bytes().splitlines()]
    return [row for row in rows if row["dialect"] == "mistral"]


ROWS = recorded()
NAMES = [row["id"] for row in ROWS]
pytestmark = pytest.mark.skipif(not ROWS, reason=f"no recorded traffic at {CORPUS}")

STREAMS = {row["id"]: base64.b64decode(row["response_body_b64"]) for row in ROWS if row["framing"] == "sse"}


def decode(data: bytes, size: int = 1 << 20) -> list[events.Event]:
    parser, decoder = sse.Parser(), dialect.new_decoder()
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    found = [event for chunk in chunks for raw in parser.feed(chunk) for event in decoder.feed(raw)]
    decoder.close()
    return found


def reply_of(row: dict[str, Any]) -> Reply:
    if row["id"] in STREAMS:
        return fold(decode(STREAMS[row["id"]]))
    body = row["response_json"] or json.loads_object(base64.b64decode(row["response_body_b64"]))
    return dialect.decode_reply(body)


def test_the_corpus_holds_what_these_tests_are_about() -> None:
    assert (len(STREAMS), len(ROWS)) == (2, 4)


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_buckets_add_up_to_what_was_reported_and_nothing_goes_unread(row: dict[str, Any]) -> None:
    reply, report = reply_of(row), row["usage"]

    details = report.get("prompt_tokens_details") or {}
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == report["prompt_tokens"]
    assert reply.usage.completion_tokens == report["completion_tokens"]
    assert reply.usage.tokens.get("cache_read", 0) == details.get("cached_tokens", report.get("num_cached_tokens", 0))
    assert reply.usage.service_tier == report.get("service_tier")
    assert not reply.usage.inconsistent
    assert reply.unread == frozenset()
    assert [choice.native for choice in reply.choices] == row["finish"]


@pytest.mark.parametrize("name", STREAMS)
def test_the_cuts_between_chunks_do_not_matter(name: str) -> None:
    data = STREAMS[name]
    whole = decode(data)

    for size in (1, 7, 100, 1000):
        assert decode(data, size) == whole


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_without_its_end_is_malformed(name: str) -> None:
    head, _, _ = STREAMS[name].partition(b"data: [DONE]")

    with pytest.raises(Malformed):
        decode(head)


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_an_openai_client_asks_as_the_recorded_one_did(row: dict[str, Any]) -> None:
    """The recorded requests, in the words of OpenAI, come out as they were, but for what says nothing."""
    asked = {k: v for k, v in row["request_body"].items() if v is not False and (k, v) != ("n", 1)}
    theirs = {"random_seed": "seed", "max_tokens": "max_completion_tokens"}
    ours = {theirs.get(k, k): "required" if v == "any" else v for k, v in asked.items()}

    encoded = dialect.encode_request(decode_request(ours))

    sent = json.loads_object(encoded.body)
    assert [plain(message) for message in sent.pop("messages")] == [plain(message) for message in asked.pop("messages")]
    assert [tool["function"] for tool in sent.pop("tools", [])] == [tool["function"] for tool in asked.pop("tools", [])]
    assert sent == asked
    assert encoded.losses == ()


def plain(message: dict[str, Any]) -> tuple[str, str]:
    content = message["content"]
    text = content if isinstance(content, str) else "".join(part["text"] for part in content)
    return message["role"], text
