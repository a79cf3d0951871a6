"""The wants of a request: its packages, places and options, from every source of them.

The policy checks it. A manager fills it from its own language: specs, lists in lists, the
metadata of archives and projects, options behind two dashes, variables and configuration files.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from urllib.parse import unquote


@dataclass
class Wanted:
    """The parts of a request, each with its origin: empty for the line itself."""

    names: list[tuple[str, str]] = field(default_factory=list)
    #: the dependencies that a project or an archive declares
    needs: list[tuple[str, str]] = field(default_factory=list)
    #: projects that work out as they run what they need
    computed: list[tuple[str, str]] = field(default_factory=list)
    nameless: list[tuple[str, str]] = field(default_factory=list)  #: specs without a package's name
    #: the sources of packages: the setting that covers it, and the place
    places: list[tuple[str, str, str]] = field(default_factory=list)
    beyond: list[tuple[str, str]] = field(default_factory=list)  #: parts that cannot be followed
    files: list[str] = field(default_factory=list)  #: the archives of this machine, by path

    def name(self, name: str, text: str, where: str) -> None:
        """Add a package by its name, or a spec without one."""
        if name:
            self.names.append((name, where))
        else:
            self.nameless.append((text, where))


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
