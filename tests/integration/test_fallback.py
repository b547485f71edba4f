"""A chain of targets: what fails before the first content falls back, and every attempt is on the books."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from fakes.gateway import running
from fakes.upstream import Answer, Cut, FakeUpstream
from fakes.upstream_answers import STREAM_HEADERS, anthropic_stream, openai_reply, openai_stream

if TYPE_CHECKING:
    from pathlib import Path

LIMITED = Answer(
    status=429,
    headers=(("content-type", "application/json"), ("retry-after", "7")),
    body=b'{"error":{"message":"slow down"}}',
)
BROKEN = Answer(status=500, body=b"{}")
RESET_AFTER_HEADERS = Answer(headers=STREAM_HEADERS, body=[Cut.RESET], framing="chunked")


def chain(*urls: str, fallback_on: str = "", retries: int = 0) -> str:
    names = [f"p{i}" for i in range(len(urls))]
    providers = "\n".join(
        f'  {name}: {{kind: openai, base_url: "{url}/v1", api_key: test-key-{name}}}'
        for name, url in zip(names, urls, strict=True)
    )
    targets = ", ".join(f"{name}/m" for name in names)
    return f"""
defaults: {{retries: {retries}}}
providers:
{providers}
routes:
  chain: {{strategy: fallback, targets: [{targets}]{fallback_on}}}
