"""The `google-genai` SDK, through its chats, which keep the conversation."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from google import genai
from google.genai import errors, types

from fakes.conversations import Call
from fakes.wires.asked import Spent, compact
from matrix.clients.ears import Ears
from matrix.scenes import BUDGET, KEY, MAX_TOKENS, PLACE, PNG, SYSTEM, TOOL, Declined, Heard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matrix.scenes import Scene

FUNCTION = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name=TOOL["name"], description=TOOL["description"], parameters_json_schema=TOOL["parameters"]
        )
    ]
)


class GoogleGenai:
    """An application whose history is the SDK's own."""

    name = "google-genai"
    dialect = "gemini-generate"

    def __init__(self, url: str) -> None:
        self._ears = Ears()
        self._http = self._ears.modern()
        self._sdk = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url, httpx_client=self._http))

    def close(self) -> None:
        self._sdk.close()
        self._http.close()

    def converse(self, model: str, scene: Scene) -> Iterator[Heard]:
        """Play `scene`: what is heard, answer by answer."""
        chat = self._sdk.chats.create(model=model, config=_config(scene))
        message: list[Any] = [types.Part(text=scene.prompt)]
        if scene.image == PNG:
            message.append(types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png"))
        elif scene.image:
            message.append(types.Part.from_uri(file_uri=scene.image, mime_type="image/png"))
        for _ in scene.turns:
            chunks = self._ask(chat, message, stream=scene.stream)
            assert len(chat.get_history(curated=True)) == len(chat.get_history()), "the SDK takes the turn for invalid"
            heard = self._heard(chunks)
            yield heard
            message = [
                types.Part(
                    function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": text})
                )
                for call, text in zip(heard.calls, scene.results, strict=False)
            ]

    def _ask(self, chat: Any, message: list[Any], *, stream: bool) -> list[types.GenerateContentResponse]:
        try:
            if not stream:
                whole = chat.send_message(message)
                types.GenerateContentResponse.model_validate_json(self._ears.body)  # refuses fields it does not know
                return [whole]
            chunks = list(chat.send_message_stream(message))
            for _, chunk in self._ears.events():
                types.GenerateContentResponse.model_validate(chunk)
            return chunks
        except errors.ClientError as error:
            info: Any = next((one for one in error.details["error"].get("details", ()) if "reason" in one), {})
            param = info.get("metadata", {}).get("param")
            raise Declined(error.code, info.get("reason"), param, str(error.message)) from error

    def _heard(self, chunks: list[types.GenerateContentResponse]) -> Heard:
        found = [candidate for chunk in chunks for candidate in chunk.candidates or ()]
        parts = [part for candidate in found for part in (candidate.content and candidate.content.parts) or ()]
        assert {candidate.content.role for candidate in found if candidate.content} == {"model"}
        assert len({(chunk.response_id, chunk.model_version) for chunk in chunks}) == 1
        reasons = [candidate.finish_reason for candidate in found if candidate.finish_reason]
        assert reasons == [types.FinishReason.STOP]
        usage = chunks[-1].usage_metadata
        assert usage is not None
        thought = usage.thoughts_token_count
        prompt, completion = usage.prompt_token_count or 0, (usage.candidates_token_count or 0) + (thought or 0)
        assert usage.total_token_count == prompt + completion
        calls = tuple(
            Call(part.function_call.id or "", part.function_call.name or "", compact(part.function_call.args))
            for part in parts
            if part.function_call
        )
        return Heard(
            text="".join(part.text for part in parts if part.text and not part.thought),
            thinking="".join(part.text for part in parts if part.text and part.thought),
            calls=calls,
            finish="tool_calls" if calls else "stop",
            spent=Spent(prompt, usage.cached_content_token_count or 0, completion, thought),
            model=chunks[0].model_version or "",
            dropped=self._ears.dropped,
        )


def _config(scene: Scene) -> types.GenerateContentConfig:
    config: dict[str, Any] = {"system_instruction": SYSTEM, "max_output_tokens": MAX_TOKENS}
    if scene.tool:
        config |= {"tools": [FUNCTION], "automatic_function_calling": {"disable": True}}
    if scene.schema:
        config |= {"response_mime_type": "application/json", "response_json_schema": PLACE}
    if scene.thinks:
        config["thinking_config"] = {"include_thoughts": True, "thinking_budget": BUDGET}
    return types.GenerateContentConfig(**config)
