"""What a credential chain gave, and for how long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A bearer token. `expires` is in epoch seconds, None where it does not."""

    value: str
    expires: float | None
    headers: tuple[tuple[str, str], ...] = ()
    """What has to go with it."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        return (self.value,)


@dataclass(frozen=True, slots=True, repr=False)
class SigningKeys:
    """AWS access keys, temporary ones with their session token."""

    access_key: str
    secret_key: str
    session_token: str | None
    expires: float | None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown. The access key names an account: it is not shown either."""
        return tuple(filter(None, (self.secret_key, self.session_token, self.access_key)))


Held = Token | SigningKeys


class NoCredentials(Exception):
    """The chain found nothing. The message says where it would have been found, and no value."""
