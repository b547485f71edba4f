"""A provider's own paths, as its documentation writes them: below its host, or below what a proxy puts in front."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from costspan.errors import ClientError
from costspan.providers.address import VERSION

if TYPE_CHECKING:
    from costspan.providers.account import Account

_PRINTABLE = re.compile(r"[\x21-\x7e]*")


def raw_path(account: Account, path: str, query: str = "") -> str:
    """The path to send for the client's `path` and `query`, both as they came (percent-encoded).

    Raises `ClientError` where it could lead elsewhere than it says: dot segments, empty segments, backslashes, control
    characters, encoded or not.
    """
    told = path if path.startswith("/") else f"/{path}"
    if not _PRINTABLE.fullmatch(told + query) or "#" in told + query or "?" in told or _strays(told):
        raise ClientError("the path is not one that can be passed on", code="invalid_value", param="path")
    return _prefix(account) + told + (f"?{query}" if query else "")


def _strays(path: str) -> bool:
    """Whether some server may read `path` as another one. Decoded twice, because proxies decode once more."""
    for _ in range(3):
        segments = path.split("/")[1:]
        if "\\" in path or any(c < " " or c == "\x7f" for c in path):
            return True
        if any(segment.partition(";")[0] in {".", ".."} for segment in segments) or "" in segments[:-1]:
            return True
        path = unquote(path, errors="replace")
    return False


def _prefix(account: Account) -> str:
    """What stands before the provider's own paths: its base path without the part that all of its kind have."""
    base, url = account.address.base_path, account.kind.base_url
    own = urlsplit(url).path.rstrip("/") if url else ""
    return base.removesuffix(own) if own and base.endswith(own) else VERSION.sub("", base)
