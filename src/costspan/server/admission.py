"""What lets a request in: everything that can be checked before money is spent."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Final

from costspan.dialects import PASSED
from costspan.engine.call import Call
from costspan.errors import ClientError
from costspan.ledger.records import Origin
from costspan.routing.overrides import NO_WISHES
from costspan.server import body as bodies
from costspan.server import dry_run, origin, overrides, upload
from costspan.server.models import suggest
from costspan.wire.headers import to_upstream

if TYPE_CHECKING:
    from aiohttp import web

    from costspan.dialects.types import Peek
    from costspan.engine.translate import Client
    from costspan.routing.overrides import Wishes
    from costspan.routing.plan import Matched
    from costspan.server.paths import Operation
    from costspan.server.state import State
    from costspan.server.upload import FormUpload
    from costspan.snapshot import ClientKey, Snapshot
    from costspan.wire import json


ROUTE_HEADER: Final = "x-costspan-route"


@dataclass(slots=True)  # not frozen, as `ledger.records`: made for every request
class Admitted:
    """Who asks, when, under which configuration."""

    snapshot: Snapshot
    key: ClientKey | None
    wall_ns: int
    at: float
    """Monotonic seconds."""


@dataclass(slots=True)  # not frozen, as `ledger.records`: made for every request
class Understood:
    """What a request asks for, and of whom. Body and fields are without what is for us alone."""

    peek: Peek
    matched: Matched
    body: bytes
    fields: json.Object
    require_parameters: bool
    wishes: Wishes


class Admission:
    """Makes calls of requests. One for the process."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def let_in(self, request: web.BaseRequest, asked: Operation) -> Call:
        """The call that `request` asks for. Raises `ClientError` when it is not let in."""
        admitted = self.admit(request)
        if upload.is_form(request) and upload.takes_forms(asked):
            form = await upload.begin(request, admitted.snapshot.server.max_request_bytes)
            return self.call(request, asked, admitted, body=b"", fields=form.fields, form=form)
        body, fields = await self.read(request, admitted.snapshot)
        return self.call(request, asked, admitted, body=body, fields=fields)

    async def read(self, request: web.BaseRequest, snapshot: Snapshot) -> tuple[bytes, json.Object]:
        """A body in JSON, as bytes and as an object. Raises `ClientError`."""
        bodies.check_media_type(request)
        body = await bodies.read(request, snapshot.server.max_request_bytes)
        return body, bodies.parse(body)

    def call(
        self,
        request: web.BaseRequest,
        asked: Operation,
        admitted: Admitted,
        *,
        body: bytes,
        fields: json.Object,
        form: FormUpload | None = None,
    ) -> Call:
        """The call for a body that was read. Raises `ClientError`."""
        snapshot, dialect = admitted.snapshot, asked.dialect
        route = request.headers.get(ROUTE_HEADER)
        read = understand(asked, snapshot, admitted.key, body, fields, route=route)
        matched = read.matched
        return Call(
            snapshot=snapshot,
            origin=self.origin(request, snapshot, admitted.key, matched, dialect=dialect, peek=read.peek),
            matched=matched,
            dialect=dialect,
            peek=read.peek,
            body=read.body,
            fields=read.fields,
            forwarded=to_upstream(request.headers.items()),
            started_ns=admitted.wall_ns,
            started=admitted.at,
            deadline=admitted.at + matched.policy.timeouts.total,
            cost_in_body=snapshot.server.cost_in_body or request.headers.get("x-costspan-cost", "").lower() == "true",
            require_parameters=read.require_parameters,
            wishes=read.wishes,
            content_type=bodies.JSON if form is None else form.content_type,
            upload=form,
        )

    def admit(self, request: web.BaseRequest) -> Admitted:
        """Who asks, for a request that may cost something. Raises `ClientError`."""
        snapshot = self._state.live.current
        key = self._state.authenticate(request, snapshot)
        dry_run.is_wanted(request)  # or refused, before a body is read
        return Admitted(snapshot, key, self._state.clock.wall_ns(), self._state.clock.monotonic())

    def origin(
        self,
        request: web.BaseRequest,
        snapshot: Snapshot,
        key: ClientKey | None,
        matched: Matched,
        *,
        dialect: Client,
        peek: Peek,
    ) -> Origin:
        """Who asked for what."""
        identities = self._state.identities
        context = origin.trace_context(request.headers)
        trace_id = context[0] if context else identities.trace_id()
        return Origin(
            exchange_id=identities.exchange_id(),
            route=matched.route,
            strategy=matched.strategy,
            operation=dialect.OPERATION,
            model_asked=peek.model,
            dialect_in=dialect.NAME,
            stream=peek.stream,
            key=key.name if key else None,
            attributes=origin.attributes(request.headers, snapshot.attribution, key),
            client_request_id=origin.client_request_id(request.headers),
            trace_id=trace_id,
            span_id=identities.span_id(),
            parent_span_id=context[1] if context else None,
            sampled=self._state.sample(int(trace_id, 16), context[2] if context else None),
            config_generation=snapshot.generation,
        )


def understand(
    asked: Operation,
    snapshot: Snapshot,
    key: ClientKey | None,
    body: bytes,
    fields: json.Object,
    *,
    route: str | None = None,
) -> Understood:
    """What a body that was read asks for. `route`: the name to look up instead of the model's. Raises `ClientError`."""
    dialect = asked.dialect
    if asked.model is not None:  # the path says what other dialects have in the body
        fields = {**fields, "model": asked.model, "stream": asked.stream}
    says_where = overrides.are_in(fields) and overrides.taken_by(dialect)
    if says_where:
        fields = overrides.with_model(fields)
    peek = dialect.peek(fields)
    if route is None:
        matched = resolved(snapshot, key, peek.model)
    else:
        matched = resolved(snapshot, key, route, peek.model, param=ROUTE_HEADER)
    strict, wishes = _requires_parameters(fields), NO_WISHES
    if says_where:
        resolve = partial(resolved, snapshot, key, param=overrides.MODELS)
        overridden = overrides.override(fields, matched, snapshot, dialect, resolve)
        matched, wishes = overridden.matched, overridden.wishes
        body, fields = overrides.without(body, fields, overridden.dropped)
    elif overrides.MODELS in fields and dialect.NAME in PASSED:
        overrides.refuse_models(matched, snapshot)
    return Understood(peek, matched, body, fields, strict, wishes)


def resolved(
    snapshot: Snapshot, key: ClientKey | None, name: str, model: str | None = None, *, param: str = "model"
) -> Matched:
    """What `name` leads to. `model`: what is passed on where a route passes on the name asked for, if not `name`.

    Raises `ClientError`, about the field `param`, where it leads nowhere or the key may not use it.
    """
    model = name if model is None else model
    asked, matched = overrides.find(snapshot, name, model)
    if matched is None:
        raise ClientError(
            f"no route or target has this model name{suggest(name, snapshot, key)}",
            status=404,
            code="model_not_found",
            param=param,
        )
    if key is not None and not (may_use(key, asked) and (not matched.passes_model or may_use(key, model))):
        raise ClientError("this API key may not use this model", status=403, code="route_not_allowed")
    return matched


def _requires_parameters(fields: json.Object) -> bool:
    """OpenRouter's `provider.require_parameters`."""
    provider = fields.get("provider")
    return isinstance(provider, dict) and provider.get("require_parameters") is True


def may_use(key: ClientKey, name: str) -> bool:
    """Whether a client key may ask for the model `name`."""
    return not key.routes or any(fnmatchcase(name, pattern) for pattern in key.routes)
