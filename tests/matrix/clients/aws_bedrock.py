"""AWS's SDK, for the fakes' own tests: the gateway speaks to Bedrock, no client speaks Bedrock's dialect to it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config

from costspan.wire import json
from fakes.conversations import Call
from fakes.wires.asked import Spent, arguments, compact
from matrix.scenes import BUDGET, MAX_TOKENS, PLACE, PNG, SYSTEM, TOOL, Heard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from matrix.scenes import Scene

SPEC = {"name": TOOL["name"], "description": TOOL["description"], "inputSchema": {"json": TOOL["parameters"]}}
FORM = {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(PLACE).decode(), "name": "place"}}}
FINISH = {"end_turn": "stop", "tool_use": "tool_calls"}


class AWSBedrock:
    """An application that sends messages back as the SDK gave them; a stream's it puts together itself."""

    name = "botocore"
    dialect = "bedrock-converse"

    def __init__(self, url: str) -> None:
        config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
        session = botocore.session.Session()
        self._sdk = session.create_client("bedrock-runtime", region_name="us-east-1", endpoint_url=url, config=config)

    def close(self) -> None:
        self._sdk.close()

    def converse(self, model: str, scene: Scene) -> Iterator[Heard]:
        """Play `scene`: what is heard, answer by answer."""
        content: list[Any] = [{"text": scene.prompt}]
        if scene.image:
            content.append({"image": {"format": "png", "source": {"bytes": base64.b64decode(PNG)}}})
        messages: list[Any] = [{"role": "user", "content": content}]
        params: dict[str, Any] = {"modelId": model, "system": [{"text": SYSTEM}]}
        params["inferenceConfig"] = {"maxTokens": MAX_TOKENS}
        params |= {"toolConfig": {"tools": [{"toolSpec": SPEC}]}} if scene.tool else {}
        params |= {"outputConfig": {"textFormat": FORM}} if scene.schema else {}
        if scene.thinks:
            thinking = {"type": "enabled", "budget_tokens": BUDGET}
            params["additionalModelRequestFields"] = {"thinking": thinking}
        for _ in scene.turns:
            said = self._ask({**params, "messages": messages}, stream=scene.stream)
            heard = _heard(said, model)
            yield heard
            results = [
                {"toolResult": {"toolUseId": call.id, "content": [{"text": text}]}}
                for call, text in zip(heard.calls, scene.results, strict=False)
            ]
            messages += [said["output"]["message"], {"role": "user", "content": results}]

    def _ask(self, params: dict[str, Any], *, stream: bool) -> dict[str, Any]:
        if not stream:
            whole: dict[str, Any] = self._sdk.converse(**params)
            return whole
        return _added(self._sdk.converse_stream(**params)["stream"])


def _heard(said: dict[str, Any], model: str) -> Heard:
    content, usage = said["output"]["message"]["content"], said["usage"]
    calls = [block["toolUse"] for block in content if "toolUse" in block]
    cached = usage["cacheReadInputTokens"]
    assert usage["totalTokens"] == usage["inputTokens"] + cached + usage["outputTokens"]
    thoughts = [block["reasoningContent"]["reasoningText"]["text"] for block in content if "reasoningContent" in block]
    return Heard(
        text="".join(block["text"] for block in content if "text" in block),
        thinking="".join(thoughts),
        calls=tuple(Call(call["toolUseId"], call["name"], compact(call["input"])) for call in calls),
        finish=FINISH[said["stopReason"]],
        spent=Spent(usage["inputTokens"] + cached, cached, usage["outputTokens"], None),
        model=model,
    )


def _added(events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What the events of a stream add up to."""
    blocks: dict[int, dict[str, Any]] = {}
    found: dict[str, Any] = {}
    for event in events:
        match event:
            case {"contentBlockStart": {"contentBlockIndex": index, "start": {"toolUse": head}}}:
                blocks[index] = {"toolUse": head | {"input": ""}}
            case {"contentBlockDelta": {"contentBlockIndex": index, "delta": delta}}:
                _add(blocks, index, delta)
            case {"messageStop": stop}:
                found["stopReason"] = stop["stopReason"]
            case {"metadata": metadata}:
                found["usage"] = metadata["usage"]
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads_object(arguments(block["toolUse"]["input"]))
    content = [blocks[index] for index in sorted(blocks)]
    return {**found, "output": {"message": {"role": "assistant", "content": content}}}


def _add(blocks: dict[int, dict[str, Any]], index: int, delta: dict[str, Any]) -> None:
    match delta:
        case {"toolUse": {"input": piece}}:
            blocks[index]["toolUse"]["input"] += piece
        case {"text": piece}:
            blocks.setdefault(index, {"text": ""})["text"] += piece
        case {"reasoningContent": inner}:
            told = blocks.setdefault(index, {"reasoningContent": {"reasoningText": {}}})["reasoningContent"]
            for name, piece in inner.items():
                told["reasoningText"][name] = told["reasoningText"].get(name, "") + piece
