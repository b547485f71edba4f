"""`costspan explain`: the plan for a request, without making it.

By the file alone, as a gateway that has just started would plan it; or by a running gateway, which knows more.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Final, Literal, TextIO
from urllib.parse import urlsplit

from costspan import snapshot as snapshots
from costspan.cli.explain_table import write
from costspan.cli.source import EX_CONFIG
from costspan.cli.tables import printable
from costspan.config.document import suggestion
from costspan.dialects import CLIENT_DIALECTS, EMBEDDING_CLIENTS, PASSED
from costspan.dialects.samples import SAMPLES, USUAL
from costspan.engine.call import Call
from costspan.engine.keys import KeyRing
from costspan.engine.planner import Planner
from costspan.engine.recall import Recall
from costspan.engine.rehearsal import Rehearsal
from costspan.engine.slots import Slots
from costspan.engine.stored import StoredBy
from costspan.engine.targets import Targets
from costspan.errors import ClientError, ConfigError, Malformed
from costspan.ledger.records import Origin
from costspan.server.admission import understand
from costspan.server.catalog import CatalogReader
from costspan.server.dry_run import HEADER, document
from costspan.server.paths import Operation
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from costspan.cli.source import Source
    from costspan.engine.translate import Client
    from costspan.snapshot import Snapshot

CLIENTS: Final[Mapping[str, Client]] = {**CLIENT_DIALECTS, **EMBEDDING_CLIENTS, **PASSED}
KEY_VARIABLE: Final = "COSTSPAN_API_KEY"
"""Holds the client key for a running gateway."""
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
_SECONDS: Final = 30.0
_AS_STARTED: Final = (
    "As a gateway plans that has just started: speeds, health, lengths of answers, budgets and limits are those of no "
    "running one. --url asks one."
)


@dataclass(frozen=True, slots=True)
class Question:
    """The request to explain."""

    model: str
    dialect: str | None
    """What it is written in; None: what most are."""
    stream: bool
    body: Path | None


class _Unusable(Exception):
    """The question cannot be asked like this; the text says why."""

    def __init__(self, why: str, code: int = 2) -> None:
        super().__init__(why)
        self.code = code
        """Of the exit."""


def run_explain(
    source: Source, question: Question, *, url: str | None, output: Literal["table", "json"], out: TextIO
) -> int:
    """Write the plan to `out`, problems to stderr. `url`: a running gateway to ask instead of `source`.

    Returns the exit status: 0; 1 when no target would serve the request, or the gateway does not answer; 2 when the
    question means nothing; 78 when the configuration is not valid.
    """
    try:
        client = _client(question.dialect)
        fields = _fields(question, client)
        told = _here(source, question, client, fields) if url is None else _there(url, question, client, fields)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the person at the terminal
        return EX_CONFIG
    except (_Unusable, ClientError) as error:
        print(f"explain: {error}", file=sys.stderr)  # noqa: T201 - likewise
        return error.code if isinstance(error, _Unusable) else 2
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        print(f"explain: {url} does not answer ({reason})", file=sys.stderr)  # noqa: T201 - likewise
        return 1
    if output == "json":
        out.write(json.text(told) + "\n")
    else:
        write(told, out, [_AS_STARTED] if url is None else [])
    return 0 if told.get("refused") is None else 1


def _client(dialect: str | None) -> Client:
    dialect = dialect or USUAL
    client = CLIENTS.get(dialect)
    if client is None:
        hint = suggestion(dialect, CLIENTS) or f"; they are {', '.join(CLIENTS)}"
        raise _Unusable(f"{dialect!r} is no dialect that clients speak{hint}")
    return client


def _fields(question: Question, client: Client) -> json.Object:
    """The request's body without what says the model and whether to stream."""
    if question.body is None:
        if client.NAME not in SAMPLES:
            raise _Unusable(f"a request in {client.NAME} needs --body")
        fields = SAMPLES[client.NAME]
    else:
        try:
            fields = json.loads_strictly(question.body.read_bytes())
        except Malformed as error:
            raise _Unusable(f"{question.body}: {error}") from None
        except OSError as error:
            raise _Unusable(f"{question.body}: {error.strerror}") from None
    if not client.MODEL_IN_BODY:
        return fields
    return {**fields, "model": question.model, **({"stream": True} if question.stream else {})}


def _here(source: Source, question: Question, client: Client, fields: json.Object) -> json.Object:
    """By the file. Raises `ConfigError`, and `ClientError` where the request itself is wrong."""
    loaded = source.load_to_look_at()
    snapshot = snapshots.build(loaded, generation=0, catalog=CatalogReader().catalog(loaded.config))
    targets, keys, slots = Targets(random.random), KeyRing(), Slots()
    planner = Planner(targets, keys, slots, StoredBy(), random.random, time.monotonic)
    rehearsal = Rehearsal(planner, Recall())
    call = _call(snapshot, question, client, fields)
    return asyncio.run(document(call, rehearsal, lambda: None))


def _call(snapshot: Snapshot, question: Question, client: Client, fields: json.Object) -> Call:
    outside = not client.MODEL_IN_BODY
    asked = Operation(
        client, "", model=question.model if outside else None, stream=question.stream if outside else None
    )
    read = understand(asked, snapshot, None, json.dumps(fields), fields)
    now = time.monotonic()
    return Call(
        snapshot=snapshot,
        origin=_origin(read.peek.model, read.matched.route, read.matched.strategy, client, stream=read.peek.stream),
        matched=read.matched,
        dialect=client,
        peek=read.peek,
        body=read.body,
        fields=read.fields,
        forwarded=(),
        started_ns=time.time_ns(),
        started=now,
        deadline=now + read.matched.policy.timeouts.total,
        require_parameters=read.require_parameters,
        wishes=read.wishes,
    )


def _origin(model: str, route: str, strategy: str, client: Client, *, stream: bool) -> Origin:
    return Origin(
        exchange_id="",
        route=route,
        strategy=strategy,
        operation=client.OPERATION,
        model_asked=model,
        dialect_in=client.NAME,
        stream=stream,
        key=None,
        attributes={},
        client_request_id=None,
        trace_id="",
        span_id="",
        parent_span_id=None,
        sampled=False,
        config_generation=0,
    )


def _there(url: str, question: Question, client: Client, fields: json.Object) -> json.Object:
    """By a running gateway. Raises `OSError` or `HTTPException` when it does not answer."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or parts.hostname is None:
        raise _Unusable(f"--url: expected http://host:port, not {url!r}")
    version = "/v1" if client.MODEL_IN_BODY else "/v1beta"
    path = client.path(question.model, stream=question.stream).partition("?")[0]
    headers = {"content-type": "application/json", HEADER: "true"}
    if key := os.environ.get(KEY_VARIABLE):
        headers["authorization"] = f"Bearer {key}"
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    with closing(connect(parts.hostname, parts.port, timeout=_SECONDS)) as connection:  # no proxy, no redirects
        connection.request("POST", parts.path.rstrip("/") + version + path, json.dumps(fields), headers)
        response = connection.getresponse()
        data = response.read(MAX_ANSWER_BYTES)
    try:
        told = json.loads_object(data)
    except Malformed:
        told = {}
    if told.get("dry_run") is not True:
        raise _Unusable(_words(url, response.status, told), 1 if response.status >= 500 else 2)  # noqa: PLR2004 - its fault
    return told


def _words(url: str, status: int, told: json.Object) -> str:
    """What the gateway says is wrong."""
    error = told.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    if not isinstance(message, str):
        return f"{url} is no gateway that can explain a request (status {status})"
    return f"{url} answers {status}: {printable(message)}"
