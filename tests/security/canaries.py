"""What is looked for in everything that the gateway writes, and how loud it is asked to be."""

from __future__ import annotations

import base64
from urllib.parse import quote

DEBUG = (
    "-c",
    """
from costspan.telemetry import logs
quiet = logs.configure
logs.configure = lambda *_: quiet("DEBUG")
from costspan.engine.keys import KeyRing
from costspan.engine.targets import Target
from costspan.engine.watch import Watch
ended = Watch.ended
def end(self, *how):
    ended(self, *how)
    self._target.breaker = Target("", self.lease.account.address, lambda: 0.5).breaker
Watch.ended = end
KeyRing.ready_at = lambda self, account, now: now
from costspan.cli import main
main()
""",
)
"""The program with its log level turned all the way up. It goes on asking who fails: every word has to pass by."""


def forms(canary: str) -> list[bytes]:
    """The canary as it may be found: raw, encoded, or one of its ends."""
    raw = canary.encode()
    found = {raw, raw[:12], raw[-12:], raw.hex().encode(), quote(canary, safe="").encode(), repr(canary)[1:-1].encode()}
    for offset in range(3):  # base64 looks different by where the canary stands in what was encoded
        encoded = base64.b64encode(b"\0" * offset + raw)
        found.add(encoded[4 if offset else 0 : len(encoded) - 4])
    return sorted(found)
