"""Hosts with an OpenAI-compatible API, as data: the one table of how they differ.

A host that needs nothing special takes no line here: `kind: openai-compatible` and a `base_url` in the YAML do. A line
gives it a well-known name, its key variable and its differences. `max_completion_tokens` goes out as `max_tokens`, the
older name that all of them know, except where the host itself has moved on.

`stops`, `stops_whole`: see `abort_stops_billing` in `hosts`. What was read of a provider stands beside its row.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from costspan.ir.profile import Profile
from costspan.providers.dialect_names import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    IMAGE_EDITS,
    IMAGES,
    MODERATIONS,
    RERANK,
    RESPONSES,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
)
from costspan.providers.kind import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_TOKENS = MappingProxyType({"max_completion_tokens": "max_tokens"})
_AS_OPENAI: Mapping[str, str] = MappingProxyType({})


def _host(  # noqa: PLR0913 - a row of a table, keyword-only
    name: str,
    base_url: str | None,
    key_variable: str | None,
    *,
    speaks: tuple[str, ...] = (CHAT,),
    catalog: str | None = None,
    stops: bool = False,
    stops_whole: bool = False,
    globs: tuple[str, ...] = (),
    rename: Mapping[str, str] = _MAX_TOKENS,
    rejects: frozenset[str] = frozenset(),
    quirks: frozenset[str] = frozenset(),
) -> Kind:
    return Kind(
        name,
        base_url,
        speaks,
        key_variable=key_variable,
        catalog=catalog,
        abort_stops_billing=stops,
        abort_stops_whole=stops_whole,
        profile=Profile(name, rename, rejects, quirks),
        globs=globs,
    )


COMPATIBLE = (
    # Nobody knows what an unnamed host offers. Chat is what a request is translated to; what is only passed is tried.
    _host(
        "openai-compatible",
        None,
        None,
        speaks=(
            *(CHAT, EMBEDDINGS, COMPLETIONS, MODERATIONS, IMAGES, IMAGE_EDITS),
            *(SPEECH, TRANSCRIPTIONS, TRANSLATIONS, RERANK),
        ),
    ),
    # openrouter.ai/openapi.json 2026-08-22: /responses, /embeddings, /completions, /rerank, /audio/speech. Images have
    # a route of their own there, and transcriptions take JSON.
    _host(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        speaks=(CHAT, RESPONSES, EMBEDDINGS, COMPLETIONS, RERANK, SPEECH),
        catalog="openrouter",
        rename=MappingProxyType(
            {name: name for name in ("reasoning", "top_k", "min_p", "repetition_penalty")}
            | {"max_completion_tokens": "max_tokens"}
        ),
        quirks=frozenset({"accepts_reasoning", "accepts_cache_control", "accepts_file_urls"}),
    ),
    # console.groq.com/docs/openai 2026-11-25: logprobs, logit_bias, top_logprobs and n beyond 1 are a 400; Responses,
    # transcriptions, translations. /docs/api-reference: max_tokens is deprecated for max_completion_tokens. Speech:
    # docs.jambonz.org/guides/features/tts-vendor-settings/groq.
    _host(
        "groq",
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        speaks=(CHAT, RESPONSES, SPEECH, TRANSCRIPTIONS, TRANSLATIONS),
        catalog="groq",
        globs=("llama-*",),
        rename=_AS_OPENAI,
        rejects=frozenset({"logit_bias", "logprobs", "n", "top_logprobs"}),
    ),
    # docs.together.ai/docs/inference/openai-compatibility 2026-11-25: chat, completions, embeddings, images, audio; its
    # own /rerank.
    _host(
        "together",
        "https://api.together.ai/v1",
        "TOGETHER_API_KEY",
        speaks=(CHAT, EMBEDDINGS, COMPLETIONS, IMAGES, SPEECH, TRANSCRIPTIONS, TRANSLATIONS, RERANK),
        catalog="together",
        stops=True,
    ),
    # docs.fireworks.ai/guides/response-api and /guides/reasoning 2026-11-25: Responses; thinking comes as
    # reasoning_content and is taken back as such.
    _host(
        "fireworks",
        "https://api.fireworks.ai/inference/v1",
        "FIREWORKS_API_KEY",
        speaks=(CHAT, RESPONSES, EMBEDDINGS, COMPLETIONS, RERANK),
        catalog="fireworks",
        stops=True,
        quirks=frozenset({"accepts_reasoning_content"}),
    ),
    # api-docs.deepseek.com/guides/thinking_mode 2026-11-25: reasoning_content has to come back within a tool loop;
    # penalties and temperature are ignored while thinking, without an error. Its Responses API keeps no state.
    _host(
        "deepseek",
        "https://api.deepseek.com",
        "DEEPSEEK_API_KEY",
        speaks=(CHAT, RESPONSES),
        catalog="deepseek",
        stops=True,
        globs=("deepseek-*",),
        quirks=frozenset({"accepts_reasoning_content"}),
    ),
    # docs.x.ai 2026-11-25: Chat Completions is deprecated for Responses, which alone gives reasoning back; max_tokens
    # is deprecated for max_completion_tokens. Reasoning outside completion_tokens: recorded 2026-03-12.
    _host(
        "xai",
        "https://api.x.ai/v1",
        "XAI_API_KEY",
        speaks=(CHAT, RESPONSES, IMAGES),
        catalog="x-ai",
        stops=True,
        globs=("grok-*",),
        rename=_AS_OPENAI,
        quirks=frozenset({"reasoning_outside_completion"}),
    ),
    # inference-docs.cerebras.ai/api-reference/chat-completions 2026-11-25: max_completion_tokens. The penalties and
    # logit_bias are a 400 by req_llm's guide (hexdocs.pm/req_llm/cerebras.html), no page of Cerebras was read.
    _host(
        "cerebras",
        "https://api.cerebras.ai/v1",
        "CEREBRAS_API_KEY",
        speaks=(CHAT, COMPLETIONS),
        catalog="cerebras",
        rename=_AS_OPENAI,
        rejects=frozenset({"frequency_penalty", "logit_bias", "presence_penalty"}),
    ),
    # docs.perplexity.ai/docs/agent-api/migrate-from-sonar 2026-11-25: Chat Completions ended on 2026-09-27; what it
    # had remains for accounts that say `dialects: [openai-chat]`, which a proxy may still serve.
    _host(
        "perplexity",
        "https://api.perplexity.ai/v1",
        "PERPLEXITY_API_KEY",
        speaks=(RESPONSES,),
        catalog="perplexity",
        quirks=frozenset({"ends_without_done", "research_apart"}),
    ),
    # deepinfra.com/docs/openai_api 2026-11-25
    _host(
        "deepinfra",
        "https://api.deepinfra.com/v1/openai",
        "DEEPINFRA_API_KEY",
        speaks=(CHAT, EMBEDDINGS, COMPLETIONS),
        stops=True,
    ),
    # docs.api.nvidia.com/nim/reference 2026-11-25
    _host(
        "nvidia",
        "https://integrate.api.nvidia.com/v1",
        "NVIDIA_API_KEY",
        speaks=(CHAT, EMBEDDINGS, COMPLETIONS),
    ),
    # docs.ollama.com/api/openai-compatibility 2026-11-25: stateless Responses, embeddings, audio since 0.40.8. What it
    # does not support (logit_bias, n and user are not ticked there) is ignored without an error: so it is named here.
    # It stops when a client leaves, streams or not: github.com/ollama/ollama/issues/2876.
    _host(
        "ollama",
        "http://127.0.0.1:11434/v1",
        None,
        speaks=(CHAT, RESPONSES, EMBEDDINGS, COMPLETIONS, SPEECH, TRANSCRIPTIONS),
        stops=True,
        stops_whole=True,
        rejects=frozenset({"logit_bias", "n", "user"}),
    ),
    # docs.vllm.ai/en/v0.32.0/serving/online_serving 2026-11-25. Of a client that left it aborts whole answers, too:
    # github.com/vllm-project/vllm/pull/7111.
    _host(
        "vllm",
        None,
        None,
        speaks=(CHAT, RESPONSES, EMBEDDINGS, COMPLETIONS, TRANSCRIPTIONS, TRANSLATIONS, RERANK),
        stops=True,
        stops_whole=True,
    ),
)
