"""The one place that all requests pass: Host, Origin, load, path, method. Paths match exactly, or 404."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from aiohttp import HttpVersion11, web

from costspan.dialects import CLIENT_DIALECTS
from costspan.errors import ClientError
from costspan.server import errors, guard, models, paths
from costspan.server.admin import Admin
from costspan.server.admission import Admission, may_use
from costspan.server.count import Counts
from costspan.server.exchange import Exchanges
from costspan.server.protocol import CORS, protocol_of
from costspan.server.raw import METHODS, RawPaths
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Callable

    from costspan.dialects.types import ErrorAnswer
    from costspan.engine.translate import Client
    from costspan.server.state import State

_JSON = {"content-type": "application/json; charset=utf-8"}


class Surface:
    """The main listener's handler. `health` answers the probes here too, unless they have a listener of their own."""

    def __init__(self, state: State, health: Callable[[web.BaseRequest], web.Response] | None) -> None:
        self._state = state
        self._health = health
        admission = Admission(state)
        self._exchanges = Exchanges(state, admission)
        self._counts = Counts(admission, self._exchanges)
        self._raw = RawPaths(admission, self._exchanges)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path = _path(request)
        dialect = paths.client_of(path)
        try:
            if self._health is not None and (path in paths.HEALTH or path.startswith(paths.ADMIN)):
                return self._probe(self._health, request, path)
            self._admit(request, path)
            if request.method == "OPTIONS":
                return self._preflight(request, path)
            return await self._route(request, path)
        except ClientError as error:
            answer = errors.from_client_error(error, self._state.identities.exchange_id())
            return _refuse(request, answer, dialect, error)

    def _admit(self, request: web.BaseRequest, path: str) -> None:
        """Refuse what may not pass at all, before anything of the body is read."""
        state = self._state
        snapshot = state.live.current
        _check_framing(request, path)
        guard.check_host(request.headers.get("Host"), snapshot, _local_address(request))
        if cors := guard.check_origin(request.headers, snapshot):
            request[CORS] = cors
        if state.stopping:
            raise _closing(503, "shutting_down", "the gateway is shutting down", {"retry-after": "1"})
        if state.in_flight >= snapshot.server.max_in_flight:
            raise ClientError(
                "too many requests are under way", status=503, code="overloaded", headers={"retry-after": "1"}
            )

    def _probe(
        self, health: Callable[[web.BaseRequest], web.Response], request: web.BaseRequest, path: str
    ) -> web.Response:
        """Answer for health. Of these only the metrics tell something: where a browser can be, not to any name."""
        local = _local_address(request)
        if path == "/metrics" and local is not None and guard.is_loopback(local):
            guard.check_host(request.headers.get("Host"), self._state.live.current, local)
            guard.check_origin(request.headers, self._state.live.current)
        return health(request)

    async def _route(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        if (asked := paths.operation(path)) is not None:
            _only(request, "POST")
            with self._state.counted():
                if asked.action == "count":
                    return await self._counts.handle(request, asked)
                return await self._exchanges.handle(request, asked)
        if path.startswith(paths.PROVIDERS):
            with self._state.counted():
                return await self._raw.handle(request, path)
        for root in (paths.MODELS, paths.GOOGLE_MODELS):
            if path == root or (path.startswith(root + "/") and path != root + "/"):
                if request.method == "POST" and root == paths.GOOGLE_MODELS:
                    break  # a method of a model that is not served here
                _only(request, "GET")
                shape = models.shape_of(request.headers, google=root == paths.GOOGLE_MODELS)
                return self._models(request, unquote(path.removeprefix(root).removeprefix("/")), shape)
        moved = self._health is None and path.startswith(paths.ADMIN)
        raise ClientError(
            "it is at the address of admin.listen" if moved else "there is nothing at this path",
            status=404,
            code="not_found",
        )

    def _preflight(self, request: web.BaseRequest, path: str) -> web.Response:
        """What a page may send, for one that may."""
        if CORS not in request:
            return web.Response(status=204)
        methods = ", ".join(sorted(METHODS)) if path.startswith(paths.PROVIDERS) else "GET, POST"
        headers = {"access-control-allow-methods": methods, "access-control-max-age": "600"}
        asked = request.headers.get("Access-Control-Request-Headers", "")
        if names := guard.allowed_headers(asked, self._state.live.current):
            headers["access-control-allow-headers"] = ", ".join(names)
        return web.Response(status=204, headers=headers)

    def _models(self, request: web.BaseRequest, name: str, shape: models.Shape) -> web.Response:
        snapshot = self._state.live.current
        key = self._state.authenticate(request, snapshot)
        if not name:
            body = shape.many([shape.one(known, snapshot) for known in models.names(snapshot, key)])
        else:
            matched = snapshot.table.match(name)
            if matched is None or (key is not None and not may_use(key, name)):
                raise ClientError("no route or target has this model name", status=404, code="model_not_found")
            body = shape.one(name, snapshot)
        return web.Response(body=json.dumps(body), headers=_JSON)


def _refuse(request: web.BaseRequest, answer: ErrorAnswer, dialect: Client, error: ClientError) -> web.Response:
    """An error for a request that is no exchange, with its line in the log."""
    template, notes = paths.template(_path(request)), protocol_of(request).refusals
    notes.note(answer.status, answer.code, request.method, template, answer.exchange_id, error.about)
    return errors.response(answer, dialect, error.headers)


def _path(request: web.BaseRequest) -> str:
    """The raw target without its query, before yarl mends it."""
    return request._message.path.partition("?")[0]  # noqa: SLF001 - the only place that has it


def _local_address(request: web.BaseRequest) -> str | None:
    """The address that the client connected to; None on a Unix socket."""
    local = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return guard.unmapped(local[0]) if isinstance(local, tuple) else None


def _check_framing(request: web.BaseRequest, path: str) -> None:
    """Refuse what the parser lets pass and a front proxy may read otherwise. Raises `ClientError`."""
    if request.version < HttpVersion11:
        raise _closing(400, "http_version", "only HTTP/1.1 is spoken here")
    if request.method in {"CONNECT", "TRACE"}:
        raise _closing(405, "method_not_allowed", "the method is not served", {"allow": "GET, POST"})
    if not path.startswith("/") and not (path == "*" and request.method == "OPTIONS"):
        raise _closing(400, "absolute_target", "the request target must be a path")
    headers = request.headers
    if headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
        raise _closing(400, "bad_framing", "the only transfer coding is chunked")
    if headers.get("Expect", "100-continue").lower() != "100-continue":
        raise _closing(417, "expectation_failed", "the only expectation that is met is 100-continue")
    if request.body_exists and request.method in {"GET", "HEAD", "OPTIONS"}:
        raise _closing(400, "unexpected_body", "a request of this method has no body")


def _only(request: web.BaseRequest, method: str) -> None:
    if request.method != method:
        raise ClientError(
            f"the method must be {method}", status=405, code="method_not_allowed", headers={"allow": method}
        )


def _closing(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> ClientError:
    return ClientError(message, status=status, code=code, headers={"connection": "close", **(headers or {})})


class Health:
    """/healthz, /readyz, /metrics: constant bodies, no Host check (the kubelet calls the pod's address). And /admin."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._admin = Admin(state)

    def __call__(self, request: web.BaseRequest) -> web.Response:
        """Answer a probe, a scrape or an operator. Liveness never depends on upstreams; readiness ends with SIGTERM."""
        path = _path(request)
        if path.startswith(paths.ADMIN):
            return self._administer(request, path)
        if request.method not in {"GET", "HEAD"}:
            error = ClientError(
                "the method must be GET", status=405, code="method_not_allowed", headers={"allow": "GET, HEAD"}
            )
            return self._refuse(request, error)
        if path == "/healthz":
            return web.Response(text="ok\n")
        if path == "/readyz":
            ready = self._state.ready and not self._state.stopping
            return web.Response(status=200 if ready else 503, text="ready\n" if ready else "not ready\n")
        if path == "/metrics":
            body, content_type = self._state.metrics()
            return web.Response(body=body, headers={"content-type": content_type})
        return self._refuse(request, ClientError("there is nothing at this path", status=404, code="not_found"))

    def _administer(self, request: web.BaseRequest, path: str) -> web.Response:
        try:
            _check_framing(request, path)
            return self._admin(request, path, _local_address(request))
        except ClientError as error:
            return self._refuse(request, error)

    def _refuse(self, request: web.BaseRequest, error: ClientError) -> web.Response:
        answer = errors.from_client_error(error, self._state.identities.exchange_id())
        return _refuse(request, answer, CLIENT_DIALECTS["openai-chat"], error)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """As the handler of a listener."""
        return self(request)
