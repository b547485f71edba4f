"""A line in the log for each request that was refused, and no flood of them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from costspan.server.refusals import LOGGER, Refusals
from fakes.gateway import running, two_kinds
from fakes.raw import connected, post, send

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-of-the-client"
CHAT, MODELS = "/v1/chat/completions", "/v1/models"
KEY = "cs-" + "k" * 40
CONFIG = two_kinds("http://127.0.0.1:9", "http://127.0.0.1:9")


def get(path: str, method: str = "GET", more: str = "") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode()


CASES: dict[str, tuple[bytes, int, str, str, str]] = {
    "no JSON": (post(b'{"' + CANARY.encode()), 400, "invalid_json", "POST", CHAT),
    "Anthropic's path": (post(b"{}", path="/v1/messages?key=" + CANARY), 400, "missing_model", "POST", "/v1/messages"),
    "an unknown model": (
        post(b'{"model":"%s","messages":[{"role":"user","content":"a"}]}' % CANARY.encode()),
        404,
        "model_not_found",
        "POST",
        CHAT,
    ),
    "a media type": (
        post(b"{}").replace(b"application/json", CANARY.encode()),
        415,
        "unsupported_media_type",
        "POST",
        CHAT,
    ),
    "a path": (get("/v1/" + CANARY), 404, "not_found", "GET", "other"),
    "a model's path": (get(f"{MODELS}/{CANARY}"), 404, "model_not_found", "GET", f"{MODELS}/{{model}}"),
    "a method": (get(MODELS, "DELETE"), 405, "method_not_allowed", "DELETE", MODELS),
    "a method that nobody knows": (get(MODELS, "CANARY"), 405, "method_not_allowed", "other", "other"),
    "a host": (get(MODELS).replace(b"localhost", CANARY.encode()), 403, "host_not_allowed", "GET", MODELS),
    "an origin": (get(MODELS, more=f"Origin: {CANARY}\r\n"), 403, "origin_not_allowed", "GET", MODELS),
    "a header": (get(MODELS, more=f"Authorization: Bearer {CANARY}\x07\r\n"), 400, "bad_header", "other", "other"),
}


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Message and fields of each line."""
    standard = vars(logging.makeLogRecord({})).keys() | {"message", "taskName"}
    return [
        {"message": record.getMessage(), **{k: v for k, v in vars(record).items() if k not in standard}}
        for record in caplog.records
        if record.name == LOGGER
    ]


@pytest.mark.parametrize(("data", "status", "code", "method", "path"), CASES.values(), ids=CASES.keys())
async def test_a_refused_request_has_one_line_without_its_content(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, data: bytes, status: int, code: str, method: str, path: str
) -> None:
    caplog.set_level(logging.INFO)
    async with running(tmp_path, CONFIG) as gateway:
        reply = await send(gateway.url, data)

    assert reply.status == status
    assert lines(caplog) == [
        {
            "message": f"request refused: {status} {code} {method} {path}",
            "http_status": status,
            "code": code,
            "method": method,
            "path": path,
            "request_id": reply.headers["x-request-id"],
        }
    ]
    assert "canary" not in caplog.text.lower()


async def test_what_was_answered_or_is_an_exchange_has_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    ask = b'{"model":"chat","messages":[{"role":"user","content":"a"}]}'
    async with running(tmp_path, CONFIG) as gateway:
        assert (await send(gateway.url, get(MODELS))).status == 200
        assert (await send(gateway.url, post(ask))).status == 502

    assert lines(caplog) == []


async def test_a_flood_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with running(tmp_path, CONFIG) as gateway, connected(gateway.url) as client:
        for _ in range(150):
            await client.write(get("/nothing"))
            assert (await client.reply()).status == 404
        for _ in range(500):
            if any("count" in line for line in lines(caplog)):
                break
            await asyncio.sleep(0.01)
    found = lines(caplog)
    counted = sum(line["count"] for line in found if "count" in line)

    assert len([line for line in found if "count" not in line]) + counted == 150


async def test_the_limit_is_for_each_second(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    refusals = Refusals(limit=2, seconds=0.05)
    for _ in range(5):
        refusals.note(404, "not_found", "GET", "/", "cs_1")
    assert [line["message"] for line in lines(caplog)] == ["request refused: 404 not_found GET /"] * 2
    await asyncio.sleep(0.1)
    assert lines(caplog)[2] == {"message": "3 more requests refused", "count": 3}
    refusals.note(404, "not_found", "GET", "/", "cs_1")
    await asyncio.sleep(0.1)

    assert [line["message"] for line in lines(caplog)[3:]] == ["request refused: 404 not_found GET /"]
