"""A bad day on every path and with every kind of provider: keys, tokens and words of a talk are in nothing we write."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import signal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from costspan.wire import json
from fakes.collector import Collector
from fakes.process import GatewayProcess
from fakes.providers import ACCOUNTS, dialect_of, golden_events, golden_reply, streamed, streams
from fakes.raw import connected, post
from fakes.surfaces import ALL, CHAT, FORMS
from fakes.upstream import Answer, Cut, FakeUpstream
from security.canaries import DEBUG, forms

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.surfaces import Surface
    from fakes.upstream import Request

WITH_KEYS = [*(name for name in ACCOUNTS if name != "bedrock-converse"), "wide", "azure", "bearer"]
KEYS = {name: f"k{name.title().replace('-', '')}CanaryQ8x7Zr2Lw9" for name in WITH_KEYS}
AWS = {
    "AWS_ACCESS_KEY_ID": "ASIACANARYW5G1IX8OB7",
    "AWS_SECRET_ACCESS_KEY": "awsSecretCanaryH3d9Kp2Zt6MeB7",
    "AWS_SESSION_TOKEN": "FwoGZXIvYXdzCanaryN1v8Ep3Rz",
}
GOOGLE_TOKEN = "ya29.googleCanaryC6m0Uj4QhF2s"
CLIENT, WRONG = "cs-clientCanaryT7u2Ge5Xo", "cs-wrongCanaryB4i9Da6Wk"
TALK = {"prompt": "promptCanaryW5g1Ix8Ob7Vn", "file": "fileCanaryD8r2Sx5Lm1Qa", "odd value": "oddCanaryY3w7Nz9Ck4Pe"}
COMPLETION = "completionCanaryA7c4Rf0Su"

CONFIG = """
server: {{listen: '127.0.0.1:0', shutdown_grace: 2s}}
ledger: {{dir: {folder}/ledger}}
telemetry: {{otlp: {{endpoint: "{otlp}"}}}}
defaults: {{retries: 0}}
providers:
  anthropic-messages: {{kind: anthropic, base_url: "{url}/anthropic-messages", api_key: "${{KEY_ANTHROPIC_MESSAGES}}"}}
  bedrock-converse: {{kind: bedrock, base_url: "{url}/bedrock-converse", region: us-east-1}}
  bearer: {{kind: bedrock, base_url: "{url}/bedrock-converse", region: us-east-1, api_key: "${{KEY_BEARER}}"}}
  cohere-chat: {{kind: cohere, base_url: "{url}/cohere-chat", api_key: "${{KEY_COHERE_CHAT}}"}}
  gemini-generate: {{kind: gemini, base_url: "{url}/gemini-generate", api_key: "${{KEY_GEMINI_GENERATE}}"}}
  vertex: {{kind: vertex, base_url: "{url}/gemini-generate", project: p, location: us-east5}}
  mistral-chat: {{kind: mistral, base_url: "{url}/mistral-chat", api_key: "${{KEY_MISTRAL_CHAT}}"}}
  openai-chat: {{kind: openai, base_url: "{url}/openai-chat/v1", api_key: "${{KEY_OPENAI_CHAT}}",
    dialects: [openai-chat]}}
  openai-responses: {{kind: openai, base_url: "{url}/openai-responses/v1", api_key: "${{KEY_OPENAI_RESPONSES}}",
    dialects: [openai-responses]}}
  azure: {{kind: azure, base_url: "{url}/openai-chat", api_key: "${{KEY_AZURE}}", api_version: 2024-10-21}}
  wide: {{kind: openai, base_url: "{url}/wide/v1", api_key: "${{KEY_WIDE}}"}}
