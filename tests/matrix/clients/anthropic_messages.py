"""The `anthropic` SDK."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anthropic
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from fakes.conversations import Call
from fakes.wires.asked import Spent, compact
from matrix.clients.ears import Ears
from matrix.scenes import BUDGET, KEY, MAX_TOKENS, PLACE, PNG, SYSTEM, TOOL, Declined, Heard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matrix.scenes import Scene

EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
FUNCTION = {"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["parameters"]}
FINISH = {"end_turn": "stop", "tool_use": "tool_calls"}


class AnthropicMessages:
    """An application that sends content blocks back as the SDK gave them."""

    name = "anthropic"
    dialect = "anthropic-messages"

    def __init__(self, url: str) -> None:
        self._ears = Ears()
        self._sdk = self.opened(url, self._ears.modern())

    def opened(self, url: str, http: Any) -> Any:
        """The SDK's client."""
        return anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0, http_client=http)

    def check(self, ears: Ears) -> None:
        """Look at a stream as it came."""
        check(ears.events())

    def close(self) -> None:
        self._sdk.close()

    def converse(self, model: str, scene: Scene) -> Iterator[Heard]:
        """Play `scene`: what is heard, answer by answer."""
        messages: list[Any] = [{"role": "user", "content": _prompt(scene)}]
        params: dict[str, Any] = {"model": model, "max_tokens": MAX_TOKENS, "system": SYSTEM}
        params |= {"tools": [FUNCTION]} if scene.tool else {}
        params |= {"output_config": {"format": {"type": "json_schema", "schema": PLACE}}} if scene.schema else {}
        params |= (
            {"thinking": {"type": "enabled", "budget_tokens": BUDGET, "display": "summarized"}} if scene.thinks else {}
        )
        for _ in scene.turns:
            said = self._ask({**params, "messages": messages}, stream=scene.stream)
            heard = self._heard(said)
            yield heard
            results = [
                {"type": "tool_result", "tool_use_id": call.id, "content": text}
                for call, text in zip(heard.calls, scene.results, strict=False)
            ]
            messages += [{"role": "assistant", "content": said.content}, {"role": "user", "content": results}]

    def _ask(self, params: dict[str, Any], *, stream: bool) -> Message:
        try:
            if not stream:
                whole: Message = self._sdk.messages.create(**params)
                Message.model_validate_json(self._ears.body, strict=True)
                return whole
            with self._sdk.messages.stream(**params) as events:
                said: Message = events.get_final_message()
            self.check(self._ears)
            return said
        except anthropic.BadRequestError as error:
            body: Any = error.body
            problem = body.get("error", body)  # Bedrock's is flat
            raise Declined(error.status_code, problem.get("code"), problem.get("param"), problem["message"]) from error

    def _heard(self, said: Message) -> Heard:
        said.model_dump()  # which warns of what it does not expect
        usage = said.usage
        more = usage.output_tokens_details
        calls = [block for block in said.content if block.type == "tool_use"]
        cached = usage.cache_read_input_tokens or 0
        return Heard(
            text="".join(block.text for block in said.content if block.type == "text"),
            thinking="".join(block.thinking for block in said.content if block.type == "thinking"),
            calls=tuple(Call(call.id, call.name, compact(call.input)) for call in calls),
            finish=FINISH[str(said.stop_reason)],
            spent=Spent(
                usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0),
                cached,
                usage.output_tokens,
                None if more is None else more.thinking_tokens,
            ),
            model=said.model,
            dropped=self._ears.dropped,
        )


class AnthropicVertex(AnthropicMessages):
    """Its client for Vertex, for the fakes' own tests."""

    name = "anthropic for vertex"

    def opened(self, url: str, http: Any) -> Any:
        return anthropic.AnthropicVertex(
            base_url=f"{url}/v1",
            region="europe-west1",
            project_id="p1",
            access_token=KEY,
            max_retries=0,
            http_client=http,
        )


class AnthropicBedrock(AnthropicMessages):
    """Its client for Bedrock, for the fakes' own tests."""

    name = "anthropic for bedrock"

    def opened(self, url: str, http: Any) -> Any:
        return anthropic.AnthropicBedrock(
            base_url=url, aws_region="us-east-1", api_key=KEY, max_retries=0, http_client=http
        )

    def check(self, ears: Ears) -> None:
        """Frames are no server-sent events: the SDK reads them alone."""


def check(events: list[tuple[str, Any]]) -> None:
    """Every event is one of the SDK's types; one block is open at a time, and deltas fit their block."""
    assert [name for name, _ in events] == [event["type"] for _, event in events]
    raw = [event for name, event in events if name != "ping"]
    for event in raw:
        EVENT.validate_python(event, strict=True)
    assert raw[0]["type"] == "message_start"
    assert [event["type"] for event in raw[-2:]] == ["message_delta", "message_stop"]
    assert raw[0]["message"]["usage"]["input_tokens"] > 0
    following = {
        "content_block_start": {"content_block_delta", "content_block_stop"},
        "content_block_delta": {"content_block_delta", "content_block_stop"},
        "content_block_stop": {"content_block_start", "message_delta"},
    }
    for before, after in pairwise(raw[1:-1]):
        assert after["type"] in following[before["type"]]
        if "index" in after:
            assert after["index"] == before["index"] + (before["type"] == "content_block_stop")


def _prompt(scene: Scene) -> Any:
    if not scene.image:
        return scene.prompt
    source = {"type": "url", "url": scene.image}
    if scene.image == PNG:
        source = {"type": "base64", "media_type": "image/png", "data": PNG}
    return [{"type": "text", "text": scene.prompt}, {"type": "image", "source": source}]
