"""Bedrock's Converse with a Claude behind it: whole, and as event-stream frames.

What a request may hold is read from botocore's own description of the service, as the AWS SDK reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from costspan.wire import json
from fakes.event_stream import write_event
from fakes.wires.asked import (
    Asked,
    Line,
    Wrong,
    body_of,
    check_results,
    compact,
    only,
    pieces,
    refused,
    said,
    streamed,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fakes.conversations import Turn
    from fakes.upstream import Answer, Request

FRAMES = (("content-type", "application/vnd.amazon.eventstream"),)
_FIELDS = (
    "messages system inferenceConfig toolConfig guardrailConfig additionalModelRequestFields "
    "additionalModelResponseFieldPaths requestMetadata performanceConfig serviceTier outputConfig"
)
_PATH = re.compile(r"/model/(?P<model>[^/]+)/converse(?P<stream>-stream)?")
_STOPS = {"stop": "end_turn", "tool_calls": "tool_use"}


@dataclass(frozen=True)
class BedrockConverse:
    """Converse counts no reasoning."""

    seal: str = "EtYCCkgIBBABGAIqQPvG1zYhW3sK8dLqTnXeRbUjMaCfVoQi0yDgJlHwZkS="
    counts_reasoning: bool = False
    counts_cached: bool = True
    tells_reasoning: bool = True
    ids: tuple[str, str] = ("tooluse_q8A6U9X7S4apz8TPXNx4Kq", "tooluse_miAVY9Wyw0HMShZbgbyTwX")

    def read(self, request: Request) -> Asked:
        found = _PATH.fullmatch(request.path)
        if found is None:
            raise Wrong(f"path: {request.path}")
        body = body_of(request, _FIELDS)
        model = unquote(found["model"])
        problems = ParamValidator().validate(body | {"modelId": model}, _request_shape())
        if problems.has_errors():
            raise Wrong(problems.generate_report())
        talk = tuple(line for message in body["messages"] for line in _lines(message))
        check_results(talk)
        thinking = body.get("additionalModelRequestFields", {}).get("thinking", {})
        limit = body.get("inferenceConfig", {}).get("maxTokens")
        if thinking.get("type") == "enabled" and not (limit and 1024 <= thinking["budget_tokens"] < limit):
            raise Wrong("thinking.budget_tokens: at least 1024 and less than maxTokens")
        return Asked(
            model=model,
            stream=found["stream"] is not None,
            instructions="".join(block["text"] for block in body.get("system", ())),
            talk=talk,
            tools=tuple(_tool(tool["toolSpec"]) for tool in body.get("toolConfig", {}).get("tools", ())),
            schema=_schema(body.get("outputConfig", {})),
            thinks=thinking.get("type") in {"enabled", "adaptive"},
        )

    def answer(self, turn: Turn, asked: Asked) -> Answer:
        if asked.stream:
            events = self._events(turn)
            frames = [write_event(name, json.dumps(event | {"p": "abcdefgh"})) for name, event in events]
            return streamed(frames, FRAMES)
        message = {"role": "assistant", "content": self._content(turn)}
        end = {"stopReason": _STOPS[turn.finish], "usage": _usage(turn), "metrics": {"latencyMs": 812}}
        return whole({"output": {"message": message}, **end})

    def remembered(self, turn: Turn) -> list[Line]:
        return said(turn, seal=self.seal)

    def refuse(self, problem: str) -> Answer:
        return refused({"message": problem})

    def _content(self, turn: Turn) -> list[json.Object]:
        blocks: list[json.Object] = []
        if turn.thinking:
            blocks.append({"reasoningContent": {"reasoningText": {"text": turn.thinking, "signature": self.seal}}})
        if turn.text:
            blocks.append({"text": turn.text})
        for call in turn.calls:
            given = json.loads_object(call.arguments)
            blocks.append({"toolUse": {"toolUseId": call.id, "name": call.name, "input": given}})
        return blocks

    def _events(self, turn: Turn) -> Iterator[tuple[str, json.Object]]:
        """Only tool calls have an event for their start."""
        yield "messageStart", {"role": "assistant"}
        for index, block in enumerate(self._content(turn)):
            at = {"contentBlockIndex": index}
            if "toolUse" in block:
                head = {"toolUseId": block["toolUse"]["toolUseId"], "name": block["toolUse"]["name"]}
                yield "contentBlockStart", {**at, "start": {"toolUse": head}}
            for delta in self._deltas(block, turn):
                yield "contentBlockDelta", {**at, "delta": delta}
            yield "contentBlockStop", at
        yield "messageStop", {"stopReason": _STOPS[turn.finish]}
        yield "metadata", {"usage": _usage(turn), "metrics": {"latencyMs": 812}}

    def _deltas(self, block: json.Object, turn: Turn) -> Iterator[json.Object]:
        match block:
            case {"reasoningContent": _}:
                for piece in pieces(turn.thinking):
                    yield {"reasoningContent": {"text": piece}}
                yield {"reasoningContent": {"signature": self.seal}}
            case {"text": text}:
                for piece in pieces(text):
                    yield {"text": piece}
            case {"toolUse": {"toolUseId": id_}}:
                given = next(call.arguments for call in turn.calls if call.id == id_)
                for piece in ("", *pieces(given)):
                    yield {"toolUse": {"input": piece}}


@cache
def _request_shape() -> Any:
    description = Loader().load_service_model("bedrock-runtime", "service-2")
    return ServiceModel(description, "bedrock-runtime").shape_for("ConverseRequest")


def _usage(turn: Turn) -> json.Object:
    return {
        "inputTokens": turn.prompt - turn.cached,
        "outputTokens": turn.completion,
        "totalTokens": turn.prompt + turn.completion,
        "cacheReadInputTokens": turn.cached,
        "cacheReadInputTokenCount": turn.cached,
        "cacheWriteInputTokens": 0,
        "cacheWriteInputTokenCount": 0,
        "serverToolUsage": {},
    }


def _lines(message: json.Object) -> Iterator[Line]:
    role = message["role"]
    for block in message["content"]:
        match role, block:
            case _, {"text": str(text)} if text:
                yield role, text
            case "user", {"image": {"format": format_, "source": {"bytes": data}}}:
                yield "image", f"image/{format_}", data
            case "user", {"toolResult": {"toolUseId": id_, "content": [*content]}}:
                yield "result", id_, "".join(part["text"] for part in content)
            case "assistant", {"reasoningContent": {"reasoningText": {"text": str(text), **more}}}:
                yield "thinking", text
                yield "seal", str(more.get("signature", ""))
            case "assistant", {"toolUse": {"toolUseId": id_, "name": name, "input": {**given}}}:
                yield "call", id_, name, compact(given)
            case _:
                raise Wrong(f"a block of {role}: {block}")


def _tool(spec: json.Object) -> json.Object:
    return {"name": spec["name"], "description": spec.get("description"), "parameters": spec["inputSchema"]["json"]}


def _schema(config: json.Object) -> json.Object | None:
    only(config, "outputConfig", "textFormat effort")
    match config.get("textFormat"):
        case None:
            return None
        case {"type": "json_schema", "structure": {"jsonSchema": {"schema": str(schema)}}}:
            return json.loads_object(schema)
        case form:
            raise Wrong(f"outputConfig.textFormat: {form}")