keys: [{{name: canary, hash: "sha256:{digest}"}}]
"""
CHAT_TARGETS = [*ACCOUNTS, "bearer", "vertex", "azure"]
OTHER_TARGETS = ["wide", "azure", "gemini-generate", "cohere-chat", "vertex", "mistral-chat"]
DAY = ["ok", "401", "400", "500", "reset", "garbage", "html", "no json", "redirect"]
STREAMED = ["ok", "401", "cut", "garbage", "event"]


def credentials_of(request: Request) -> str:
    """Everything in a request that proves who we are."""
    names = ("authorization", "api-key", "x-api-key", "x-goog-api-key", "x-amz-security-token")
    return " ".join((request.header(name) or "").removeprefix("Bearer ") for name in names).strip()


def said(key: str, status: int) -> Answer:
    """A provider that tells what it was given, in every way it can."""
    encoded = base64.b64encode(key.encode()).decode()
    message = f"Not accepted: {key} ({key[:12]}***{key[-12:]}, {quote(key)}, {encoded})"
    error = {"message": message, "type": key, "code": key, "param": key, "status": key}
    return Answer(status=status, body=json.dumps({"error": error, "message": message}))


def good(request: Request) -> Answer:
    """What was asked for, with the canary of an answer in it."""
    dialect = dialect_of(request)
    if dialect not in ACCOUNTS or any(word in request.path for word in ("embed", "rerank", "predict")):
        vectors: Any = {"float": [[0.5]]} if dialect == "cohere-chat" else [{"values": [0.5]}]
        data = [{"index": 0, "embedding": [0.5], "b64_json": COMPLETION}]
        body = {"model": "m", "embeddings": vectors, "embedding": {"values": [0.5]}, "data": data, "text": COMPLETION}
        return Answer(
            body=json.dumps({**body, "choices": [{"index": 0, "text": COMPLETION}], "results": [{"index": 0}]})
        )
    if "count" in request.path:
        return Answer(body=b'{"input_tokens":3,"totalTokens":3}')
    if streams(request):
        events = [(name, data.replace(b"Hello", COMPLETION.encode())) for name, data in golden_events(dialect)]
        return streamed(dialect, events)
    return Answer(body=json.dumps(golden_reply(dialect)).replace(b"Hello", COMPLETION.encode()))


def script(request: Request) -> Answer:
    """What to do is in the User-Agent, the one header of a client's that reaches every kind."""
    if request.path == "/token":
        return Answer(body=json.dumps({"access_token": GOOGLE_TOKEN, "expires_in": 3600, "token_type": "Bearer"}))
    key, wanted = credentials_of(request), request.header("user-agent") or ""
    whole = good(request)
    if wanted == "cut" and not isinstance(whole.body, bytes):
        return Answer(headers=whole.headers, body=[*list(whole.body)[:3], Cut.RESET], framing="chunked")
    event = b"data: " + json.dumps({"type": "error", "error": {"message": key, "type": key, "code": key}}) + b"\n\n"
    return {
        "401": said(key, 401),
        "400": said(key, 400),
        "500": said(key, 500),
        "reset": Answer(before=[Cut.RESET]),
        "garbage": Answer(raw=True, body=f"HTTP/9 {key}\r\n{COMPLETION}\r\n\r\n".encode()),
        "html": Answer(headers=(("content-type", "text/html"),), body=COMPLETION.encode()),
        "no json": Answer(body=b'{"a": ' + COMPLETION.encode()),
        "redirect": Answer(status=307, headers=(("location", f"http://127.0.0.1:9/?key={quote(key)}"),)),
        "event": Answer(headers=(("content-type", "text/event-stream"),), body=event),
    }.get(wanted, whole)


AUTH = f"Connection: close\r\nx-goog-api-key: {CLIENT}\r\n"


def asked(surface: Surface, target: str, wanted: str, changes: Any = None, *, auth: str = AUTH) -> bytes:
    """A request of a talk."""
    body = surface.asked(changes, f"{target}/m").replace(b'"hi"', b'"%s"' % TALK["prompt"].encode())
    return post(body, path=surface.at(f"{target}/m"), headers=f"{auth}User-Agent: {wanted}\r\n")


def form(surface: Surface, wanted: str, end: bytes = b"--x--\r\n") -> bytes:
    """A form with a file."""
    parts = ['name="model"\r\n\r\nwide/m\r\n', f'name="prompt"\r\n\r\n{TALK["prompt"]}\r\n']
    parts += [f'name="file"; filename="{TALK["file"]}"\r\n\r\n{TALK["file"]}\r\n']
    body = b"".join(f"--x\r\nContent-Disposition: form-data; {part}".encode() for part in parts) + end
    data = post(body, path=surface.path, headers=f"{AUTH}User-Agent: {wanted}\r\n")
    return data.replace(b"application/json", b"multipart/form-data; boundary=x")


