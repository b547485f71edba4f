"""x-costspan-dry-run: what would be done with a request, and nothing of it done."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from fakes.gateway import running
from fakes.upstream import Answer, FakeUpstream
from fakes.upstream_answers import openai_reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running

CHAT = "/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "Hello, who is there?"}]}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def config(up: str) -> str:
    """Keys are their own names. `poor` has a budget of nothing, that of `moved` leads elsewhere."""
    return f"""
defaults: {{retries: 0}}
providers:
  one: {{kind: openai, base_url: "{up}/v1", api_key: test-key-one, headers: {{x-tenant: hidden}}}}
  two: {{kind: anthropic, base_url: "{up}", api_key: test-key-two}}
  bed: {{kind: bedrock, region: us-east-1, base_url: "{up}"}}
  own: {{kind: openai-compatible, base_url: "{up}/v1", price_as: free}}
routes:
  chat: {{strategy: cheapest, targets: [two/claude-fake, one/gpt-fake]}}
  quick: {{strategy: fastest, targets: [one/a, one/b, one/c]}}
  racing: {{strategy: race, race: {{after: 250ms, losers: drain}}, targets: [one/a, two/b]}}
  tools: {{targets: [{{target: one/a, lacks: [tools]}}, two/b]}}
  stored: {{targets: [two/b, one/a]}}
  signed: bed/us.amazon.nova-lite-v1:0
  cheap: own/local
keys:
  - {{name: any, hash: "sha256:{digest("any")}"}}
  - {{name: some, hash: "sha256:{digest("some")}", routes: [quick]}}
  - {{name: slow, hash: "sha256:{digest("slow")}", limits: {{requests_per_minute: 1}}}}
  - {{name: short, hash: "sha256:{digest("short")}", limits: {{tokens_per_minute: 5}}}}
  - {{name: poor, hash: "sha256:{digest("poor")}", attributes: {{team: poor}}}}
  - {{name: moved, hash: "sha256:{digest("moved")}", attributes: {{team: moved}}}}
budgets:
  - {{name: nothing, match: {{team: poor}}, usd: 0, per: total}}
  - {{name: elsewhere, match: {{team: moved}}, usd: 0, per: total, on_exceed: {{route: cheap}}}}
