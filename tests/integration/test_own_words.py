"""What a request loses or is refused for is named in the client's own words: in header, ledger and error alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from fakes.gateway import running, two_kinds
from fakes.upstream import FakeUpstream
from fakes.upstream_answers import anthropic_reply, openai_reply

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.gateway import Running

Asked = tuple[str, dict[str, Any]]
"""A path, and a body."""

TALK = [{"role": "user", "content": "Hi"}]
TURN = {"role": "user", "parts": [{"text": "Hi"}]}
STRICT = {"provider": {"require_parameters": True}}


def messages(**more: Any) -> Asked:
    return "/v1/messages", {"model": "chat", "max_tokens": 9, "messages": TALK, **more}


def responses(**more: Any) -> Asked:
    return "/v1/responses", {"model": "claude", "input": "Hi", "store": False, **more}


def gemini(**more: Any) -> Asked:
    return "/v1beta/models/claude:generateContent", {"contents": [TURN], **more}


async def ask(folder: Path, asked: Asked) -> tuple[int, list[str], bytes, Running]:
    """Status, header, body; and the gateway for its ledger."""
    path, body = asked
    async with (
        FakeUpstream(openai_reply()) as openai,
        FakeUpstream(anthropic_reply()) as anthropic,
        running(folder, two_kinds(openai.url, anthropic.url).replace("/gpt-fake", "/gpt-4o")) as gateway,
        aiohttp.ClientSession() as session,
        session.post(gateway.url + path, json=body) as response,
    ):
        lost = response.headers.get("x-costspan-dropped", "")
        return response.status, [name for name in lost.split(",") if name], await response.read(), gateway


LOST: dict[str, tuple[Asked, list[str]]] = {
    "anthropic-messages": (
        messages(stop_sequences=list("abcde"), thinking={"type": "adaptive", "display": "summarized"}, speed="fast"),
        ["stop_sequences", "thinking.display", "speed"],
    ),
    "openai-responses": (
        responses(text={"verbosity": "low"}, top_logprobs=2, include=["message.output_text.logprobs"], prompt_x=1),
        ["include", "top_logprobs", "prompt_x", "text.verbosity"],
    ),
    "gemini-generate": (
        gemini(generationConfig={"seed": 1, "temperature": 1.5}, labels={"a": "b"}),
        ["generationConfig.seed", "generationConfig.temperature", "labels"],
    ),
}


@pytest.mark.parametrize(("asked", "names"), LOST.values(), ids=LOST.keys())
async def test_losses_are_named_as_the_client_calls_them(tmp_path: Path, asked: Asked, names: list[str]) -> None:
    status, lost, _, gateway = await ask(tmp_path, asked)

    assert (status, sorted(lost)) == (200, sorted(names))
    (exchange,) = gateway.records("exchange")
    assert exchange["dropped"] == lost


REFUSED: dict[str, tuple[Asked, bytes]] = {
    "anthropic-messages, strict": (messages(stop_sequences=list("abcde"), **STRICT), b"stop_sequences"),
    "openai-responses": (responses(text={"format": {"type": "json_object"}}), b"text.format"),
    "openai-responses, strict": (responses(text={"verbosity": "low"}, **STRICT), b"text.verbosity"),
    "gemini-generate": (gemini(generationConfig={"candidateCount": 2}), b"generationConfig.candidateCount"),
    "gemini-generate, strict": (gemini(generationConfig={"seed": 1}, **STRICT), b"generationConfig.seed"),
}


@pytest.mark.parametrize(("asked", "param"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_refusal_names_the_client_s_own_field(tmp_path: Path, asked: Asked, param: bytes) -> None:
    status, _, body, _ = await ask(tmp_path, asked)

    assert status == 400
    assert b'"%s"' % param in body


async def test_what_only_the_client_s_dialect_knows_has_its_name_already(tmp_path: Path) -> None:
    """`user` beside `safety_identifier` is the older field itself, not what is called `user` in OpenAI's chat."""
    _, lost, _, _ = await ask(tmp_path, responses(user="b", safety_identifier="a"))

    assert lost == ["user"]
