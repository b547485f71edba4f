"""What a cloud repeats of a session token in its refusal reaches nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from fakes.gateway import running
from fakes.upstream import Answer, FakeUpstream

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TOKEN = "FwoGZXIvYXdzEBYaDCanaryCanaryCanaryTokenOfTheSession"
SECRET = "canarySecretAccessKeyThatSignsEverything0"
CONFIG = """
providers: {{cloud: {{kind: bedrock, region: us-east-1, base_url: "{url}"}}}}
routes: {{smart: cloud/amazon.nova-lite-v1:0}}
"""
ASKED = {"model": "smart", "messages": [{"role": "user", "content": "hi"}]}


async def test_a_session_token_in_a_refusal_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIACANARYCANARY1234")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    told = f'{{"message": "The canonical string was x-amz-security-token:{TOKEN} of ASIACANARYCANARY1234"}}'
    refusal = Answer(403, headers=[("content-type", "application/json")], body=told.encode())
    async with (
        FakeUpstream(refusal) as upstream,
        running(tmp_path, CONFIG.format(url=upstream.url)) as gateway,
        aiohttp.ClientSession() as client,
        client.post(f"{gateway.url}/v1/chat/completions", json=ASKED) as answer,
    ):
        shown = await answer.text()
        ledger = b"".join(file.read_bytes() for file in (tmp_path / "ledger").glob("*.jsonl")).decode()

    assert answer.status == 502
    assert upstream.requests[0].header("x-amz-security-token") == TOKEN
    for canary in (TOKEN, SECRET, "ASIACANARYCANARY1234"):
        assert canary not in shown + ledger
