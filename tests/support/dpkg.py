"""There is one dpkg on a machine: who looks at it share it, who changes it has it alone."""

from __future__ import annotations

import contextlib
import fcntl
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def turn(*, alone: bool) -> Iterator[None]:
    """Waits until nobody changes what dpkg holds and, to be `alone`, until nobody looks at it.

    A test marked ``apt`` or ``dpkg`` runs in one, and so does what installs for the tests. There
    is no second one within it.
    """
    cache.ROOT.mkdir(parents=True, exist_ok=True)
    with (cache.ROOT / "dpkg.lock").open("w") as lock:
        # all wait in one line: who waits is before who comes back at once
        with (cache.ROOT / "dpkg-next.lock").open("w") as line:
            fcntl.flock(line, fcntl.LOCK_EX)
            fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


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
