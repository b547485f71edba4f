"""What proves to a cloud who we are, where an account has no key: its credential chain, kept fresh off the requests.

The clouds' own libraries find the credentials (files, environment, metadata servers, workload identity). They are
extras, imported when the first account needs them, and on a thread of their own.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.providers.kind import Credentials

_EXTRAS: Final[Mapping[Credentials, tuple[str, tuple[str, ...]]]] = {
    "aws": ("bedrock", ("botocore",)),
    "entra": ("azure", ("azure.identity",)),
    "google": ("vertex", ("google.auth", "requests")),
}
"""The extra of ours that installs a chain's library, and the modules that tell whether it is there."""


def missing(credentials: Credentials) -> str | None:
    """What has to be installed before `credentials` can be found; None when nothing is missing."""
    extra, modules = _EXTRAS[credentials]
    absent = [module for module in modules if not _installed(module)]
    return f"{' and '.join(absent)}: pip install 'costspan[{extra}]'" if absent else None


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it
        return False
