"""What well-known models cannot do, as far as that is sure; and which kinds read a request's wishes themselves.

A route passes over a target whose model lacks what the request needs. A model that is not here is asked, and says
itself what it cannot do. `lacks` of a target in the configuration stands above it; an empty list there says that the
model can do it all.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

TOOLS: Final = "tools"
IMAGES: Final = "images"
JSON_SCHEMA: Final = "json_schema"


@dataclass(frozen=True, slots=True)
class Lack:
    """Models of one kind of provider that lack the same. `globs` are of the model ids that its API takes."""

    kind: str
    globs: tuple[str, ...]
    what: frozenset[str]
    source: str
    """Who says so, and when that was read."""


_CONVERSE = (
    "docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html, "
    "columns Vision and Tool use, 2026-11-26"
)
_MODELS_DEV = "github.com/anomalyco/models.dev, providers/{}, modalities.input, 2026-11-26"
_SCHEMAS = (
    "developers.openai.com/api/docs/guides/structured-outputs, Supported models: from gpt-4o-2024-08-06 on, older ones "
    "such as gpt-4-turbo may use JSON mode; 2026-11-26"
)

LACKS: Final = (
    Lack(
        "openai",
        ("gpt-4o-2024-05-13", "gpt-4-turbo*", "gpt-4", "gpt-4-0*", "gpt-4-1*", "gpt-3.5-turbo*"),
        frozenset({JSON_SCHEMA}),
        _SCHEMAS,
    ),
    Lack("openai", ("gpt-4",), frozenset({IMAGES}), _MODELS_DEV.format("openai/models/gpt-4.toml")),
    Lack("openai", ("gpt-3.5-turbo*",), frozenset({IMAGES}), _MODELS_DEV.format("openai/models/gpt-3.5-turbo.toml")),
    Lack("openai", ("o3-mini*",), frozenset({IMAGES}), _MODELS_DEV.format("openai/models/o3-mini.toml")),
    Lack(
        "groq", ("openai/gpt-oss-*",), frozenset({IMAGES}), _MODELS_DEV.format("groq/models/openai/gpt-oss-120b.toml")
    ),
    # Its API refused images as "unknown variant `image_url`, expected `text`" (rikkahub/rikkahub#1433, 2026-07-03).
    Lack(
        "deepseek",
        ("deepseek-v4-pro*",),
        frozenset({IMAGES}),
        "github.com/anomalyco/models.dev, models/deepseek/deepseek-v4-pro-0813.toml, modalities.input, 2026-11-26",
    ),
    Lack("bedrock", ("*amazon.nova-micro*", "*anthropic.claude-3-5-haiku*"), frozenset({IMAGES}), _CONVERSE),
    Lack("bedrock", ("*ai21.jamba-1-5-*",), frozenset({IMAGES}), _CONVERSE),
    Lack(
        "bedrock",
        ("*amazon.titan-text-*", "*ai21.jamba-instruct*", "*anthropic.claude-v2*", "*anthropic.claude-instant*"),
        frozenset({IMAGES, TOOLS}),
        _CONVERSE,
    ),
)
"""Rows add up. OpenAI's models elsewhere have names of the account's own (Azure), so they are in no row."""


@lru_cache(maxsize=4096)  # asked for each target of a route; clients may name any model
def known_lacks(kind: str, model: str) -> frozenset[str]:
    """What `model` is known to lack at a provider of that kind. Empty where nothing is known."""
    rows = (row for row in LACKS if row.kind == kind and any(fnmatchcase(model, glob) for glob in row.globs))
    return frozenset[str]().union(*(row.what for row in rows))


READ_WISHES: Final = frozenset({"openrouter"})
"""Kinds that choose among providers themselves, by the request's `provider` object
(openrouter.ai/docs/guides/routing/provider-selection, 2026-11-26)."""

SLUGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "amazon-bedrock": "bedrock",
        "google-ai-studio": "gemini",
        "google-vertex": "vertex",
    }
)
"""What OpenRouter calls providers whose kind has another name here: the slugs of its `provider.order`
(OpenRouterTeam/docs, guides/routing/provider-selection.mdx and model-variants, read 2026-11-26)."""
