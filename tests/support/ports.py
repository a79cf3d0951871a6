"""Ports of the loopback address for servers that cannot be started on port 0."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from . import cache

_FIRST = 10_100  # browsers refuse 10080, as the last of those they hold for unsafe
_NAMED = (18_889,)  # docs/chapter.md has a server there
_LOCKS = cache.ROOT / "ports"
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_asked = 0
_ours: list[IO[str]] = []


def free_ports(count: int) -> list[int]:
    """Return `count` ports that nothing listens on.

    A port that the kernel picks (by binding port 0) may be given to any connection between then
    and the server's start. These lie below the range that the kernel picks from (ip(7),
    ``ip_local_port_range``). No other test run is given them before this process ends: it holds a
    lock for each.

    Raises:
        OSError: There are not as many.
    """
    global _asked
    end = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
    _LOCKS.mkdir(parents=True, exist_ok=True)
    found: list[int] = []
    for _ in range(end - _FIRST):
        port = _FIRST + (os.getpid() * 101 + _asked) % (end - _FIRST)
        _asked += 1
        if port not in _NAMED and _is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"{count} ports are not free between {_FIRST} and {end}")


def _is_free(port: int) -> bool:
    """Return whether nobody has a port, and keep it from other test runs if so."""
    lock = (_LOCKS / str(port)).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as tried:
            tried.bind(("", port))
    except OSError:
        lock.close()
        return False
    _ours.append(lock)
    return True
