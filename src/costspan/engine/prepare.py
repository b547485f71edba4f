"""From a client's request to the bytes for one target: patched where the dialects match, translated where not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from costspan.dialects import RENAMES
from costspan.engine import raw, translate
from costspan.errors import ClientError, Malformed, Untranslatable
from costspan.ir.profile import TAKES_REASONING_EFFORT
from costspan.providers import ways
from costspan.providers.ways.asked import Asked
from costspan.wire.patch import patch, prepend, replace_string

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costspan.dialects.types import Metered
    from costspan.engine.call import Call
    from costspan.engine.recall import Recall
    from costspan.engine.translate import Back
    from costspan.providers.account import Account
    from costspan.routing.plan import Step
    from costspan.wire import json
    from costspan.wire.http import Outgoing, Upload

_FOREIGN = (b'"cs1.', b'"signature":""', b'"signature": ""', b'"Y3MxL')
"""Marks of another dialect's thinking that we gave to this client (the last is the first in base64, as Gemini's
clients carry it). Whoever did not sign it refuses it with a 400, so such a conversation is written anew, without it;
everything else of the same dialect passes byte for byte."""


@dataclass(slots=True)  # not frozen, as `ledger.records`: made for every request
class Prepared:
    """What to send to a target. `added_usage` says that the stream's usage chunk was not the client's wish."""

    dialect: Metered
    body: bytes | Upload
    losses: tuple[str, ...] = ()
    added_usage: bool = False
    back: Back | None = None
    """How the answer is translated; None where it passes as it is."""


def prepare(call: Call, step: Step, account: Account, recall: Recall) -> Prepared:
    """Write the request for `step`.

    Raises `Untranslatable` when the target's dialect cannot express it (or, with `require_parameters`, would lose a
    parameter), `ClientError` when the request itself is wrong.
    """
    if call.raw is not None:
        return Prepared(call.raw.dialect or raw, call.raw.body)
    name = account.dialect_for(call.dialect.NAME, step.model, translate.alike(call.dialect))
    if name is None:
        raise Untranslatable(f"{step.label} offers nothing like {call.dialect.NAME}", param="model")
    dialect = translate.upstream(name)
    if call.upload is not None:
        lost = tuple(name for name in step.params if name not in call.fields)  # a form passes as it is
        return Prepared(dialect, call.upload.renamed(step.model), lost)
    profile = account.kind.profile
    same = name == call.dialect.NAME
    if same:
        if not _has_foreign_thinking(call.body):
            return _patched(call, step, dialect)
        profile = replace(profile, quirks=profile.quirks | {TAKES_REASONING_EFFORT})  # the client's own choice of words
    request = call.canonical()
    if step.params:
        added = call.dialect.defaults(call.told, step.params)
        request = translate.decode(call.dialect, {**call.told, **added})
    target = translate.Target(name, step.model, profile)
    encoded, back = translate.encode(call.dialect, request, target, recall, call.origin.key or "")
    if encoded.losses and call.require_parameters:
        raise Untranslatable(f"{encoded.losses[0]} cannot be expressed for {step.label}", param=encoded.losses[0])
    hidden = call.peek.stream and not call.peek.wants_usage and not call.cost_in_body
    return Prepared(dialect, encoded.body, encoded.losses, added_usage=hidden and same, back=None if same else back)


def addressed(
    call: Call,
    step: Step,
    account: Account,
    prepared: Prepared,
    *,
    key: str | None,
    forwarded: Sequence[tuple[str, str]],
) -> Outgoing:
    """What was prepared for `step`, as the account's host is asked for it. A raw request goes as it is, not so."""
    stream = call.peek.stream
    asked = Asked(
        prepared.dialect.NAME,
        prepared.dialect.path(step.model, stream=stream),
        step.model,
        prepared.body,
        stream=stream,
        key=key,
        forwarded=forwarded,
        content_type=call.content_type,
    )
    return ways.outgoing(account, asked)


def _patched(call: Call, step: Step, dialect: Metered) -> Prepared:
    """Same dialect: only the model name, missing defaults and the usage option change."""
    body, asked = call.body, call.peek.model
    try:
        if dialect.MODEL_IN_BODY:
            body = replace_string(body, "model", asked, step.model)
        changes: dict[str, object] = dict(call.dialect.defaults(call.fields, step.params)) if step.params else {}
        if (renamed := RENAMES.get(dialect.NAME)) is not None:
            changes |= renamed({**call.fields, **changes}, step.model)
        added = call.peek.stream and not call.peek.wants_usage
        if added:
            options = call.fields.get("stream_options")
            changes["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        if changes:
            body = _changed(body, changes, call.fields)
    except Malformed as error:
        raise ClientError(str(error), code="duplicate_key") from None
    return Prepared(dialect, body, added_usage=added and not call.cost_in_body)


def _changed(body: bytes, changes: json.Object, fields: json.Object) -> bytes:
    """`body`, whose fields are `fields`, with `changes`: in their places, or at the front where it lacks them."""
    present = {name: value for name, value in changes.items() if name in fields}
    if present:
        body = patch(body, present)
    if missing := {name: value for name, value in changes.items() if name not in present}:
        body = prepend(body, missing)
    return body


def _has_foreign_thinking(body: bytes) -> bool:
    """A plain loop: a generator costs more than the searches."""
    for mark in _FOREIGN:  # noqa: SIM110 - see above
        if mark in body:
            return True
    return False
