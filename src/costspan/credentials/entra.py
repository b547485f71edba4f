"""Microsoft Entra tokens for Azure OpenAI. Blocking: called on a thread."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from costspan.credentials.held import NoCredentials, Token

if TYPE_CHECKING:
    from collections.abc import Callable

    from costspan.credentials.held import Held

_CLOUDS = {"azure.us": "azure.us", "azure.cn": "azure.cn"}
"""The ends of host names of the sovereign clouds, with the domain of their tokens' audience."""


def scope_of(host: str) -> str:
    """Whom a token for `host` is for: learn.microsoft.com/azure/ai-services/authentication (2026-11-25)."""
    cloud = next((domain for end, domain in _CLOUDS.items() if host.endswith(f".{end}")), "azure.com")
    return f"https://cognitiveservices.{cloud}/.default"


def fetcher(scope: str) -> Callable[[], Held]:
    """What fetches tokens for `scope`."""
    return partial(_fetch, scope)


def _fetch(scope: str) -> Held:
    """A token of the environment: client secret, workload identity, managed identity or developer tools."""
    from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 - an extra, and slow to import
    from azure.identity import CredentialUnavailableError, DefaultAzureCredential  # noqa: PLC0415 - likewise

    try:
        with DefaultAzureCredential() as credential:
            token = credential.get_token(scope)
    except CredentialUnavailableError as error:
        raise NoCredentials(
            "set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, run `az login`, or run with a managed or "
            "workload identity"
        ) from error
    except ClientAuthenticationError as error:
        raise NoCredentials("no identity of the environment was accepted; see the gateway's log") from error
    return Token(token.token, float(token.expires_on))
