"""The provider kinds this version speaks to, as data: address, dialects, auth, differences.

Adding an OpenAI-compatible host that needs nothing special takes no line here: `kind: openai-compatible` and a
`base_url` in the YAML do. A line gives it a well-known name, its key variable and its differences.

`abort_stops_billing`: whether closing the connection stops generation, and with it the bill. Where a provider is not
known to stop, the answer of a client that left is read to its end in the background, to learn the true usage. Source:
OpenRouter's table of providers that support cancellation (openrouter.ai/docs/api-reference/streaming, read 2026-08-22).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from costspan.ir.profile import Profile
from costspan.providers.kind import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

CHAT = "openai-chat"
MESSAGES = "anthropic-messages"

PATHS: Mapping[str, str] = MappingProxyType({CHAT: "/chat/completions", MESSAGES: "/messages"})
"""Where a dialect is served, below a provider's base URL."""

_MAX_TOKENS = MappingProxyType({"max_completion_tokens": "max_tokens"})


def _compatible(  # noqa: PLR0913 - a row of a table, keyword-only
    name: str,
    base_url: str | None,
    key_variable: str | None,
    *,
    catalog: str | None = None,
    stops: bool = False,
    globs: tuple[str, ...] = (),
    rename: Mapping[str, str] = _MAX_TOKENS,
    rejects: frozenset[str] = frozenset(),
    quirks: frozenset[str] = frozenset(),
) -> Kind:
    return Kind(
        name,
        base_url,
        (CHAT,),
        key_variable=key_variable,
        catalog=catalog,
        abort_stops_billing=stops,
        profile=Profile(name, rename, rejects, quirks),
        globs=globs,
    )


_KINDS = (
    Kind(
        "openai",
        "https://api.openai.com/v1",
        (CHAT,),
        key_variable="OPENAI_API_KEY",
        catalog="openai",
        abort_stops_billing=True,
        globs=("gpt-*", "o1*", "o3*", "o4*", "chatgpt-*"),
    ),
    Kind(
        "anthropic",
        "https://api.anthropic.com/v1",
        dialects=(MESSAGES,),
        auth="x-api-key",
        key_variable="ANTHROPIC_API_KEY",
        catalog="anthropic",
        abort_stops_billing=True,
        globs=("claude-*",),
        headers=(("anthropic-version", "2023-06-01"),),
    ),
    _compatible("openai-compatible", None, None),
    _compatible(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        catalog="openrouter",
        rename=MappingProxyType(
            {name: name for name in ("reasoning", "top_k", "min_p", "repetition_penalty")}
            | {"max_completion_tokens": "max_tokens"}
        ),
        quirks=frozenset({"accepts_reasoning", "accepts_cache_control", "accepts_file_urls"}),
    ),
    _compatible(
        "groq",
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        catalog="groq",
        globs=("llama-*",),
        rejects=frozenset({"logit_bias", "logprobs", "top_logprobs"}),
    ),
    _compatible("together", "https://api.together.xyz/v1", "TOGETHER_API_KEY", catalog="together", stops=True),
    _compatible(
        "fireworks", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY", catalog="fireworks", stops=True
    ),
    _compatible(
        "deepseek",
        "https://api.deepseek.com/v1",
        "DEEPSEEK_API_KEY",
        catalog="deepseek",
        stops=True,
        globs=("deepseek-*",),
        quirks=frozenset({"accepts_reasoning_content"}),
    ),
    _compatible(
        "xai",
        "https://api.x.ai/v1",
        "XAI_API_KEY",
        catalog="x-ai",
        stops=True,
        globs=("grok-*",),
        quirks=frozenset({"reasoning_outside_completion"}),
    ),
    _compatible("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", catalog="cerebras"),
    _compatible(
        "perplexity",
        "https://api.perplexity.ai",
        "PERPLEXITY_API_KEY",
        catalog="perplexity",
        quirks=frozenset({"ends_without_done"}),
    ),
    _compatible("deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY", stops=True),
    _compatible("nvidia", "https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY"),
    _compatible("ollama", "http://127.0.0.1:11434/v1", None, stops=True),
    _compatible("vllm", None, None, stops=True),
    Kind("mock", None, dialects=(CHAT, MESSAGES), auth="none", abort_stops_billing=True),
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _KINDS})

PLANNED = frozenset({"azure", "gemini", "vertex", "bedrock", "mistral", "cohere"})
"""Kinds of the specification that a later version serves: accepted in the file, never chosen."""
