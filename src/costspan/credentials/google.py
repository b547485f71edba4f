"""Google's application-default credentials. Blocking: called on a thread."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from costspan.credentials.held import NoCredentials, Token

if TYPE_CHECKING:
    from costspan.credentials.held import Held

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def fetch() -> Held:
    """A token of the environment: key file, user, workload identity or metadata server."""
    import google.auth  # noqa: PLC0415 - an extra, and slow to import
    from google.auth.exceptions import DefaultCredentialsError  # noqa: PLC0415 - likewise
    from google.auth.transport.requests import Request  # noqa: PLC0415 - likewise

    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
    except DefaultCredentialsError as error:
        raise NoCredentials(
            "set GOOGLE_APPLICATION_CREDENTIALS, run `gcloud auth application-default login`, or run where a metadata "
            "server answers"
        ) from error
    credentials.refresh(Request())  # type: ignore[no-untyped-call] # - the library's
    expiry = credentials.expiry
    quota = getattr(credentials, "quota_project_id", None)
    return Token(
        str(credentials.token),
        None if expiry is None else expiry.replace(tzinfo=UTC).timestamp(),
        (("x-goog-user-project", quota),) if quota else (),
    )
