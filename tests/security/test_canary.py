"""Every secret and every word of a talk is a canary; after a bad day nothing that we write holds one (T-02, T-16)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from costspan.wire import json
from fakes.collector import Collector
from fakes.gateway import PRICES
from fakes.process import GatewayProcess
from fakes.raw import connected, post
from fakes.upstream import Answer, Cut, FakeUpstream
from fakes.upstream_answers import anthropic_reply, anthropic_stream, openai_reply, openai_stream
from security.canaries import DEBUG, forms

if TYPE_CHECKING:
    from fakes.upstream import Request

SECRETS = {
    "provider key": "kOpenAiCanaryQ8x7Zr2Lw9",
    "other provider key": "kAnthropicCanaryV5t4Hn1Pd",
    "key with a shape": "sk-live-CanaryM3b6Yc0Ks8Jf",
    "client key": "cs-clientCanaryT7u2Ge5Xo",
    "wrong client key": "cs-wrongCanaryB4i9Da6Wk",
    "admin token": "adminCanaryN1v8Ep3Rz",
    "collector key": "otlpCanaryC6m0Uj4Qh",
    "key in a bad file": "sk-ant-inlineCanaryF2s7La9Ty",
}
TALK = {"prompt": "promptCanaryW5g1Ix8Ob7Vn", "system": "systemCanaryH3d9Kp2Zt6Me"}
COMPLETION = "completionCanaryA7c4Rf0Su"

CONFIG = """
server: {{listen: '127.0.0.1:0', shutdown_grace: 2s, max_request_bytes: 64KiB}}
admin: {{token: "${{ADMIN_TOKEN}}"}}
ledger: {{dir: {folder}/ledger}}
telemetry: {{otlp: {{endpoint: "{otlp}", headers: {{x-key: "${{OTLP_KEY}}"}}}}}}
defaults: {{retries: 0}}
providers:
  one: {{kind: openai, base_url: "{one}/v1", api_key: "${{KEY_ONE}}"}}
  two: {{kind: anthropic, base_url: "{two}", api_key: "file:{folder}/key"}}
  three: {{kind: openai, base_url: "{one}/v1", api_key: "${{KEY_THREE}}"}}
  gone: {{kind: openai, base_url: "http://127.0.0.1:9/v1", api_key: "${{KEY_ONE}}"}}
routes: {{chat: one/m, claude: two/m, shaped: three/m, gone: gone/m}}
keys: [{{name: canary, hash: "sha256:{digest}"}}]
{prices}
"""


class Day:
    """What the upstreams do, one after the other, and what everybody was told."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    async def ask(self, url: str, data: bytes) -> bytes:
        async with connected(url) as connection:
            await connection.write(data)
            got = await connection.rest()
        self.received.append(got)
        return got


def said(key: str) -> Answer:
    """A provider that tells the key, in every way it can."""
    encoded = base64.b64encode(key.encode()).decode()
    message = f"Incorrect API key provided: {key} ({key[:12]}***{key[-12:]}, {quote(key)}, {encoded})"
    return Answer(status=401, body=json.dumps({"error": {"message": message, "type": key, "code": key, "param": key}}))


def script(request: Request, *, openai: bool) -> Answer:
    """What to do is in the request's idempotency key."""
    wanted = request.header("idempotency-key") or ""
    key = (request.header("authorization") or "").removeprefix("Bearer ") or request.header("x-api-key") or ""
    stream = openai_stream((COMPLETION,)) if openai else anthropic_stream((COMPLETION,))
    cut = openai_stream((COMPLETION, Cut.RESET)) if openai else anthropic_stream((COMPLETION, Cut.RESET))
    event = b"data: " + json.dumps({"type": "error", "error": {"message": key, "type": key}}) + b"\n\n"
    return {
        "stream": stream,
        "cut": cut,
        "reset": Answer(before=[Cut.RESET]),
        "garbage": Answer(raw=True, body=f"HTTP/9 {key}\r\n{COMPLETION}\r\n\r\n".encode()),
        "html": Answer(headers=(("content-type", "text/html"),), body=COMPLETION.encode()),
        "no json": Answer(body=b'{"a": ' + COMPLETION.encode()),
        "401": said(key),
        "400": Answer(status=400, body=said(key).body),
        "500": Answer(status=500, body=said(key).body),
        "200": Answer(body=said(key).body),
        "event": Answer(headers=stream.headers, body=event),
        "redirect": Answer(status=307, headers=(("location", f"http://127.0.0.1:9/?key={key}"),)),
        "echo": Answer(headers=[*request.headers[3:], ("content-length", "0"), ("x-key", key)], framing="close"),
    }.get(wanted) or (openai_reply(COMPLETION) if openai else anthropic_reply(COMPLETION))


