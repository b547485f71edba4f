"""Golden files: one directory per feature, one file per dialect that has it; every ordered pair is a translation.

`<dialect>.json` is a request (with `model` and `stream`, also where the dialect has them in the path),
`<dialect>.reply.json` an answer, `<dialect>.stream.txt` the same answer as a stream.
A translation gives the target's file and loses nothing, unless `<source>.to.<target>.json` (`.reply.json`,
`.stream.txt`) says what it gives and `losses.json` what it loses: `<source>.to.<target>` for the request,
`<source>.to.<target>.reply` for the answer, whole or streamed. `quirks.json` names what the target's host accepts
beyond its dialect. Requests and encoded answers are tried for the dialects that clients speak.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import CLIENT_DIALECTS, DIALECTS
from costspan.dialects.types import Profile, StreamOptions
from costspan.errors import Malformed
from costspan.ir.fold import fold
from costspan.ir.request import Opaque, Reasoning
from costspan.wire import json, sse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costspan.ir import events
    from costspan.ir.reply import Reply

GOLDEN = Path(__file__).parent / "golden"
OPTIONS = StreamOptions("cs_golden", "the-model", 1700000000, prompt_tokens=10)


def read(path: Path) -> dict[str, Any]:
    return json.loads_object(path.read_bytes()) if path.is_file() else {}


def dialects_of(feature: Path, ending: str) -> list[str]:
    return sorted(path.name.removesuffix(ending) for path in feature.glob(f"*{ending}"))


def pairs(ending: str) -> list[Any]:
    """Requests come from clients' dialects, answers and streams go to them."""
    clients = 0 if ending == ".json" else 1
    return [
        pytest.param(feature, *pair, id=f"{feature.name}: {pair[0]} to {pair[1]}")
        for feature in sorted(GOLDEN.iterdir())
        for pair in permutations([n for n in dialects_of(feature, ending) if n in DIALECTS], 2)
        if pair[clients] in CLIENT_DIALECTS
    ]


def streams() -> list[Any]:
    return [
        pytest.param(feature, name, id=f"{feature.name}: {name}")
        for feature in sorted(GOLDEN.iterdir())
        for name in dialects_of(feature, ".stream.txt")
        if name in DIALECTS
    ]


def expected(feature: Path, source: str, target: str, ending: str) -> bytes:
    """What a translation gives."""
    own = feature / f"{source}.to.{target}{ending}"
    return (own if own.is_file() else feature / f"{target}{ending}").read_bytes()


def losses(feature: Path, pair: str) -> list[str]:
    found: list[str] = read(feature / "losses.json").get(pair, [])
    return found


@pytest.mark.parametrize(("feature", "source", "target"), pairs(".json"))
def test_request(feature: Path, source: str, target: str) -> None:
    quirks = frozenset(read(feature / "quirks.json").get(target, ()))
    request = CLIENT_DIALECTS[source].decode_request(read(feature / f"{source}.json"))

    encoded = DIALECTS[target].encode_request(request, Profile(quirks=quirks))

    wanted = json.loads_object(expected(feature, source, target, ".json"))
    if not DIALECTS[target].MODEL_IN_BODY:  # whoever reads a request puts them there
        del wanted["model"]
        wanted.pop("stream", None)
    assert json.loads(encoded.body) == wanted
    assert list(encoded.losses) == losses(feature, f"{source}.to.{target}")


@pytest.mark.parametrize(("feature", "source", "target"), pairs(".reply.json"))
def test_reply(feature: Path, source: str, target: str) -> None:
    reply = DIALECTS[source].decode_reply(read(feature / f"{source}.reply.json"))

    encoded = CLIENT_DIALECTS[target].encode_reply(reply, OPTIONS)

    assert json.loads(encoded.body) == json.loads(expected(feature, source, target, ".reply.json"))
    assert list(encoded.losses) == losses(feature, f"{source}.to.{target}.reply")


@pytest.mark.parametrize(("feature", "source", "target"), pairs(".stream.txt"))
def test_stream(feature: Path, source: str, target: str) -> None:
    """Chunks may differ: what counts is what they add up to. What is lost is what the whole answer loses."""
    encoder = CLIENT_DIALECTS[target].new_encoder(OPTIONS)
    data = b"".join(encoder.feed(event) for event in decode(source, stream_of(feature, source))) + encoder.close()

    assert fold(decode(target, data)) == fold(decode(target, expected(feature, source, target, ".stream.txt")))
    assert sorted(encoder.losses) == sorted(losses(feature, f"{source}.to.{target}.reply"))


