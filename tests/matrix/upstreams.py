"""The rows of the matrix: every dialect that providers speak, and every kind that speaks it in a way of its own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fakes.wires.anthropic_messages import AnthropicMessages
from fakes.wires.asked import Wrong
from fakes.wires.bedrock_converse import BedrockConverse
from fakes.wires.clouds_claude import BedrockClaude, VertexClaude
from fakes.wires.cohere_chat import CohereChat
from fakes.wires.gemini_generate import GeminiGenerate
from fakes.wires.mistral_chat import MistralChat
from fakes.wires.openai_chat import OpenAIChat
from fakes.wires.openai_responses import OpenAIResponses
from matrix.scenes import KEY, OTHER_KEY

if TYPE_CHECKING:
    from fakes.upstream import Request
    from fakes.wires.asked import Wire

SECRET = "test-key-of-the-provider"


@dataclass(frozen=True)
class Upstream:
    """A provider as it is configured, and what plays it.

    `below` is the part of its base URL that stands after the host, `path` where a request has to come; None where the
    wire looks at that itself. `door` is the header that has to hold the key.
    """

    name: str
    kind: str
    dialect: str
    wire: Wire
    model: str
    below: str = ""
    path: str | None = None
    door: tuple[str, str] = ("authorization", f"Bearer {SECRET}")
    settings: str = ""

    def config(self, url: str) -> str:
        """Its entry in gateway.yaml, and a route to it."""
        more = f", {self.settings}" if self.settings else ""
        entry = f'{{kind: {self.kind}, base_url: "{url}{self.below}", api_key: {SECRET}{more}}}'
        hashes = (hashlib.sha256(key.encode()).hexdigest() for key in (KEY, OTHER_KEY))
        keys = ", ".join(f'{{name: k{number}, hash: "sha256:{hash_}"}}' for number, hash_ in enumerate(hashes))
        routes = f'routes: {{smart: "it/{self.model}"}}'
        return f"defaults: {{retries: 0}}\nkeys: [{keys}]\nproviders: {{it: {entry}}}\n{routes}\n"

    def check_door(self, request: Request) -> None:
        """The way in: the path and the key."""
        if request.method != "POST" or self.path not in {None, request.path}:
            raise Wrong(f"{request.method} {request.path}")
        if request.header(self.door[0]) != self.door[1]:
            raise Wrong(f"{self.door[0]}: {request.header(self.door[0])}")


GOOGLE = ("x-goog-api-key", SECRET)
UPSTREAMS = (
    Upstream(
        *("openai: chat", "openai", "openai-chat", OpenAIChat(), "gpt-5.2", "/v1", "/v1/chat/completions"),
        settings="dialects: [openai-chat]",
    ),
    Upstream(
        *("openai: responses", "openai", "openai-responses", OpenAIResponses(), "gpt-5.2", "/v1", "/v1/responses"),
        settings="dialects: [openai-responses]",
    ),
    Upstream(
        *("azure: chat", "azure", "openai-chat", OpenAIChat(), "gpt-5.2", "", "/openai/v1/chat/completions"),
        door=("api-key", SECRET),
        settings="dialects: [openai-chat]",
    ),
    Upstream(
        *("azure: responses", "azure", "openai-responses", OpenAIResponses(), "gpt-5.2", "", "/openai/v1/responses"),
        door=("api-key", SECRET),
        settings="dialects: [openai-responses]",
    ),
    Upstream(
        *("openrouter: chat", "openrouter", "openai-chat", OpenAIChat(shows_reasoning=True)),
        *("anthropic/claude-sonnet-4.6", "/api/v1", "/api/v1/chat/completions"),
        settings="dialects: [openai-chat]",
    ),
    Upstream(
        *("anthropic", "anthropic", "anthropic-messages", AnthropicMessages(), "claude-sonnet-4-6"),
        *("/v1", "/v1/messages", ("x-api-key", SECRET)),
    ),
    Upstream(
        *("vertex: claude", "vertex", "anthropic-messages", VertexClaude(), "claude-sonnet-4-6", "/v1"),
        door=GOOGLE,
        settings="project: p1, location: europe-west1",
    ),
    Upstream(
        *("bedrock: claude", "bedrock", "anthropic-messages", BedrockClaude()),
        "us.anthropic.claude-sonnet-4-6",
        settings="region: us-east-1",
    ),
    Upstream(
        *("bedrock: converse", "bedrock", "bedrock-converse", BedrockConverse()),
        "us.anthropic.claude-sonnet-4-6",
        settings="region: us-east-1, dialects: [bedrock-converse]",
    ),
    Upstream("gemini", "gemini", "gemini-generate", GeminiGenerate(), "gemini-3-pro-preview", "/v1beta", door=GOOGLE),
    Upstream(
        *("vertex: gemini", "vertex", "gemini-generate", GeminiGenerate(ids=("", "")), "gemini-3-pro-preview", "/v1"),
        door=GOOGLE,
        settings="project: p1, location: europe-west1",
    ),
    Upstream("cohere", "cohere", "cohere-chat", CohereChat(), "command-a-reasoning-08-2025", "/v2", "/v2/chat"),
    Upstream(
        *("mistral", "mistral", "mistral-chat", MistralChat(), "mistral-medium-latest", "/v1", "/v1/chat/completions"),
    ),
)
