"""The provider kinds, as data: address, dialects, auth, differences. OpenAI-compatible hosts are in `compatible`.

`abort_stops_billing`: whether closing the connection of a stream stops generation, and with it the bill. Where a
provider is not known to stop, the answer of a client that left is read to its end in the background, to learn the true
usage. Source: OpenRouter's table of providers that support cancellation (openrouter.ai/docs/api-reference/streaming,
read 2026-08-22 and 2026-11-26): OpenAI, Azure, Anthropic and Cohere do; Google, Bedrock and Mistral do not. "For
non-streaming requests ... you will be billed for the complete response": `abort_stops_whole` is true only of servers
that bill nobody.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from costspan.ir.profile import Profile
from costspan.providers.compatible import COMPATIBLE
from costspan.providers.dialect_names import (
    BEDROCK_COHERE_EMBED,
    CHAT,
    COHERE,
    COHERE_EMBED,
    COMPLETIONS,
    CONVERSE,
    EMBEDDINGS,
    GEMINI_BATCH_EMBED,
    GEMINI_EMBED,
    GENERATE,
    IMAGE_EDITS,
    IMAGES,
    MESSAGES,
    MISTRAL,
    MODERATIONS,
    RERANK,
    RESPONSES,
    SPEECH,
    TITAN_EMBED,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    VERTEX_EMBED,
)
from costspan.providers.kind import Kind, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESPONSES_ONLY = Rule(
    ("codex-*", "*-codex*", "o1-pro*", "o3-pro*", "gpt-5-pro*", "gpt-5.*-pro*", "*-deep-research*", "computer-use*"),
    (RESPONSES,),
)
"""Models that Chat Completions refuses (platform.openai.com/docs/models, 2026-11-25)."""

_OPENAI = (CHAT, RESPONSES, EMBEDDINGS, COMPLETIONS, IMAGES, IMAGE_EDITS, SPEECH, TRANSCRIPTIONS, TRANSLATIONS)

_MAKERS = (
    Kind(
        "openai",
        "https://api.openai.com/v1",
        (*_OPENAI, MODERATIONS),
        rules=(_RESPONSES_ONLY,),
        key_variable="OPENAI_API_KEY",
        catalog="openai",
        abort_stops_billing=True,
        globs=(
            *("gpt-*", "o1*", "o3*", "o4*", "chatgpt-*", "codex-*", "computer-use-*"),
            *("text-embedding-3-*", "text-embedding-ada-*", "omni-moderation-*", "dall-e-*", "whisper-*", "tts-*"),
        ),
    ),
    # Without moderations: Azure filters in place (learn.microsoft.com/azure/foundry/openai/latest, 2026-11-25).
    # A model's name is that of its deployment, which may be anything.
    Kind(
        "azure",
        None,
        _OPENAI,
        rules=(_RESPONSES_ONLY,),
        way="azure",
        auth="api-key",
        credentials="entra",
        key_variable="AZURE_OPENAI_API_KEY",
        takes=("api_version",),
        catalog="azure",
        abort_stops_billing=True,
    ),
    Kind(
        "anthropic",
        "https://api.anthropic.com/v1",
        (MESSAGES,),
        auth="x-api-key",
        key_variable="ANTHROPIC_API_KEY",
        version="/v1",
        catalog="anthropic",
        abort_stops_billing=True,
        globs=("claude-*",),
        headers=(("anthropic-version", "2023-06-01"),),
    ),
    # ai.google.dev/gemini-api/docs/api-key 2026-11-25: of the two variables, GOOGLE_API_KEY wins in Google's SDK.
    Kind(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta",
        (GENERATE, GEMINI_BATCH_EMBED, GEMINI_EMBED),
        auth="x-goog-api-key",
        key_variable="GEMINI_API_KEY",
        other_key_variables=("GOOGLE_API_KEY",),
        version="/v1beta",
        catalog="google",
        globs=("gemini-*", "gemma-*"),
    ),
    # anthropic-sdk-python 2.12, `lib/vertex`: addresses of the multi-regions `us` and `eu`.
    Kind(
        "vertex",
        "https://{location}-aiplatform.googleapis.com/v1",
        (GENERATE, VERTEX_EMBED),
        rules=(Rule(("claude-*",), (MESSAGES,)),),
        way="vertex",
        auth="x-goog-api-key",
        credentials="google",
        version="/v1",
        needs=("project", "location"),
        catalog="google",
        profile=Profile("vertex", quirks=frozenset({"fetches_nothing"})),
    ),
    # Converse serves every chat model; Claude by InvokeModel takes and gives more, in Anthropic's own dialect, but
    # its tiers: there they are a header with AWS's words (botocore 1.44.5, InvokeModelRequest).
    Kind(
        "bedrock",
        "https://bedrock-runtime.{region}.amazonaws.com",
        (CONVERSE,),
        rules=(
            Rule(("*amazon.titan-embed*",), (TITAN_EMBED,)),
            Rule(("*cohere.embed*",), (BEDROCK_COHERE_EMBED,)),
            Rule(("*anthropic.*",), (MESSAGES, CONVERSE)),
        ),
        way="bedrock",
        credentials="aws",
        key_variable="AWS_BEARER_TOKEN_BEDROCK",
        needs=("region",),
        catalog="aws",
        profile=Profile("bedrock", rejects=frozenset({"service_tier"}), quirks=frozenset({"fetches_nothing"})),
    ),
    # docs.mistral.ai/api 2026-11-25
    Kind(
        "mistral",
        "https://api.mistral.ai/v1",
        (MISTRAL, EMBEDDINGS),
        key_variable="MISTRAL_API_KEY",
        version="/v1",
        catalog="mistral",
        globs=(
            *("mistral-*", "ministral-*", "magistral-*", "codestral-*", "devstral-*", "pixtral-*", "voxtral-*"),
            *("open-mistral-*", "open-mixtral-*"),
        ),
    ),
    # docs.cohere.com/v2/reference 2026-11-25
    Kind(
        "cohere",
        "https://api.cohere.com/v2",
        (COHERE, COHERE_EMBED, RERANK),
        key_variable="COHERE_API_KEY",
        other_key_variables=("CO_API_KEY",),
        version="/v2",
        catalog="cohere",
        abort_stops_billing=True,
        globs=("command-*", "c4ai-*", "embed-*", "rerank-*"),
    ),
    Kind(
        "mock",
        "mock://mock/v1",
        (CHAT, MESSAGES, GENERATE),
        auth="none",
        abort_stops_billing=True,
        abort_stops_whole=True,
    ),
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in (*_MAKERS, *COMPATIBLE)})
