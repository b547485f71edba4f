"""OpenRouter's words for routing one request: `models`, `provider`, `:floor` and `:nitro`. What goes where, what is
refused, and what a target gets to see of it."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.wire import json
from fakes.gateway import running
from fakes.upstream import Answer, FakeUpstream
from fakes.upstream_answers import anthropic_reply, openai_reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running
    from fakes.upstream import Request

KEY = "cs-key-of-a-team"
BROKEN = Answer(status=500, body=b"{}")
PRICES = """
prices:
  catalog: none
  table:
    - {provider: dear, model: "*", input: 4, output: 16}
    - {provider: cheap, model: "*", input: 1, output: 4}
    - {provider: claude, model: "*", input: 3, output: 15}
    - {provider: router, model: "*", input: 2, output: 8}
    - {provider: other-router, model: "*", input: 2, output: 8}
"""
CONFIG = """
defaults: {{retries: 0}}
providers:
  dear: {{kind: openai, base_url: "{url}/dear", api_key: test-key-1}}
  cheap: {{kind: openai, base_url: "{url}/cheap", api_key: test-key-2}}
  claude: {{kind: anthropic, base_url: "{url}/claude", api_key: test-key-3}}
  router: {{kind: openrouter, base_url: "{url}/router", api_key: test-key-4}}
  other-router: {{kind: openrouter, base_url: "{url}/other-router", api_key: test-key-5}}
routes:
  smart: {{targets: [dear/big, cheap/small, claude/sonnet]}}
  mixed: {{targets: [router/llama, cheap/small]}}
  routers: {{targets: [router/llama, other-router/llama]}}
  exact:floor: {{targets: [dear/big, cheap/small]}}
  exact: {{targets: [cheap/small]}}
  capped: {{targets: [dear/big, cheap/small], constraints: {{max_price: {{input: 2}}}}}}
  "gpt-*": {{targets: ["dear/{{model}}", "cheap/{{model}}"]}}
  "router/*-mini": {{targets: [cheap/small, dear/big]}}
  "free-*": {{targets: ["router/{{model}}", "other-router/{{model}}"]}}
