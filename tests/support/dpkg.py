"""There is one dpkg on a machine: who looks at it share it, who changes it has it alone."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from jstackmagic.where.metadata import read_debian

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


def copied(folder: Path) -> Path:
    """Copy into `folder` what dpkg and apt say is installed now; return what $DPKG_ADMINDIR names.

    The files of the packages are the machine's, so that a copy takes no time.
    """
    made = folder / "dpkg"
    made.mkdir(parents=True)
    for path in _DATABASE.glob("*"):
        if path.name == "status":
            shutil.copy2(path, made)
        elif not path.name.startswith(("lock", "status", "updates")):
            (made / path.name).symlink_to(path)
    (made / "updates").mkdir()  # the machine's, without its locks, would be an interrupted dpkg's
    marks = _DATABASE.parent / "apt/extended_states"
    if marks.exists():
        (folder / "apt").mkdir()
        shutil.copy2(marks, folder / "apt")
    return made


def apt_config(folder: Path) -> Path:
    """Write the machine's settings of apt into `folder`, for tests; return the file.

    Left out is what costs and shows nothing: hooks of the machine's own, `sync`, and manual pages
    (as in Debian's slim images: man-db would index all there are). What apt makes of its lists is
    kept, which Docker's Debian forbids, and they are short.
    """
    parts = folder / "apt.conf.d"
    parts.mkdir()
    for part in Path("/etc/apt/apt.conf.d").glob("*"):
        if not re.search("pkgcache|-Invoke", part.read_text()):
            (parts / part.name).symlink_to(part)
    settings = {"Dir::Etc::parts": parts}
    settings |= {f"Dir::Cache::{name}": folder / f"{name}.bin" for name in _CACHES}
    short = _short_lists()
    if short:
        lists = shutil.copytree(short, folder / "lists", copy_function=os.link)
        (lists / "partial").mkdir()
        settings["Dir::State::lists"] = lists
    file = folder / "apt.conf"
    lines = [f'{name} "{value}";' for name, value in settings.items()]
    options = ("--force-unsafe-io", "--path-exclude=/usr/share/man/*")
    lines += [f'DPkg::Options:: "{option}";' for option in options]
    file.write_text("\n".join([*lines, ""]))
    return file


_DATABASE = Path("/var/lib/dpkg")
_CACHES = ("pkgcache", "srcpkgcache")
_LISTS = Path("/var/lib/apt/lists")
_ASKED = ("build-essential", "graphviz", "hello", "tree")
"""What tests ask Debian's archive for, beside what is installed."""


def _short_lists() -> Path | None:
    """Return a folder with apt's lists of what tests ask for and what that needs, as Debian's have
    60,000 packages, which apt reads again after each change; None where there are no lists."""
    files = [path for path in sorted(_LISTS.glob("*")) if path.is_file() and path.name != "lock"]
    if not any("_Packages" in path.name for path in files):
        return None
    installed = {package.name for package in read_debian()}

    def make(folder: Path) -> None:
        full: dict[str, dict[str, list[str]]] = {}  # by file and name
        for path in files:
            name, packages, _ = path.name.partition("_Packages")
            if not packages:
                shutil.copy(path, folder)
                continue
            shown = subprocess.run(
                ["/usr/lib/apt/apt-helper", "cat-file", path], check=True, capture_output=True
            )
            here = full.setdefault(name + packages, {})
            for stanza in shown.stdout.decode().split("\n\n"):
                here.setdefault(_field("Package", stanza), []).append(stanza)
        wanted, waiting = set(), {*_ASKED, *installed}
        while waiting:
            wanted |= waiting
            found = [s for here in full.values() for name in waiting for s in here.get(name, ())]
            needs = " ".join(_field("(?:Pre-)?Depends", stanza) for stanza in found)
            waiting = set(re.findall(r"(?<![(=.:])\b[a-z0-9][a-z0-9+.-]+", needs)) - wanted
        for name, here in full.items():
            kept = [stanza for each in sorted(wanted) for stanza in here.get(each, ())]
            (folder / name).write_text("\n\n".join([*kept, ""]))

    stamps = [(path.name, path.stat().st_mtime_ns) for path in files]
    return cache.kept("apt-lists", (stamps, _ASKED), make)


def _field(pattern: str, stanza: str) -> str:
    return " ".join(re.findall(rf"^{pattern}: (.*)$", stanza, re.MULTILINE))
