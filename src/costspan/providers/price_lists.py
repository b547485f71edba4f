"""What price lists of others call the providers that are kinds here, as data."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from costspan.providers.hosts import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

_SAME = {name: name for name in KINDS if name not in {"mock", "openai-compatible"}}

LITELLM: Mapping[str, str] = MappingProxyType(
    {
        # `litellm_provider` of model_prices_and_context_window.json, litellm 1.110.2, read 2026-11-25.
        **_SAME,
        "bedrock_converse": "bedrock",
        "cohere_chat": "cohere",
        "fireworks_ai": "fireworks",
        "fireworks_ai-embedding-models": "fireworks",
        "nvidia_nim": "nvidia",
        "text-completion-openai": "openai",
        "together_ai": "together",
        "azure_text": "azure",
        "vertex_ai": "vertex",
        **{
            f"vertex_ai-{models}": "vertex"
            for models in (
                *("ai21_models", "anthropic_models", "deepseek_models", "embedding-models", "image-models"),
                *("language-models", "llama_models", "minimax_models", "mistral_models", "moonshot_models"),
                *("openai_models", "qwen_models", "text-models", "zai_models"),
            )
        },
    }
)

MODELS_DEV: Mapping[str, str] = MappingProxyType(
    {
        # Ids of providers in api.json: folders of anomalyco/models.dev, read 2026-11-25.
        **_SAME,
        "amazon-bedrock": "bedrock",
        "fireworks-ai": "fireworks",
        "google": "gemini",
        "google-vertex": "vertex",
        "google-vertex-anthropic": "vertex",
        "togetherai": "together",
    }
)

MADE_OF_ONE_WORD = frozenset({"anthropic", "azure", "bedrock", "openai"})
"""Kinds whose models never have a slash in their name: what stands before one in a price list is a region, a size or a
commitment, which no request's model says."""

INCLUSIVE = frozenset({"xai"})
"""Kinds whose long prompts begin at the threshold itself (LiteLLM's `_INCLUSIVE_THRESHOLD_PROVIDERS`, 2026-11): "above
200k" of theirs is above 199,999 here."""
