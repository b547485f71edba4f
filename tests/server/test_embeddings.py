"""Embeddings through the gateway: OpenAI's and Google's clients, targets of their own format and of others."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import openai
from google import genai

from costspan.wire import json
from fakes.gateway import running
from fakes.upstream import Answer, FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running

CONFIG = """
providers:
  one: {{kind: openai, base_url: "{url}/v1", api_key: test-key-one}}
  two: {{kind: gemini, base_url: "{url}/v1beta", api_key: test-key-two}}
  three: {{kind: cohere, base_url: "{url}/v2", api_key: test-key-three}}
routes: {{a: one/text-embedding-3-small, b: two/gemini-embedding-001, c: three/embed-v4.0}}
"""
PRICES = """
prices:
  catalog: none
  table:
    - {provider: openai, model: "*", input: 0.02, output: 0}
    - {provider: cohere, model: "*", input: 0.12, output: 0}
"""
OPENAI = {
    "object": "list",
    "data": [{"object": "embedding", "index": i, "embedding": [0.5, -0.25 * i]} for i in range(2)],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}
GEMINI = {"embeddings": [{"values": [0.5, -0.25]}, {"values": [1, 2]}]}
COHERE = {
    "id": "e1",
    "embeddings": {"float": [[0.5, -0.25], [1, 2]]},
    "texts": ["x", "y"],
    "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 4}},
}


@asynccontextmanager
async def serving(folder: Path, body: object) -> AsyncIterator[tuple[Running, FakeUpstream]]:
    async with (
        FakeUpstream(Answer(body=json.dumps(body))) as upstream,
        running(folder, CONFIG.format(url=upstream.url), prices=PRICES) as gateway,
    ):
        yield gateway, upstream


async def test_openai_to_openai_passes_and_is_priced(tmp_path: Path) -> None:
    async with serving(tmp_path, OPENAI) as (gateway, upstream):
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as client:
            found = await client.embeddings.create(model="a", input=["x", "y"], encoding_format="float")

        assert [one.embedding for one in found.data] == [[0.5, 0.0], [0.5, -0.25]]
        assert upstream.requests[0].path == "/v1/embeddings"
        [attempt] = gateway.records("attempt")
        assert (attempt["usage"], attempt["cost_usd"]) == ({"input": 8}, "0.00000016")  # 8 x 0.02 USD per million


async def test_openai_to_cohere_in_base64_as_the_sdk_asks(tmp_path: Path) -> None:
    async with serving(tmp_path, COHERE) as (gateway, upstream):
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as client:
            found = await client.embeddings.create(model="c", input=["x", "y"])

        assert [one.embedding for one in found.data] == [[0.5, -0.25], [1.0, 2.0]]
        assert upstream.requests[0].path == "/v2/embed"
        assert json.loads_object(upstream.requests[0].body)["texts"] == ["x", "y"]
        [attempt] = gateway.records("attempt")
        assert (attempt["dialect_in"], attempt["dialect_out"]) == ("openai-embeddings", "cohere-embed")
        assert (attempt["usage"], attempt["cost_usd"]) == ({"input": 4}, "0.00000048")  # 4 x 0.12 USD per million


async def test_openai_to_gemini(tmp_path: Path) -> None:
    async with serving(tmp_path, GEMINI) as (gateway, upstream):
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as client:
            found = await client.embeddings.create(model="b", input=["x", "y"])

        assert [one.embedding for one in found.data] == [[0.5, -0.25], [1.0, 2.0]]
        assert upstream.requests[0].path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"


async def test_google_s_client_to_openai(tmp_path: Path) -> None:
    async with serving(tmp_path, OPENAI) as (gateway, upstream):
        client = genai.Client(api_key="any", http_options={"base_url": gateway.url})
        found = await asyncio.to_thread(client.models.embed_content, model="a", contents=["x", "y"])
        client.close()

        assert [one.values for one in found.embeddings or ()] == [[0.5, 0.0], [0.5, -0.25]]
        assert json.loads_object(upstream.requests[0].body)["input"] == ["x", "y"]


async def test_no_dimensions_where_the_target_has_none_is_refused_by_name(tmp_path: Path) -> None:
    async with serving(tmp_path, GEMINI) as (gateway, upstream):
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as client:
            try:
                await client.embeddings.create(model="b", input=[[1, 2, 3]])
            except openai.BadRequestError as error:
                refused = error
            else:
                raise AssertionError("not refused")

        assert (refused.code, refused.param) == ("unsupported_parameter", "input")
        assert upstream.requests == []


async def test_google_s_batch_names_the_target_s_model_in_each_of_its_requests(tmp_path: Path) -> None:
    async with serving(tmp_path, GEMINI) as (gateway, upstream):
        client = genai.Client(api_key="any", http_options={"base_url": gateway.url})
        found = await asyncio.to_thread(client.models.embed_content, model="b", contents=["x", "y"])
        client.close()

        assert [one.values for one in found.embeddings or ()] == [[0.5, -0.25], [1.0, 2.0]]
        assert upstream.requests[0].path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"
        asked = json.loads_object(upstream.requests[0].body)["requests"]
        assert [one["model"] for one in asked] == ["models/gemini-embedding-001"] * 2


async def test_bedrock_s_count_in_the_headers_is_priced(tmp_path: Path) -> None:
    headers = [("content-type", "application/json"), ("x-amzn-bedrock-input-token-count", "7")]
    answer = Answer(headers=headers, body=b'{"embeddings":[[0.5,-0.25]],"id":"e","response_type":"embeddings_floats"}')
    config = """
providers: {{four: {{kind: bedrock, region: us-east-1, base_url: "{url}", api_key: test-key-four}}}}
routes: {{d: four/cohere.embed-english-v3}}
"""
    prices = 'prices: {catalog: none, table: [{provider: bedrock, model: "*", input: 0.1, output: 0}]}'
    async with (
        FakeUpstream(answer) as upstream,
        running(tmp_path, config.format(url=upstream.url), prices=prices) as gateway,
    ):
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as client:
            found = await client.embeddings.create(model="d", input="x")

        assert found.data[0].embedding == [0.5, -0.25]
        assert upstream.requests[0].path == "/model/cohere.embed-english-v3/invoke"
        [attempt] = gateway.records("attempt")
        assert (attempt["usage"], attempt["cost_usd"]) == ({"input": 7}, "0.0000007")  # 7 x 0.1 USD per million
