"""The `openai` SDK, chat completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from fakes.conversations import Call
from fakes.wires.asked import Spent, arguments
from matrix.clients.ears import Ears
from matrix.scenes import KEY, MAX_TOKENS, PLACE, SYSTEM, TOOL, Declined, Heard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from matrix.scenes import Scene

FUNCTION = {"type": "function", "function": {**TOOL, "strict": True}}
FORM = {"type": "json_schema", "json_schema": {"name": "place", "schema": PLACE, "strict": True}}


class OpenAIChat:
    """An application that sends messages back as the SDK gave them."""

    name = "openai chat"
    dialect = "openai-chat"

    def __init__(self, url: str) -> None:
        self._ears = Ears()
        self._sdk = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, http_client=self._ears.modern())

    def close(self) -> None:
        self._sdk.close()

    def converse(self, model: str, scene: Scene) -> Iterator[Heard]:
        """Play `scene`: what is heard, answer by answer."""
        messages: list[Any] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": _prompt(scene)}]
        params: dict[str, Any] = {"model": model, "max_completion_tokens": MAX_TOKENS}
        params |= {"tools": [FUNCTION]} if scene.tool else {}
        params |= {"response_format": FORM} if scene.schema else {}
        params |= {"reasoning_effort": "high"} if scene.thinks else {}
        for _ in scene.turns:
            said = self._ask({**params, "messages": messages}, stream=scene.stream)
            heard = self._heard(said)
            yield heard
            messages.append(said.choices[0].message)
            messages += [
                {"role": "tool", "tool_call_id": call.id, "content": text}
                for call, text in zip(heard.calls, scene.results, strict=False)
            ]

    def _ask(self, params: dict[str, Any], *, stream: bool) -> ChatCompletion:
        try:
            if not stream:
                whole: ChatCompletion = self._sdk.chat.completions.create(**params)
                ChatCompletion.model_validate_json(self._ears.body, strict=True)
                return whole
            with self._sdk.chat.completions.stream(**params, stream_options={"include_usage": True}) as events:
                said = events.get_final_completion()
            check(data for _, data in self._ears.events())
            return said
        except openai.BadRequestError as error:
            raise Declined(error.status_code, error.code, error.param, error.message) from error

    def _heard(self, said: ChatCompletion) -> Heard:
        said.model_dump()  # which warns of what it does not expect
        (choice,) = said.choices
        message, usage = choice.message, said.usage
        assert message.role == "assistant"
        assert usage is not None
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        given, more = usage.prompt_tokens_details, usage.completion_tokens_details
        calls = [call for call in message.tool_calls or () if call.type == "function"]
        return Heard(
            text=message.content or "",
            thinking=message.model_dump().get("reasoning") or message.model_dump().get("reasoning_content") or "",
            calls=tuple(Call(call.id, call.function.name, arguments(call.function.arguments)) for call in calls),
            finish=choice.finish_reason,
            spent=Spent(
                usage.prompt_tokens,
                (0 if given is None else given.cached_tokens) or 0,
                usage.completion_tokens,
                None if more is None else more.reasoning_tokens,
            ),
            model=said.model,
            dropped=self._ears.dropped,
        )


def check(events: Iterable[Any]) -> None:
    """Every chunk is one of the SDK's type, of one answer, and only the last has the usage."""
    chunks = [ChatCompletionChunk.model_validate(data, strict=True) for data in events]
    assert len({(chunk.id, chunk.model, chunk.created) for chunk in chunks}) == 1
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices == []
    assert [bool(chunk.choices[0].finish_reason) for chunk in chunks[:-1]] == [False] * (len(chunks) - 2) + [True]


def _prompt(scene: Scene) -> Any:
    if not scene.image:
        return scene.prompt
    image = {"type": "image_url", "image_url": {"url": scene.image_url}}
    return [{"type": "text", "text": scene.prompt}, image]
