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
    name: Any = {"model": talk.model, "api_key": talk.key}
    openai = name | {
        "base_url": f"{talk.base_url}/v1",
        "max_retries": 0,
        "stream_usage": True,  # off by default where there is a base URL
    }
    thinking: dict[str, Any] = {}
    match talk.by:
        case "ChatAnthropic":
            if talk.think:
                thinking = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
            return ChatAnthropic(base_url=talk.base_url, max_tokens=4000, max_retries=0, **name, **thinking)
        case "ChatGoogleGenerativeAI":
            if talk.think:
                thinking = {"thinking_budget": 2000, "include_thoughts": True}
            return ChatGoogleGenerativeAI(base_url=talk.base_url, max_retries=1, **name, **thinking)
        case "ChatOpenAI, responses":
            if talk.think:
                thinking = {"reasoning": {"effort": "low", "summary": "auto"}}
            return ChatOpenAI(use_responses_api=True, **openai, **thinking)
        case _:
            return ChatOpenAI(reasoning_effort="low" if talk.think else None, **openai)


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
    blocks = [block for answer in answers for block in answer.content_blocks if block["type"] == "reasoning"]
    thought = "".join(block.get("reasoning", "") for block in blocks)
    return Told(answers[-1].text, thought, [used(answer.usage_metadata) for answer in answers], streamed)


def used(usage: dict[str, Any]) -> Used:
    return Used(usage["input_tokens"], usage["input_token_details"]["cache_read"], usage["output_tokens"])


if __name__ == "__main__":
    serve(hold)
