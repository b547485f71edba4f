"""`GET /v1/models` and `/v1beta/models`: the routes and direct targets that a key may use."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from costspan.routing.plan import Leaf
from costspan.wire.headers import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from costspan.routing.plan import Route
    from costspan.snapshot import ClientKey, Snapshot
    from costspan.wire import json

MAX_SUGGESTIONS = 5


def names(snapshot: Snapshot, key: ClientKey | None) -> list[str]:
    """Model names that may be asked for: routes that are no globs, and known models of direct targets."""
    found = dict.fromkeys(_all(snapshot))
    if key is None or not key.routes:
        return list(found)
    return [name for name in found if any(fnmatchcase(name, pattern) for pattern in key.routes)]


def _all(snapshot: Snapshot) -> Iterator[str]:
    for name, route in snapshot.table.routes.items():
        if any(c in name for c in "*?["):
            yield from _of_glob(route, snapshot)
        else:
            yield name
    if snapshot.table.direct_targets:
        for provider, models in snapshot.models.items():
            yield from (f"{provider}/{model}" for model in models)
        for route in snapshot.table.routes.values():
            for member in route.members:
                if isinstance(member, Leaf) and "{model}" not in member.model:
                    yield f"{member.provider}/{member.model}"


def _of_glob(route: Route, snapshot: Snapshot) -> Iterator[str]:
    """What the catalog knows of the models that a glob route passes on by name."""
    catalog = snapshot.book.catalog
    for member in route.members:
        if catalog is not None and isinstance(member, Leaf) and member.model == "{model}":
            known = catalog.models(snapshot.accounts[member.provider].catalog or "")
            yield from (name for name in known if fnmatchcase(name, route.name) and not name.endswith("-"))


def suggest(asked: str, snapshot: Snapshot, key: ClientKey | None) -> str:
    """The end of a sentence that helps with an unknown model name; repeats of it only what is printable, 64 at most."""
    known = names(snapshot, key)
    near = difflib.get_close_matches(asked[:64], known, n=MAX_SUGGESTIONS, cutoff=0.5)
    shown = printable(asked, 64)
    return f" ({shown!r}); nearest: {', '.join(near)}" if near else f" ({shown!r})"


def openai_model(name: str, snapshot: Snapshot) -> json.Object:
    """One model in OpenAI's shape."""
    return {"id": name, "object": "model", "created": 0, "owned_by": _owner(name, snapshot)}


def _owner(name: str, snapshot: Snapshot) -> str:
    """The provider of a direct target or of a glob route's only target; a route of several is ours."""
    if name in snapshot.table.routes:
        return "costspan"
    matched = snapshot.table.match(name)
    providers = {step.provider for step in matched.steps} if matched is not None else set()
    return providers.pop() if len(providers) == 1 else "costspan"


def openai_list(found: list[json.Object]) -> json.Object:
    """In OpenAI's list shape."""
    return {"object": "list", "data": found}


def anthropic_list(found: list[json.Object]) -> json.Object:
    """In Anthropic's list shape."""
    return {
        "data": found,
        "has_more": False,
        "first_id": found[0]["id"] if found else None,
        "last_id": found[-1]["id"] if found else None,
    }


def anthropic_model(name: str, snapshot: Snapshot) -> json.Object:  # noqa: ARG001 - as the other shapes
    """One model in Anthropic's shape."""
    return {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"}


def google_list(found: list[json.Object]) -> json.Object:
    """In Google's list shape."""
    return {"models": found}


def google_model(name: str, snapshot: Snapshot) -> json.Object:  # noqa: ARG001 - as the other shapes
    """One model in Google's shape. What it can do depends on the target; these paths exist for all."""
    return {
        "name": f"models/{name}",
        "displayName": name,
        "supportedGenerationMethods": ["generateContent", "countTokens", "embedContent"],
    }


@dataclass(frozen=True, slots=True)
class Shape:
    """How a vendor's clients want to see models."""

    one: Callable[[str, Snapshot], json.Object]
    many: Callable[[list[json.Object]], json.Object]


def shape_of(headers: Mapping[str, str], *, google: bool) -> Shape:
    """Google's on Google's path or with its headers, Anthropic's for whoever says its version, else OpenAI's.

    Google's newer client asks `/v1/models`, where OpenAI's are (google-genai 3.4.0).
    """
    if google or "x-goog-api-key" in headers or "x-goog-api-client" in headers:
        return Shape(google_model, google_list)
    if "anthropic-version" in headers:
        return Shape(anthropic_model, anthropic_list)
    return Shape(openai_model, openai_list)
