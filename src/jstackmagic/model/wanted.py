"""The wants of a request: its packages, places and options, from every source of them.

The policy checks it. A manager fills it from its own language: specs, lists in lists, the
metadata of archives and projects, options behind two dashes, variables and configuration files.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass
class Wanted:
    """The parts of a request, each with its origin: empty for the line itself.

    Attributes:
        names: The requested packages.
        needs: The dependencies that a project or an archive declares.
        nameless: Specs without a package's name.
        places: The sources of packages: the setting that covers it, and the place.
        beyond: Parts that cannot be followed.
        files: The archives of this machine, by path.
    """

    names: list[tuple[str, str]] = field(default_factory=list)
    needs: list[tuple[str, str]] = field(default_factory=list)
    nameless: list[tuple[str, str]] = field(default_factory=list)
    places: list[tuple[str, str, str]] = field(default_factory=list)
    beyond: list[tuple[str, str]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def name(self, name: str, text: str, where: str) -> None:
        """Add a package by its name, or a spec without one."""
        if name:
            self.names.append((name, where))
        else:
            self.nameless.append((text, where))


def told_apart(
    words: Iterable[str], valued: frozenset[str], flags: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Separate options from other words, as getopt and optparse do.

    Args:
        words: A command line's words.
        valued: The options with a value.
        flags: The other options.

    Yields:
        An option's whole name and its value; for any other word an empty name and the word.
    """
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            yield from (("", each) for each in rest)
            return
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            meant = [known for known in valued | flags if known.startswith(name)]
            name = meant[0] if name not in meant and len(meant) == 1 else name
            if name in valued and not equals:
                value = rest.pop(0) if rest else ""
            yield name, value
        elif word.startswith("-") and len(word) > 1:
            for at, letter in enumerate(word[1:], start=1):
                if f"-{letter}" in valued:
                    value = word[at + 1 :].removeprefix("=")
                    yield f"-{letter}", value or (rest.pop(0) if rest else "")
                    break
                yield f"-{letter}", ""
        else:
            yield "", word


def options(text: str) -> frozenset[str]:
    """Return the options of a text, apart by blanks."""
    return frozenset(text.split())


def plain_place(place: str) -> str:
    """Return a URL as two are compared: without a user, a fragment or a slash at the end.

    >>> plain_place("https://me:pw@H.example/simple/")
    'https://h.example/simple'
    """
    scheme, slashes, rest = place.partition("://")
    if not slashes:
        return place.rstrip("/")
    host, slash, path = rest.partition("/")
    host = host.rpartition("@")[2].lower()
    path = unquote(path.partition("#")[0].partition("?")[0])
    path = posixpath.normpath(f"/{path}").lstrip("/")  # of "a/../b" a server makes "b"
    return f"{scheme.rpartition('+')[2].lower()}://{host}{slash}{path}".rstrip("/")
