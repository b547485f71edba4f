"""The `openai` SDK, responses without memory on the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from fakes.conversations import Call
from fakes.wires.asked import Spent, arguments
from matrix.clients.ears import Ears
from matrix.scenes import KEY, MAX_TOKENS, PLACE, SYSTEM, TOOL, Declined, Heard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matrix.scenes import Scene

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
FUNCTION = {"type": "function", **TOOL, "strict": True}
FORM = {"format": {"type": "json_schema", "name": "place", "schema": PLACE, "strict": True}}


class OpenAIResponses:
    """An application that sends output items back as the SDK gave them."""

    name = "openai responses"
    dialect = "openai-responses"

    def __init__(self, url: str) -> None:
        self._ears = Ears()
        self._sdk = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, http_client=self._ears.modern())

    def close(self) -> None:
        self._sdk.close()

    def converse(self, model: str, scene: Scene) -> Iterator[Heard]:
        """Play `scene`: what is heard, answer by answer."""
        items: list[Any] = [{"role": "user", "content": _prompt(scene)}]
        params: dict[str, Any] = {"model": model, "max_output_tokens": MAX_TOKENS, "instructions": SYSTEM}
        params |= {"store": False, "tools": [FUNCTION] if scene.tool else []}
        params |= {"text": FORM} if scene.schema else {}
        if scene.thinks:
            thinks = {"reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
            params |= thinks
        for _ in scene.turns:
            said = self._ask({**params, "input": items}, stream=scene.stream)
            heard = self._heard(said)
            yield heard
            items += said.output
            items += [
                {"type": "function_call_output", "call_id": call.id, "output": text}
                for call, text in zip(heard.calls, scene.results, strict=False)
            ]

    def _ask(self, params: dict[str, Any], *, stream: bool) -> Response:
        try:
            if not stream:
                whole: Response = self._sdk.responses.create(**params)
                Response.model_validate_json(self._ears.body, strict=True)
                return whole
            with self._sdk.responses.stream(**params) as events:
                said = events.get_final_response()
            check(self._ears.events())
            return said
        except openai.BadRequestError as error:
            raise Declined(error.status_code, error.code, error.param, error.message) from error

    def _heard(self, said: Response) -> Heard:
        usage = said.usage
        assert usage is not None
        assert usage.total_tokens == usage.input_tokens + usage.output_tokens
        assert (said.status, said.error, said.incomplete_details) == ("completed", None, None)
        calls = tuple(
            Call(item.call_id, item.name, arguments(item.arguments))
            for item in said.output
            if item.type == "function_call"
        )
        reasoning = [item for item in said.output if item.type == "reasoning"]
        texts = [part.text for item in reasoning for part in (*item.summary, *(item.content or ()))]
        return Heard(
            text=said.output_text,
            thinking="".join(texts),
            calls=calls,
            finish="tool_calls" if calls else "stop",
            spent=Spent(
                usage.input_tokens,
                usage.input_tokens_details.cached_tokens,
                usage.output_tokens,
                usage.output_tokens_details.reasoning_tokens,
            ),
            model=said.model,
            dropped=self._ears.dropped,
        )


def check(events: list[tuple[str, Any]]) -> None:
    """Every event is one of the SDK's types, numbered, and what it tells in parts it tells whole at the end."""
    plain = [event for _, event in events]
    for name, event in events:
        assert name == event["type"]
        EVENT.validate_python(event, strict=True)
    assert [event["sequence_number"] for event in plain] == list(range(len(plain)))
    assert [event["type"] for event in plain[:2]] == ["response.created", "response.in_progress"]
    assert plain[-1]["type"] == "response.completed"
    added = [event for event in plain if event["type"] == "response.output_item.added"]
    done = sorted(
        (event for event in plain if event["type"] == "response.output_item.done"), key=lambda e: e["output_index"]
    )
    output = plain[-1]["response"]["output"]
    assert [event["output_index"] for event in added] == list(range(len(output)))
    assert [event["item"]["id"] for event in added] == [item["id"] for item in output]
    assert [event["item"]["id"] for event in done] == [item["id"] for item in output]
    assert [event["item"]["type"] for event in done] == [item["type"] for item in output]
    for kind, field in (
        ("response.output_text", "text"),
        ("response.function_call_arguments", "arguments"),
        ("response.reasoning_summary_text", "text"),
        ("response.reasoning_text", "text"),
    ):
        for end in [event for event in plain if event["type"] == f"{kind}.done"]:
            deltas = [e["delta"] for e in plain if e["type"] == f"{kind}.delta" and e["item_id"] == end["item_id"]]
            assert "".join(deltas) == end[field]


def _prompt(scene: Scene) -> Any:
    if not scene.image:
        return scene.prompt
    image = {"type": "input_image", "image_url": scene.image_url, "detail": "auto"}
    return [{"type": "input_text", "text": scene.prompt}, image]
