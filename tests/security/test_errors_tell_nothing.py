"""No error, and no name of a loss, repeats a value that a client wrote: every string of every golden request in turn.

Names of fields are the client's own words back, and so is the name of a model that nobody knows.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import CLIENT_DIALECTS, DIALECTS, EMBEDDING_CLIENTS, EMBEDDINGS, PASSED
from costspan.errors import ClientError
from costspan.wire import json
from fakes.providers import GOLDEN, features
from fakes.surfaces import ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from costspan.dialects.types import EmbeddingDialect, PassedDialect

CANARY = "canaryW5g1Ix8Ob7Vn"
SPOILT: tuple[Any, ...] = (CANARY, [CANARY], {"type": CANARY}, {CANARY: CANARY}, [[CANARY]], f"data:{CANARY};base64,%")


def spoilt(value: Any) -> Iterator[Any]:
    """`value` with one string in it changed, for every string and every change."""
    if isinstance(value, str):
        yield from SPOILT
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from ({**value, name: changed} for changed in spoilt(inner))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from ([*value[:place], changed, *value[place + 1 :]] for changed in spoilt(inner))


def told(error: ClientError) -> str:
    """What a client is told; the path to the field that is wrong consists of names of fields."""
    return f"{error.message} {error.code} {error.headers}"


def leaks_of(work: Callable[[], Any]) -> set[str]:
    """The message of the error that `work` raises, where it tells something."""
    try:
        work()
    except ClientError as error:
        if CANARY in told(error):
            return {error.message}
    return set()


@pytest.mark.parametrize("client", CLIENT_DIALECTS)
def test_no_value_of_a_golden_request_is_told(client: str) -> None:
    dialect, leaks, refused = CLIENT_DIALECTS[client], set(), 0
    targets = [target for target in DIALECTS.values() if target is not dialect]
    for feature in features(client, ".json"):
        for body in spoilt(json.loads_object((GOLDEN / feature / f"{client}.json").read_bytes())):
            leaks |= leaks_of(partial(dialect.peek, body)) | leaks_of(partial(dialect.decode_request, body))
            try:
                request = dialect.decode_request(body)
            except ClientError:
                refused += 1
                continue
            for target in targets:
                leaks |= leaks_of(partial(target.encode_request, request))
                with suppress(ClientError):
                    leaks |= {name for name in target.encode_request(request).losses if tells(name, body)}

    assert leaks == set()
    assert refused > 100


def tells(name: str, body: json.Object) -> bool:
    """Whether the name of a loss is a value. The type of a part that nobody knows is what it is called by."""
    return CANARY in name and f'"type":"{name}"' not in json.text(body)


OTHERS: dict[str, EmbeddingDialect | PassedDialect] = {**EMBEDDING_CLIENTS, **PASSED}
PATHS = {
    "openai-embeddings": "embeddings",
    "gemini-embed": "embedContent",
    "gemini-batch-embed": "batchEmbedContents",
    "openai-completions": "completions",
    "openai-moderations": "moderations",
    "openai-images": "images",
    "openai-image-edits": "image edits",
    "openai-speech": "speech",
    "openai-transcriptions": "transcriptions",
    "openai-translations": "translations",
    "rerank": "rerank",
}


@pytest.mark.parametrize("name", OTHERS)
def test_no_value_of_another_request_is_told(name: str) -> None:
    (surface,) = [surface for surface in ALL if surface.name == PATHS[name]]
    leaks: set[str] = set()
    for body in spoilt({"model": "m", **surface.least, "n": "1", "stream": "true", "encoding_format": "float"}):
        leaks |= leaks_of(partial(OTHERS[name].peek, body))
        if name in EMBEDDING_CLIENTS:
            leaks |= leaks_of(partial(EMBEDDING_CLIENTS[name].decode_request, body))
            with suppress(ClientError):
                request = EMBEDDING_CLIENTS[name].decode_request(body)
                for target in EMBEDDINGS.values():
                    leaks |= leaks_of(partial(target.encode_request, request))

    assert leaks == set()
