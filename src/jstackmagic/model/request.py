"""A request: the noun. ``parsing.py`` makes one from a user's line or cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .packages import ManagerName
from .sources import Sources
from .spec import Spec, read_all

Action = Literal["install", "remove"]


@dataclass(frozen=True, slots=True)
class Request:
    """One manager asked for one action."""

    action: Action
    manager: ManagerName
    specs: tuple[Spec, ...]  #: the specs in the user's order; a text among them is read
    upgrade: bool = False  #: also move installed packages to the newest version allowed
    sources: Sources = field(default_factory=Sources)
    #: the words after ``--``, passed to the manager as they are; those that name a source are one
    #: of the sources
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "specs", read_all(self.manager, self.specs))
        if self.options:
            sources, options = self.sources.taking(self.manager, self.options)
            object.__setattr__(self, "sources", sources)
            object.__setattr__(self, "options", options)

    @property
    def texts(self) -> tuple[str, ...]:
        """The specs as the user wrote them."""
        return tuple(spec.text for spec in self.specs)
