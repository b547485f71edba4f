"""`/admin/*`: what the process knows of its targets, and why an exchange went where it went. For operators, in JSON.

Who may: whoever has `admin.token`. Without one, whoever is on this machine and comes neither from a web page nor
through a proxy, which would let others in by its own address. Client keys do not open it.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from aiohttp import web

from costspan.engine import decision
from costspan.engine.decision import seconds
from costspan.errors import ClientError
from costspan.server import guard
from costspan.server.paths import EXPLAIN, TARGETS
from costspan.wire import json

if TYPE_CHECKING:
    from multidict import MultiMapping

    from costspan.engine.targets import Target
    from costspan.providers.account import Account
    from costspan.server.state import State
    from costspan.snapshot import Snapshot

MAX_TARGETS: Final = 500
"""Listed at one time, those that were asked last."""

_PROXIED: Final = frozenset(
    {"cf-connecting-ip", "forwarded", "true-client-ip", "via", "x-client-ip", "x-original-for", "x-real-ip"}
)
"""Headers that proxies add, besides all `x-forwarded-*`. One that adds none looks like any client of this machine."""
_SAME_SITE: Final = frozenset({"same-origin", "none"})
_JSON: Final = {"content-type": "application/json; charset=utf-8", "cache-control": "no-store"}


class Admin:
    """Answers operators. One for the process."""

    def __init__(self, state: State) -> None:
        self._state = state

    def __call__(self, request: web.BaseRequest, path: str, local: str | None) -> web.Response:
        """Answer a request for `path`, sent to our address `local` (None: a Unix socket). Raises `ClientError`."""
        snapshot = self._state.live.current
        guard.check_host(request.headers.get("Host"), snapshot, local)
        _refuse_pages(request.headers)
        _authorize(request.headers, snapshot.admin_token, local)
        if request.method != "GET":
            raise ClientError("the method must be GET", status=405, code="method_not_allowed", headers={"allow": "GET"})
        if path == TARGETS:
            return _answer(self._targets(snapshot))
        if path.startswith(EXPLAIN):
            return _answer(self._explain(path.removeprefix(EXPLAIN)))
        raise ClientError("there is nothing at this path", status=404, code="not_found")

    def _explain(self, exchange_id: str) -> json.Object:
        decisions = self._state.engine.decisions
        found = decisions.of(exchange_id)
        if found is None:
            raise ClientError(
                f"no exchange of this id is among the last {decisions.most} that this process has ended",
                status=404,
                code="not_found",
            )
        return decision.told(found)

    def _targets(self, snapshot: Snapshot) -> json.Object:
        targets, now = self._state.targets, self._state.clock.monotonic()
        return {
            "providers": [self._provider(account, now) for account in snapshot.accounts.values()],
            "targets": [_target(target, now) for target in targets.newest(MAX_TARGETS)],
            "not_listed": max(len(targets) - MAX_TARGETS, 0),
        }

    def _provider(self, account: Account, now: float) -> json.Object:
        ready, under_way = self._state.keys.standing(account, now)
        return {
            "provider": account.name,
            "keys": len(account.keys),
            "keys_ready": ready if account.keys else None,
            "attempts_under_way": under_way,
            "max_concurrency": account.max_concurrency,
            "places_used": None if account.max_concurrency is None else self._state.slots.used(account),
        }


def _target(target: Target, now: float) -> json.Object:
    breaker, timing = target.breaker, target.timing
    state = breaker.state(now)
    return {
        "target": target.label,
        "breaker": state,
        "due_seconds": None if state == "closed" else seconds(max(breaker.due(now) - now, 0.0)),
        "first_token_seconds": seconds(timing.first_token(now)),
        "first_token_p95_seconds": seconds(timing.p95(now, streamed=True)),
        "whole_answer_p95_seconds": seconds(timing.p95(now, streamed=False)),
        "waits_for_first_content": timing.pending(now),
    }


def _answer(told: json.Object) -> web.Response:
    return web.Response(body=json.dumps(told), headers=_JSON)


def _refuse_pages(headers: MultiMapping[str]) -> None:
    """No web page has any business here, whatever `server.allowed_origins` lets it ask of models."""
    if "Origin" in headers or headers.get("Sec-Fetch-Site", "none") not in _SAME_SITE:
        raise ClientError("web pages may not use the admin paths", status=403, code="origin_not_allowed")


def _authorize(headers: MultiMapping[str], token: str | None, local: str | None) -> None:
    """Raise `ClientError` unless whoever asks may know."""
    if token is None:
        here = local is None or guard.is_loopback(local)
        if here and not any(_tells_of_a_proxy(name.lower()) for name in headers):
            return
        raise ClientError(
            "without admin.token, the admin paths are for this machine only", status=403, code="admin_token_not_set"
        )
    presented = [value.partition(" ") for value in headers.getall("Authorization", ())]
    tokens = [told.strip() for scheme, _, told in presented if scheme.lower() == "bearer"]
    if len(tokens) != 1 or not hmac.compare_digest(_digest(tokens[0]), _digest(token)):
        raise ClientError(
            "the admin paths need admin.token, as Authorization: Bearer",
            status=401,
            code="invalid_admin_token",
            headers={"www-authenticate": "Bearer"},
        )


def _tells_of_a_proxy(header: str) -> bool:
    return header in _PROXIED or header.startswith("x-forwarded-")


def _digest(token: str) -> bytes:
    """Of one length, so that comparing tells nothing of the token's."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
