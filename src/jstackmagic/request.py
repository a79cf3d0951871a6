"""What was asked: the noun. ``parsing.py`` makes one from a user's line or cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .packages import ManagerName

Action = Literal["install", "remove"]


@dataclass(frozen=True, slots=True)
class Request:
    """One manager asked for one action.

    Attributes:
        action: Install or remove.
        manager: Which package manager is asked.
        specs: What the user wrote, one argument each: a match spec, a requirement, a Debian
            package, a path or URL. ``-r FILE``, ``-c FILE`` and ``-e PATH`` are one spec each, as
            in a requirements file. Local paths are absolute.
        upgrade: Also move what is already there to the newest version allowed.
        channels: Extra conda channels, first is strongest.
        index_url: Replaces pip's index.
        extra_index_urls: Added to pip's index.
        options: Whatever followed ``--``: handed to the manager as it stands.
    """

    action: Action
    manager: ManagerName
    specs: tuple[str, ...]
    upgrade: bool = False
    channels: tuple[str, ...] = ()
    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
