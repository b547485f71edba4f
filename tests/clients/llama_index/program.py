"""LlamaIndex's agent, over its models for servers that speak as OpenAI does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.agent.workflow import AgentOutput, AgentStream, FunctionAgent
from llama_index.core.base.llms.types import ThinkingBlock
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAIResponses
from llama_index.llms.openai_like import OpenAILike

from clients.talk import QUESTION, Talk, Told, Used, serve

if TYPE_CHECKING:
    from llama_index.core.llms.function_calling import FunctionCallingLLM


def model(talk: Talk) -> FunctionCallingLLM:
    address: Any = {"api_base": f"{talk.base_url}/v1", "api_key": talk.key, "max_retries": 0}
    more: dict[str, Any] = {}
    if talk.by == "OpenAIResponses":
        if talk.think:  # `reasoning_options` counts only for models whose names LlamaIndex knows
            more = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
        return OpenAIResponses(model=talk.model, context_window=100_000, additional_kwargs=more, **address)
    if talk.think:
        more["reasoning_effort"] = "low"
    if talk.stream:
        more["stream_options"] = {"include_usage": True}
    return OpenAILike(
        model=talk.model, is_chat_model=True, is_function_calling_model=True, additional_kwargs=more, **address
    )


async def hold(talk: Talk) -> Told:
    tool = FunctionTool.from_defaults(talk.weather)
    run = FunctionAgent(tools=[tool], llm=model(talk), streaming=talk.stream).run(QUESTION)
    streamed: list[str] = []
    thought: list[str] = []
    usage: list[Used] = []
    async for event in run.stream_events():
        if isinstance(event, AgentStream) and event.delta:
            streamed.append(event.delta)
        elif isinstance(event, AgentOutput):
            thought += [block.content or "" for block in event.response.blocks if isinstance(block, ThinkingBlock)]
            usage.append(used(event.raw))
    return Told(str(await run), "".join(thought), usage, streamed)


def used(raw: dict[str, Any]) -> Used:
    """Tokens as the answer has them: LlamaIndex gives that (of responses, the last event) and no form of its own."""
    usage = raw.get("response", raw)["usage"]
    if "input_tokens" in usage:
        return Used(usage["input_tokens"], usage["input_tokens_details"]["cached_tokens"], usage["output_tokens"])
    return Used(usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"], usage["completion_tokens"])


if __name__ == "__main__":
    serve(hold)
