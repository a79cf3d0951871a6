"""The image of this container, by its files rather than by its variables."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ..model.environment import TOOLS
from ..model.recipe import Style

_OWN_PREFIXES = ("NB_PYTHON_PREFIX", "KERNEL_PYTHON_PREFIX")
"""The environments that images of repo2docker's and Pangeo's making bring, by their variables."""

_ROOTS = ("/opt/conda", "/srv/conda")
"""The folders where images have their conda."""

_USERS = ("NB_UID", "MAMBA_USER")
"""The variables that name an image's final user, in the Docker Stacks and like micromamba's."""

_SCRIPTS = "/usr/local/bin"
"""The folder of the Docker Stacks' scripts."""

There = Callable[[str], bool]
"""Returns whether an image has something at a path."""


@dataclass(frozen=True, slots=True)
class ImageLooks:
    """The tools that a Dockerfile on top of this image can use."""

    #: "stacks" if the tools of the Docker Stacks are there, "legacy" if those before 2018 are;
    #: "other" if there is a conda of an image's, or variables of theirs are set without the tools;
    #: empty without any
    kind: Literal["stacks", "legacy", "other", ""] = ""
    user: str = ""  #: the image's final ``USER``; empty if unknown
    prefixes: tuple[str, ...] = ()  #: the environments that the image itself brings
    conda: str = ""  #: the conda program there, quoted for the shell; empty if not found

    @property
    def style(self) -> Style | None:
        """The pattern of a Dockerfile on top of it; None if nothing tells."""
        styles: dict[str, Style] = {"stacks": "stacks", "legacy": "legacy", "other": "plain"}
        return styles.get(self.kind)


def look_at_image(
    environ: Mapping[str, str] = os.environ, there: There = os.path.exists
) -> ImageLooks:
    """Look for the tools that the Docker Stacks' Dockerfiles call.

    ``fix-permissions`` and ``start.sh`` are in ``/usr/local/bin`` there, and ``mamba`` in the
    base environment; other images set the same variables (``CONDA_DIR``, ``NB_UID``) without them.
    A login by ssh or cron has none of the variables: then the files alone tell.
    """
    named = (environ.get(name, "") for name in _OWN_PREFIXES)
    own = tuple(dict.fromkeys(prefix for prefix in named if prefix and there(prefix)))
    base = _root(environ, there)
    by_variable = bool(base) and base == environ.get("CONDA_DIR", "").rstrip("/")
    if base and not own and ("NB_UID" in environ or "CONDA_DIR" not in environ):
        old = by_variable and "NB_GID" not in environ and there(f"{base}/envs/python2")
        if not there(f"{_SCRIPTS}/fix-permissions"):
            if old and there(f"{_SCRIPTS}/start-notebook.sh"):
                return ImageLooks("legacy")
        elif there(f"{_SCRIPTS}/start.sh") and there(f"{base}/bin/mamba"):
            return ImageLooks("stacks", "${NB_UID}")
    users = (name for name in _USERS if environ.get(name))
    if not (base or own or "NB_UID" in environ):
        return ImageLooks()
    # a reader of another base image gets root, which every image has
    user = next((f"${{{name}:-root}}" for name in users), "")
    written = '"${CONDA_DIR}%s"' if by_variable else f"{base}%s"
    programs = _programs(environ, base, written, there)
    return ImageLooks("other", user, own, next(programs, ""))


def _root(environ: Mapping[str, str], there: There) -> str:
    """Return the root of the image's conda; empty without one, and for one in a user's home."""
    home = environ.get("HOME", "").rstrip("/")
    named = (environ.get(name, "").rstrip("/") for name in ("CONDA_DIR", "MAMBA_ROOT_PREFIX"))
    known = (root for root in named if root and not (home and root.startswith(f"{home}/")))
    return next((root for root in (*known, *_ROOTS) if there(root)), "")


def _programs(environ: Mapping[str, str], base: str, written: str, there: There) -> Iterator[str]:
    """Yield the conda programs that can be reached, as the shell calls them."""
    folders = [folder for folder in environ.get("PATH", "").split(os.pathsep) if folder]
    for tool in TOOLS:
        if any(there(f"{folder}/{tool}") for folder in folders):
            yield tool
        elif base:
            places = (f"/{folder}/{tool}" for folder in ("bin", "condabin"))
            yield from (written % place for place in places if there(base + place))


def is_user(text: str) -> bool:
    """Return whether a text can follow ``USER``: a name, a number, or a variable.

    >>> is_user("jovyan"), is_user("1000:100"), is_user("${NB_UID:-root}"), is_user("a b")
    (True, True, True, False)
    """
    return re.fullmatch(r"(?:[\w.-]+|\$\{\w+(?::-[\w.-]+)?\})(?::[\w.-]+)?", text) is not None
