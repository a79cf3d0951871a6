"""A Dockerfile or a shell script being written, as a manager sees it: see `Manager.write`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from ..model.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..model.environment import EnvironmentRef
    from ..model.packages import ManagerName, Package
    from ..model.pins import Pin
    from ..model.recipe import Item, Style

Command = list[str]
"""The head of a command, and those of its words that get a line of their own."""

_SAFE_NAME = re.compile(r"[A-Za-z0-9_][\w.+-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Downloads:
    """A manager's downloads, which a layer leaves out, or BuildKit keeps between builds.

    Attributes:
        clean: The command that empties them in the layer that filled them.
        variable: The environment variable that names their folder to the manager, for a mount that
            belongs to the user; empty for other mounts.
        mounts: The folders that root's commands have them in, by a name for each.
        hadolint: The rule that ignores such a mount.
    """

    clean: tuple[str, ...] = ()
    variable: str = ""
    mounts: tuple[tuple[str, str], ...] = ()
    hadolint: str = ""


NOTHING = Downloads()


@dataclass(frozen=True, slots=True)
class Making:
    """The making of an environment.

    Attributes:
        there: The path, quoted, that exists once it is made.
        commands: The commands that make it.
        downloads: The downloads of these commands.
    """

    there: str
    commands: tuple[str, ...]
    downloads: Downloads


class Page(Protocol):
    """The page, which knows the image, its users and its files.

    Attributes:
        style: The pattern to follow; in a script, ``script``.
        pin: How exact to write versions.
        notes: Sentences the user should read.
        programs: The program of a manager in the base image, quoted, if known.
    """

    style: Style | Literal["script"]
    pin: Pin
    notes: list[str]
    programs: Mapping[ManagerName, str]

    @property
    def keeps(self) -> bool:
        """Return whether downloads are kept; not those behind a credential of this step."""

    def inside(self, environment: EnvironmentRef, path: str = "") -> str:
        """Return a path below an environment's prefix, quoted."""

    def held(self, environment: EnvironmentRef) -> Iterable[Package]:
        """Return an environment's packages in the recipe."""

    def word(self, item: Item) -> str:
        """Return an item's spec at the pin, quoted, after its flag; a local file comes along."""

    def beside(self, name: str, content: str) -> str:
        """Write a file next to the page; return the word that names it, quoted."""

    def secret(self, purpose: str, text: str) -> str:
        """Return shell text that reads a text with a credential from a secret."""

    def secret_file(self, purpose: str, text: str) -> str:
        """Return the word that names a secret's file."""

    def note_local(self, place: str, what: str) -> None:
        """Note a channel or an index that is on this machine."""

    def comment(self, *lines: str) -> None:
        """Write lines of comment above the next commands."""

    def need(self, text: str) -> None:
        """Have a script begin with a text, where ``stop MESSAGE`` ends it; only a script does."""

    def run(
        self, commands: Sequence[Command], downloads: Downloads = NOTHING, *, shell: str = ""
    ) -> None:
        """Run commands one after the other, as the step's user.

        Args:
            commands: At least one.
            downloads: Their downloads.
            shell: The bash line before them; empty for the image's own shell.
        """


def called(environment: EnvironmentRef) -> str:
    """Return an environment's name, or its prefix, in quotes where that is needed."""
    name = environment.name or environment.prefix
    return name if _SAFE_NAME.fullmatch(name) else quoted(name)
