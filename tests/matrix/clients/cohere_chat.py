"""The `cohere` SDK, which speaks Cohere's dialect only: through the gateway to Cohere's own paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cohere
from cohere.core.api_error import ApiError

from fakes.conversations import Call
from fakes.wires.asked import Spent, arguments
from matrix.clients.ears import Ears
from matrix.scenes import BUDGET, KEY, MAX_TOKENS, PLACE, SYSTEM, TOOL, Declined, Heard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from matrix.scenes import Scene


class CohereSDK:
    """An application that sends messages back as the SDK gave them; a stream's it puts together itself."""

    name = "cohere"
    dialect = "cohere-chat"

    def __init__(self, url: str) -> None:
        self._ears = Ears()
        self._http = self._ears.plain()
        self._sdk = cohere.ClientV2(api_key=KEY, base_url=url, httpx_client=self._http, max_retries=0)

    def close(self) -> None:
        self._http.close()

    def converse(self, model: str, scene: Scene) -> Iterator[Heard]:
        """Play `scene`: what is heard, answer by answer."""
        messages: list[Any] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": _prompt(scene)}]
        params: dict[str, Any] = {"model": model, "max_tokens": MAX_TOKENS}
        params |= {"tools": [{"type": "function", "function": TOOL}]} if scene.tool else {}
        params |= {"response_format": {"type": "json_object", "json_schema": PLACE}} if scene.schema else {}
        params |= {"thinking": {"type": "enabled", "token_budget": BUDGET}} if scene.thinks else {}
        for _ in scene.turns:
            said = self._ask({**params, "messages": messages}, stream=scene.stream)
            heard = self._heard(said, model)
            yield heard
            messages.append(said["message"])
            messages += [
                {"role": "tool", "tool_call_id": call.id, "content": text}
                for call, text in zip(heard.calls, scene.results, strict=False)
            ]

    def _ask(self, params: dict[str, Any], *, stream: bool) -> dict[str, Any]:
        try:
            if stream:
                return _added(self._sdk.chat_stream(**params))
            whole = self._sdk.chat(**params)
        except ApiError as error:
            found: Any = error.body
            raise Declined(error.status_code or 0, found.get("code"), found.get("param"), str(found)) from error
        message = whole.message.model_dump(exclude_none=True)
        return {"message": message, "finish": whole.finish_reason, "usage": whole.usage}

    def _heard(self, said: dict[str, Any], model: str) -> Heard:
        message, billed = said["message"], said["usage"].billed_units
        parts, calls = message.get("content") or [], message.get("tool_calls") or []
        texts = [part["text"] for part in parts if part["type"] == "text"]
        return Heard(
            text="".join([*texts, message.get("tool_plan") or ""]),
            thinking="".join(part["thinking"] for part in parts if part["type"] == "thinking"),
            calls=tuple(
                Call(call["id"], call["function"]["name"], arguments(call["function"]["arguments"])) for call in calls
            ),
            finish={"COMPLETE": "stop", "TOOL_CALL": "tool_calls"}[said["finish"]],
            spent=Spent(int(billed.input_tokens), 0, int(billed.output_tokens), None),
            model=model,  # Cohere does not name it
            dropped=self._ears.dropped,
        )


def _added(events: Iterable[Any]) -> dict[str, Any]:
    """What the events of a stream add up to. The SDK has a type for each and nothing that adds them."""
    content: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    plan, end = "", None
    for event in events:
        match event.type:
            case "content-start":
                content.append(event.delta.message.content.model_dump(exclude_none=True))
            case "content-delta":
                for name, text in event.delta.message.content.model_dump(exclude_none=True).items():
                    content[event.index][name] += text
            case "tool-plan-delta":
                plan += event.delta.message.tool_plan
            case "tool-call-start" | "tool-call-delta":
                _add_call(calls, event)
            case "message-end":
                end = event.delta
    assert end is not None
    message: dict[str, Any] = {"role": "assistant"} | ({"content": content} if content else {})
    message |= {"tool_plan": plan, "tool_calls": calls} if calls else {}
    return {"message": message, "finish": end.finish_reason, "usage": end.usage}


def _add_call(calls: list[dict[str, Any]], event: Any) -> None:
    if event.type == "tool-call-start":
        calls.append(event.delta.message.tool_calls.model_dump(exclude_none=True))
    else:
        calls[event.index]["function"]["arguments"] += event.delta.message.tool_calls.function.arguments


def _prompt(scene: Scene) -> Any:
    if not scene.image:
        return scene.prompt
    image = {"type": "image_url", "image_url": {"url": scene.image_url}}
    return [{"type": "text", "text": scene.prompt}, image]
