"""The panel of `lab/`, built as a wheel and installed as a user would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

from . import cache
from .environments import make_venv, uv
from .machine import Unavailable

SOURCES = Path(__file__).resolve().parent.parent.parent / "lab"
_MADE = ("node_modules", "lib", "labextension", "__pycache__")
_SECONDS = 600


def node_modules() -> Path:
    """Return the folder of what the build and the tests need of npm: once, until the lock changes.

    Raises:
        Unavailable: npm cannot have it.
    """
    files = [SOURCES / name for name in ("package.json", "package-lock.json", ".npmrc")]

    def install(folder: Path) -> None:
        for file in files:
            shutil.copy(file, folder)
        try:
            _npm(folder, "ci", "--ignore-scripts", "--no-progress")
        except (OSError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stderr", None) or error).strip().splitlines()
            raise Unavailable(f"npm cannot install what the panel needs: {said[-1]}") from None

    inputs = [file.read_bytes() for file in files]
    return cache.kept("panel-node", inputs, install) / "node_modules"


def wheel() -> Path:
    """Return the panel's wheel, which is built from a copy: once, until its sources change.

    Raises:
        Unavailable: npm cannot have what the build needs.
    """
    modules = node_modules()
    sources = sorted(
        path
        for path in SOURCES.rglob("*")
        if path.is_file() and not set(_MADE) & set(path.relative_to(SOURCES).parts)
    )

    def build(folder: Path) -> None:
        copy = folder / "source"
        shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns(*_MADE))
        (copy / "node_modules").symlink_to(modules)
        _npm(copy, "run", "build")
        shutil.copy(copy / "lib/words.js", folder / "words.mjs")
        command = [find_uv_bin(), "build", "--quiet", "--wheel", "--no-build-isolation"]
        command += ["--python", sys.executable, "--out-dir", str(folder), str(copy)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=_SECONDS)
        shutil.rmtree(copy)

    inputs = [(str(path.relative_to(SOURCES)), path.read_bytes()) for path in sources]
    return next(cache.kept("panel-built", inputs, build).glob("*.whl"))


def words() -> Path:
    """Return the module that quotes words, as it was built with the wheel."""
    return wheel().parent / "words.mjs"


def install(folder: Path, ours: Path, panel: Path) -> Path:
    """Install ``jstackmagic[lab]`` into an environment of its own; return its ``share/jupyter``.

    A server has it in JUPYTER_PATH, as if it were in the server's own environment.
    """
    prefix = make_venv(folder, pip=False)
    uv("pip", "install", "--quiet", "--find-links", panel.parent, f"{ours}[lab]", prefix=prefix)
    return prefix / "share/jupyter"


def _npm(folder: Path, *words: str) -> None:
    # the npm, node and Python of the tests' own environment
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["npm", *words],
        check=False,
        cwd=folder,
        env={**cache.ENVIRON, "PATH": path},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=_SECONDS,
    )
    if done.returncode != 0:
        raise subprocess.CalledProcessError(
            done.returncode, ["npm", *words], done.stdout, done.stdout + done.stderr
        )
