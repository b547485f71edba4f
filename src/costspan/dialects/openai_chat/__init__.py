"""OpenAI's chat completions. https://platform.openai.com/docs/api-reference/chat (read 2026-11-23)."""
