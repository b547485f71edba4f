"""Adding an OpenAI-compatible provider takes no Python; adding a price takes one row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from costspan.wire import json
from fakes.gateway import running
from fakes.upstream import FakeUpstream
from fakes.upstream_answers import openai_reply

if TYPE_CHECKING:
    from pathlib import Path

BODY = {"model": "newhost/their-model", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}


async def ask(url: str) -> dict[str, str]:
    async with aiohttp.ClientSession() as client, client.post(f"{url}/v1/chat/completions", json=BODY) as response:
        assert response.status == 200
        return {name.lower(): value for name, value in response.headers.items()}


async def test_a_new_host_is_an_entry_in_the_file(tmp_path: Path) -> None:
    async with FakeUpstream(openai_reply()) as host:
        config = f'providers: {{newhost: {{kind: openai-compatible, base_url: "{host.url}/v1", api_key: their-key}}}}'
        async with running(tmp_path, config) as gateway:
            headers = await ask(gateway.url)
            (attempt,) = gateway.records("attempt")
        (request,) = host.requests

    assert headers["x-costspan-target"] == "newhost/their-model"
    assert "x-costspan-cost-usd" not in headers  # nobody has said what it costs: unknown, never zero
    assert (attempt["cost_status"], attempt["cost_usd"]) == ("unpriced", None)
    assert request.path == "/v1/chat/completions"
    assert request.header("authorization") == "Bearer their-key"
    assert json.loads_object(request.body) == {**BODY, "model": "their-model"}


async def test_a_new_price_is_one_row(tmp_path: Path) -> None:
    row = "prices: {catalog: none, table: [{provider: newhost, model: their-model, input: 0.5, output: 1.5}]}"
    async with FakeUpstream(openai_reply()) as host:
        config = f'providers: {{newhost: {{kind: openai-compatible, base_url: "{host.url}/v1", api_key: their-key}}}}'
        async with running(tmp_path, config, prices=row) as gateway:
            headers = await ask(gateway.url)
            (attempt,) = gateway.records("attempt")

    # 9 tokens at 0.5 and 3 at 1.5 USD per million
    assert headers["x-costspan-cost-usd"] == "0.0000090"
    assert attempt["price_source"] == "table:gateway.yaml:4"


async def test_the_catalog_prices_well_known_models_without_a_row(tmp_path: Path) -> None:
    async with FakeUpstream(openai_reply(model="gpt-4o-mini-2024-07-18")) as host:
        config = (
            f'providers: {{openai: {{base_url: "{host.url}/v1", api_key: their-key}}}}\n'
            "routes: {newhost/their-model: openai/gpt-4o-mini}"
        )
        async with running(tmp_path, config, prices="prices: {catalog: genai-prices}") as gateway:
            headers = await ask(gateway.url)
            (attempt,) = gateway.records("attempt")

    # gpt-4o-mini: 0.15 and 0.60 USD per million (openai.com/api/pricing, read 2026-11-23): 9 * 0.15 + 3 * 0.60 = 3.15
    assert headers["x-costspan-cost-usd"] == "0.00000315"
    assert attempt["price_source"] == "catalog:openai/gpt-4o-mini"
