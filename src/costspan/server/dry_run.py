"""`x-costspan-dry-run: true`: what would be done with a request, and what it would cost. Nothing is done.

No upstream call, no ledger line, nothing reserved or counted, nothing learnt. Keys are masked, and credentials of a
cloud are not even fetched.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web

from costspan.engine.decision import asked, decided, routed, usd
from costspan.errors import ClientError
from costspan.server import door
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Callable

    from costspan.engine.call import Call
    from costspan.engine.rehearsal import Rehearsal, Written
    from costspan.server.state import State

HEADER: Final = "x-costspan-dry-run"


def is_wanted(request: web.BaseRequest) -> bool:
    """Whether a request is only to be played through. Raises `ClientError` for any word but true and false."""
    if HEADER not in request.headers:
        return False
    words = {word.strip().lower() for word in request.headers.getall(HEADER)}
    if words not in ({"true"}, {"false"}):  # whoever misspelt it does not want to spend money
        raise ClientError("expected true or false", param=HEADER)
    return words == {"true"}


def refuse(request: web.BaseRequest) -> None:
    """Raise `ClientError` for a dry run of what has no route to decide on."""
    if is_wanted(request):
        raise ClientError(
            "dry runs are of requests that have a route: chat, embeddings and what passes to a target",
            code="unsupported_parameter",
            param=HEADER,
        )


async def answer(state: State, call: Call) -> web.Response:
    """The answer to a dry run. Raises `ClientError` where the request itself is wrong."""
    rehearsal = state.rehearsal
    told = await document(call, rehearsal, lambda: door.look(state.gate, call, lambda: rehearsal.plan(call)))
    return web.Response(
        body=json.dumps(told),
        headers={
            "content-type": "application/json; charset=utf-8",
            "x-request-id": call.origin.exchange_id,
            HEADER: "true",
        },
    )


async def document(call: Call, rehearsal: Rehearsal, look: Callable[[], ClientError | None]) -> json.Object:
    """All of it, as JSON. `look` says why limits or budgets would not let it in, and may send it to another route.

    Raises `ClientError` where the request itself is wrong.
    """
    refused = look()
    unplanned = rehearsal.plan(call)
    refused = refused or unplanned
    rehearsal.work_out(call)
    first: Written | None = None
    for step in () if call.plan is None else call.plan.steps:
        written = rehearsal.write(call, step)
        first = first or written
        await asyncio.sleep(0)  # a large request for many targets takes a while, and others wait
    if first is None:
        refused = refused or call.refusal or _nobody()
    decision = decided(call)
    cost = None if first is None or call.outlook is None else call.outlook.note(first.step).cost
    return {
        "dry_run": True,
        **asked(decision),
        "refused": None if refused is None else _refusal(refused),
        "expected_cost_usd": usd(cost),
        **routed(decision),
        "request": None if first is None else _request(first),
    }


def _nobody() -> ClientError:
    return ClientError("no target of this route can be used", status=503, code="no_healthy_target")


def _refusal(error: ClientError) -> json.Object:
    """What the client would be told instead of an answer."""
    return {"status": error.status, "code": error.code, "message": error.message, "param": error.param}


def _request(written: Written) -> json.Object:
    """What would be sent to the first target that takes it. A form is not read: its body is null."""
    outgoing = written.outgoing
    return {
        "target": written.step.label,
        "method": outgoing.method,
        "url": written.url,
        "headers": dict(outgoing.headers),
        "body": json.Fragment(outgoing.body) if isinstance(outgoing.body, bytes) else None,
        "dropped": list(written.losses),
    }
