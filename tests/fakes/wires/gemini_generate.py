"""Gemini's generateContent, as Google AI and Vertex serve it.

Shapes: the types of the official SDK (google-genai 3.4.0); ai.google.dev/gemini-api/docs/thought-signatures (read
2026-11-25): the first call of each step is signed, and Gemini 3 refuses a conversation whose current turn lacks it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from costspan.wire import json
from fakes.wires.asked import (
    Asked,
    Line,
    Wrong,
    compact,
    only,
    pieces,
    refused,
    said,
    serial,
    streamed,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fakes.conversations import Turn
    from fakes.upstream import Answer, Request

_FIELDS = "contents systemInstruction tools toolConfig generationConfig safetySettings labels cachedContent"
_CONFIG = (
    "candidateCount stopSequences maxOutputTokens temperature topP topK seed presencePenalty frequencyPenalty "
    "responseMimeType responseSchema responseJsonSchema responseLogprobs logprobs thinkingConfig mediaResolution"
)
_STANDARD = str.maketrans("-_", "+/")
"""Google takes base64 of both alphabets, and its SDK writes the one for URLs."""
_PATH = re.compile(r".*/models/(?P<model>[^/:?]+):(?P<method>generateContent|streamGenerateContent\?alt=sse)")


@dataclass(frozen=True)
class GeminiGenerate:
    """Vertex leaves out the `ids`."""

    seal: str = "CiQBcsjafL3fZ9kQ2vN8mXyR5tWqPzLbJhGfDsAoIuYeTrEwQmBnVcXz"
    counts_reasoning: bool = True
    counts_cached: bool = True
    tells_reasoning: bool = True
    ids: tuple[str, str] = ("q6jp54w8", "whzntcq2")

    def read(self, request: Request) -> Asked:
        found = _PATH.fullmatch(request.path)
        if found is None:
            raise Wrong(f"path: {request.path}")
        body = camel(json.loads_object(request.body))
        only(body, "body", _FIELDS)
        config = body.get("generationConfig", {})
        only(config, "generationConfig", _CONFIG)
        thinking = config.get("thinkingConfig", {})
        only(thinking, "thinkingConfig", "includeThoughts thinkingBudget thinkingLevel")
        if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
            raise Wrong("thinkingConfig: either a budget or a level")
        thinks = thinking.get("thinkingBudget", 0) != 0 or "thinkingLevel" in thinking
        return Asked(
            model=found["model"],
            stream=found["method"] != "generateContent",
            instructions="".join(part["text"] for part in body.get("systemInstruction", {}).get("parts", ())),
            talk=tuple(self._talk(body["contents"])),
            tools=tuple(_tool(one) for tool in body.get("tools", ()) for one in tool["functionDeclarations"]),
            schema=_schema(config),
            thinks=thinks or thinking.get("includeThoughts", False),
            shows=thinking.get("includeThoughts", False) or not thinks,
        )

    def _talk(self, contents: list[json.Object]) -> Iterator[Line]:
        calls: list[tuple[str, str]] = []
        signed = False
        for content in contents:
            only(content, "content", "role parts")
            role = content["role"]
            signed = signed and role == "model"
            for part in content["parts"]:
                only(part, "part", "text thought thoughtSignature inlineData fileData functionCall functionResponse")
                if "functionCall" in part:
                    if not signed and not part.get("thoughtSignature"):
                        raise Wrong("Function call is missing a thought_signature in functionCall parts.")
                    signed = True
                    calls.append((part["functionCall"].get("id", ""), part["functionCall"]["name"]))
                yield from self._lines(role, part, calls)
        if calls:
            raise Wrong(f"no response for {calls}")

    def _lines(self, role: str, part: json.Object, calls: list[tuple[str, str]]) -> Iterator[Line]:
        if seal := part.get("thoughtSignature"):
            yield "seal", seal
        match role, part:
            case "user", {"text": str(text)}:
                yield role, text
            case "user", {"inlineData": _} | {"fileData": _}:
                yield _image(part)
            case "user", {"functionResponse": response}:
                yield _result(response, calls)
            case "model", {"text": str(text)}:
                yield from [("assistant", text)] * bool(text and not part.get("thought"))  # it needs no thoughts again
            case "model", {"functionCall": call}:
                only(call, "functionCall", "id name args")
                yield "call", call.get("id", ""), call["name"], compact(call.get("args", {}))
            case _:
                raise Wrong(f"a part of {role}: {part}")

    def answer(self, turn: Turn, asked: Asked) -> Answer:
        head = {"modelVersion": asked.model, "responseId": f"kD8madq2CZWVkdUPy{serial()}"}
        shows = asked.shows and asked.thinks
        if asked.stream:
            chunks = self._chunks(turn, shows=shows)
            return streamed(b"data: %s\r\n\r\n" % json.dumps(chunk | head) for chunk in chunks)
        content = {"role": "model", "parts": self._parts(turn, shows=shows)}
        candidate = {"content": content, "finishReason": "STOP", "index": 0}
        return whole({"candidates": [candidate], "usageMetadata": _usage(turn), **head})

    def remembered(self, turn: Turn) -> list[Line]:
        return said(turn, thinking=False, seal=self.seal, seals_calls=True)

    def refuse(self, problem: str) -> Answer:
        return refused({"error": {"code": 400, "message": problem, "status": "INVALID_ARGUMENT"}})

    def _parts(self, turn: Turn, *, shows: bool) -> list[json.Object]:
        parts: list[json.Object] = []
        if turn.thinking and shows:
            parts.append({"text": turn.thinking, "thought": True})
        if turn.text:
            signed = (
                {} if turn.calls else {"thoughtSignature": self.seal}
            )  # also of answers, where it need not come back
            parts.append({"text": turn.text, **signed})
        for index, call in enumerate(turn.calls):
            named = {"id": call.id} if call.id else {}
            function = {"name": call.name, "args": json.loads_object(call.arguments), **named}
            signed = {} if index else {"thoughtSignature": self.seal}
            parts.append({"functionCall": function, **signed})
        return parts

    def _chunks(self, turn: Turn, *, shows: bool) -> Iterator[json.Object]:
        """Texts in pieces, calls whole; usage grows from chunk to chunk and the reason comes with the last."""
        parts = [piece for part in self._parts(turn, shows=shows) for piece in _pieces(part)]
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            candidate = {"content": {"role": "model", "parts": [part]}, "index": 0}
            yield {
                "candidates": [candidate | ({"finishReason": "STOP"} if last else {})],
                "usageMetadata": _usage(turn) if last else _usage(turn) | {"candidatesTokenCount": 1},
            }


def _pieces(part: json.Object) -> Iterator[json.Object]:
    if "functionCall" in part:
        yield part
        return
    seal = part.pop("thoughtSignature", None)
    for piece in pieces(part["text"]):
        yield part | {"text": piece}
    if seal is not None:  # in a part of its own, as recorded in 2026
        yield {"text": "", "thoughtSignature": seal}


_FREE = frozenset({"args", "response", "parametersJsonSchema", "responseJsonSchema", "labels"})
"""Objects whose names are not Google's."""


