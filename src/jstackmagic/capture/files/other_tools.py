"""A list of another tool, which is only named, with what makes a list of it that is read."""

from __future__ import annotations

import re
from pathlib import Path

from .. import Found
from . import Reading
from ._finds import text_of

_JULIA = "Julia's packages cannot be asked for here."
_R = "R's packages cannot be asked for here."
LOCKS = {
    "uv.lock": "uv export --output-file requirements.txt makes a list of it.",
    "poetry.lock": "poetry export --output requirements.txt makes a list of it.",
    "pdm.lock": "pdm export --output requirements.txt makes a list of it.",
    "Pipfile.lock": "Its versions are not read: pipenv requirements > requirements.txt lists them.",
    "pixi.lock": "pixi workspace export conda-environment > environment.yml makes a list of it.",
}
"""Those of which `tools_locks` reads the forms of today."""

_OTHERS = {
    "anaconda-project.yml": "Its packages belong below dependencies: of an environment.yml.",
    "Project.toml": _JULIA,
    "Manifest.toml": _JULIA,
    "REQUIRE": _JULIA,
    "install.R": "What an R script installs is not seen here.",
    "DESCRIPTION": _R,
    "renv.lock": _R,
    "package.json": "npm's packages cannot be asked for here.",
    "default.nix": "Nix's packages cannot be asked for here.",
}


def recognises(path: Path) -> bool:
    return path.name in (*_OTHERS, "runtime.txt") and path.is_file()


def read(path: Path) -> Reading:
    """Name it, and say what to do; runtime.txt names a Python or R, which is noted."""
    if path.name != "runtime.txt":
        return Reading(path, (Found(path.name, reason={**LOCKS, **_OTHERS}[path.name]),))
    said = text_of(path).strip()
    python = re.fullmatch(r"python-(\d[\w.]*)", said)
    advice = f" %envinstall conda:python={python[1]} changes it." if python else ""
    return Reading(path, (), (f"It asks for {said}; the target's stays as it is.{advice}",))


def beside(folder: Path) -> list[Found]:
    """Return those of a folder."""
    found = (read(folder / name).found for name in (*LOCKS, *_OTHERS) if (folder / name).is_file())
    return [each for finds in found for each in finds]
