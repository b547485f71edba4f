"""Addresses to listen on: TCP and Unix sockets, taken before anything else is started."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio.trsock import TransportSocket

SEND_BUFFER = 64 * 1024
"""Else the kernel holds about 4 MB for each client that does not read (reliability notes, 5.5)."""
_UNIX = "unix:"


def bind(address: str, *, reuse_port: bool) -> socket.socket:
    """Take `host:port`, `[::]:port` or `unix:/path`. Raises `OSError` when it cannot be had."""
    sock = (
        _bind_unix(Path(address.removeprefix(_UNIX))) if address.startswith(_UNIX) else _bind_tcp(address, reuse_port)
    )
    sock.setblocking(False)
    return sock


def _bind_tcp(address: str, reuse_port: bool) -> socket.socket:  # noqa: FBT001 - private
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, int(port)))
    except OSError:
        sock.close()
        raise
    return sock


def _bind_unix(path: Path) -> socket.socket:
    """A socket file of our own: one that somebody answers on is not taken over, one that nobody does is removed."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            _refuse_if_answered(path)
            path.unlink()
        sock.bind(str(path))
        path.chmod(0o600)
    except OSError:
        sock.close()
        raise
    return sock


def _refuse_if_answered(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def release(sock: socket.socket) -> None:
    """Close a socket that was taken and is not served."""
    forget(name(sock), inode(sock))
    sock.close()


def inode(sock: socket.socket) -> int | None:
    """The inode of a Unix socket's file, None for others."""
    if sock.family != socket.AF_UNIX:
        return None
    return Path(sock.getsockname()).stat().st_ino


def forget(address: str, file: int | None) -> None:
    """Remove a Unix socket's file, if it is still the one of `inode`."""
    if file is None:
        return
    path = Path(address.removeprefix(_UNIX))
    with contextlib.suppress(OSError):
        if path.stat().st_ino == file:
            path.unlink()


def name(sock: socket.socket | TransportSocket) -> str:
    """The address as it is in the configuration, with the real port."""
    address = sock.getsockname()
    if isinstance(address, str):
        return f"{_UNIX}{address}"
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
