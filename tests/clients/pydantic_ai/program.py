"""pydantic-ai's agent, over its models for each dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_ai import Agent, AgentRunResultEvent, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from clients.talk import QUESTION, Talk, Told, Used, serve

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.run import AgentRunResult


def model(talk: Talk) -> Model:
    openai = OpenAIProvider(base_url=f"{talk.base_url}/v1", api_key=talk.key)
    match talk.by:
        case "AnthropicModel":
            return AnthropicModel(talk.model, provider=AnthropicProvider(base_url=talk.base_url, api_key=talk.key))
        case "GoogleModel":
            return GoogleModel(talk.model, provider=GoogleProvider(base_url=talk.base_url, api_key=talk.key))
        case "OpenAIResponsesModel":
            return OpenAIResponsesModel(talk.model, provider=openai)
        case _:
            return OpenAIChatModel(talk.model, provider=openai)


async def hold(talk: Talk) -> Told:
    agent = Agent(model(talk), tools=[talk.weather])
    streamed: list[str] = []
    if not talk.stream:
        return told(await agent.run(QUESTION), streamed)
    result: Any = None
    async with agent.run_stream_events(QUESTION) as events:
        async for event in events:
            match event:
                case PartStartEvent(part=TextPart(content=text)) if text:
                    streamed.append(text)
                case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                    streamed.append(text)
                case AgentRunResultEvent():
                    result = event.result
    return told(result, streamed)


def told(result: AgentRunResult[str], streamed: list[str]) -> Told:
    usages = [message.usage for message in result.all_messages() if message.kind == "response"]
    used = [Used(usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) for usage in usages]
    return Told(result.output, used, streamed)


if __name__ == "__main__":
    serve(hold)
