"""The `mistralai` SDK, which speaks Mistral's dialect only: through the gateway to Mistral's own paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mistralai.client import Mistral, errors

from costspan.wire import json
from fakes.conversations import Call
from fakes.wires.asked import Spent, arguments
from matrix.clients.ears import Ears
from matrix.scenes import KEY, MAX_TOKENS, PLACE, SYSTEM, TOOL, Declined, Heard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from matrix.scenes import Scene

FUNCTION = {"type": "function", "function": {**TOOL, "strict": True}}
FORM = {"type": "json_schema", "json_schema": {"name": "place", "schema": PLACE, "strict": True}}


class MistralSDK:
    """An application that sends messages back as the SDK gave them; a stream's it puts together itself."""

    name = "mistralai"
    dialect = "mistral-chat"

    def __init__(self, url: str) -> None:
        self._ears = Ears()
        self._http = self._ears.modern()
        self._sdk = Mistral(api_key=KEY, server_url=url, client=self._http)

    def close(self) -> None:
        self._http.close()

    def converse(self, model: str, scene: Scene) -> Iterator[Heard]:
        """Play `scene`: what is heard, answer by answer."""
        messages: list[Any] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": _prompt(scene)}]
        params: dict[str, Any] = {"model": model, "max_tokens": MAX_TOKENS}
        params |= {"tools": [FUNCTION]} if scene.tool else {}
        params |= {"response_format": FORM} if scene.schema else {}
        params |= {"reasoning_effort": "high"} if scene.thinks else {}
        for _ in scene.turns:
            said = self._ask({**params, "messages": messages}, stream=scene.stream)
            heard = self._heard(said)
            yield heard
            messages.append(said["message"])
            messages += [
                {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": text}
                for call, text in zip(heard.calls, scene.results, strict=False)
            ]

    def _ask(self, params: dict[str, Any], *, stream: bool) -> dict[str, Any]:
        try:
            if stream:
                with self._sdk.chat.stream(**params) as events:
                    return _added(event.data for event in events)
            whole = self._sdk.chat.complete(**params)
        except errors.MistralError as error:
            problem = json.loads_object(error.body)
            raise Declined(error.status_code, problem.get("code"), problem.get("param"), str(error)) from error
        (choice,) = whole.choices
        assert choice.message is not None
        message = choice.message.model_dump(exclude_none=True)
        return {"message": message, "finish": choice.finish_reason, "usage": whole.usage, "model": whole.model}

    def _heard(self, said: dict[str, Any]) -> Heard:
        message, usage = said["message"], said["usage"]
        content = message.get("content") or []
        parts: list[Any] = [{"type": "text", "text": content}] if isinstance(content, str) else content
        thinking = [piece["text"] for part in parts if part["type"] == "thinking" for piece in part["thinking"]]
        calls = [(call["id"], call["function"]) for call in message.get("tool_calls") or ()]
        return Heard(
            text="".join(part["text"] for part in parts if part["type"] == "text"),
            thinking="".join(thinking),
            calls=tuple(Call(id_, call["name"], arguments(call["arguments"])) for id_, call in calls),
            finish=said["finish"],
            spent=Spent(
                usage.prompt_tokens,
                usage.model_dump()["prompt_tokens_details"]["cached_tokens"],
                usage.completion_tokens,
                None,
            ),
            model=said["model"],
            dropped=self._ears.dropped,
        )


def _added(chunks: Iterable[Any]) -> dict[str, Any]:
    """What the chunks of a stream add up to."""
    found: dict[str, Any] = {"finish": None, "usage": None}
    text = ""
    calls: list[Any] = []
    thinking: dict[str, Any] = {"type": "thinking", "thinking": []}
    for chunk in chunks:
        (choice,) = chunk.choices
        delta = choice.delta.model_dump(exclude_none=True)
        for part in delta.get("content") or () if isinstance(delta.get("content"), list) else ():
            thinking["thinking"] += part["thinking"]
            thinking |= {"signature": part["signature"]} if "signature" in part else {}
        text += delta["content"] if isinstance(delta.get("content"), str) else ""
        calls += delta.get("tool_calls") or ()
        found |= {"model": chunk.model, "finish": choice.finish_reason or found["finish"]}
        found["usage"] = chunk.usage or found["usage"]
    spoken = [{"type": "text", "text": text}] if text else []
    content: Any = [thinking, *spoken] if thinking["thinking"] else text
    return {**found, "message": {"role": "assistant", "content": content, **({"tool_calls": calls} if calls else {})}}


def _prompt(scene: Scene) -> Any:
    if not scene.image:
        return scene.prompt
    image = {"type": "image_url", "image_url": scene.image_url}
    return [{"type": "text", "text": scene.prompt}, image]
