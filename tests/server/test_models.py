"""`GET /v1/models`: what a client may ask for, in the shape that it knows."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from google import genai

from fakes.gateway import running

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
providers:
  openai: {base_url: "http://127.0.0.1:9/v1", api_key: test}
  local: {kind: openai-compatible, base_url: "http://127.0.0.1:9/v1", models: [llama]}
routes:
  smart: openai/gpt-5.4
  "gpt-5.*": "openai/{model}"
"""
CATALOG = "prices: {catalog: genai-prices}"


async def get(url: str, **headers: str) -> dict[str, Any]:
    async with aiohttp.ClientSession(headers=headers) as client, client.get(url) as response:
        assert response.status == 200
        body: dict[str, Any] = await response.json()
        return body


async def test_routes_direct_targets_and_what_the_catalog_knows_of_a_glob(tmp_path: Path) -> None:
    async with running(tmp_path, CONFIG, prices=CATALOG) as gateway:
        listed = await get(f"{gateway.url}/v1/models")

    names = [model["id"] for model in listed["data"]]
    assert names[0] == "smart"
    assert {"smart", "gpt-5.4", "gpt-5.4-mini", "local/llama", "openai/gpt-5.4"} <= set(names)
    assert "gpt-4o" not in names
    owners = {model["id"]: model["owned_by"] for model in listed["data"]}
    assert (owners["smart"], owners["gpt-5.4-mini"], owners["local/llama"]) == ("costspan", "openai", "local")
    assert len(names) == len(set(names))


async def test_without_a_catalog_a_glob_lists_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, CONFIG) as gateway:
        listed = await get(f"{gateway.url}/v1/models")

    assert [model["id"] for model in listed["data"]] == ["smart", "local/llama", "openai/gpt-5.4"]


async def test_anthropics_shape_for_those_who_speak_it(tmp_path: Path) -> None:
    async with running(tmp_path, CONFIG) as gateway:
        listed = await get(f"{gateway.url}/v1/models", **{"anthropic-version": "2023-06-01"})

    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == ("smart", "openai/gpt-5.4", False)
    assert listed["data"][0]["type"] == "model"


@pytest.mark.parametrize(("routes", "expected"), [("[smart]", ["smart"]), ("['local/*']", ["local/llama"])])
async def test_a_key_sees_what_it_may_use(tmp_path: Path, routes: str, expected: list[str]) -> None:
    digest = hashlib.sha256(b"client-key").hexdigest()
    config = f"{CONFIG}\nkeys: [{{name: k, hash: 'sha256:{digest}', routes: {routes}}}]"
    async with running(tmp_path, config) as gateway:
        listed = await get(f"{gateway.url}/v1/models", Authorization="Bearer client-key")

    assert [model["id"] for model in listed["data"]] == expected


async def test_google_s_client_lists_them_in_its_own_shape(tmp_path: Path) -> None:
    async with running(tmp_path, CONFIG, prices="prices: {catalog: none}") as gateway:
        listed = await get(f"{gateway.url}/v1beta/models")
        one = await get(f"{gateway.url}/v1beta/models/local/llama")
        client = genai.Client(api_key="any", http_options={"base_url": gateway.url})
        names = await asyncio.to_thread(lambda: [model.name for model in client.models.list()])
        client.close()

    assert [model["name"] for model in listed["models"]] == names
    assert {"models/smart", "models/local/llama"} <= set(names)
    assert one["name"] == "models/local/llama"
