"""Wire formats. To add one: write its package, then add a line to a registry here."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from costspan.dialects import (
    anthropic_messages,
    bedrock_converse,
    cohere_chat,
    embeddings,
    gemini_generate,
    mistral_chat,
    openai_chat,
    openai_responses,
    passed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from costspan.dialects.types import (
        Dialect,
        EmbeddingDialect,
        EmbeddingUpstream,
        Metered,
        PassedDialect,
        Streaming,
        UpstreamDialect,
    )
    from costspan.ir.usage import Usage
    from costspan.wire import json

_CLIENTS: tuple[Dialect, ...] = (
    anthropic_messages,
    gemini_generate,
    openai_chat,
    openai_responses,
)
_UPSTREAM_ONLY: tuple[UpstreamDialect, ...] = (
    bedrock_converse,
    cohere_chat,
    mistral_chat,
)
_EMBEDDING_CLIENTS: tuple[EmbeddingDialect, ...] = (
    embeddings.openai,
    embeddings.gemini,
    embeddings.gemini_batch,
)
_EMBEDDING_UPSTREAM_ONLY: tuple[EmbeddingUpstream, ...] = (
    embeddings.bedrock_cohere,
    embeddings.cohere,
    embeddings.titan,
    embeddings.vertex,
)
_PASSED: tuple[PassedDialect, ...] = passed.FORMATS

CLIENT_DIALECTS: Mapping[str, Dialect] = MappingProxyType({dialect.NAME: dialect for dialect in _CLIENTS})
"""Chat formats that clients speak, by the name that the configuration and the ledger use."""

DIALECTS: Mapping[str, UpstreamDialect] = MappingProxyType(
    {dialect.NAME: dialect for dialect in (*_CLIENTS, *_UPSTREAM_ONLY)}
)
"""Chat formats that providers speak: all."""

EMBEDDING_CLIENTS: Mapping[str, EmbeddingDialect] = MappingProxyType(
    {dialect.NAME: dialect for dialect in _EMBEDDING_CLIENTS}
)
EMBEDDINGS: Mapping[str, EmbeddingUpstream] = MappingProxyType(
    {dialect.NAME: dialect for dialect in (*_EMBEDDING_CLIENTS, *_EMBEDDING_UPSTREAM_ONLY)}
)
PASSED: Mapping[str, PassedDialect] = MappingProxyType({dialect.NAME: dialect for dialect in _PASSED})
"""Formats that are passed and metered, never translated."""

RENAMES: Mapping[str, Callable[[json.Object, str], json.Object]] = MappingProxyType(
    {dialect.NAME: dialect.renamed for dialect in (embeddings.gemini, embeddings.gemini_batch)}
)
"""Formats whose body names the model although the path does: the fields to change where it passes to another model."""

HEADER_USAGE: Mapping[str, Callable[[Mapping[str, str]], Usage | None]] = MappingProxyType(
    {embeddings.bedrock_cohere.NAME: embeddings.bedrock_cohere.usage_of_headers}
)
"""Formats whose usage stands in the answer's headers."""

STREAMING: Mapping[str, Streaming] = MappingProxyType({**DIALECTS, **PASSED})
"""All that stream."""

METERED: Mapping[str, Metered] = MappingProxyType({**DIALECTS, **EMBEDDINGS, **PASSED})
"""All formats that providers answer in."""

CONTINUED: frozenset[str] = frozenset({openai_responses.NAME})
"""Those whose answers providers store, so that a later request may refer to one by its id."""
