"""All of them, in the order of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.clients.anthropic_messages import AnthropicMessages
from matrix.clients.cohere_chat import CohereSDK
from matrix.clients.google_genai import GoogleGenai
from matrix.clients.mistral import MistralSDK
from matrix.clients.openai_chat import OpenAIChat
from matrix.clients.openai_responses import OpenAIResponses

if TYPE_CHECKING:
    from collections.abc import Mapping

CLIENTS = (OpenAIChat, OpenAIResponses, AnthropicMessages, GoogleGenai)
"""They speak a dialect that the gateway translates."""

PASSED: Mapping[str, type[MistralSDK | CohereSDK]] = {"mistral": MistralSDK, "cohere": CohereSDK}
"""They use the own paths of one provider, through the gateway (`/providers/{name}/...`). By the upstream's name."""

ORDER = [client.name for client in (*CLIENTS, *PASSED.values())]