def requests() -> list[bytes]:
    """A day's requests."""
    odd = TALK["odd value"]
    made = [asked(surface, target, wanted) for surface in CHAT for target in CHAT_TARGETS for wanted in DAY]
    made += [
        asked(surface, target, wanted, None if surface.names_model else {"stream": True})
        for surface in CHAT
        for target in CHAT_TARGETS
        for wanted in STREAMED
        if not surface.names_model or surface.name.startswith("stream")
    ]
    others = [surface for surface in ALL if surface not in CHAT]
    made += [asked(surface, target, wanted) for surface in others for target in OTHER_TARGETS for wanted in DAY[:7]]
    made += [form(surface, wanted) for surface in FORMS for wanted in DAY]
    made += [form(surface, "ok", end) for surface in FORMS for end in (b"", b"--x\r\n\r\n", b"--y--\r\n")]
    for surface in ALL:
        least = surface.asked(model="wide/m")
        made += [
            post(least[:-1] + f', "a": {odd}'.encode(), path=surface.at("wide/m"), headers=AUTH),
            post(least, path=f"{surface.at('wide/m')}?key={CLIENT}", headers="Connection: close\r\n"),
            post(least, path=f"{surface.at('wide/m')}?key={WRONG}", headers=AUTH),
            asked(surface, "wide", "ok", auth=f"Connection: close\r\nx-api-key: {WRONG}\r\n"),
            asked(surface, "wide", "ok", {"api_key": odd}),
            *(asked(surface, "wide", "ok", {name: odd}) for name in (*surface.least, "tools", "stream", "n")),
            *(asked(surface, "wide", "ok", {name: [{"type": odd}]}) for name in surface.least),
        ]
    for target in [*CHAT_TARGETS, "wide"]:
        for wanted in DAY:
            for path in ("v1/chat/completions", "v1/files", f"v1/{odd}"):
                headers = f"{AUTH}User-Agent: {wanted}\r\n"
                made.append(
                    post(json.dumps({"input": TALK["prompt"]}), path=f"/providers/{target}/{path}", headers=headers)
                )
    return made


def service_account(folder: Path, token_uri: str) -> str:
    """The file that a Google account is proven with, and its secret line."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    fields = {"type": "service_account", "project_id": "p", "private_key_id": "1", "private_key": pem, "client_id": "1"}
    fields |= {"client_email": "costspan@p.iam.gserviceaccount.com", "token_uri": token_uri}
    (folder / "google.json").write_bytes(json.dumps(fields))
    return pem.splitlines()[3]


async def test_nothing_that_is_written_holds_a_secret_or_a_word_on_any_path(tmp_path: Path) -> None:
    received: list[bytes] = []

    async def ask(url: str, data: bytes) -> None:
        async with connected(url) as connection:
            await connection.write(data)
            received.append(await connection.rest())

    environ = {f"KEY_{name.upper().replace('-', '_')}": key for name, key in KEYS.items()} | AWS
    environ |= {"GOOGLE_APPLICATION_CREDENTIALS": f"{tmp_path}/google.json", "HOME": str(tmp_path)}
    with Collector() as collector:
        async with FakeUpstream(script, reads=True) as upstream:
            private = service_account(tmp_path, f"{upstream.url}/token")
            digest = hashlib.sha256(CLIENT.encode()).hexdigest()
            text = CONFIG.format(folder=tmp_path, otlp=collector.endpoint, url=upstream.url, digest=digest)
            (tmp_path / "gateway.yaml").write_text(text)
            arguments = ["serve", "-c", str(tmp_path / "gateway.yaml")]
            async with GatewayProcess(arguments, cwd=tmp_path, environ=environ, program=DEBUG) as gateway:
                batch = requests()
                for start in range(0, len(batch), 16):
                    async with asyncio.TaskGroup() as group:
                        for data in batch[start : start + 16]:
                            group.create_task(ask(gateway.url, data))
                metrics = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                await ask(gateway.url, metrics)
                gateway.send(signal.SIGTERM)
                assert await gateway.exit_code() == 0
            proofs = {credentials_of(request) for request in upstream.requests}
            bodies = b"".join(request.body for request in upstream.requests)
    ledger = b"".join(file.read_bytes() for file in (tmp_path / "ledger").iterdir())
    answers = b"".join(received)

    # The control: what is looked for did pass by, and nothing was a fault of ours.
    assert set(KEYS.values()) | {GOOGLE_TOKEN} <= proofs
    assert any(AWS["AWS_SESSION_TOKEN"] in proof for proof in proofs)
    assert all(word.encode() in bodies for word in (TALK["prompt"], TALK["file"]))
    assert COMPLETION.encode() in answers
    assert ledger.count(b'"type":"exchange"') > 800
    assert len(collector.spans) > 800
    statuses = [answer[9:12] for answer in received]
    assert b"500" not in statuses
    assert {b"200", b"400", b"401", b"502"} <= set(statuses)
    assert [line for line in gateway.lines if b"unhandled" in line or b'"level":"ERROR"' in line] == []

    written = {
        "stdout and stderr": b"".join(gateway.lines),
        "ledger": ledger,
        "telemetry": b"".join(collector.bodies),
        "answers": answers,
    }
    secrets = {**KEYS, **AWS, "Google's token": GOOGLE_TOKEN, "Google's key": private, "client": CLIENT, "wrong": WRONG}
    found = {
        f"{name} in {where}"
        for where, data in written.items()
        for name, canary in {**secrets, **TALK, "completion": COMPLETION}.items()
        if not (where == "answers" and name == "completion")
        for form_ in forms(canary)
        if form_ in data
    }
    assert found == set()