def requests() -> list[bytes]:
    """A day's requests, good ones first."""
    key = SECRETS["client key"]
    made: list[bytes] = []

    def ask(wanted: str, *, model: str, path: str, auth: str, stream: bool = False, **more: object) -> None:
        messages: list[dict[str, object]] = [{"role": "user", "content": TALK["prompt"]}]
        body = json.dumps({"model": model, "max_tokens": 9, "stream": stream, "messages": messages, **more})
        headers = f"{auth}\r\nIdempotency-Key: {wanted}\r\nConnection: close\r\n"
        made.append(post(body, path=path, headers=headers))

    for path in ("/v1/chat/completions", "/v1/messages"):
        for model in ("chat", "claude", "shaped", "gone"):
            for wanted in ("ok", "401", "400", "500", "200", "reset", "garbage", "html", "no json", "redirect", "echo"):
                ask(wanted, model=model, path=path, auth=f"Authorization: Bearer {key}")
            for wanted in ("stream", "cut", "event", "401", "reset", "garbage", "html"):
                ask(wanted, model=model, path=path, auth=f"x-api-key: {key}", stream=True)
        ask("ok", model="nothing", path=path, auth=f"x-goog-api-key: {key}")
        ask("ok", model="chat", path=f"{path}?key={key}", auth="X-Nothing: 1")
        ask("ok", model="chat", path=path, auth=f"Authorization: Bearer {SECRETS['wrong client key']}")
        ask(
            "ok",
            model="chat",
            path=path,
            auth=f"Authorization: Bearer {key}\r\nx-api-key: {SECRETS['wrong client key']}",
        )
        ask("ok", model="chat", path=path, auth=f"Authorization: Basic {base64.b64encode(key.encode()).decode()}")
        ask("ok", model="chat", path=path, auth=f"Authorization: Bearer {key}", temperature="hot", tools=TALK["system"])
        ask(
            "ok",
            model="chat",
            path=path,
            auth=f"Authorization: Bearer {key}",
            n=TALK["system"],
            api_base=TALK["system"],
        )
        ask("ok", model="chat", path=path, auth=f"Authorization: Bearer {key}", messages=[{"role": TALK["prompt"]}])
        ask(
            "ok",
            model="claude",
            path=path,
            auth=f"Authorization: Bearer {key}",
            messages=[{"role": "user", "content": [{"type": TALK["prompt"]}]}],
        )
        ask("ok", model="chat", path=path, auth=f"Authorization: Bearer {key}", padding=TALK["prompt"] * 4000)
    host = "Host: localhost\r\nConnection: close\r\n"
    made += [
        f"POST /v1/messages HTTP/1.1\r\n{host}Authorization: Bearer {key}\x07\r\n\r\n".encode(),
        f"POST /v1/messages HTTP/1.1\r\n{host}Authorization: Bearer {key}\n\r\n".encode(),
        f"POST /v1/messages HTTP/1.1\r\n{host}{key} : 1\r\n\r\n".encode(),
        f"GET /v1/models?key={key}\0 HTTP/1.1\r\n{host}\r\n".encode(),
        f"GET /v1/models?key={key} x HTTP/1.1\r\n{host}\r\n".encode(),
        f"GET /{key}/{TALK['prompt']} HTTP/1.1\r\n{host}\r\n".encode(),
        f"GET /admin/config HTTP/1.1\r\n{host}Authorization: Bearer {SECRETS['admin token']}\r\n\r\n".encode(),
        f"{key} / HTTP/1.1\r\n{host}\r\n".encode(),
        f"POST /v1/messages HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n{key}\r\n".encode(),
        f"POST /v1/messages HTTP/1.1\r\n{host}x-api-key: {key}\r\nContent-Type: {TALK['prompt']}\r\n\r\n".encode(),
        post(b'{"model": "chat", ' + TALK["prompt"].encode(), headers=f"x-api-key: {key}\r\nConnection: close\r\n"),
        post(
            b'{"a":1,"a":2, "b":"' + TALK["prompt"].encode() + b'"}',
            headers=f"x-api-key: {key}\r\nConnection: close\r\n",
        ),
    ]
    return made


