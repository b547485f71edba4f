"""mock.server: the official SDKs take its answers for their providers' own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types as genai_types

from costspan.mock.server import MockServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

# google-genai 3.4 subclasses aiohttp's session, which aiohttp warns of.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

TEXT = "This is a mock provider: no model was asked and nothing was spent."
HELLO = "Hello, whoever you are"
"""22 characters: 12 prompt tokens, which chooses the sentence above and a cached half."""
USE_TOOL = "Please use the tool for me"
SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
ARGUMENTS = {"city": "mock", "days": 1}


@pytest.fixture
async def server() -> AsyncIterator[MockServer]:
    async with MockServer(first_delay=0, pace=0) as running:
        yield running


@pytest.fixture
async def openai_client(server: MockServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
async def anthropic_client(server: MockServer) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=server.url, api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
async def gemini_client(server: MockServer) -> AsyncIterator[genai.client.AsyncClient]:
    options = genai_types.HttpOptions(base_url=server.url)
    client = genai.Client(api_key="any", http_options=options)
    yield client.aio
    await client.aio.aclose()
    client.close()


OPENAI_MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": HELLO}]
OPENAI_TOOL: ChatCompletionToolParam = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}


async def test_openai_gets_a_completion(openai_client: openai.AsyncOpenAI) -> None:
    completion = await openai_client.chat.completions.create(model="mock-small", messages=OPENAI_MESSAGES)

    assert completion.choices[0].message.content == TEXT
    assert (completion.choices[0].finish_reason, completion.model) == ("stop", "mock-small")
    assert completion.usage is not None
    assert completion.usage.prompt_tokens_details is not None
    usage = completion.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (12, 13, 25)
    assert completion.usage.prompt_tokens_details.cached_tokens == 6


async def test_openai_gets_a_stream_with_usage(openai_client: openai.AsyncOpenAI) -> None:
    stream = await openai_client.chat.completions.create(
        model="mock-small", messages=OPENAI_MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 25)
    assert {chunk.usage for chunk in chunks[:-1]} == {None}


async def test_openai_gets_a_tool_call(openai_client: openai.AsyncOpenAI) -> None:
    async with openai_client.chat.completions.stream(
        model="mock-small", messages=[{"role": "user", "content": USE_TOOL}], tools=[OPENAI_TOOL]
    ) as stream:
        streamed = (await stream.get_final_completion()).choices[0]
    whole = await openai_client.chat.completions.create(
        model="mock-small", messages=OPENAI_MESSAGES, tools=[OPENAI_TOOL], tool_choice="required"
    )

    for choice in (streamed, whole.choices[0]):
        assert choice.finish_reason == "tool_calls"
        assert choice.message.tool_calls is not None
        [call] = choice.message.tool_calls
        assert call.type == "function"
        assert (call.function.name, call.function.arguments) == ("weather", '{"city":"mock","days":1}')


async def test_openai_lists_models_and_understands_errors(openai_client: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in openai_client.models.list()] == ["mock-small", "mock-large", "mock-thinking"]
    with pytest.raises(openai.RateLimitError) as caught:
        await openai_client.chat.completions.create(model="error-429", messages=OPENAI_MESSAGES, stream=True)
    assert (caught.value.type, caught.value.response.headers["retry-after"]) == ("rate_limit_error", "1")


async def test_anthropic_gets_a_message(anthropic_client: anthropic.AsyncAnthropic) -> None:
    message = await anthropic_client.messages.create(
        model="mock-small", max_tokens=100, messages=[{"role": "user", "content": HELLO}]
    )

    [block] = message.content
    assert block.type == "text"
    assert (block.text, message.stop_reason, message.model) == (TEXT, "end_turn", "mock-small")
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (6, 6, 13)


async def test_anthropic_gets_a_stream(anthropic_client: anthropic.AsyncAnthropic) -> None:
    async with anthropic_client.messages.stream(
        model="mock-small", max_tokens=3, messages=[{"role": "user", "content": HELLO}]
    ) as stream:
        pieces = [piece async for piece in stream.text_stream]
        message = await stream.get_final_message()

    assert pieces == ["This", " is", " a"]
    assert (message.stop_reason, message.usage.output_tokens, message.usage.input_tokens) == ("max_tokens", 3, 6)


async def test_anthropic_gets_a_tool_call(anthropic_client: anthropic.AsyncAnthropic) -> None:
    tool: anthropic.types.ToolParam = {"name": "weather", "input_schema": SCHEMA}
    async with anthropic_client.messages.stream(
        model="m", max_tokens=100, messages=[{"role": "user", "content": USE_TOOL}], tools=[tool]
    ) as stream:
        streamed = await stream.get_final_message()
    whole = await anthropic_client.messages.create(
        model="m",
        max_tokens=100,
        messages=[{"role": "user", "content": HELLO}],
        tools=[tool],
        tool_choice={"type": "tool", "name": "weather"},
    )

    for message in (streamed, whole):
        [block] = message.content
        assert block.type == "tool_use"
        assert (block.name, block.input, message.stop_reason) == ("weather", ARGUMENTS, "tool_use")


async def test_anthropic_counts_lists_and_understands_errors(anthropic_client: anthropic.AsyncAnthropic) -> None:
    counted = await anthropic_client.messages.count_tokens(model="m", messages=[{"role": "user", "content": HELLO}])
    names = [model.id async for model in anthropic_client.models.list()]

    assert (counted.input_tokens, names) == (12, ["mock-small", "mock-large", "mock-thinking"])
    with pytest.raises(anthropic.InternalServerError):
        await anthropic_client.messages.create(
            model="error-529", max_tokens=1, messages=[{"role": "user", "content": HELLO}]
        )


async def test_gemini_gets_an_answer(gemini_client: genai.client.AsyncClient) -> None:
    answer = await gemini_client.models.generate_content(model="mock-small", contents=HELLO)

    assert (answer.text, answer.model_version) == (TEXT, "mock-small")
    usage = answer.usage_metadata
    assert usage is not None
    counts = (usage.prompt_token_count, usage.cached_content_token_count, usage.candidates_token_count)
    assert (*counts, usage.total_token_count) == (12, 6, 13, 25)


async def test_gemini_gets_a_stream(gemini_client: genai.client.AsyncClient) -> None:
    stream = await gemini_client.models.generate_content_stream(model="mock-small", contents=HELLO)
    chunks = [chunk async for chunk in stream]

    assert "".join(chunk.text or "" for chunk in chunks) == TEXT
    assert chunks[-1].candidates is not None
    assert chunks[-1].candidates[0].finish_reason == "STOP"
    assert chunks[-1].usage_metadata is not None
    assert chunks[-1].usage_metadata.total_token_count == 25


async def test_gemini_gets_a_function_call(gemini_client: genai.client.AsyncClient) -> None:
    function = genai_types.FunctionDeclaration(name="weather", parameters_json_schema=SCHEMA)
    config = genai_types.GenerateContentConfig(tools=[genai_types.Tool(function_declarations=[function])])
    answer = await gemini_client.models.generate_content(model="m", contents=USE_TOOL, config=config)
    streamed = await gemini_client.models.generate_content_stream(model="m", contents=USE_TOOL, config=config)

    for one in (answer, *[chunk async for chunk in streamed]):
        assert one.function_calls is not None
        assert [(call.name, call.args) for call in one.function_calls] == [("weather", ARGUMENTS)]


async def test_gemini_counts_lists_and_understands_errors(gemini_client: genai.client.AsyncClient) -> None:
    counted = await gemini_client.models.count_tokens(model="m", contents=HELLO)
    names = [model.name async for model in await gemini_client.models.list()]

    assert (counted.total_tokens, names[0]) == (12, "models/mock-small")
    with pytest.raises(genai_errors.ClientError) as caught:
        await gemini_client.models.generate_content(model="error-429", contents=HELLO)
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
