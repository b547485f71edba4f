"""What a request says of its own routing, in OpenRouter's words: `models`, `provider`, `:floor` and `:nitro`.

Contract: openrouter.ai/docs/guides/routing (model-fallbacks, provider-selection, model-variants), read 2026-11-26.
Names in `models` are model names as the gateway knows them. `provider` is acted on here, and refused where it asks for
what nobody here can promise; targets that choose among providers themselves get it as it is, where there are no others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from costspan.dialects import PASSED
from costspan.dialects.checks import MAX_MODEL_CHARS
from costspan.errors import ClientError, Malformed, Untranslatable
from costspan.providers.capabilities import READ_WISHES
from costspan.routing.overrides import NO_WISHES, Sort, Wishes, refined
from costspan.routing.plan import DIRECT, MAX_STEPS
from costspan.server import preferences
from costspan.wire import patch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from costspan.engine.translate import Client
    from costspan.routing.plan import Matched
    from costspan.snapshot import Snapshot
    from costspan.wire import json

MODELS: Final = "models"
PROVIDER: Final = "provider"
ROUTE: Final = "route"
_OURS: Final = frozenset({MODELS, PROVIDER, ROUTE})
_WAYS: Final[Mapping[str, bool]] = {"fallback": False, "sort": True}
"""Values of `route`, OpenRouter's older word for `provider.sort.partition`: whether all models are sorted together."""
_SUFFIXES: Final[Mapping[str, Sort]] = {":floor": "cheapest", ":nitro": "fastest"}


@dataclass(frozen=True, slots=True)
class Overridden:
    """A request's own routing: what is asked, and the fields that are not for any target."""

    matched: Matched
    wishes: Wishes
    dropped: tuple[str, ...]


def taken_by(client: Client) -> bool:
    """Whether requests of this format may say so: those whose body names the model, and which are translated."""
    return client.MODEL_IN_BODY and client.NAME not in PASSED


def are_in(fields: json.Object) -> bool:
    """Whether the request may say anything of its routing."""
    return not _OURS.isdisjoint(fields)


def with_model(fields: json.Object) -> json.Object:
    """`fields` with the first of `models` as `model`, where that is all there is."""
    models = fields.get(MODELS)
    if "model" in fields or not isinstance(models, list) or not models:
        return fields
    return {**fields, "model": models[0]}


def find(snapshot: Snapshot, name: str, asked: str) -> tuple[str, Matched | None]:
    """What `name` leads to, and the name that a key must be allowed: without a suffix that has a meaning here.

    A suffix means something only to a route. A target that is asked for by its own name has it as part of that name,
    and so has a route of that very name.
    """
    own = snapshot.table.match(name, asked)
    sort = _SUFFIXES.get(name[name.rfind(":") :])
    if sort is None or name in snapshot.table.routes:
        return name, own
    plain = name[: name.rindex(":")]
    if plain not in snapshot.table.routes and own is not None and _owns_suffix(own, name, snapshot):
        return name, own
    found = snapshot.table.match(plain, plain if asked == name else asked) if plain else None
    if found is None or found.strategy == DIRECT:
        return name, own
    return plain, refined([found], Wishes(sort=sort))


def _owns_suffix(own: Matched, name: str, snapshot: Snapshot) -> bool:
    """Whether the suffix belongs to the name of a target, to a pattern that has a colon, or to a model of others."""
    if ":" in own.route:
        return True
    suffix = name[name.rindex(":") :]
    return all(_chooses_itself(step.provider, snapshot) and step.model.endswith(suffix) for step in own.steps)


def override(
    fields: json.Object, matched: Matched, snapshot: Snapshot, client: Client, resolve: Callable[[str], Matched]
) -> Overridden:
    """`matched` as the request's fields change it. `resolve` finds what a name of `models` leads to.

    Raises `ClientError` for what is not valid, not allowed, or cannot be promised.
    """
    found = [matched, *map(resolve, _models(fields))]
    way = fields.get(ROUTE)
    across = isinstance(way, str) and _WAYS.get(way, False)
    if PROVIDER in fields and _passes(found, snapshot, client):
        choosers = frozenset(name for name in snapshot.accounts if _chooses_itself(name, snapshot))
        wishes, kept = Wishes(only=choosers), {PROVIDER}
    else:
        wishes, kept = _wishes(fields.get(PROVIDER), snapshot, across=across), set()
    if not (way is None or (isinstance(way, str) and way in _WAYS)):
        kept.add(ROUTE)  # some other field of that name
    if len(found) > 1 or wishes != NO_WISHES:
        matched = refined(found, wishes)
    return Overridden(matched, wishes, tuple(name for name in (MODELS, PROVIDER, ROUTE) if name not in kept))


def refuse_models(matched: Matched, snapshot: Snapshot) -> None:
    """Raise `ClientError` where `models` of a format that only passes would reach who reads them.

    What else would then be asked neither keys nor budgets have a say in.
    """
    if any(_chooses_itself(step.provider, snapshot) for step in matched.steps):
        raise Untranslatable("further models can be named in chat and embeddings only", param=MODELS)


def without(body: bytes, fields: json.Object, dropped: tuple[str, ...]) -> tuple[bytes, json.Object]:
    """The request without the fields that are not for any target; all its other values keep their bytes."""
    present = [name for name in dropped if name in fields]
    try:
        body = patch.remove(body, *present) if body else body
    except Malformed as error:
        raise ClientError(str(error), code="duplicate_key") from None
    return body, {name: value for name, value in fields.items() if name not in present}


def _models(fields: json.Object) -> list[str]:
    """The further models to ask, each once. Raises `ClientError`."""
    models = fields.get(MODELS)
    if models is None:
        return []
    if not isinstance(models, list) or len(models) > MAX_STEPS:
        raise ClientError(f"'{MODELS}' must be a list of at most {MAX_STEPS} names", param=MODELS)
    for position, name in enumerate(models):
        if type(name) is not str or not name.isprintable() or not 0 < len(name) <= MAX_MODEL_CHARS:
            raise ClientError(
                f"a model must be a name of at most {MAX_MODEL_CHARS} printable characters",
                param=f"{MODELS}.{position}",
            )
    return [name for name in dict.fromkeys(models) if name != fields.get("model")]


def _passes(found: list[Matched], snapshot: Snapshot, client: Client) -> bool:
    """Whether all targets choose among providers themselves, and are told in the client's own words."""
    steps = [step for match in found for step in match.steps]
    return bool(steps) and all(
        _chooses_itself(step.provider, snapshot)
        and client.NAME in snapshot.accounts[step.provider].dialects_for(step.model)
        for step in steps
    )


def _chooses_itself(provider: str, snapshot: Snapshot) -> bool:
    return snapshot.accounts[provider].kind.name in READ_WISHES


def _wishes(provider: object, snapshot: Snapshot, *, across: bool) -> Wishes:
    """Raises `ClientError`."""
    if provider is None:
        return NO_WISHES
    if not isinstance(provider, dict):
        raise ClientError(f"'{PROVIDER}' must be an object", code="invalid_type", param=PROVIDER)
    kinds = {name: account.kind.name for name, account in snapshot.accounts.items()}
    return preferences.read(provider, kinds, across=across)
