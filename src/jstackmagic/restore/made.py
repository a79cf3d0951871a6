"""Finding an environment of the history here, and making one that is missing."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from ..display.console import Console
from ..io import process
from ..model.environment import Environment, EnvironmentRef, minor_of
from ..model.errors import CommandFailed, Stopped, UnknownEnvironment
from ..model.plan import Command
from ..where.detect import detect, find


def located(ref: EnvironmentRef) -> tuple[Environment | None, str]:
    """Return an environment of the history as it is here, and its prefix or its future prefix.

    The same prefix is the same environment; so is the base of another root, and a conda environment
    of the same name.
    """
    try:
        return detect(ref.prefix), ref.prefix
    except UnknownEnvironment:
        pass
    name = "base" if ref.kind == "conda-base" else ref.name
    if name is not None and ref.kind.startswith("conda"):
        try:
            here = find(name=name)
        except UnknownEnvironment:
            return None, _new_prefix(ref, name)
        return here, here.prefix
    return None, ref.prefix


def _new_prefix(ref: EnvironmentRef, name: str) -> str:
    """Return its old prefix, if that can be made, or else one in the conda root here."""
    parent = Path(ref.prefix).parent
    while not parent.exists():
        parent = parent.parent
    if os.access(parent, os.W_OK):
        return ref.prefix
    try:
        return f"{find(name='base').prefix}/envs/{name}"
    except UnknownEnvironment:
        return ref.prefix


def make(ref: EnvironmentRef, prefix: str, console: Console) -> Environment:
    """Make an environment that holds nothing yet but, if it is a virtual one, its Python.

    Raises:
        Stopped: It cannot be made here.
    """
    console.say(f"Making the environment {prefix}.")
    try:
        if ref.kind.startswith("conda"):
            meta = Path(prefix, "conda-meta")
            meta.mkdir(parents=True)
            (meta / "history").touch()  # what conda itself knows an environment by
        elif ref.kind.startswith("venv"):
            _make_venv(ref, prefix)
        else:
            raise Stopped(f"There is no {prefix} here.", kept="Nothing was changed there.")
    except OSError as error:
        raise Stopped(
            f"{prefix} cannot be made: {error.strerror}.",
            kept="Nothing was changed there.",
            advice="Name another place: %envreplay --prefix PATH",
        ) from None
    return detect(prefix)


def _make_venv(ref: EnvironmentRef, prefix: str) -> None:
    python = _python(ref.python or "")
    made = process.capture(Command((python, "-m", "venv", prefix)))
    if made.exit_status != 0:
        shutil.rmtree(prefix, ignore_errors=True)
        raise CommandFailed(
            f"{prefix} cannot be made:\n{made.stderr.strip() or made.stdout.strip()}",
            kept="Nothing was changed there.",
        )


def _python(version: str) -> str:
    """Return an interpreter of the same minor version."""
    minor = minor_of(version)
    if not minor or minor == ".".join(map(str, sys.version_info[:2])):
        return sys.executable
    found = shutil.which(f"python{minor}")
    if found is None:
        raise Stopped(
            f"There is no Python {minor} here to make a virtual environment of.",
            kept="Nothing was changed there.",
        )
    return found