async def test_nothing_that_is_written_holds_a_secret_or_a_word_of_a_talk(tmp_path: Path) -> None:
    day = Day()
    (tmp_path / "key").write_text(SECRETS["other provider key"])
    environ = {
        "KEY_ONE": SECRETS["provider key"],
        "KEY_THREE": SECRETS["key with a shape"],
        "ADMIN_TOKEN": SECRETS["admin token"],
        "OTLP_KEY": SECRETS["collector key"],
        "PYTHONASYNCIODEBUG": "1",
    }
    with Collector() as collector:
        async with (
            FakeUpstream(lambda request: script(request, openai=True)) as one,
            FakeUpstream(lambda request: script(request, openai=False)) as two,
        ):
            config = tmp_path / "gateway.yaml"
            text = CONFIG.format(
                folder=tmp_path,
                otlp=collector.endpoint,
                one=one.url,
                two=two.url,
                digest=hashlib.sha256(SECRETS["client key"].encode()).hexdigest(),
                prices=PRICES,
            )
            config.write_text(text)
            arguments = ["serve", "-c", str(config)]
            async with GatewayProcess(arguments, cwd=tmp_path, environ=environ, program=DEBUG) as gateway:
                batch = requests()
                for start in range(0, len(batch), 8):
                    async with asyncio.TaskGroup() as group:
                        for data in batch[start : start + 8]:
                            group.create_task(day.ask(gateway.url, data))
                config.write_text(text.replace('"${KEY_ONE}"', SECRETS["key in a bad file"], 1))
                gateway.send(signal.SIGHUP)
                await gateway.says(b"not reloaded")
                process = Path(f"/proc/{gateway.process.pid}")
                command = (process / "cmdline").read_bytes()
                for path in ("/metrics", "/healthz", "/v1/models"):
                    key = SECRETS["client key"]
                    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nx-api-key: {key}\r\nConnection: close\r\n\r\n"
                    got = await day.ask(gateway.url, head.encode())
                    assert got.startswith(b"HTTP/1.1 200 ")
                gateway.send(signal.SIGTERM)
                assert await gateway.exit_code() == 0
            assert {SECRETS["provider key"], SECRETS["key with a shape"]} <= {
                (sent.header("authorization") or "").removeprefix("Bearer ") for sent in one.requests
            }
            asked = b"".join(sent.body for sent in [*one.requests, *two.requests])
    ledger = b"".join(file.read_bytes() for file in (tmp_path / "ledger").iterdir())
    exported = b"".join(collector.bodies)
    answers = b"".join(day.received)

    # The control: what is looked for did pass by, and what is looked into is not empty.
    assert TALK["prompt"].encode() in asked
    assert COMPLETION.encode() in answers
    assert ledger.count(b'"type":"exchange"') > 100
    assert len(collector.spans) > 100
    assert len(gateway.lines) > 100
    assert {b"HTTP/1.1 %d" % status for status in (200, 400, 401, 404, 413, 415, 502)} <= {a[:12] for a in day.received}

    for line in gateway.lines:  # whatever a client put into a value: one record, one line, in ASCII (T-12)
        assert line.isascii()
        assert json.loads_object(line)["time"]

    written = {
        "stdout and stderr": b"".join(gateway.lines),
        "ledger": ledger,
        "telemetry": exported,
        "answers": answers,
        "command line": command,
    }
    found = [
        f"{name} in {where}"
        for where, data in written.items()
        for name, canary in {**SECRETS, **TALK, "completion": COMPLETION}.items()
        if not (where == "answers" and name == "completion")
        for form in forms(canary)
        if form in data
    ]
    assert found == []
