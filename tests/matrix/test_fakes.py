"""The fakes are what they play: the providers' own SDKs talk to them with nothing in between."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from matrix.cell import outcome
from matrix.clients.anthropic_messages import AnthropicBedrock, AnthropicMessages, AnthropicVertex
from matrix.clients.aws_bedrock import AWSBedrock
from matrix.clients.cohere_chat import CohereSDK
from matrix.clients.google_genai import GoogleGenai
from matrix.clients.mistral import MistralSDK
from matrix.clients.openai_chat import OpenAIChat
from matrix.clients.openai_responses import OpenAIResponses
from matrix.scenes import CAT, SCENES
from matrix.stage import Stage
from matrix.upstreams import UPSTREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matrix.cell import Client
    from matrix.scenes import Scene

NAMES: dict[str, Callable[[str], Client]] = {
    "openai: chat": OpenAIChat,
    "openrouter: chat": OpenAIChat,
    "openai: responses": OpenAIResponses,
    "anthropic": AnthropicMessages,
    "vertex: claude": AnthropicVertex,
    "bedrock: claude": AnthropicBedrock,
    "bedrock: converse": AWSBedrock,
    "gemini": GoogleGenai,
    "cohere": CohereSDK,
    "mistral": MistralSDK,
}
NO_URL = "refused by the provider: messages: image sources of type url are not supported"


CELLS = [
    pytest.param(name, scene, id=f"{name}: {scene.name}")
    for name in NAMES
    for scene in SCENES
    if (name, scene.image) != ("bedrock: converse", CAT)  # AWS's SDK has no word for an image's URL
]


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    (upstream,) = (upstream for upstream in UPSTREAMS if upstream.name == request.param)
    with Stage(upstream, None) as stage:
        yield stage


@pytest.mark.parametrize(("stage", "scene"), CELLS, indirect=["stage"])
def test_a_fake_is_taken_for_the_provider(stage: Stage, scene: Scene) -> None:
    with closing(NAMES[stage.upstream.name](stage.url)) as client:
        found = outcome(client, stage, scene)

    assert found == (NO_URL if scene.image == CAT and "claude" in stage.upstream.name else "ok")
