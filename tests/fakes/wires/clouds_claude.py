"""Claude's messages where clouds serve them: Vertex's rawPredict and Bedrock's InvokeModel.

Model and stream stand in the path, the version in the body (platform.claude.com/docs, Claude on Vertex AI and on Amazon
Bedrock, read 2026-11-25).
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from costspan.wire import json
from fakes.event_stream import write_event
from fakes.wires.anthropic_messages import FIELDS, AnthropicMessages, check_version
from fakes.wires.asked import Asked, Wrong, body_of, refused, streamed, whole
from fakes.wires.bedrock_converse import FRAMES

if TYPE_CHECKING:
    from fakes.conversations import Turn
    from fakes.upstream import Answer, Request

_VERTEX = re.compile(r".*/publishers/anthropic/models/(?P<model>[^/:]+):(?P<stream>streamRawPredict|rawPredict)")
_BEDROCK = re.compile(r"/model/(?P<model>[^/]+)/(?P<stream>invoke-with-response-stream|invoke)")


def by_bytes(asked: Asked) -> Asked:
    """Neither cloud fetches images (platform.claude.com/docs, vision, read 2026-11-25)."""
    if any(line[:2] == ("image", "url") for line in asked.talk):
        raise Wrong("messages: image sources of type url are not supported")
    return asked


@dataclass(frozen=True)
class VertexClaude(AnthropicMessages):
    """Vertex: server-sent events, and `stream` in the body too."""

    def read(self, request: Request) -> Asked:
        found = _VERTEX.fullmatch(request.path)
        if found is None:
            raise Wrong(f"path: {request.path}")
        body = body_of(request, f"anthropic_version stream {FIELDS}")
        stream = found["stream"] == "streamRawPredict"
        check_version(body, body.get("anthropic_version"), "vertex-2023-10-16")
        if body.get("stream", False) != stream:
            raise Wrong(f"stream: {body.get('stream')}")
        return by_bytes(self.understand(body, found["model"], stream=stream))


@dataclass(frozen=True)
class BedrockClaude(AnthropicMessages):
    """Bedrock: each event in a frame of its own, in base64."""

    def read(self, request: Request) -> Asked:
        found = _BEDROCK.fullmatch(request.path)
        if found is None:
            raise Wrong(f"path: {request.path}")
        body = body_of(request, f"anthropic_version {FIELDS}")
        check_version(body, body.get("anthropic_version"), "bedrock-2023-05-31")
        return by_bytes(self.understand(body, unquote(found["model"]), stream=found["stream"] != "invoke"))

    def answer(self, turn: Turn, asked: Asked) -> Answer:
        if not asked.stream:
            return whole(self.message(turn, asked.model))
        frames = []
        for event in self.events(turn, asked.model):
            if event["type"] == "message_stop":
                counts = {"inputTokenCount": turn.prompt - turn.cached, "outputTokenCount": turn.completion}
                event["amazon-bedrock-invocationMetrics"] = counts | {"invocationLatency": 812, "firstByteLatency": 77}
            inner = base64.b64encode(json.dumps(event)).decode()
            frames.append(write_event("chunk", json.dumps({"bytes": inner, "p": "abcdefgh"})))
        return streamed(frames, FRAMES)

    def refuse(self, problem: str) -> Answer:
        return refused({"message": problem})
