"""The folder of the configuration file, held still while it is read.

Kubernetes mounts a ConfigMap as links into `..data`, itself a link to a folder with a time in its name, and updates
all files at once by changing that one link
(https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go, read 2026-01).
The link is resolved once here, so that all files of one load are of one generation.
"""

from __future__ import annotations

import os
from pathlib import Path

DATA_LINK = "..data"


class Folder:
    """Finds the files that a configuration file names."""

    def __init__(self, config_file: Path) -> None:
        self._root = Path(os.path.abspath(config_file)).parent  # noqa: PTH100 - resolve() would follow the links
        self._generation = _generation(self._root)

    def name(self, path: str) -> Path:
        """Return the lasting name of a file that is named relative to the configuration file."""
        return self._root / Path(path).expanduser()

    def actual(self, file: Path) -> Path:
        """Return where the content of `file` is in the generation that is being read."""
        if self._generation is None or not file.is_relative_to(self._root):
            return file
        pinned = self._generation / file.relative_to(self._root)
        return pinned if pinned.exists() else file

    def glob(self, pattern: str) -> list[Path]:
        """Return the lasting names of the files that match, sorted. A pattern without wildcards always matches."""
        if not any(character in pattern for character in "*?["):
            return [self.name(pattern)]
        path = Path(pattern).expanduser()
        if path.is_absolute():
            return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        base = self._generation or self._root
        return sorted(self._root / found.relative_to(base) for found in base.glob(pattern))

    def is_current(self) -> bool:
        """Whether the generation that was resolved is still the one in place."""
        return _generation(self._root) == self._generation


def _generation(root: Path) -> Path | None:
    link = root / DATA_LINK
    try:
        return link.resolve(strict=True) if link.is_symlink() else None
    except OSError:
        return None
