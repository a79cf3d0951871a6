"""File systems whose locks fail, for a child process: what flock(2) does is another function."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_SOURCE = """\
#include <errno.h>
#include <unistd.h>
int flock(int fd, int operation) { %s }
"""

Failure = Literal["ENOLCK", "ENOSYS", "EOPNOTSUPP", "EIO", "hangs"]


def environ(folder: Path, failure: Failure) -> dict[str, str]:
    """Return the variables of a process whose flock fails so; "hangs" as without lockd."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    source, library = folder / f"{failure}.c", folder / f"{failure}.so"
    body = "for (;;) pause();" if failure == "hangs" else f"errno = {failure}; return -1;"
    source.write_text(_SOURCE % body)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    path = os.pathsep.join(filter(None, sys.path))
    return {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": path}
