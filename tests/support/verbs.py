"""Verbs called as a terminal calls them, and what an environment holds, to the byte."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jstackmagic import commands
from jstackmagic.cli import main
from jstackmagic.session import Session
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_packages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from jstackmagic.model.packages import Package
    from jstackmagic.model.policy import Policy

_LOGS = ("history", "jstackmagic.")
"""How the names of the files begin that conda-meta holds beside the records."""


def verb(name: str, *words: object, policy: Policy | None = None) -> Any:
    """Runs a verb; returns its result."""
    session = Session()
    if policy is not None:
        session = session.now(settings=lambda: policy)
    result, _ = commands.execute(name, [str(word) for word in words], session)
    return result


def command(*words: object) -> subprocess.CompletedProcess[str]:
    """Runs the program in this process, as ``jstackmagic WORDS`` would be."""
    out, err = io.StringIO(), io.StringIO()
    argv = [str(word) for word in words]
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = main(argv)
        except SystemExit as exit_:
            status = int(exit_.code or 0)
    return subprocess.CompletedProcess(argv, status, out.getvalue(), err.getvalue())


def contents(prefix: Path) -> Mapping[str, object]:
    """The packages of an environment, and the hash of every file but bytecode, logs and pip's."""
    found: dict[str, object] = {"/".join(package.key): package for package in packages(prefix)}
    for folder, folders, files in os.walk(prefix):
        folders[:] = [name for name in folders if name not in ("__pycache__", "pip")]
        logs = _LOGS if folder.endswith("conda-meta") else ()
        for name in files:
            path = Path(folder, name)
            if name == "uv_cache.json" or (name == ".lock" and folder == str(prefix)):
                continue
            if not (logs and name.startswith(logs)) and path.is_file():
                found[str(path.relative_to(prefix))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def packages(prefix: Path) -> tuple[Package, ...]:
    """The conda and pip packages of an environment, without their sizes: pip and uv write notes of
    their own beside the same files."""
    found = read_packages(detect(prefix), ("conda", "pip")).packages
    return tuple(replace(package, size=None) for package in found)