"""


class Place:
    """A gateway, and one server that is all its providers; `down` are those that fail."""

    def __init__(self, gateway: Running, upstream: FakeUpstream, down: set[str]) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.down = down

    @property
    def asked(self) -> list[str]:
        """Whom the gateway asked, and for which model."""
        return [f"{provider(request)}/{sent(request)['model']}" for request in self.upstream.requests]

    async def post(
        self, body: dict[str, Any] | bytes, *, path: str = "/v1/chat/completions", **headers: str
    ) -> tuple[int, dict[str, Any]]:
        data = body if isinstance(body, bytes) else json.dumps(body)
        more = {
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{self.gateway.url}{path}", data=data, headers=more) as response,
        ):
            return response.status, json.loads_object(await response.read())

    async def order(self, model: str, down: str = "dear cheap claude router other-router", **fields: Any) -> list[str]:
        """The targets in the order in which they are asked when all fail."""
        self.down |= set(down.split())
        await self.post(chat(model, **fields))
        return self.asked

    async def refused(self, model: str, **fields: Any) -> tuple[int, str, str]:
        """Status, code and param of an answer for which nobody was asked."""
        status, answer = await self.post(chat(model, **fields))
        assert self.upstream.requests == []
        return status, answer["error"]["code"], answer["error"]["param"]


def provider(request: Request) -> str:
    return request.path.split("/")[1]


def sent(request: Request) -> dict[str, Any]:
    return json.loads_object(request.body)


def chat(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hello"}], **fields}


@asynccontextmanager
async def opened(folder: Path, more: str = "", down: str = "") -> AsyncIterator[Place]:
    failing = set(down.split())

    def answer(request: Request) -> Answer:
        if provider(request) in failing:
            return BROKEN
        return anthropic_reply() if provider(request) == "claude" else openai_reply()

    async with (
        FakeUpstream(answer) as upstream,
        running(folder, CONFIG.format(url=upstream.url) + more, prices=PRICES) as gateway,
    ):
        yield Place(gateway, upstream, failing)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with opened(tmp_path) as place:
        yield place


ALL = ["dear/big", "cheap/small", "claude/sonnet"]
ORDERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing": ({}, ALL),
    "null": ({"provider": None, "models": None, "route": None}, ALL),
    "an empty object": ({"provider": {}}, ALL),
    "defaults that a client writes out": (
        {
            "provider": {
                "order": [],
                "only": [],
                "ignore": [],
                "allow_fallbacks": True,
                "require_parameters": False,
                "data_collection": "allow",
                "zdr": False,
                "enforce_distillable_text": False,
                "quantizations": [],
                "sort": None,
                "max_price": {},
            }
        },
        ALL,
    ),
    "order": ({"provider": {"order": ["claude", "cheap"]}}, ["claude/sonnet", "cheap/small", "dear/big"]),
    "order by kind": ({"provider": {"order": ["anthropic"]}}, ["claude/sonnet", "dear/big", "cheap/small"]),
    "order of somebody unknown": ({"provider": {"order": ["nobody", "cheap"]}}, ["cheap/small", "dear/big", ALL[2]]),
    "order, and no others": ({"provider": {"order": ["cheap"], "allow_fallbacks": False}}, ["cheap/small"]),
    "only": ({"provider": {"only": ["cheap", "anthropic"]}}, ["cheap/small", "claude/sonnet"]),
    "ignore a kind": ({"provider": {"ignore": ["openai"]}}, ["claude/sonnet"]),
    "ignore a kind in other letters": ({"provider": {"ignore": ["OpenAI"]}}, ["claude/sonnet"]),
    "order in other letters": ({"provider": {"order": ["Cheap"], "allow_fallbacks": False}}, ["cheap/small"]),
    "ignore somebody unknown": ({"provider": {"ignore": ["nobody/turbo"]}}, ALL),
    "no fallbacks": ({"provider": {"allow_fallbacks": False}}, ["dear/big"]),
    "by price": ({"provider": {"sort": "price"}}, ["cheap/small", "claude/sonnet", "dear/big"]),
    "by price, in full": ({"provider": {"sort": {"by": "price"}}}, ["cheap/small", "claude/sonnet", "dear/big"]),
    "under a price of the prompt": ({"provider": {"max_price": {"prompt": 3}}}, ["cheap/small", "claude/sonnet"]),
    "under a price of the answer": ({"provider": {"max_price": {"completion": "4.0"}}}, ["cheap/small"]),
    "models": ({"models": ["claude/opus", "exact", "cheap/tiny"]}, [*ALL, "claude/opus", "cheap/tiny"]),
    "models with the model itself": ({"models": ["smart", "claude/opus", "claude/opus"]}, [*ALL, "claude/opus"]),
    "models and the old word for fallback": ({"models": ["claude/opus"], "route": "fallback"}, [*ALL, "claude/opus"]),
    "models all sorted as one": (
        {"models": ["cheap/tiny"], "provider": {"sort": {"by": "price", "partition": "none"}}},
        ["cheap/small", "cheap/tiny", "claude/sonnet", "dear/big"],
    ),
    "models all sorted, in the old word": (
        {"models": ["cheap/tiny"], "route": "sort", "provider": {"sort": "price"}},
        ["cheap/small", "cheap/tiny", "claude/sonnet", "dear/big"],
    ),
    "models sorted each": (
        {"models": ["cheap/tiny"], "provider": {"sort": {"by": "price", "partition": "model"}}},
        ["cheap/small", "claude/sonnet", "dear/big", "cheap/tiny"],
    ),
    "models of providers that are not wished": (
        {"models": ["dear/huge", "claude/opus"], "provider": {"only": ["claude"]}},
        ["claude/sonnet", "claude/opus"],
    ),
}


@pytest.mark.parametrize(("fields", "expected"), ORDERS.values(), ids=ORDERS.keys())
async def test_the_order_in_which_targets_are_asked(place: Place, fields: dict[str, Any], expected: list[str]) -> None:
    assert await place.order("smart", **fields) == expected
    assert all(not sent(request).keys() & {"provider", "models", "route"} for request in place.upstream.requests)


SUFFIXES: dict[str, tuple[str, list[str]]] = {
    "a route": ("smart:floor", ["cheap/small", "claude/sonnet", "dear/big"]),
    "a route whose name has it": ("exact:floor", ["dear/big", "cheap/small"]),
    "a route of a pattern": ("gpt-5:floor", ["cheap/gpt-5", "dear/gpt-5"]),
    "an aggregator's own model": ("router/llama:floor", ["router/llama:floor"]),
    "an aggregator's own free model": ("router/llama:free", ["router/llama:free"]),
    "an aggregator's fast model": ("router/llama:nitro", ["router/llama:nitro"]),
    "a pattern of an aggregator's models": ("free-x:floor", ["router/free-x:floor", "other-router/free-x:floor"]),
    "an aggregator's model whose plain name is a pattern's": ("router/x-mini:nitro", ["router/x-mini:nitro"]),
    "another target's model": ("cheap/a:floor", ["cheap/a:floor"]),
}


@pytest.mark.parametrize(("model", "expected"), SUFFIXES.values(), ids=SUFFIXES.keys())
async def test_a_suffix_is_for_routes_and_else_part_of_the_name(place: Place, model: str, expected: list[str]) -> None:
    assert await place.order(model) == expected


async def test_a_suffix_may_stand_in_models_and_in_the_header(place: Place) -> None:
    await place.post(chat("claude/opus", models=["smart:floor"]))
    assert place.asked == ["claude/opus"]
    place.upstream.requests.clear()

    assert await place.order("claude/opus", models=["smart:floor"]) == [
        "claude/opus", "cheap/small", "claude/sonnet", "dear/big"
    ]  # fmt: skip


async def test_the_fastest_is_asked_first(place: Place) -> None:
    """Nothing is known of either yet, so it is the first; the books say by which strategy."""
    status, _ = await place.post(chat("smart:nitro"))
    (exchange,) = place.gateway.records("exchange")

    assert status == 200
    assert (exchange["route"], exchange["strategy"], exchange["model_asked"]) == ("smart", "fastest", "smart:nitro")


async def test_a_list_of_models_is_enough(place: Place) -> None:
    body = {"models": ["cheap/tiny", "claude/opus"], "messages": [{"role": "user", "content": "hello"}]}
    place.down.add("cheap")
    status, answer = await place.post(body)

    assert (status, answer["choices"][0]["message"]["content"]) == (200, "Hello!")
    assert place.asked == ["cheap/tiny", "claude/opus"]


async def test_the_next_model_is_asked_when_one_is_too_small(tmp_path: Path) -> None:
    too_long = b'{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}'

    def answer(request: Request) -> Answer:
        return Answer(status=400, body=too_long) if provider(request) == "cheap" else openai_reply()

    async with FakeUpstream(answer) as upstream, running(tmp_path, CONFIG.format(url=upstream.url)) as gateway:
        place = Place(gateway, upstream, set())
        assert (await place.post(chat("cheap/tiny")))[0] == 400
        assert (await place.post(chat("cheap/tiny", models=["dear/huge"])))[0] == 200


# What a target sees.


async def test_a_router_alone_gets_the_whole_object_as_it_is(place: Place) -> None:
    wish = b'{ "order":["Together"],  "data_collection":"deny", "max_price":{"prompt":1.50} }'
    body = b'{"model": "router/llama",\n "provider": %s, "messages": [{"role": "user", "content": "hello"}]}' % wish
    status, _ = await place.post(body)
    (request,) = place.upstream.requests

    assert status == 200
    assert request.body == body.replace(b'"router/llama"', b'"llama"').replace(b'"model": ', b'"model":')


async def test_routers_among_themselves_get_it_too(place: Place) -> None:
    wish = {"zdr": True, "order": ["Together"]}
    assert await place.order("routers", provider=wish) == ["router/llama", "other-router/llama"]
    assert [sent(request)["provider"] for request in place.upstream.requests] == [wish, wish]


async def test_models_before_routers_are_names_of_the_gateway(place: Place) -> None:
    wish = {"only": ["Together"]}
    assert await place.order("router/llama", models=["other-router/qwen"], provider=wish) == [
        "router/llama", "other-router/qwen"
    ]  # fmt: skip
    assert [sent(request).get("provider") for request in place.upstream.requests] == [wish, wish]
    assert all("models" not in sent(request) for request in place.upstream.requests)


async def test_beside_others_a_router_is_a_target_like_them(place: Place) -> None:
    assert await place.order("mixed", provider={"order": ["cheap", "openrouter"]}) == ["cheap/small", "router/llama"]
    assert all("provider" not in sent(request) for request in place.upstream.requests)


async def test_a_router_that_has_to_be_translated_to_cannot_be_told(place: Place) -> None:
    """It has no Messages API here: what would be lost is not promised."""
    body = {**chat("router/llama", provider={"data_collection": "deny"}), "max_tokens": 5}
    status, answer = await place.post(body, path="/v1/messages")

    assert (status, answer["error"]["code"]) == (400, "unsupported_parameter")
    assert place.upstream.requests == []


async def test_all_else_of_the_body_keeps_its_bytes(place: Place) -> None:
    rest = b'"messages":[{"role":"user","content":"h\\u00e9llo \\ud83d\\ude00"}],"temperature":1.50,"x":{"a" : 1e2}'
    body = b'{"models":["cheap/tiny"],"model":"dear/big","provider":{"sort":"price"},%s}' % rest
    await place.post(body)

    assert place.upstream.requests[0].body == b'{"model":"big",%s}' % rest


async def test_a_name_that_hides_in_escapes_is_found(place: Place) -> None:
    body = b'{"model":"smart","pro\\u0076ider":{"only":["cheap"]},"messages":[{"role":"user","content":"hello"}]}'
    await place.post(body)

    assert place.asked == ["cheap/small"]
    assert b"vider" not in place.upstream.requests[0].body


async def test_a_field_that_only_has_the_name_passes(place: Place) -> None:
    await place.post(chat("dear/big", route={"a": 1}))
    await place.post(chat("dear/big", route="scenic"))

    assert [sent(request)["route"] for request in place.upstream.requests] == [{"a": 1}, "scenic"]


SURFACES: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hello"}]}),
    "responses": ("/v1/responses", {"input": "hello"}),
    "messages": ("/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}),
    "embeddings": ("/v1/embeddings", {"input": "hello"}),
}


@pytest.mark.parametrize(("path", "body"), SURFACES.values(), ids=SURFACES.keys())
async def test_it_is_so_on_every_surface(place: Place, path: str, body: dict[str, Any]) -> None:
    place.down |= {"dear", "cheap"}
    more = {"models": ["cheap/tiny"], "provider": {"only": ["openai"], "order": ["cheap"]}}
    await place.post({"model": "smart", **body, **more}, path=path)

    assert place.asked == ["cheap/small", "dear/big", "cheap/tiny"]
    assert all(not sent(request).keys() & {"provider", "models"} for request in place.upstream.requests)


async def test_counting_tokens_asks_the_provider_that_is_wished(place: Place) -> None:
    body = {**chat("smart", provider={"only": ["claude"]}), "models": ["claude/opus"]}
    await place.post(body, path="/v1/messages/count_tokens")

    (request,) = place.upstream.requests
    assert request.path == "/claude/v1/messages/count_tokens"
    assert sent(request).keys() == {"model", "messages"}


async def test_formats_that_only_pass_keep_their_fields(place: Place) -> None:
    await place.post({"model": "cheap/small", "prompt": "hello", "provider": {"zdr": True}}, path="/v1/completions")

    assert sent(place.upstream.requests[0])["provider"] == {"zdr": True}


async def test_a_router_is_named_no_further_models_in_a_format_that_only_passes(place: Place) -> None:
    """It would ask models that the client's key may not, and that no budget's route leads to."""
    more = {"prompt": "hello", "models": ["o1-pro"]}
    status, answer = await place.post({"model": "router/llama", **more}, path="/v1/completions")
    elsewhere, _ = await place.post({"model": "cheap/small", **more}, path="/v1/completions")

    assert (status, answer["error"]["code"], answer["error"]["param"]) == (400, "unsupported_parameter", "models")
    assert (elsewhere, place.asked) == (200, ["cheap/small"])


# What is refused.


async def test_a_route_in_the_header_that_nobody_has_is_named_by_the_header(place: Place) -> None:
    status, answer = await place.post(chat("smart"), x_costspan_route="smrt")

    error = answer["error"]
    assert (status, error["code"], error["param"]) == (404, "model_not_found", "x-costspan-route")
    assert "'smrt'" in error["message"]


async def test_where_a_budgets_route_has_nobody_left_it_is_said_why(tmp_path: Path) -> None:
    budget = "budgets: [{name: all, usd: 0, per: total, on_exceed: {route: exact}}]\n"
    async with opened(tmp_path, budget) as place:
        status, code, param = await place.refused("smart", provider={"only": ["claude"]})
        _, answer = await place.post(chat("smart", provider={"only": ["claude"]}))

    assert (status, code, param) == (404, "no_eligible_target", "provider")
    assert answer["error"]["message"] == (
        "a budget is used up and sends this request to exact, of which its 'provider' leaves no target"
    )


REFUSED: dict[str, tuple[dict[str, Any], tuple[int, str, str]]] = {
    "no object": ({"provider": ["openai"]}, (400, "invalid_type", "provider")),
    "data collection": (
        {"provider": {"data_collection": "deny"}},
        (400, "unsupported_parameter", "provider.data_collection"),
    ),
    "zero data retention": ({"provider": {"zdr": True}}, (400, "unsupported_parameter", "provider.zdr")),
    "zero for false": ({"provider": {"zdr": 0}}, (400, "unsupported_parameter", "provider.zdr")),
    "quantizations": (
        {"provider": {"quantizations": ["fp8"]}},
        (400, "unsupported_parameter", "provider.quantizations"),
    ),
    "throughput": (
        {"provider": {"preferred_min_throughput": 50}},
        (400, "unsupported_parameter", "provider.preferred_min_throughput"),
    ),
    "other percentiles": (
        {"provider": {"preferred_max_latency": {"p99": 5}}},
        (400, "unsupported_parameter", "provider.preferred_max_latency.p99"),
    ),
    "latency in words": (
        {"provider": {"preferred_max_latency": "soon"}},
        (400, "invalid_value", "provider.preferred_max_latency"),
    ),
    "what nobody knows": ({"provider": {"mood": "good"}}, (400, "unsupported_parameter", "provider.mood")),
    "another sort": ({"provider": {"sort": "exacto"}}, (400, "invalid_value", "provider.sort")),
    "a sort of no kind": ({"provider": {"sort": 1}}, (400, "invalid_value", "provider.sort")),
    "another sort, in full": ({"provider": {"sort": {"by": "name"}}}, (400, "invalid_value", "provider.sort.by")),
    "another partition": (
        {"provider": {"sort": {"partition": "all"}}},
        (400, "invalid_value", "provider.sort.partition"),
    ),
    "a partition of no kind": (
        {"provider": {"sort": {"partition": ["model"]}}},
        (400, "invalid_value", "provider.sort.partition"),
    ),
    "more in a sort": ({"provider": {"sort": {"x": 1}}}, (400, "unsupported_parameter", "provider.sort.x")),
    "a name, not a list": ({"provider": {"order": "openai"}}, (400, "invalid_value", "provider.order")),
    "no names in a list": ({"provider": {"only": ["openai", 1]}}, (400, "invalid_value", "provider.only.1")),
    "an empty name": ({"provider": {"ignore": [""]}}, (400, "invalid_value", "provider.ignore.0")),
    "a list without end": ({"provider": {"order": ["a"] * 101}}, (400, "invalid_value", "provider.order")),
    "no flag": ({"provider": {"allow_fallbacks": "no"}}, (400, "invalid_value", "provider.allow_fallbacks")),
    "no other flag": ({"provider": {"require_parameters": 1}}, (400, "invalid_value", "provider.require_parameters")),
    "no prices": ({"provider": {"max_price": 1}}, (400, "invalid_value", "provider.max_price")),
    "a price below nothing": (
        {"provider": {"max_price": {"prompt": -1}}},
        (400, "invalid_value", "provider.max_price.prompt"),
    ),
    "a price in words": (
        {"provider": {"max_price": {"prompt": "NaN"}}},
        (400, "invalid_value", "provider.max_price.prompt"),
    ),
    "a price per request": (
        {"provider": {"max_price": {"request": 1}}},
        (400, "unsupported_parameter", "provider.max_price.request"),
    ),
    "nobody left": ({"provider": {"only": ["nobody"]}}, (404, "no_eligible_target", "provider")),
    "nobody left of an order": (
        {"provider": {"order": ["nobody"], "allow_fallbacks": False}},
        (404, "no_eligible_target", "provider"),
    ),
    "all too dear": ({"provider": {"max_price": {"prompt": "0.5"}}}, (404, "no_eligible_target", "provider.max_price")),
    "models of no list": ({"models": "dear/big"}, (400, "invalid_value", "models")),
    "models of no names": ({"models": ["dear/big", None]}, (400, "invalid_value", "models.1")),
    "too many models": ({"models": [f"dear/{n}" for n in range(33)]}, (400, "invalid_value", "models")),
    "a model that nobody has": ({"models": ["dear/huge", "unheard-of"]}, (404, "model_not_found", "models")),
}


@pytest.mark.parametrize(("fields", "expected"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_cannot_be_is_refused_by_its_name_before_anybody_is_asked(
    place: Place, fields: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    assert await place.refused("smart", **fields) == expected


async def test_an_unknown_model_of_the_list_is_named(place: Place) -> None:
    _, answer = await place.post(chat("smart", models=["claude/opus", "smrt"]))

    assert answer["error"]["message"] == "no route or target has this model name ('smrt'); nearest: smart"


# What a key may use, and what a route allows, stays.

KEYS = """
keys: [{{name: team, hash: "sha256:{digest}", routes: {routes}}}]
"""


@asynccontextmanager
async def with_key(folder: Path, routes: str, down: str = "") -> AsyncIterator[Place]:
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    async with opened(folder, KEYS.format(digest=digest, routes=routes), down) as place:
        yield place


async def test_a_key_may_use_of_a_list_only_what_it_may_ask_for(tmp_path: Path) -> None:
    async with with_key(tmp_path, "[smart, 'claude/*']", down="dear cheap claude") as place:
        status, answer = await place.post(chat("smart", models=["claude/opus", "dear/huge"]), x_api_key=KEY)
        assert (status, answer["error"]["code"]) == (403, "route_not_allowed")
        assert place.asked == []

        await place.post(chat("smart", models=["claude/opus"]), x_api_key=KEY)
        assert place.asked == [*ALL, "claude/opus"], "of a route, also what it may not ask for itself"


async def test_a_suffix_needs_no_key_of_its_own(tmp_path: Path) -> None:
    async with with_key(tmp_path, "[smart]") as place:
        assert (await place.post(chat("smart:floor"), x_api_key=KEY))[0] == 200
        assert (await place.post(chat("capped:floor"), x_api_key=KEY))[0] == 403
        assert place.asked == ["cheap/small"]


async def test_a_wish_raises_no_ceiling_of_a_route(place: Place) -> None:
    assert await place.order("capped", provider={"max_price": {"prompt": 100}}) == ["cheap/small"]


async def test_a_route_that_a_budget_sends_to_keeps_to_the_wishes(tmp_path: Path) -> None:
    budget = """
attribution: {attributes: [team], headers: {x-team: team}}
budgets: [{name: nothing, match: {team: a}, usd: 0.000001, per: total, on_exceed: {route: mixed}}]
"""
    async with opened(tmp_path, budget) as place:
        for _ in range(2):
            await place.post(chat("smart", provider={"only": ["cheap"]}), x_team="a")
        assert place.asked == ["cheap/small", "cheap/small"]
        status, answer = await place.post(chat("smart", provider={"only": ["claude"]}), x_team="a")

    assert (status, answer["error"]["code"]) == (404, "no_eligible_target")


async def test_what_only_a_router_was_told_no_other_target_gets_when_a_budget_sends_elsewhere(tmp_path: Path) -> None:
    budget = """
attribution: {attributes: [team], headers: {x-team: team}}
budgets: [{name: nothing, match: {team: a}, usd: 0.000001, per: total, on_exceed: {route: mixed}}]
"""
    async with opened(tmp_path, budget, down="router") as place:
        for _ in range(2):
            await place.post(chat("other-router/llama", provider={"data_collection": "deny"}), x_team="a")

        assert place.asked == ["other-router/llama", "router/llama"], "not the target beside it"
