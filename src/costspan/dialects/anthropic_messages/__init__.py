"""Anthropic's messages. https://docs.anthropic.com/en/api/messages (read 2026-11-23)."""
