"""Client keys of the tests, and configurations that know them."""

from __future__ import annotations

import hashlib

CLIENT = "cs-client-key-0123456789abcdef"
OTHER = "cs-other-key-0123456789abcdef"
EXPIRED = "cs-expired-key-0123456789abcdef"


def digest(key: str) -> str:
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


KEYS = f"""
keys:
  - {{name: client, hash: "{digest(CLIENT)}", attributes: {{team: core}}}}
  - {{name: other, hash: "{digest(OTHER)}", routes: [claude, "two/*"]}}
  - {{name: expired, hash: "{digest(EXPIRED)}", expires: 2020-01-01}}
"""
