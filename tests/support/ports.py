"""Ports of the loopback address for servers that cannot be started on port 0."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_FIRST = 10_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_asked = 0


def free_ports(count: int) -> list[int]:
    """Return `count` ports that nothing listens on.

    A port that the kernel picks (by binding port 0) may be given to any connection between then
    and the server's start. These lie below the range that the kernel picks from (ip(7),
    ``ip_local_port_range``), and two processes that ask begin at different ones.

    Raises:
        OSError: There are not as many.
    """
    global _asked
    end = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
    found: list[int] = []
    for _ in range(end - _FIRST):
        port = _FIRST + (os.getpid() * 101 + _asked) % (end - _FIRST)
        _asked += 1
        with socket.socket() as tried:
            try:
                tried.bind(("", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"{count} ports are not free between {_FIRST} and {end}")
