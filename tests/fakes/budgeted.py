"""A gateway with budgets, and how it is asked.

2 USD per million tokens of input, 8 of output (`fakes.gateway`): an answer of `USAGE` costs 0.006 USD.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp

from costspan.wire import json

if TYPE_CHECKING:
    from fakes.gateway import Running

USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
PROMPT = [{"role": "user", "content": "word" * 1000}]
"""1,000 tokens by its length."""
CHAT = "/v1/chat/completions"


def config(url: str, *budgets: str, other: str | None = None, more: str = "") -> str:
    """A provider `p` at `url`, its route `chat`, and `cheap` at `other`, with budgets."""
    lines = "\n".join(f"  - {{{budget}}}" for budget in budgets)
    return f"""
defaults: {{retries: 0}}
providers:
  p: {{kind: openai, base_url: "{url}/v1", api_key: test-key}}
  q: {{kind: openai, base_url: "{other or url}/v1", api_key: test-key}}
routes:
  chat: p/m
  cheap: q/n
attribution: {{headers: {{x-team: team}}, metric_attributes: [team]}}
{"budgets:" if lines else ""}
{lines}
{more}
"""


async def ask(
    gateway: Running | str, path: str = CHAT, *, team: str | None = None, **fields: Any
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers of one answer."""
    url = gateway if isinstance(gateway, str) else gateway.url
    body = {"model": "chat", "max_tokens": 500, "messages": PROMPT, **fields}
    headers = {"x-team": team} if team else None
    async with aiohttp.ClientSession(headers=headers) as client, client.post(url + path, json=body) as response:
        data = await response.read()
        stream = response.headers["content-type"].startswith("text/event-stream")
        found = {name.lower(): value for name, value in response.headers.items()}
        return response.status, {} if stream else json.loads_object(data), found


def spent(gateway: Running) -> Decimal:
    attempts = gateway.records("attempt")
    return sum((Decimal(a["cost_usd"] or a["cost_estimated_usd"] or 0) for a in attempts), Decimal(0))
