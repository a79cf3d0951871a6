"""What was asked: the noun. ``parsing.py`` makes one from a user's line or cell."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from .packages import ManagerName
from .sources import Sources

Action = Literal["install", "remove"]

_HASHES = re.compile(r"(?:\s+--hash=\w+:\w+)+\s*$")


def split_hashes(spec: str) -> tuple[str, tuple[str, ...]]:
    """A requirement without its hashes, and these.

    >>> split_hashes("six==1.17.0 --hash=sha256:00 --hash=sha256:11")
    ('six==1.17.0', ('sha256:00', 'sha256:11'))
    """
    if "--hash=" not in spec:
        return spec, ()
    match = _HASHES.search(spec)
    if match is None:
        return spec, ()
    return spec[: match.start()], tuple(re.findall(r"--hash=(\S+)", match[0]))


@dataclass(frozen=True, slots=True)
class Request:
    """One manager asked for one action.

    Attributes:
        action: Install or remove.
        manager: Which package manager is asked.
        specs: What the user wrote, one argument each: a match spec, a requirement, a Debian
            package, a path or URL. ``-r FILE``, ``-c FILE`` and ``-e PATH`` are one spec each, as
            in a requirements file, and a requirement may end in the ``--hash=…`` that its archive
            must have. Local paths are absolute.
        upgrade: Also move what is already there to the newest version allowed.
        sources: Where to take the packages from.
        options: Whatever followed ``--``: handed to the manager as it stands.
    """

    action: Action
    manager: ManagerName
    specs: tuple[str, ...]
    upgrade: bool = False
    sources: Sources = field(default_factory=Sources)
    options: tuple[str, ...] = ()
