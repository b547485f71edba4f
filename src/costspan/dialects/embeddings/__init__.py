"""Formats of embeddings: a module each, and what they share."""

from __future__ import annotations

from costspan.dialects.embeddings import bedrock_cohere, cohere, gemini, gemini_batch, openai, titan, vertex

__all__ = ["bedrock_cohere", "cohere", "gemini", "gemini_batch", "openai", "titan", "vertex"]
