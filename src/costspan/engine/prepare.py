"""From a client's request to the bytes for one target: patched where the dialects match, translated where not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from costspan.dialects import DIALECTS
from costspan.errors import ClientError, Malformed, Untranslatable
from costspan.ir.profile import TAKES_REASONING_EFFORT
from costspan.wire.patch import patch, prepend, replace_string

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.dialects.types import Dialect, UpstreamDialect
    from costspan.engine.call import Call
    from costspan.providers.account import Account
    from costspan.routing.plan import Step

_FOREIGN = (b'"cs1.', b'"signature":""', b'"signature": ""')
"""Marks of another dialect's thinking that we gave to this client. Whoever did not sign it refuses it with a 400, so
such a conversation is written anew, without it; everything else of the same dialect passes byte for byte."""

_MAX_TOKENS = frozenset({"max_tokens", "max_completion_tokens"})


@dataclass(frozen=True, slots=True)
class Prepared:
    """What to send to a target. `added_usage` says that the stream's usage chunk was not the client's wish."""

    dialect: UpstreamDialect
    body: bytes
    losses: tuple[str, ...] = ()
    added_usage: bool = False

    def translated(self, client: Dialect) -> bool:
        """Whether the answer has to be translated back."""
        return self.dialect.NAME != client.NAME


def prepare(call: Call, step: Step, account: Account) -> Prepared:
    """Write the request for `step`.

    Raises `Untranslatable` when the target's dialect cannot express it (or, with `require_parameters`, would lose a
    parameter), `ClientError` when the request itself is wrong.
    """
    dialect = DIALECTS[account.dialect_for(call.dialect.NAME)]
    profile = account.kind.profile
    if dialect.NAME == call.dialect.NAME:
        if not any(mark in call.body for mark in _FOREIGN):
            return _patched(call, step)
        profile = replace(profile, quirks=profile.quirks | {TAKES_REASONING_EFFORT})  # the client's own choice of words
    request = replace(call.canonical(), model=step.model)
    if step.params:
        request = replace(call.dialect.decode_request(with_defaults(call.fields, step.params)), model=step.model)
    encoded = dialect.encode_request(request, profile)
    if encoded.losses and call.require_parameters:
        raise Untranslatable(f"{encoded.losses[0]} cannot be expressed for {step.label}", param=encoded.losses[0])
    hidden = call.peek.stream and not call.peek.wants_usage and not call.cost_in_body
    added = hidden and dialect.NAME == call.dialect.NAME
    return Prepared(dialect, encoded.body, encoded.losses, added_usage=added)


def _patched(call: Call, step: Step) -> Prepared:
    """Same dialect: only the model name, missing defaults and the usage option change."""
    body, asked = call.body, call.peek.model
    try:
        body = replace_string(body, "model", asked, step.model)
        changes: dict[str, object] = {}
        added = call.peek.stream and not call.peek.wants_usage
        if added:
            options = call.fields.get("stream_options")
            changes["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        present = {name: value for name, value in changes.items() if name in call.fields}
        if present:
            body = patch(body, present)
        added_fields = {**_missing(call.fields, step.params), **changes}
        if missing := {name: value for name, value in added_fields.items() if name not in present}:
            body = prepend(body, missing)
    except Malformed as error:
        raise ClientError(str(error), code="duplicate_key") from None
    return Prepared(call.dialect, body, added_usage=added and not call.cost_in_body)


def with_defaults(fields: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The request's fields, with the route's `params` where it lacks them."""
    return {**_missing(fields, params), **fields}


def _missing(fields: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    limited = not _MAX_TOKENS.isdisjoint(fields)
    return {k: v for k, v in params.items() if k not in fields and not (limited and k in _MAX_TOKENS)}