def stream_of(feature: Path, name: str) -> bytes:
    return (feature / f"{name}.stream.txt").read_bytes()


def decode(name: str, data: bytes, cuts: Iterable[int] = ()) -> list[events.Event]:
    parser, decoder = sse.Parser(), DIALECTS[name].new_decoder()
    ends = [0, *cuts, len(data)]
    chunks = [data[start:end] for start, end in pairwise(ends)]
    found = [event for chunk in chunks for raw in parser.feed(chunk) for event in decoder.feed(raw)]
    decoder.close()
    return found


@pytest.mark.parametrize(("feature", "name"), streams())
def test_a_stream_adds_up_to_its_whole_answer(feature: Path, name: str) -> None:
    reply = DIALECTS[name].decode_reply(read(feature / f"{name}.reply.json"))

    assert fold(decode(name, stream_of(feature, name))) == reply


@pytest.mark.parametrize(("feature", "name"), streams())
def test_the_cuts_between_chunks_do_not_matter(feature: Path, name: str) -> None:
    data = stream_of(feature, name)
    whole = decode(name, data)

    assert decode(name, data, range(1, len(data))) == whole
    assert decode(name, data, range(7, len(data), 7)) == whole
    for cut in range(1, len(data), 13):
        assert decode(name, data, [cut]) == whole


@pytest.mark.parametrize(("feature", "name"), streams())
def test_every_prefix_is_malformed_and_its_usage_no_more_than_the_whole_s(feature: Path, name: str) -> None:
    found = list(sse.Parser().feed(stream_of(feature, name)))
    total = fold(decode(name, stream_of(feature, name))).usage
    assert total is not None

    for length in range(len(found)):
        decoder = DIALECTS[name].new_decoder()
        for raw in found[:length]:
            list(decoder.feed(raw))
        with pytest.raises(Malformed):
            decoder.close()
        assert decoder.usage is None or decoder.usage.completion_tokens <= total.completion_tokens


@pytest.mark.parametrize(("feature", "name"), streams())
def test_marked_events_alone_tell_usage_and_end(feature: Path, name: str) -> None:
    dialect = DIALECTS[name]
    full, glance = dialect.new_decoder(), dialect.new_decoder()
    for raw in sse.Parser().feed(stream_of(feature, name)):
        list(full.feed(raw))
        if any(marker in raw.data for marker in dialect.MARKERS):
            list(glance.feed(raw))
    glance.close()

    assert glance.usage == full.usage


def test_reasoning_signed_by_one_provider_returns_to_it_through_a_client_of_another() -> None:
    """The tool loop of a client that speaks openai-chat with a model that speaks anthropic-messages."""
    provider, client = DIALECTS["anthropic-messages"], CLIENT_DIALECTS["openai-chat"]
    answer = provider.decode_reply(read(GOLDEN / "thinking_tool_loop" / "anthropic-messages.reply.json"))
    told = json.loads_object(client.encode_reply(answer, OPTIONS).body)["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": told["tool_calls"][0]["id"], "content": "12:00"}
    asked = {"role": "user", "content": "What time is it?"}

    again = provider.encode_request(
        client.decode_request({"model": "the-model", "messages": [asked, told, result], "reasoning_effort": "low"})
    )

    body = json.loads_object(again.body)
    assert body["messages"][1]["content"][0] == {
        "type": "thinking",
        "thinking": "I need the clock.",
        "signature": "c2lnbmF0dXJlIG9mIHRoZSBtb2RlbA==",
    }
    assert body["thinking"]["type"] == "enabled"
    assert again.losses == ()


def test_reasoning_sealed_for_one_client_returns_through_another() -> None:
    """The same, the other way round: a client that speaks anthropic-messages."""
    client, sealed = (
        CLIENT_DIALECTS["anthropic-messages"],
        Opaque("openai-chat", "encrypted", '{"type":"reasoning.encrypted"}'),
    )
    answer = with_reasoning(Reasoning("hm", opaque=sealed))
    told = json.loads_object(client.encode_reply(answer, OPTIONS).body)

    request = client.decode_request(
        {"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": told["content"]}]}
    )

    assert request.messages[0].blocks[0] == Reasoning("hm", opaque=sealed)


def with_reasoning(block: Reasoning) -> Reply:
    answer = DIALECTS["anthropic-messages"].decode_reply(read(GOLDEN / "text" / "anthropic-messages.reply.json"))
    choice = answer.choices[0]
    return replace(answer, choices=(replace(choice, blocks=(block, *choice.blocks)),))
