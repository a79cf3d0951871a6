"""The image of this container, by its files rather than by its variables."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..model.environment import TOOLS

_OWN_PREFIXES = ("NB_PYTHON_PREFIX", "KERNEL_PYTHON_PREFIX")
"""The environments that images of repo2docker's and Pangeo's making bring, by their variables."""


@dataclass(frozen=True, slots=True)
class ImageLooks:
    """The tools that a Dockerfile on top of this image can use."""

    #: "stacks" if the tools of the Docker Stacks are there; "other" if variables of theirs are set
    #: without the tools; empty without either
    kind: Literal["stacks", "other", ""] = ""
    user: str = ""  #: the image's final ``USER``; empty if unknown
    prefixes: tuple[str, ...] = ()  #: the environments that the image itself brings
    conda: str = ""  #: the conda program there, quoted for the shell; empty if not found


def look_at_image(environ: Mapping[str, str] = os.environ, root: Path = Path("/")) -> ImageLooks:
    """Look for the tools that the Docker Stacks' Dockerfiles call.

    ``fix-permissions`` and ``start.sh`` are in ``/usr/local/bin`` there, and ``mamba`` in the
    base environment; other images set the same variables (``CONDA_DIR``, ``NB_UID``) without them.
    """

    def there(path: str) -> bool:
        return os.path.exists(root / path.lstrip("/"))

    own = tuple(dict.fromkeys(environ[name] for name in _OWN_PREFIXES if environ.get(name)))
    base = environ.get("CONDA_DIR", "").rstrip("/")
    tools = all(there(f"/usr/local/bin/{tool}") for tool in ("fix-permissions", "start.sh"))
    programs = dict(_programs(environ, base, there))
    if tools and base and "NB_UID" in environ and programs.get("mamba") == "mamba" and not own:
        return ImageLooks("stacks", "${NB_UID}")
    if not (base or "NB_UID" in environ or own):
        return ImageLooks()
    # a reader of another base image gets root, which every image has
    user = "${NB_UID:-root}" if environ.get("NB_UID") else ""
    return ImageLooks("other", user, own, next(iter(programs.values()), ""))


def _programs(
    environ: Mapping[str, str], base: str, there: Callable[[str], bool]
) -> Iterator[tuple[str, str]]:
    """Yield the conda programs that can be reached, each with how the shell calls it."""
    folders = [folder for folder in environ.get("PATH", "").split(os.pathsep) if folder]
    for tool in TOOLS:
        if any(there(f"{folder}/{tool}") for folder in folders):
            yield tool, tool
            continue
        for folder in ("bin", "condabin") if base else ():
            if there(f"{base}/{folder}/{tool}"):
                yield tool, f'"${{CONDA_DIR}}/{folder}/{tool}"'
                break


def is_user(text: str) -> bool:
    """Return whether a text can follow ``USER``: a name, a number, or a variable.

    >>> is_user("jovyan"), is_user("1000:100"), is_user("${NB_UID:-root}"), is_user("a b")
    (True, True, True, False)
    """
    return re.fullmatch(r"(?:[\w.-]+|\$\{\w+(?::-[\w.-]+)?\})(?::[\w.-]+)?", text) is not None
