"""There is one dpkg on a machine: who looks at it share it, who changes it has it alone."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache
from .locks import held
from .machine import as_root

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 600
"""Seconds to wait for the tests that are at dpkg; all of them together take less."""

_LOCK_SECONDS = 120
"""Seconds to wait for another program that holds dpkg's own lock; apt-get names it then."""


@contextlib.contextmanager
def turn(*, alone: bool, name: str) -> Iterator[None]:
    """Wait until nobody changes what dpkg holds and, to be `alone`, until nobody looks at it.

    A test marked ``apt`` or ``dpkg`` runs in one; there is no second one within it.

    Raises:
        TimeoutError: It does not come; names who has it.
    """
    with contextlib.ExitStack() as stack:
        # all wait in one line: who waits is before who comes back at once
        with held(cache.ROOT / "dpkg-next.lock", seconds=_PATIENCE, name=name):
            ours = held(cache.ROOT / "dpkg.lock", seconds=_PATIENCE, alone=alone, name=name)
            stack.enter_context(ours)
        yield


def apt_get(*words: str | Path) -> None:
    """Run apt-get as root, directly or by sudo.

    Raises:
        AssertionError: It failed, or waited too long for a lock; has what it said.
    """
    command = (*as_root(), "apt-get", "-o", f"DPkg::Lock::Timeout={_LOCK_SECONDS}", *words)
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stdout[-1000:]}\n{done.stderr[-2000:]}"


def apt_config(folder: Path) -> Path:
    """Writes the machine's settings of apt into `folder`, with a place for what apt makes of its
    lists: Docker's Debian has none, and apt parses them all anew each time. Manual pages are left
    out, as in Debian's slim images: man-db would index all there are. Returns the file."""
    parts = folder / "apt.conf.d"
    parts.mkdir()
    for part in Path("/etc/apt/apt.conf.d").glob("*"):
        if "pkgcache" not in part.read_text():
            (parts / part.name).symlink_to(part)
    caches = [f'Dir::Cache::{name} "{folder / name}.bin";' for name in ("pkgcache", "srcpkgcache")]
    leave_out = 'DPkg::Options:: "--path-exclude=/usr/share/man/*";'
    file = folder / "apt.conf"
    file.write_text("\n".join([f'Dir::Etc::parts "{parts}";', *caches, leave_out, ""]))
    return file
