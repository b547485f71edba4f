"""Every official SDK as a client, in front of every upstream: `make matrix` prints the table.

The `mistralai` and `cohere` SDKs speak dialects that no client speaks to the gateway; they use their provider's own
paths through it (`/providers/{name}/...`), so each has one upstream.
"""

from __future__ import annotations

from contextlib import closing
from itertools import product
from logging import WARNING
from typing import TYPE_CHECKING

import pytest

from costspan.dialects import CLIENT_DIALECTS, DIALECTS
from matrix.cell import outcome
from matrix.clients.every import CLIENTS, PASSED
from matrix.expected import NOTES, expected
from matrix.scenes import SCENES
from matrix.stage import Stage
from matrix.upstreams import UPSTREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matrix.cell import Client
    from matrix.expected import Note
    from matrix.scenes import Scene

    Property = Callable[[str, object], None]


SDKS = ("openai", "anthropic", "google", "mistralai", "cohere", "httpx")
"""Their loggers: what they accept they do not complain of."""


@pytest.fixture(scope="module", params=UPSTREAMS, ids=lambda upstream: upstream.name)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(request.param, tmp_path_factory.mktemp("gateway")) as stage:
        yield stage
    assert stage.booked() == stage.spent, "the ledger does not say what the upstream did"


@pytest.fixture(scope="module", params=CLIENTS, ids=lambda client: client.name)
def client(stage: Stage, request: pytest.FixtureRequest) -> Iterator[Client]:
    with closing(request.param(stage.url)) as client:
        yield client


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_conversation(
    client: Client,
    stage: Stage,
    scene: Scene,
    record_property: Property,
    caplog: pytest.LogCaptureFixture,
) -> None:
    record_property("cell", (client.name, stage.upstream.name, scene.name))

    found = outcome(client, stage, scene)

    record_property("outcome", found)
    assert [one.getMessage() for one in caplog.records if one.levelno >= WARNING and one.name.startswith(SDKS)] == []
    assert found == expected(client.name, stage.upstream.name, scene.name)


@pytest.mark.parametrize(
    "stage", [u for u in UPSTREAMS if u.name in PASSED], ids=lambda upstream: upstream.name, indirect=True
)
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_conversation_by_the_provider_s_own_paths(stage: Stage, scene: Scene, record_property: Property) -> None:
    with closing(PASSED[stage.upstream.name](f"{stage.url}/providers/it")) as client:
        record_property("cell", (client.name, stage.upstream.name, scene.name))

        found = outcome(client, stage, scene, model=stage.upstream.model)

    record_property("outcome", found)
    assert found == "ok"


def test_every_dialect_is_in_the_matrix() -> None:
    assert {client.dialect for client in CLIENTS} == set(CLIENT_DIALECTS)
    assert {upstream.dialect for upstream in UPSTREAMS} == set(DIALECTS)


@pytest.mark.parametrize("note", NOTES, ids=lambda note: f"{note.client}-{note.upstream}-{note.scene}")
def test_every_note_is_about_something(note: Note) -> None:
    cells = product((c.name for c in CLIENTS), (u.name for u in UPSTREAMS), (s.name for s in SCENES))

    assert any(note.holds(*cell) for cell in cells)
