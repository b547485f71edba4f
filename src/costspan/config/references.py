"""References to what does not stand in the file: `${VAR}`, `${VAR:-default}`, `file:/run/secrets/key`.

`${VAR}` may stand anywhere in a value. The variable must be set and not empty; with `:-` the default, which may be
empty, stands in for both. `$${` is a literal `${`. Defaults cannot contain `}` nor references.
`file:` is read only where a secret is expected.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from costspan.config.fields import Expanded
from costspan.config.values import looks_like_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from costspan.config.folder import Folder

MAX_SECRET_BYTES = 8 * 1024

_REFERENCE = re.compile(
    r"(?P<escaped>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}]*))?\}|(?P<broken>\$\{)"
)


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Replace the references in `text`; `Expanded` says that there were some. `ValueError` says what is wrong."""
    if "${" not in text:
        return text
    expanded = _REFERENCE.sub(lambda match: _replacement(match, environ), text)
    return expanded if not _has_reference(text) else Expanded(expanded)


def _has_reference(text: str) -> bool:
    return any(match["name"] for match in _REFERENCE.finditer(text))


def _replacement(match: re.Match[str], environ: Mapping[str, str]) -> str:
    if match["escaped"]:
        return "${"
    if match["broken"]:
        raise ValueError("expected ${NAME} or ${NAME:-default}")
    name, default = match["name"], match["default"]
    if value := environ.get(name):
        return value
    if default is None:
        state = "empty" if name in environ else "not set"
        raise ValueError(f"the environment variable {name} is {state}")
    if looks_like_key(default):
        raise ValueError("a provider key must not stand in the file, not even as a default")
    return default


class SecretFiles:
    """Reads secret files and remembers which, for watching. The context of a validation.

    `seen` maps each file that was asked for to its bytes.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.seen: dict[Path, bytes] = {}
        self.warnings: list[str] = []

    def read(self, path: str) -> str:
        """Return the content without its last newline. `ValueError` says what is wrong, without the content."""
        file = self._folder.name(path)
        data = self._bytes(file)
        self.seen[file] = data
        if len(data) > MAX_SECRET_BYTES:
            raise ValueError(f"the secret file is larger than {MAX_SECRET_BYTES} bytes")
        text = data.decode("ascii", errors="replace").removesuffix("\n").removesuffix("\r")
        if not text.strip():
            raise ValueError("the secret file is empty")
        return text

    def _bytes(self, file: Path) -> bytes:
        self.seen.setdefault(file, b"")
        try:
            with self._folder.actual(file).open("rb") as opened:
                mode = os.fstat(opened.fileno()).st_mode
                data = opened.read(MAX_SECRET_BYTES + 1)
        except FileNotFoundError:
            raise ValueError("the secret file does not exist") from None
        except OSError as error:
            raise ValueError(f"the secret file cannot be read: {error.strerror or 'error'}") from None
        if mode & (stat.S_IRGRP | stat.S_IROTH):
            self._warn(f"{file}: the secret file is readable by others than its owner")
        return data

    def _warn(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)
