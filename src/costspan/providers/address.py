"""From a kind and what its account says to the address of its API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from costspan.providers.account import Address

if TYPE_CHECKING:
    from costspan.providers.account import Cloud
    from costspan.providers.kind import Kind

VERSION: Final = re.compile(r"/v\d+\w*$")
"""The end of a base path that names a version of the API."""

_OF_AWS: Final = re.compile(
    r"(?:^|\.)bedrock-runtime(?:-fips)?\.(?P<place>[a-z0-9-]+)\.(?:vpce\.amazonaws|amazonaws|api)\."
)
_OF_GOOGLE: Final = re.compile(
    r"(?:(?P<place>[a-z0-9-]+)-aiplatform|aiplatform\.(?P<wide>eu|us)\.rep)\.googleapis\.com"
)
_PORTS: Final = {"http": 80, "https": 443}
_WITHIN_RESOURCE: Final = ("/openai/v1", "/openai")
"""What Azure's way puts behind the address of a resource, which may be written with it."""
_MULTI_REGIONS: Final = frozenset({"eu", "us"})
"""Google's locations that have hosts of another form (google-genai 3.4, `_api_client.py`, read 2026-11-25)."""


def address_of(kind: Kind, base_url: str | None, cloud: Cloud) -> Address | None:
    """Where an account of `kind` is: at its own `base_url`, else where all of its kind are. None where nobody says."""
    url = base_url or _default(kind, cloud)
    if url is None:
        return None
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if kind.way == "azure":
        path = next((path.removesuffix(end) for end in _WITHIN_RESOURCE if path.endswith(end)), path)
    elif not VERSION.search(path):
        path += kind.version
    return Address(parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0), path)


def place_of(host: str) -> str | None:
    """The region or location that a cloud's own host name tells; None where it tells none.

    botocore 1.44.5, `data/bedrock-runtime/.../endpoint-rule-set-1`; google-genai 3.4, `_api_client.py`.
    """
    found = _OF_AWS.search(host) or _OF_GOOGLE.fullmatch(host)
    return None if found is None else found["place"] or found.groupdict().get("wide")


def _default(kind: Kind, cloud: Cloud) -> str | None:
    if kind.base_url is None or any(getattr(cloud, name) is None for name in kind.needs):
        return None
    if kind.way == "vertex" and cloud.location == "global":
        return kind.base_url.replace("{location}-", "")
    if kind.way == "vertex" and cloud.location in _MULTI_REGIONS:
        return kind.base_url.replace("{location}-aiplatform", f"aiplatform.{cloud.location}.rep")
    return kind.base_url.format(location=cloud.location, region=cloud.region)
