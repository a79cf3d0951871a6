"""A PostgreSQL server of Debian's, of a test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .hub import until
from .kernels import PATIENCE
from .machine import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def postgres() -> Iterator[str]:
    """Its address, as SQLAlchemy writes it; it listens on a socket alone.

    Raises:
        Unavailable: It is not here.
    """
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        raise Unavailable("postgresql is not installed: python3 tests/support/machine.py as root")
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []  # not as root
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        if as_user:
            shutil.chown(folder, "postgres")
        data = f"{folder}/data"
        make = [programs[-1] / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"]
        subprocess.run([*as_user, *make], check=True, capture_output=True)
        start = [programs[-1] / "postgres", "-D", data, "-k", folder]
        start += ["-c", "listen_addresses=", "-c", "fsync=off"]
        process = subprocess.Popen(
            [*as_user, *start], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            ready = [programs[-1] / "pg_isready", "-q", "-h", folder]
            until(lambda: subprocess.run(ready, check=False).returncode == 0)
            yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
        finally:
            stop = [programs[-1] / "pg_ctl", "-D", data, "-m", "immediate", "stop"]
            subprocess.run([*as_user, *stop], check=False, capture_output=True)
            process.wait(PATIENCE)
