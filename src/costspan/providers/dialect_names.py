"""The names of dialects that the table of providers uses. The packages themselves are in `costspan.dialects`."""

from __future__ import annotations

from typing import Final

CHAT: Final = "openai-chat"
RESPONSES: Final = "openai-responses"
MESSAGES: Final = "anthropic-messages"
GENERATE: Final = "gemini-generate"
CONVERSE: Final = "bedrock-converse"
MISTRAL: Final = "mistral-chat"
COHERE: Final = "cohere-chat"

EMBEDDINGS: Final = "openai-embeddings"
GEMINI_EMBED: Final = "gemini-embed"
GEMINI_BATCH_EMBED: Final = "gemini-batch-embed"
VERTEX_EMBED: Final = "vertex-embed"
COHERE_EMBED: Final = "cohere-embed"
TITAN_EMBED: Final = "titan-embed"
BEDROCK_COHERE_EMBED: Final = "bedrock-cohere-embed"

COMPLETIONS: Final = "openai-completions"
MODERATIONS: Final = "openai-moderations"
IMAGES: Final = "openai-images"
IMAGE_EDITS: Final = "openai-image-edits"
SPEECH: Final = "openai-speech"
TRANSCRIPTIONS: Final = "openai-transcriptions"
TRANSLATIONS: Final = "openai-translations"
RERANK: Final = "rerank"
