"""Tells when the configuration's files have changed.

The folders are watched, not the files: editors replace files, and Kubernetes updates a mounted ConfigMap by changing
its `..data` link. Only a change of content counts. `WATCHFILES_FORCE_POLLING=true` polls where the file system does
not notify (network and some container mounts).
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
    from pathlib import Path

DEBOUNCE_MS = 500
"""Changes that follow each other closely are one: an editor's rename, a ConfigMap's swap."""

LOOK_AGAIN_MS = 5000
"""Looked at without a notice too: one may have come between two watches, or a folder may not have existed yet."""

_TABLES = {".yaml", ".yml"}

_Digests = dict["Path", bytes]


async def changes(
    paths: Callable[[], Sequence[Path]],
    stop: asyncio.Event,
    *,
    debounce_ms: int = DEBOUNCE_MS,
    at_once: bool = False,
) -> AsyncGenerator[None]:
    """Yield each time the content of the files changed, until `stop` is set.

    `at_once` yields a first time when the watch stands, so that a change before that is not missed.

    `paths` is asked again after each change: a reload may name other files. Files that are named for the first time
    are no change.
    """
    seen = await asyncio.to_thread(_digests, paths())
    if at_once:
        yield
    while not stop.is_set():
        names = tuple(paths())
        async with aclosing(_notices(names, stop, debounce_ms)) as notices:
            async for _ in notices:
                current = await asyncio.to_thread(_digests, names)
                changed = any(seen.get(path, digest) != digest for path, digest in current.items())
                seen = current
                if changed:
                    yield
                if tuple(paths()) != names:
                    break


async def _notices(names: Sequence[Path], stop: asyncio.Event, debounce_ms: int) -> AsyncGenerator[None]:
    """Yield when something may have happened to one of the files."""
    yield  # what happened before the watch began
    folders = await asyncio.to_thread(_folders, names)
    if not folders:
        await _pause(stop)
        return
    from watchfiles import awatch  # noqa: PLC0415 - only --watch needs it: the start must not wait for it

    wanted = {name.name for name in names}

    def concerns_us(_: object, path: str) -> bool:
        """Files of ours, new tables, the links of a ConfigMap; not a log or a ledger that lies beside them."""
        name = path.rpartition("/")[2]
        return name in wanted or name.startswith("..") or name.endswith(tuple(_TABLES))

    options: dict[str, Any] = {
        "watch_filter": concerns_us,
        "recursive": False,
        "rust_timeout": LOOK_AGAIN_MS,
        "yield_on_timeout": True,
    }
    async with aclosing(awatch(*folders, stop_event=stop, debounce=debounce_ms, **options)) as batches:
        async for _ in batches:
            yield


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LOOK_AGAIN_MS / 1000):
            await stop.wait()
    except TimeoutError:
        pass


def _folders(names: Iterable[Path]) -> list[Path]:
    return sorted({name.parent for name in names if name.parent.is_dir()})


def _digests(names: Iterable[Path]) -> _Digests:
    """Return a digest of each file's content, and of the list of tables in each folder: a new one may be wanted."""
    digests: _Digests = {}
    for name in names:
        digests[name] = _content(name)
        digests[name.parent] = _listing(name.parent)
    return digests


def _content(file: Path) -> bytes:
    try:
        return hashlib.sha256(file.read_bytes()).digest()
    except OSError:
        return b""


def _listing(folder: Path) -> bytes:
    try:
        tables = sorted(file.name for file in folder.iterdir() if file.suffix in _TABLES)
    except OSError:
        return b""
    return hashlib.sha256("\0".join(tables).encode()).digest()
