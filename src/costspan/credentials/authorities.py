"""Signs requests of accounts that have no key of their own, by what their cloud's credential chain gives."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from costspan.credentials import aws, entra, google
from costspan.credentials.held import Token
from costspan.credentials.refreshed import Refreshed
from costspan.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from costspan.credentials.held import Held
    from costspan.providers.account import Account
    from costspan.wire.http import Outgoing

LARGE = 2 * 1024 * 1024
"""Bytes of a body over which its signature is made on a thread: more than a millisecond and a half of hashing."""

_TALKATIVE = ("azure", "botocore", "google.auth", "msal", "urllib3")
"""Loggers of the clouds' libraries: below a warning, they write down requests and what they are signed with."""


class Authorities:
    """The credentials of all accounts. One for the process; what accounts share is fetched once."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        """`wall` is the time in epoch seconds."""
        self._wall = wall
        self._sources: dict[str, Refreshed] = {}
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)

    async def authorize(self, account: Account, outgoing: Outgoing) -> Outgoing:
        """`outgoing` with what proves who we are; as it is where `account` needs nothing of the kind.

        Waits only for the first credential of a chain, and after an outage. Raises `UpstreamError`
        (`credentials_error`, not reached).
        """
        source = self._source(account)
        if source is None:
            return outgoing
        held = await source.get()
        if isinstance(held, Token):
            kept = [(name, value) for name, value in outgoing.headers if name != "authorization"]
            named = {name for name, _ in kept}
            beside = [(name, value) for name, value in held.headers if name not in named]
            headers = [*kept, *beside, ("authorization", f"Bearer {held.value}")]
            return replace(outgoing, headers=headers)
        if not isinstance(outgoing.body, bytes):
            raise ClientError("requests to this provider are signed over their whole body, which cannot be streamed")
        region = account.cloud.region or ""
        if len(outgoing.body) > LARGE:
            return await asyncio.to_thread(aws.signed, outgoing, account.address, region, held)
        return aws.signed(outgoing, account.address, region, held)

    def warm(self, accounts: Iterable[Account]) -> None:
        """Begin to fetch what `accounts` will need, so that no request has to wait for it."""
        for account in accounts:
            source = self._source(account)
            if source is not None and source.held is None:
                source.begin()

    def refused(self, account: Account) -> None:
        """The provider did not accept the credentials of `account`: look whether there are others by now."""
        if (source := self._source(account)) is not None:
            source.doubt()

    def secrets(self, account: Account) -> tuple[str, ...]:
        """What requests of `account` are signed with, to be taken out of whatever its provider says."""
        source = self._source(account)
        return source.held.secrets if source is not None and source.held is not None else ()

    def close(self) -> None:
        """Fetch no more."""
        for source in self._sources.values():
            source.close()

    def _source(self, account: Account) -> Refreshed | None:
        if account.keys or account.kind.credentials is None:
            return None
        place, name, fetch = _chain(account)
        found = self._sources.get(place)
        if found is None:
            found = self._sources[place] = Refreshed(name, fetch, self._wall)
        return found


def _chain(account: Account) -> tuple[str, str, Callable[[], Held]]:
    """Which chain `account` uses, what people call it, and how it is asked. Accounts of one cloud share it."""
    match account.kind.credentials:
        case "aws":
            return "aws", "AWS", aws.fetch
        case "google":
            return "google", "Google", google.fetch
        case _:
            scope = entra.scope_of(account.address.host)
            return scope, "Microsoft Entra", entra.fetcher(scope)
