"""`/providers/{provider}/...`: any path of a provider, method and bytes as sent, our key in the place of the client's.

Where the path is that of a dialect that we know, the answer is read from aside for its usage; else the attempt is
recorded as unpriced. There is one target and one try: what a provider's own path does, nobody here can know.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from costspan.dialects import CLIENT_DIALECTS, EMBEDDING_CLIENTS, METERED, PASSED
from costspan.dialects.checks import MAX_MODEL_CHARS
from costspan.dialects.types import Peek
from costspan.engine.call import Call, Raw
from costspan.engine.raw import NAME, UNKNOWN_MODEL
from costspan.errors import ClientError, Malformed
from costspan.providers.raw import raw_path
from costspan.routing.plan import Matched, Policy, Step
from costspan.server import body as bodies
from costspan.server import dry_run, upload
from costspan.server.paths import PROVIDERS, client_of
from costspan.wire import json
from costspan.wire.headers import to_upstream

if TYPE_CHECKING:
    from aiohttp import web

    from costspan.dialects.types import Metered
    from costspan.engine.translate import Client
    from costspan.providers.account import Account
    from costspan.server.admission import Admission
    from costspan.server.exchange import Exchanges
    from costspan.snapshot import ClientKey, Snapshot
    from costspan.wire.http import Upload

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_ESCAPE: Final = re.compile(r"%([2-7][0-9A-Fa-f])")
"""Those of letters and the like mean the same as what they stand for (RFC 3986, 2.3)."""
_MODEL: Final = "costspanmodel"
"""Stands for a model while a dialect's path is made into a pattern."""


class RawPaths:
    """Handles the providers' own paths."""

    def __init__(self, admission: Admission, exchanges: Exchanges) -> None:
        self._admission = admission
        self._exchanges = exchanges

    async def handle(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        """Answer one request. Raises `ClientError`."""
        admission = self._admission
        admitted = admission.admit(request)
        dry_run.refuse(request)
        snapshot, key = admitted.snapshot, admitted.key
        if request.method not in METHODS:
            raise ClientError(
                "the method is not passed on",
                status=405,
                code="method_not_allowed",
                headers={"allow": ", ".join(sorted(METHODS))},
            )
        name, _, rest = path.removeprefix(PROVIDERS).partition("/")
        account = snapshot.accounts.get(unquote(name))
        if account is None or account.address.scheme == "mock":
            raise ClientError("there is no provider of this name", status=404, code="not_found")
        if not snapshot.table.direct_targets:
            raise ClientError("only routes are served here (direct_targets)", status=403, code="route_not_allowed")
        if key is not None and not _may_use(key, account.name, rest):
            raise ClientError("this API key may not use this provider's paths", status=403, code="route_not_allowed")
        target = raw_path(account, f"/{rest}", _query(request))
        dialect, model = recognised(account, f"/{rest}", target) if request.method == "POST" else (None, None)
        body, fields = await _body(request, account, dialect, snapshot.server.max_request_bytes)
        client, peek = _peek(dialect, fields, model)
        step = Step(account.name, peek.model, MappingProxyType({}), _once(snapshot))
        matched = Matched.direct(f"{PROVIDERS}{account.name}", step)
        origin = admission.origin(request, snapshot, key, matched, dialect=client, peek=peek)
        origin.dialect_in = NAME if dialect is None else dialect.NAME
        origin.operation = NAME if dialect is None else dialect.OPERATION
        call = Call(
            snapshot=snapshot,
            origin=origin,
            matched=matched,
            dialect=client,
            peek=peek,
            body=b"",
            fields=fields,
            forwarded=to_upstream(request.headers.items()),
            started_ns=admitted.wall_ns,
            started=admitted.at,
            deadline=admitted.at + step.policy.timeouts.total,
            raw=Raw(request.method, target, request.headers.get("Content-Type"), body, dialect),
        )
        return await self._exchanges.run(request, call)


def _may_use(key: ClientKey, provider: str, path: str) -> bool:
    """Whether a pattern that names the provider, or means everything, covers the path: `*-mini` is about models."""
    meant = (pattern for pattern in key.routes if pattern == "*" or pattern.startswith(f"{provider}/"))
    return not key.routes or any(fnmatchcase(f"{provider}/{path}", pattern) for pattern in meant)


def recognised(account: Account, path: str, target: str) -> tuple[Metered | None, str | None]:
    """The dialect that `path` belongs to, and the model where the path names it."""
    path, plain = (_ESCAPE.sub(_decoded, written) for written in (path, target.partition("?")[0]))
    for name in account.kind.all_dialects:
        if name not in METERED:
            continue
        for pattern in _patterns(name):
            if (found := pattern.search(path)) is not None:
                head = plain[: len(plain) - len(found.group())]
                if account.kind.way != "plain" or head == account.address.base_path:
                    return METERED[name], unquote(found[1]) if found.groups() else None
    return None, None


@cache
def _patterns(name: str) -> tuple[re.Pattern[str], ...]:
    dialect = METERED[name]
    paths = {dialect.path(_MODEL, stream=stream).partition("?")[0] for stream in (False, True)}
    return tuple(re.compile(re.escape(path).replace(_MODEL, "([^/]+)") + r"\Z") for path in sorted(paths))


def _decoded(escape: re.Match[str]) -> str:
    letter = chr(int(escape[1], 16))
    return letter if letter.isalnum() or letter in "-._~" else escape[0]


def _query(request: web.BaseRequest) -> str:
    """The query as it came, without the client's key."""
    raw = request.rel_url.raw_query_string
    return "&".join(part for part in raw.split("&") if part and unquote(part.partition("=")[0]) != "key")


async def _body(
    request: web.BaseRequest, account: Account, dialect: Metered | None, limit: int
) -> tuple[bytes | Upload, json.Object]:
    """The body to send, and its fields where it is JSON that somebody here understands."""
    if not request.body_exists:
        return b"", {}
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    understood = dialect is not None and media_type == bodies.JSON
    if not understood and not (account.kind.credentials == "aws" and not account.keys):  # it signs whole bodies only
        return await upload.passing(request, limit), {}
    bodies.check_encoding(request)
    body = await bodies.read(request, limit)
    try:
        return body, json.loads_strictly(body) if understood else {}
    except Malformed:
        return body, {}  # the provider will say what is wrong with it


def _peek(dialect: Metered | None, fields: json.Object, model: str | None) -> tuple[Client, Peek]:
    """Who tells the client of errors, and what the books want to know of the request."""
    name = "" if dialect is None else dialect.NAME
    client: Client = CLIENT_DIALECTS.get(name) or EMBEDDING_CLIENTS.get(name) or PASSED.get(name) or client_of("")
    named = _named(fields.get("model") if model is None else model)
    if name == client.NAME and fields:
        try:
            found = client.peek({**fields, "model": named})
        except ClientError:  # the provider judges its own requests
            pass
        else:
            return client, Peek(
                named,
                stream=False,
                max_output_tokens=found.max_output_tokens,
                prompt_chars=found.prompt_chars,
                media=found.media,
                service_tier=found.service_tier,
            )
    return client, Peek(
        named, stream=False, max_output_tokens=None, prompt_chars=len(json.dumps(fields)) if fields else 0
    )


def _named(model: object) -> str:
    """What the books call the model: they take no name that nobody could have configured."""
    fit = isinstance(model, str) and model.isprintable() and 0 < len(model) <= MAX_MODEL_CHARS
    return str(model) if fit else UNKNOWN_MODEL


def _once(snapshot: Snapshot) -> Policy:
    return Policy(retries=0, fallback_on=frozenset(), timeouts=snapshot.table.defaults.timeouts)