"""


async def ask(url: str, *, stream: bool = True, **more: Any) -> tuple[int, dict[str, str], bytes]:
    body = {"model": "chain", "stream": stream, "messages": [{"role": "user", "content": "hello"}], **more}
    async with aiohttp.ClientSession() as client, client.post(f"{url}/v1/chat/completions", json=body) as response:
        headers = {name.lower(): value for name, value in response.headers.items()}
        return response.status, headers, await response.read()


async def test_a_reset_and_a_429_end_with_the_third_answer_and_three_attempts(tmp_path: Path) -> None:
    async with (
        FakeUpstream(RESET_AFTER_HEADERS) as a,
        FakeUpstream(LIMITED) as b,
        FakeUpstream(openai_stream(usage={"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500})) as c,
        running(tmp_path, chain(a.url, b.url, c.url)) as gateway,
    ):
        status, headers, body = await ask(gateway.url)
        attempts = gateway.records("attempt")
        (exchange,) = gateway.records("exchange")

    assert status == 200
    assert b'"Hel"' in body
    assert body.endswith(b"data: [DONE]\n\n")
    assert headers["x-costspan-target"] == "p2/m"
    assert headers["x-costspan-attempts"] == "3"
    assert [(r["provider"], r["outcome"], r["error_type"], r["http_status"]) for r in attempts] == [
        ("p0", "failed", "upstream_reset", 200),
        ("p1", "failed", "rate_limit", 429),
        ("p2", "ok", None, 200),
    ]
    # 1000 input at 2 USD and 500 output at 8 USD per million: 0.002 + 0.004
    assert Decimal(attempts[2]["cost_usd"]) == Decimal("0.006")
    assert attempts[1]["cost_status"] == "free"
    # The first had the prompt ("hello": 5 characters, 2 tokens by length) and said nothing of its usage.
    assert (attempts[0]["cost_usd"], attempts[0]["cost_estimated_usd"]) == (None, "0.000004")
    assert exchange["attempts"] == 3
    assert Decimal(exchange["cost_usd"]) == sum(Decimal(r["cost_usd"]) for r in attempts if r["cost_usd"])
    assert exchange["cost_estimated_usd"] == "0.000004"
    assert exchange["cost_status"] == "estimated"


CASES: dict[str, tuple[Answer, str, bool]] = {
    "500": (BROKEN, "", True),
    "503": (Answer(status=503), "", True),
    "429": (LIMITED, "", True),
    "401, the gateway's key is wrong": (Answer(status=401), "", True),
    "400 is the client's to mend": (Answer(status=400, body=b'{"error":{"message":"bad"}}'), "", False),
    "404 likewise": (Answer(status=404), "", False),
    "context length only where the route says so": (
        Answer(status=400, body=b'{"error":{"message":"too long","code":"context_length_exceeded"}}'),
        ", fallback_on: [context_length]",
        True,
    ),
    "context length is not in the defaults": (
        Answer(status=400, body=b'{"error":{"message":"too long","code":"context_length_exceeded"}}'),
        "",
        False,
    ),
    "a redirect is never followed": (Answer(status=307, headers=(("location", "http://127.0.0.1:9/"),)), "", True),
    "server errors not wanted": (BROKEN, ", fallback_on: [timeout]", False),
    "an error as the first event": (
        Answer(headers=STREAM_HEADERS, body=b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'),
        "",
        True,
    ),
    "lifecycle and then an error": (
        Answer(
            headers=STREAM_HEADERS,
            body=b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
            b'data: {"error":{"message":"quota","type":"server_error"}}\n\n',
        ),
        "",
        True,
    ),
    "an end before any content": (Answer(headers=STREAM_HEADERS, body=b": hi\n\n"), "", True),
    "a web page": (Answer(headers=(("content-type", "text/html"),), body=b"<html>"), "", True),
    "a reset before the headers": (Answer(before=[Cut.RESET]), "", True),
    "garbage": (Answer(raw=True, body=b"garbage\r\n\r\n"), "", True),
}


ALL = [
    pytest.param(*case, stream, id=f"{name}, {'stream' if stream else 'whole'}")
    for name, case in CASES.items()
    for stream in (True, False)
    if stream or case[0].headers != STREAM_HEADERS
]


@pytest.mark.parametrize(("answer", "fallback_on", "falls", "stream"), ALL)
async def test_what_falls_back(tmp_path: Path, answer: Answer, fallback_on: str, falls: bool, stream: bool) -> None:
    second = openai_stream() if stream else openai_reply()
    async with (
        FakeUpstream(answer) as a,
        FakeUpstream(second) as b,
        running(tmp_path, chain(a.url, b.url, fallback_on=fallback_on)) as gateway,
    ):
        status, headers, _ = await ask(gateway.url, stream=stream)

        assert (status == 200) is falls
        assert len(b.requests) == int(falls)
        assert headers["x-costspan-attempts"] == ("2" if falls else "1")
        assert len(gateway.records("attempt_started")) == len(gateway.records("attempt"))
        assert len(gateway.records("exchange")) == 1


async def test_after_the_first_content_there_is_no_other_target(tmp_path: Path) -> None:
    async with (
        FakeUpstream(openai_stream(("Hel", Cut.RESET))) as a,
        FakeUpstream(openai_stream()) as b,
        running(tmp_path, chain(a.url, b.url)) as gateway,
    ):
        status, _, body = await ask(gateway.url)
        (attempt,) = gateway.records("attempt")
        (exchange,) = gateway.records("exchange")

        assert status == 200
        assert b.requests == []
        assert b"[DONE]" not in body
        assert b'"error":{' in body.split(b"\n\n")[-2]
        assert (attempt["outcome"], attempt["error_type"], attempt["cost_status"]) == (
            "failed",
            "upstream_reset",
            "estimated",
        )
        assert exchange["outcome"] == "failed"


async def test_an_end_without_the_terminal_event_is_a_failure(tmp_path: Path) -> None:
    async with (
        FakeUpstream(anthropic_stream(done=False)) as a,
        running(
            tmp_path,
            f'providers: {{p: {{kind: anthropic, base_url: "{a.url}", api_key: test-key}}}}\nroutes: {{chain: p/m}}',
        ) as gateway,
    ):
        _, _, body = await ask(gateway.url)
        (attempt,) = gateway.records("attempt")

    assert b"[DONE]" not in body
    assert attempt["error_type"] == "upstream_truncated"


async def test_the_same_target_is_tried_again_within_its_retries(tmp_path: Path) -> None:
    async with (
        FakeUpstream([BROKEN, openai_reply()]) as a,
        running(tmp_path, chain(a.url, retries=1)) as gateway,
    ):
        status, headers, _ = await ask(gateway.url, stream=False)

    assert (status, headers["x-costspan-attempts"]) == (200, "2")


async def test_when_everything_fails_the_error_names_each_attempt(tmp_path: Path) -> None:
    async with (
        FakeUpstream(BROKEN) as a,
        FakeUpstream(LIMITED) as b,
        running(tmp_path, chain(a.url, b.url)) as gateway,
    ):
        status, headers, body = await ask(gateway.url, stream=False)

    assert status == 429
    assert headers["retry-after"] == "7"
    assert b'"target":"p0/m","status":500,"error_type":"upstream_error"' in body
    assert b'"target":"p1/m","status":429,"error_type":"rate_limit"' in body
