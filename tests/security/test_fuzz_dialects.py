"""Golden requests and answers with something changed, through the whole gateway, for every pair of dialects.

A client gets an answer or a typed error, never a 500; the ledger has one end for each attempt that began.
"""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from costspan.wire import json, sse
from fakes.contract import error_of
from fakes.gateway import running
from fakes.providers import (
    ACCOUNTS,
    GOLDEN,
    accounts,
    features,
    golden,
    golden_events,
    golden_reply,
    streamed,
    streams,
    whole,
)
from fakes.raw import post, send
from fakes.upstream import Answer, FakeUpstream, Request
from security.mutations import disturbed, mutated, shuffled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running
    from fakes.raw import Reply
    from fakes.upstream import Script

SEED = 20261125
ROUNDS = 6
CLIENTS = {
    "anthropic-messages": ("/v1/messages", "anthropic"),
    "gemini-generate": ("/v1beta/models/{model}:{method}", "gemini"),
    "openai-chat": ("/v1/chat/completions", "openai"),
    "openai-responses": ("/v1/responses", "openai"),
}
HI: dict[str, dict[str, Any]] = {
    "anthropic-messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 99},
    "gemini-generate": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
    "openai-chat": {"messages": [{"role": "user", "content": "hi"}]},
    "openai-responses": {"input": "hi"},
}


@asynccontextmanager
async def serving(folder: Path, script: Script) -> AsyncIterator[Running]:
    async with (
        FakeUpstream(script, reads=True) as upstream,
        running(folder, accounts(upstream.url), heals=True) as gateway,
    ):
        yield gateway


async def ask(gateway: Running, client: str, body: Any, model: str, *, stream: bool) -> Reply:
    path, _ = CLIENTS[client]
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    if isinstance(body, dict) and client != "gemini-generate":
        body = {**body, "model": model, "stream": stream}
    data = json.dumps(body)
    return await send(gateway.url, post(data, path=path.replace("{model}", model).replace("{method}", method)))


def check_books(gateway: Running) -> None:
    """One end for each attempt and each exchange."""
    started = [record["id"] for record in gateway.records("attempt_started")]
    ended = [record["id"] for record in gateway.records("attempt")]
    exchanges = [record["id"] for record in gateway.records("exchange")]
    assert len(set(ended)) == len(ended)
    assert set(started) <= set(ended)
    assert len(set(exchanges)) == len(exchanges)
    assert {record["exchange_id"] for record in gateway.records("attempt")} <= set(exchanges)
    assert gateway.gateway.state.in_flight == 0


def check_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    assert [(record.getMessage(), record.exc_info) for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize("target", ACCOUNTS)
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_request_with_something_changed_is_answered_or_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, client: str, target: str
) -> None:
    chance = random.Random(f"{SEED} {client} {target}")
    seen = set()
    async with serving(tmp_path, golden) as gateway:
        for feature in features(client, ".json"):
            good = json.loads_object((GOLDEN / feature / f"{client}.json").read_bytes())
            good.pop("model", None)
            stream = bool(good.pop("stream", False))
            for number in range(ROUNDS):
                body = mutated(good, chance, times=1 + number % 3)
                reply = await ask(gateway, client, body, f"to-{target}", stream=stream or number % 2 == 1)

                seen.add(reply.status)
                assert reply.status in {200, 400}, (feature, reply.status, reply.body, json.dumps(body))
                if reply.status == 400:
                    error_of(reply, CLIENTS[client][1])
        check_books(gateway)
    check_no_fault(caplog)
    assert seen == {200, 400}


@pytest.mark.parametrize("kind", ["field", "bytes"])
@pytest.mark.parametrize("target", ACCOUNTS)
async def test_an_answer_with_something_changed_is_told_or_fails_by_type(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, target: str, kind: str
) -> None:
    chance = random.Random(f"{SEED} {target} {kind}")
    answers: list[Answer] = []
    seen = set()
    async with serving(tmp_path, lambda _: answers[-1]) as gateway:
        for feature in features(target, ".reply.json"):
            good = golden_reply(target, feature)
            for client in CLIENTS:
                for number in range(ROUNDS):
                    answer = whole(mutated(good, chance, times=1 + number % 3))
                    if kind == "bytes":
                        answer = Answer(body=disturbed(json.dumps(good), chance))
                    answers.append(answer)
                    reply = await ask(gateway, client, HI[client], f"to-{target}", stream=False)

                    seen.add(reply.status)
                    assert reply.status in {200, 502}, (feature, client, reply.body, answer.body)
                    if reply.status == 200:
                        assert isinstance(json.loads(reply.body), dict)
                    else:
                        error_of(reply, CLIENTS[client][1])
        assert seen >= {200, 502}
        assert len(gateway.records("attempt")) == len(answers)
        check_books(gateway)
    check_no_fault(caplog)


@pytest.mark.parametrize("kind", ["field", "order"])
@pytest.mark.parametrize("target", ACCOUNTS)
async def test_a_stream_with_something_changed_is_told_or_fails_by_type(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, target: str, kind: str
) -> None:
    chance = random.Random(f"{SEED} {target} {kind}")
    answers: list[Answer] = []
    seen = set()
    async with serving(tmp_path, lambda _: answers[-1]) as gateway:
        for feature in features(target, ".stream.txt"):
            good = golden_events(target, feature)
            for client in CLIENTS:
                for number in range(ROUNDS):
                    events = list(good)
                    for _ in range(1 + number % 3):
                        events = _changed(events, chance) if kind == "field" else shuffled(events, chance) or list(good)
                    answers.append(streamed(target, events))
                    reply = await ask(gateway, client, HI[client], f"to-{target}", stream=True)

                    seen.add(reply.status)
                    assert reply.status in {200, 400, 404, 429, 502, 503, 504}, (feature, client, reply.body, events)
                    assert b"internal_error" not in reply.body, (feature, client, events)
                    if reply.status == 200:
                        assert list(sse.Parser().feed(reply.body)), (feature, client, events)
                    else:
                        error_of(reply, CLIENTS[client][1])
        assert seen >= ({200} if kind == "field" else {200, 502})
        assert len(gateway.records("attempt")) == len(answers)
        check_books(gateway)
    check_no_fault(caplog)


def _changed(events: list[tuple[str, bytes]], chance: random.Random) -> list[tuple[str, bytes]]:
    """One event with something else in its JSON."""
    places = [place for place, (_, data) in enumerate(events) if data.startswith(b"{")]
    if not places:
        return events
    at = chance.choice(places)
    name, data = events[at]
    return [*events[:at], (name, json.dumps(mutated(json.loads(data), chance))), *events[at + 1 :]]


def test_the_fake_tells_what_streams() -> None:
    def asked(path: str, body: bytes) -> Request:
        return Request("POST", path, [], 0, 0.0, body)

    assert streams(asked("/bedrock-converse/model/m/converse-stream", b"{}"))
    assert streams(asked("/openai-chat/v1/chat/completions", b'{"stream": true}'))
    assert not streams(asked("/openai-chat/v1/chat/completions", b'{"stream":false}'))
