"""Formats that are passed and never translated, asked for by the official client: metered in their own units."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import openai
import pytest

from costspan.wire import json
from fakes.gateway import running
from fakes.upstream import Answer, FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running
    from fakes.upstream import Script

CONFIG = """
providers:
  one: {{kind: openai, base_url: "{url}/v1", api_key: test-key-one}}
  two: {{kind: anthropic, base_url: "{url}", api_key: test-key-two}}
routes:
  voice: one/tts-1
  ears: one/whisper-1
  moderator: one/omni-moderation-latest
  painter: one/gpt-image-1
  writer: one/gpt-3.5-turbo-instruct
  claude: two/claude-fake
"""
PRICES = """
prices:
  catalog: none
  table:
    - {provider: openai, model: tts-1, input: 0, output: 0, characters: 0.000015}
    - {provider: openai, model: whisper-1, input: 0, output: 0, audio_seconds: 0.0001}
    - {provider: openai, model: gpt-image-1, input: 5, input_image: 10, output_image: 40, output: 40}
    - {provider: openai, model: gpt-3.5-turbo-instruct, input: 1.5, output: 2}
"""
SOUND = bytes(range(256)) * 400


@asynccontextmanager
async def serving(folder: Path, script: Script) -> AsyncIterator[tuple[Running, FakeUpstream, openai.AsyncOpenAI]]:
    async with (
        FakeUpstream(script, reads=True) as upstream,
        running(folder, CONFIG.format(url=upstream.url), prices=PRICES) as gateway,
        openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as client,
    ):
        yield gateway, upstream, client


def one_attempt(gateway: Running) -> dict[str, object]:
    [attempt] = gateway.records("attempt")
    return attempt


async def test_speech_passes_as_bytes_and_is_priced_by_character(tmp_path: Path) -> None:
    sound = Answer(headers=[("content-type", "audio/mpeg")], body=SOUND, framing="chunked")
    async with serving(tmp_path, sound) as (gateway, upstream, client):
        spoken = await client.audio.speech.create(model="voice", voice="alloy", input="Hello, world!")

        assert spoken.content == SOUND
        assert spoken.response.headers["content-type"] == "audio/mpeg"
        assert json.loads_object(upstream.requests[0].body)["model"] == "tts-1"
        attempt = one_attempt(gateway)
        assert attempt["units"] == {"characters": 13}
        assert (attempt["cost_usd"], attempt["cost_status"]) == ("0.000195", "exact")  # 13 x 0.000015


async def test_a_transcription_s_form_is_streamed_with_the_target_s_model_in_it(tmp_path: Path) -> None:
    told = Answer(body=b'{"text":"hello","usage":{"type":"duration","seconds":7}}')
    async with serving(tmp_path, told) as (gateway, upstream, client):
        heard = await client.audio.transcriptions.create(model="ears", file=("a.wav", SOUND, "audio/wav"))

        assert heard.text == "hello"
        [request] = upstream.requests
        assert request.path == "/v1/audio/transcriptions"
        assert b'name="model"\r\n\r\nwhisper-1\r\n' in request.body
        assert SOUND in request.body
        assert request.header("content-length") == str(len(request.body))
        attempt = one_attempt(gateway)
        assert (attempt["units"], attempt["cost_usd"]) == ({"audio_seconds": 7}, "0.0007")  # 7 x 0.0001


async def test_a_form_with_the_model_after_the_file_is_routed_too(tmp_path: Path) -> None:
    async with serving(tmp_path, Answer(body=b'{"text":"hello"}')) as (gateway, upstream, _):
        form = aiohttp.FormData()
        form.add_field("file", SOUND, filename="a.wav", content_type="audio/wav")
        form.add_field("model", "ears")
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{gateway.url}/v1/audio/transcriptions", data=form) as answer,
        ):
            assert (answer.status, await answer.json()) == (200, {"text": "hello"})

        assert b"whisper-1" in upstream.requests[0].body


async def test_a_form_without_a_model_or_with_an_unknown_one_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, Answer(500)) as (gateway, upstream, _):
        codes = []
        for model in (None, "nobody"):
            form = aiohttp.FormData({} if model is None else {"model": model})
            form.add_field("file", SOUND, filename="a.wav")
            async with (
                aiohttp.ClientSession() as client,
                client.post(f"{gateway.url}/v1/audio/transcriptions", data=form) as answer,
            ):
                codes.append((answer.status, (await answer.json())["error"]["code"]))

        assert codes == [(400, "missing_model"), (404, "model_not_found")]
        assert upstream.requests == []


async def test_a_streamed_transcription_passes_with_its_usage(tmp_path: Path) -> None:
    done = {"type": "transcript.text.done", "text": "hello", "usage": {"type": "duration", "seconds": 7}}
    events = b'data: {"type":"transcript.text.delta","delta":"hello"}\n\ndata: ' + json.dumps(done) + b"\n\n"
    told = Answer(headers=[("content-type", "text/event-stream")], body=events, framing="chunked")
    async with serving(tmp_path, told) as (gateway, _, client):
        stream = await client.audio.transcriptions.create(model="ears", file=("a.wav", SOUND), stream=True)
        kinds = [event.type async for event in stream]

        assert kinds == ["transcript.text.delta", "transcript.text.done"]
        assert one_attempt(gateway)["units"] == {"audio_seconds": 7}


async def test_plain_text_passes_as_it_is(tmp_path: Path) -> None:
    told = Answer(headers=[("content-type", "text/plain; charset=utf-8")], body=b"1\n00:00 --> 00:01\nhello\n")
    async with serving(tmp_path, told) as (_, _, client):
        heard = await client.audio.transcriptions.create(model="ears", file=("a.wav", SOUND), response_format="srt")

        assert str(heard) == "1\n00:00 --> 00:01\nhello\n"


async def test_an_image_is_priced_by_its_tokens(tmp_path: Path) -> None:
    usage = {
        "input_tokens": 50,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        "output_tokens": 100,
        "total_tokens": 150,
    }
    made = Answer(body=json.dumps({"created": 1700000000, "data": [{"b64_json": "aGk="}], "usage": usage}))
    async with serving(tmp_path, made) as (gateway, _, client):
        images = await client.images.generate(model="painter", prompt="a tree")

        assert images.data is not None
        assert images.data[0].b64_json == "aGk="
        # 10 x 5 + 40 x 10 + 100 x 40 USD per million
        assert one_attempt(gateway)["cost_usd"] == "0.004450"


async def test_a_completion_streams(tmp_path: Path) -> None:
    chunk = {"id": "cmpl-1", "object": "text_completion", "created": 1700000000, "model": "gpt-3.5-turbo-instruct"}
    text = chunk | {"choices": [{"index": 0, "text": "Hi", "finish_reason": "stop", "logprobs": None}]}
    used = chunk | {"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}}
    events = b"".join(b"data: " + json.dumps(one) + b"\n\n" for one in (text, used)) + b"data: [DONE]\n\n"
    told = Answer(headers=[("content-type", "text/event-stream")], body=events, framing="chunked")
    async with serving(tmp_path, told) as (gateway, upstream, client):
        stream = await client.completions.create(model="writer", prompt="Say hi", stream=True)
        texts = [choice.text async for one in stream for choice in one.choices]

        assert texts == ["Hi"]
        assert json.loads_object(upstream.requests[0].body)["stream_options"] == {"include_usage": True}
        assert one_attempt(gateway)["cost_usd"] == "0.0000080"  # 4 x 1.5 + 1 x 2 USD per million


async def test_a_target_that_does_not_offer_it_is_named(tmp_path: Path) -> None:
    async with serving(tmp_path, Answer(500)) as (_, upstream, client):
        with pytest.raises(openai.BadRequestError) as caught:
            await client.moderations.create(model="claude", input="x")

        assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "model")
        assert "two/claude-fake" in caught.value.message
        assert upstream.requests == []


async def test_a_body_over_the_limit_is_refused_while_it_comes(tmp_path: Path) -> None:
    async with (
        FakeUpstream(Answer(500), reads=True) as upstream,
        running(tmp_path, CONFIG.format(url=upstream.url), prices=PRICES, more=", max_request_bytes: 64KiB") as gateway,
        aiohttp.ClientSession() as client,
    ):

        async def body() -> AsyncIterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nears\r\n'
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            for _ in range(100):
                yield SOUND

        headers = {"content-type": "multipart/form-data; boundary=x"}
        async with client.post(f"{gateway.url}/v1/audio/transcriptions", data=body(), headers=headers) as answer:
            assert answer.status == 413

        # It may have been routed by then, or not.
        assert {record["outcome"] for record in gateway.records("attempt")} <= {"failed"}