"""


@dataclass(frozen=True)
class Desk:
    """A gateway that nobody's upstream should hear of."""

    gateway: Running
    up: FakeUpstream

    async def ask(
        self, model: str, path: str = CHAT, *, key: str = "any", dry: str | None = "true", **fields: Any
    ) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer."""
        body = {"model": model, **HELLO, **fields}
        headers = {"authorization": f"Bearer {key}", **({} if dry is None else {"x-costspan-dry-run": dry})}
        async with (
            aiohttp.ClientSession(headers=headers) as client,
            client.post(self.gateway.url + path, json=body) as response,
        ):
            return response.status, await response.json()

    async def dry(self, model: str, path: str = CHAT, **more: Any) -> dict[str, Any]:
        status, told = await self.ask(model, path, **more)
        assert status == 200, told
        return told


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    async with FakeUpstream(lambda _: openai_reply()) as up, running(tmp_path, config(up.url)) as gateway:
        yield Desk(gateway, up)


async def test_it_tells_the_cheapest_first_with_the_cost_of_each(desk: Desk) -> None:
    told = await desk.dry("chat", max_tokens=100)

    candidates = {each["target"]: each for each in told["candidates"]}
    output = candidates["one/gpt-fake"]["expected_usage"]["output"]
    assert [each["target"] for each in told["candidates"]] == ["one/gpt-fake", "two/claude-fake"]
    assert candidates["one/gpt-fake"]["expected_usage"]["prompt"] == 5
    assert 0 < output <= 100
    assert Decimal(told["expected_cost_usd"]) == Decimal(2 * 5 + 8 * output) / 1_000_000
    assert Decimal(candidates["two/claude-fake"]["expected_cost_usd"]) == Decimal(3 * 5 + 15 * output) / 1_000_000
    assert told["plan"] == [{"targets": ["one/gpt-fake"], "race": None}, {"targets": ["two/claude-fake"], "race": None}]


async def test_it_scores_what_the_strategy_had_no_use_for(desk: Desk) -> None:
    (only,) = (await desk.dry("cheap"))["candidates"]

    assert (only["rank"], only["expected_cost_usd"], only["expected_seconds"]) == ("fine", "0", None)
    assert only["expected_usage"]["prompt"] == 5


async def test_it_shows_the_request_of_the_same_dialect_with_keys_and_headers_masked(desk: Desk) -> None:
    told = await desk.dry("one/gpt-fake", user="u1")
    request = told["request"]

    assert {**request, "headers": {name: request["headers"][name] for name in ("authorization", "x-tenant")}} == {
        "target": "one/gpt-fake",
        "method": "POST",
        "url": f"{desk.up.url}/v1/chat/completions",
        "headers": {"authorization": "Bearer ***", "x-tenant": "***"},
        "body": {"model": "gpt-fake", **HELLO, "user": "u1"},
        "dropped": [],
    }


async def test_it_shows_the_translated_request_and_what_is_lost(desk: Desk) -> None:
    request = (await desk.dry("two/b", max_tokens=7, seed=3))["request"]

    assert request["url"] == f"{desk.up.url}/v1/messages"
    assert request["headers"]["x-api-key"] == "***"
    assert request["body"]["max_tokens"] == 7
    assert request["body"]["messages"] == [{"role": "user", "content": "Hello, who is there?"}]
    assert request["dropped"] == ["seed"]


async def test_no_credentials_are_fetched_to_show_what_would_be_signed(desk: Desk) -> None:
    request = (await desk.dry("signed"))["request"]

    assert request["headers"]["authorization"] == "***"
    assert request["url"] == f"{desk.up.url}/model/us.amazon.nova-lite-v1%3A0/converse"


async def test_a_target_that_cannot_serve_the_request_says_why(desk: Desk) -> None:
    told = await desk.dry("tools", tools=[TOOL])

    assert told["plan"] == [{"targets": ["two/b"], "race": None}]
    assert {each["target"]: (each["place"], each["excluded"]) for each in told["candidates"]} == {
        "two/b": (1, None),
        "one/a": (None, "it takes no tools"),
    }
    assert told["refused"] is None


async def test_a_target_whose_dialect_cannot_express_it_says_what(desk: Desk) -> None:
    told = await desk.dry("stored", n=2)

    candidates = {each["target"]: each for each in told["candidates"]}
    assert "n" in candidates["two/b"]["untranslatable"]
    assert candidates["one/a"]["untranslatable"] is None
    assert told["request"]["target"] == "one/a"


async def test_where_nobody_can_express_it_the_refusal_is_that_of_the_request(desk: Desk) -> None:
    told = await desk.dry("two/b", n=2)
    status, real = await desk.ask("two/b", dry=None, n=2)

    assert told["request"] is None
    assert told["expected_cost_usd"] is None
    assert (status, real["error"]["code"], real["error"]["message"], real["error"]["param"]) == (
        told["refused"]["status"],
        told["refused"]["code"],
        told["refused"]["message"],
        told["refused"]["param"],
    )


async def test_a_race_is_shown_with_its_contenders(desk: Desk) -> None:
    assert (await desk.dry("racing"))["plan"] == [
        {
            "targets": ["one/a", "two/b"],
            "race": {"after": 0.25, "max_parallel": 2, "losers": "drain", "max_extra_usd": None},
        }
    ]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/messages", {"max_tokens": 5}),
        ("/v1/responses", {"messages": None, "input": "Hello"}),
        ("/v1/embeddings", {"messages": None, "input": "Hello"}),
        ("/v1/moderations", {"messages": None, "input": "Hello"}),
        ("/v1/chat/completions", {"stream": True}),
    ],
)
async def test_every_surface_has_it(desk: Desk, path: str, fields: dict[str, Any]) -> None:
    body = {name: value for name, value in {"model": "one/x", **HELLO, **fields}.items() if value is not None}
    headers = {"authorization": "Bearer any", "x-costspan-dry-run": "true"}
    async with (
        aiohttp.ClientSession(headers=headers) as client,
        client.post(desk.gateway.url + path, json=body) as response,
    ):
        told = await response.json()

    assert (response.status, response.content_type) == (200, "application/json")
    assert told["dry_run"] is True
    assert told["request"]["target"] == "one/x"
    assert desk.up.requests == []


async def test_googles_paths_have_it(desk: Desk) -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
    url = f"{desk.gateway.url}/v1beta/models/one/x:streamGenerateContent"
    headers = {"x-goog-api-key": "any", "x-costspan-dry-run": "true"}
    async with aiohttp.ClientSession(headers=headers) as client, client.post(url, json=body) as response:
        told = await response.json()

    assert (told["dialect"], told["stream"], told["request"]["body"]["stream"]) == ("gemini-generate", True, True)


async def test_a_form_is_shown_without_its_file(desk: Desk) -> None:
    form = aiohttp.FormData()
    form.add_field("model", "one/whisper-1")
    form.add_field("file", b"RIFF" * 1000, filename="a.wav", content_type="audio/wav")
    headers = {"authorization": "Bearer any", "x-costspan-dry-run": "true"}
    url = f"{desk.gateway.url}/v1/audio/transcriptions"
    async with aiohttp.ClientSession(headers=headers) as client, client.post(url, data=form) as response:
        told = await response.json()

    assert (response.status, told["request"]["body"]) == (200, None)
    assert told["request"]["url"] == f"{desk.up.url}/v1/audio/transcriptions"
    assert desk.up.requests == []


async def test_nothing_is_sent_written_or_learnt(desk: Desk) -> None:
    for _ in range(5):
        told = await desk.dry("quick", key="slow")
        assert told["refused"] is None  # the minute's only request is still there

    state = desk.gateway.gateway.state
    assert desk.up.requests == []
    assert desk.gateway.records() == []
    assert (len(state.targets), state.targets.known_route("quick")) == (0, None)
    assert state.keys.standing(state.live.current.accounts["one"], 0.0) == (1, 0)
    assert state.engine.decisions.of("") is None


async def test_a_look_at_who_would_explore_does_not_use_up_the_exploring(desk: Desk) -> None:
    await desk.ask("quick", dry=None)
    explorer = desk.gateway.gateway.state.targets.route("quick").explorer
    before = explorer._saved
    firsts = [(await desk.dry("quick"))["candidates"][0] for _ in range(3)]

    assert [(first["target"], first["explores"]) for first in firsts] == [("one/b", True)] * 3
    assert explorer._saved == before


async def test_what_a_limit_would_refuse_is_said(desk: Desk) -> None:
    await desk.ask("one/x", key="slow", dry=None)
    told = await desk.dry("one/x", key="slow")
    short = await desk.dry("one/x", key="short")

    assert (told["refused"]["status"], told["refused"]["code"]) == (429, "rate_limit_exceeded")
    assert told["refused"]["message"] == "this API key may make 1 requests in a minute"
    assert told["request"]["target"] == "one/x"
    assert "may use 5 tokens in a minute" in short["refused"]["message"]


async def test_what_a_budget_would_refuse_is_said(desk: Desk) -> None:
    told = await desk.dry("one/x", key="poor")

    assert told["refused"] == {
        "status": 402,
        "code": "budget_exceeded",
        "message": "the budget nothing of 0 USD in total is used up; it does not begin anew",
        "param": None,
    }


async def test_a_budget_that_leads_elsewhere_leads_there(desk: Desk) -> None:
    told = await desk.dry("one/x", key="moved")

    assert (told["refused"], told["model_asked"], told["route"]) == (None, "one/x", "cheap")
    assert told["request"]["target"] == "own/local"
    assert told["expected_cost_usd"] == "0"


@pytest.mark.parametrize("word", ["yes", "1", "", "true, true"])
async def test_any_other_word_is_refused_rather_than_paid_for(desk: Desk, word: str) -> None:
    status, told = await desk.ask("one/x", dry=word)

    assert (status, told["error"]["code"], told["error"]["param"]) == (400, "invalid_value", "x-costspan-dry-run")
    assert desk.up.requests == []


async def test_false_is_a_real_request(desk: Desk) -> None:
    status, told = await desk.ask("one/x", dry="False")

    assert (status, told["choices"][0]["message"]["content"]) == (200, "Hello!")


@pytest.mark.parametrize("path", ["/providers/one/v1/chat/completions", "/v1/messages/count_tokens"])
async def test_what_has_no_route_to_decide_on_is_refused(desk: Desk, path: str) -> None:
    status, told = await desk.ask("two/x", path)

    assert status == 400
    assert told["error"].get("code") == "unsupported_parameter"
    assert desk.up.requests == []


async def test_who_may_not_ask_may_not_look_either(desk: Desk) -> None:
    unknown, _ = await desk.ask("one/x", key="nobody")
    other, _ = await desk.ask("one/x", key="some")
    nowhere, _ = await desk.ask("nothing-like-it")
    wrong, _ = await desk.ask("one/x", messages="no list")

    assert (unknown, other, nowhere, wrong) == (401, 403, 404, 400)


async def test_a_target_that_is_ill_is_last_and_says_when_it_may_be_asked(tmp_path: Path) -> None:
    async with (
        FakeUpstream(Answer(status=500, body=b"{}")) as down,
        FakeUpstream(lambda _: openai_reply()) as up,
        running(
            tmp_path,
            f"""
defaults: {{retries: 0}}
providers:
  down: {{kind: openai, base_url: "{down.url}/v1", api_key: test-key}}
  up: {{kind: openai, base_url: "{up.url}/v1", api_key: test-key}}
routes: {{chat: {{targets: [down/m, up/m]}}}}
""",
        ) as gateway,
    ):
        desk = Desk(gateway, up)
        for _ in range(5):
            await desk.ask("chat", dry=None)
        ill = next(each for each in gateway.gateway.state.targets.newest(2) if each.label == "down/m")
        ill.breaker._until += 60  # however slow the test is
        told = await desk.dry("chat")
        asked = len(down.requests)

    first, last = told["candidates"]
    assert (first["target"], last["target"], last["rank"], last["place"]) == ("up/m", "down/m", "ill", 2)
    assert last["why"] == "it failed too often (its breaker is open)"
    assert 0 < last["due_seconds"] <= 61.5
    assert asked == 5
