"""pydantic-ai's agent, over its models for each dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_ai import Agent, AgentRunResultEvent, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from clients.talk import QUESTION, Talk, Told, Used, serve

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.run import AgentRunResult
    from pydantic_ai.usage import RequestUsage


REASONS = OpenAIModelProfile(openai_supports_encrypted_reasoning_content=True)
"""What pydantic-ai cannot tell by the name of a route: that sealed reasoning may be sent back."""


def model(talk: Talk) -> tuple[Model, dict[str, Any]]:
    """The model, and the settings that make it think."""
    openai = OpenAIProvider(base_url=f"{talk.base_url}/v1", api_key=talk.key)
    match talk.by:
        case "AnthropicModel":
            anthropic = AnthropicProvider(base_url=talk.base_url, api_key=talk.key)
            thinking = {"type": "enabled", "budget_tokens": 2000}
            return AnthropicModel(talk.model, provider=anthropic), {"anthropic_thinking": thinking, "max_tokens": 4000}
        case "GoogleModel":
            google = GoogleProvider(base_url=talk.base_url, api_key=talk.key)
            thinking = {"thinking_budget": 2000, "include_thoughts": True}
            return GoogleModel(talk.model, provider=google), {"google_thinking_config": thinking}
        case "OpenAIResponsesModel":
            settings = {"openai_reasoning_effort": "low", "openai_reasoning_summary": "auto"}
            return OpenAIResponsesModel(talk.model, provider=openai, profile=REASONS), settings
        case _:
            return OpenAIChatModel(talk.model, provider=openai), {"openai_reasoning_effort": "low"}


async def hold(talk: Talk) -> Told:
    speaker, settings = model(talk)
    agent = Agent(speaker, tools=[talk.weather], model_settings=settings if talk.think else None)
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
    answers = [message for message in result.all_messages() if message.kind == "response"]
    thought = [part.content for answer in answers for part in answer.parts if part.part_kind == "thinking"]
    return Told(result.output, "".join(thought), [used(answer.usage) for answer in answers], streamed)


def used(usage: RequestUsage) -> Used:
    return Used(usage.input_tokens, usage.cache_read_tokens, usage.output_tokens)


if __name__ == "__main__":
    serve(hold)
