"""`costspan key new`."""

from __future__ import annotations

import hashlib
import secrets

from costspan.wire import json


def new(name: str, *, as_json: bool) -> int:
    """Print a new client key, this once, and the entry for the file."""
    key = f"cs-{secrets.token_urlsafe(32)}"
    digest = f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
    if as_json:
        print(json.text({"name": name, "key": key, "hash": digest}))  # noqa: T201 - the command's output
        return 0
    print(f"{key}\n\nThis is the only time the key is shown. For gateway.yaml:\n")  # noqa: T201 - the output
    print(f"keys:\n  - name: {json.text(name)}\n    hash: {json.text(digest)}")  # noqa: T201 - the output
    return 0
