"""The words of ``docker run`` that a server is started with: its mounts and its ports."""

from __future__ import annotations

import os
import re

from ...model.errors import UsageError
from ...where.host import look
from .container import this_container
from .dockersdk import ContainerEngine

_KEPT = "No server was started."
_PUBLISHED = re.compile(
    r"(?:(?:(?P<ip>[\d.]+|\[[\da-f:]+\]):)?(?P<host>\d{1,5})?:)?(?P<port>\d{1,5})"
    r"(?:/(?P<protocol>tcp|udp|sctp))?"
)


def mount(text: str) -> tuple[str, str, bool]:
    """Read ``FOLDER[:TARGET[:ro]]``, as ``docker run -v`` does.

    Raises:
        UsageError: It is not of that form.
    """
    folder, _, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    if (target and not target.startswith("/")) or mode not in ("", "ro", "rw"):
        raise UsageError(
            f"{text} is not a mount.",
            kept=_KEPT,
            advice="A folder, and where it goes: -v .:/home/jovyan, or with :ro behind it",
        )
    return folder, target, mode == "ro"


def port(text: str) -> tuple[str, str, int | None]:
    """Read ``[[IP:]HOST:]PORT[/PROTOCOL]``, as ``docker run -p`` does.

    Raises:
        UsageError: It is not of that form.
    """
    found = _PUBLISHED.fullmatch(text)
    if found is None or int(found["port"]) > 65535 or int(found["host"] or 0) > 65535:
        raise UsageError(
            f"{text} is not a port to publish.",
            kept=_KEPT,
            advice="The port here, and the server's: -p 8888:8888",
        )
    host = int(found["host"]) if found["host"] else None
    return f"{found['port']}/{found['protocol'] or 'tcp'}", found["ip"] or "", host


def on_host(engine: ContainerEngine, folder: str) -> tuple[str, list[str]]:
    """Return a folder's path on the engine's host, and notes on it."""
    path = os.path.realpath(os.path.expanduser(folder))
    if not os.path.isdir(path):
        raise UsageError(f"There is no folder {path}.", kept=_KEPT)
    host = look()
    if host.runtime is None:
        return path, []
    container = this_container(engine, host)
    place = container.on_host(path) if container else None
    if place is None:
        note = f"{path} is in this container only, where no other can mount it: no work folder."
        return "", [note]
    return place, []
