"""A Dockerfile or a shell script being written, as a manager sees it: see `Manager.write`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ..model.environment import EnvironmentRef
from ..model.packages import ManagerName, Package
from ..model.pins import Pin
from ..model.recipe import Item, RecipeStep, Style
from ..model.sources import Sources
from ..model.words import holds_credential, quoted

Command = list[str]
"""The head of a command, and those of its words that get a line of their own."""

_SAFE_NAME = re.compile(r"[A-Za-z0-9_][\w.+-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Downloads:
    """A manager's downloads, which a layer leaves out, or BuildKit keeps between builds."""

    clean: tuple[str, ...] = ()  #: the command that empties them in the layer that filled them
    #: the environment variable that names their folder to the manager, for a mount that belongs to
    #: the user; empty for other mounts
    variable: str = ""
    #: the folders that root's commands have them in, by a name for each
    mounts: tuple[tuple[str, str], ...] = ()
    hadolint: str = ""  #: the rule that ignores such a mount


NOTHING = Downloads()


@dataclass(frozen=True, slots=True)
class Making:
    """The making of an environment."""

    there: str  #: the path, quoted, that exists once it is made
    commands: tuple[str, ...]
    downloads: Downloads


class Page(Protocol):
    """The page, which knows the image, its users and its files."""

    style: Style | Literal["script"]  #: the pattern to follow; in a script, ``script``
    pin: Pin  #: how exact to write versions
    notes: list[str]
    #: the program of a manager in the base image, quoted, if known
    programs: Mapping[ManagerName, str]

    @property
    def keeps(self) -> bool:
        """Return whether downloads are kept; not those behind a credential of this step."""

    def inside(self, environment: EnvironmentRef, path: str = "") -> str:
        """Return a path below an environment's prefix, quoted."""

    def steps(self, environment: EnvironmentRef) -> Iterable[RecipeStep]:
        """Return an environment's steps, in their order."""

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
            shell: The bash line before them; empty for the image's own shell.
        """


def called(environment: EnvironmentRef) -> str:
    """Return an environment's name, or its prefix, in quotes where that is needed."""
    name = environment.name or environment.prefix
    return name if _SAFE_NAME.fullmatch(name) else quoted(name)


def set_before(sources: Sources, page: Page) -> str:
    """Return the variables that a command is to see, before it; secrets stay secrets."""
    words = ""
    for text in sources.variables:
        name, _, value = text.partition("=")
        secret = holds_credential(text)
        said = f'"{page.secret(f"build_{name.lower()}", text)}"' if secret else quoted(value)
        words += f"{name}={said} "
    return words