def camel(value: Any) -> Any:
    """Google's JSON reader takes `mime_type` for `mimeType`, and its SDK writes either."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {re.sub(r"_([a-z])", lambda found: found[1].upper(), name): inner for name, inner in value.items()}
    return {name: inner if name in _FREE else camel(inner) for name, inner in named.items()}


def _usage(turn: Turn) -> json.Object:
    thoughts = {"thoughtsTokenCount": turn.reasoned} if turn.reasoned else {}
    return {
        "promptTokenCount": turn.prompt,
        "candidatesTokenCount": turn.completion - turn.reasoned,
        "totalTokenCount": turn.prompt + turn.completion,
        "cachedContentTokenCount": turn.cached,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": turn.prompt}],
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": turn.cached}],
        **thoughts,
    }


def _image(part: json.Object) -> Line:
    if "fileData" in part:
        return ("image", "url", part["fileData"]["fileUri"])
    return ("image", part["inlineData"]["mimeType"], part["inlineData"]["data"].translate(_STANDARD))


def _result(response: json.Object, calls: list[tuple[str, str]]) -> Line:
    """A result's text: Google's guide names it `output`, its SDK `result`."""
    only(response, "functionResponse", "id name response")
    called = (response.get("id", ""), response["name"])
    if called not in calls:
        raise Wrong(f"a response for {called}, which was not called: {calls}")
    calls.remove(called)
    (value,) = response["response"].values()
    if not isinstance(value, str):
        raise Wrong(f"functionResponse: {response}")
    return ("result", called[0], value)


def _tool(tool: json.Object) -> json.Object:
    only(tool, "functionDeclaration", "name description parameters parametersJsonSchema")
    schema = tool.get("parametersJsonSchema") or tool.get("parameters")
    return {"name": tool["name"], "description": tool.get("description"), "parameters": schema}


def _schema(config: json.Object) -> Any:
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    if schema is not None and config.get("responseMimeType") != "application/json":
        raise Wrong("responseMimeType: a schema needs application/json")
    return schema
