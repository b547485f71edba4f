"""Counting a prompt's tokens before it is sent.

Asked of the provider where it speaks the client's dialect, else estimated by length, and the answer says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from aiohttp import web

from costspan.dialects import checks
from costspan.engine.call import Raw
from costspan.pricing.estimate import estimate_prompt_tokens
from costspan.routing.plan import Matched
from costspan.server import body as bodies
from costspan.server import dry_run
from costspan.wire import json

if TYPE_CHECKING:
    from costspan.engine.call import Call
    from costspan.routing.plan import Step
    from costspan.server.admission import Admission
    from costspan.server.exchange import Exchanges
    from costspan.server.paths import Operation

_WRAPPED: Final = "generateContentRequest"
ESTIMATED: Final = "x-costspan-estimated"
"""Names what in the answer is our estimate."""


class Counts:
    """`/v1/messages/count_tokens` and Google's `:countTokens`."""

    def __init__(self, admission: Admission, exchanges: Exchanges) -> None:
        self._admission = admission
        self._exchanges = exchanges

    async def handle(self, request: web.BaseRequest, asked: Operation) -> web.StreamResponse:
        """Answer one request. Raises `ClientError`."""
        admitted = self._admission.admit(request)
        dry_run.refuse(request)
        body, fields = await self._admission.read(request, admitted.snapshot)
        checks.refuse_destinations(fields)  # also beside a wrapped request, which alone is looked at below
        call = self._admission.call(request, asked, admitted, body=body, fields=_as_request(fields, asked))
        step = next((step for step in call.matched.steps if _counts(call, step)), None)
        if step is None:
            return _estimated(call)
        call.origin.operation = "count_tokens"
        call.matched = Matched.direct(call.matched.route, step)
        if asked.dialect.MODEL_IN_BODY:
            fields = {name: value for name, value in fields.items() if name in call.fields}  # without our own
        call.raw = Raw("POST", _path(call, step), bodies.JSON, _body(fields, asked, step), None, free=True)
        return await self._exchanges.run(request, call)


def _as_request(fields: json.Object, asked: Operation) -> json.Object:
    """What is to be counted, as the request that it would be."""
    if asked.dialect.MODEL_IN_BODY:
        return {"max_tokens": 1, **fields, "stream": False}
    wrapped = fields.get(_WRAPPED)
    return dict(wrapped) if isinstance(wrapped, dict) else fields


def _counts(call: Call, step: Step) -> bool:
    """Whether the target has the client's own way of counting, at an address that follows from its own."""
    account = call.snapshot.accounts[step.provider]
    return account.kind.way == "plain" and call.dialect.NAME in account.dialects_for(step.model)


def _path(call: Call, step: Step) -> str:
    base = call.snapshot.accounts[step.provider].address.base_path
    if not call.dialect.MODEL_IN_BODY:
        return f"{base}/models/{quote(step.model, safe='')}:countTokens"
    return f"{base}{call.dialect.path(step.model, stream=False)}/count_tokens"


def _body(fields: json.Object, asked: Operation, step: Step) -> bytes:
    if asked.dialect.MODEL_IN_BODY:
        return json.dumps({**fields, "model": step.model})
    wrapped = fields.get(_WRAPPED)
    if not isinstance(wrapped, dict):
        return json.dumps(fields)
    return json.dumps({**fields, _WRAPPED: {**wrapped, "model": f"models/{step.model}"}})


def _estimated(call: Call) -> web.Response:
    tokens = estimate_prompt_tokens(call.peek.prompt_chars, call.peek.media)
    name = "totalTokens" if not call.dialect.MODEL_IN_BODY else "input_tokens"
    return web.Response(
        body=json.dumps({name: tokens}),
        headers={"content-type": bodies.JSON, ESTIMATED: name, "x-request-id": call.origin.exchange_id},
    )
