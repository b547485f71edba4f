"""LangChain's agent, over its models for each dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI

from clients.talk import QUESTION, Talk, Told, Used, serve

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


def model(talk: Talk) -> BaseChatModel:
    match talk.by:
        case "ChatAnthropic":
            return ChatAnthropic(model=talk.model, base_url=talk.base_url, api_key=talk.key, max_retries=0)
        case "ChatGoogleGenerativeAI":
            return ChatGoogleGenerativeAI(model=talk.model, base_url=talk.base_url, api_key=talk.key, max_retries=1)
        case _:
            return ChatOpenAI(
                model=talk.model,
                base_url=f"{talk.base_url}/v1",
                api_key=talk.key,
                max_retries=0,
                stream_usage=True,  # off by default where there is a base URL
                use_responses_api=talk.by == "ChatOpenAI, responses",
            )


async def hold(talk: Talk) -> Told:
    agent = create_agent(model(talk), [talk.weather])
    question = {"messages": [{"role": "user", "content": QUESTION}]}
    streamed: list[str] = []
    if not talk.stream:
        return told(await agent.ainvoke(question), streamed)
    end: dict[str, Any] = {}
    async for mode, data in agent.astream(question, stream_mode=["messages", "values"]):
        if mode == "values":
            end = data
        elif isinstance(data[0], AIMessageChunk) and data[0].text:
            streamed.append(data[0].text)
    return told(end, streamed)


def told(end: dict[str, Any], streamed: list[str]) -> Told:
    answers = [message for message in end["messages"] if isinstance(message, AIMessage)]
    return Told(answers[-1].text, [used(answer.usage_metadata) for answer in answers], streamed)


def used(usage: dict[str, Any]) -> Used:
    return Used(usage["input_tokens"], usage["input_token_details"]["cache_read"], usage["output_tokens"])


if __name__ == "__main__":
    serve(hold)
