"""Find what an interrupted dpkg leaves: half-installed packages, an unmerged journal.

dpkg notes each step of a package in ``updates/`` before it takes it, and merges that into
``status`` when it ends or starts again (dpkg's lib/dpkg/dbmodify.c); apt-get refuses to begin
while there is something to merge.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ...where.packages import dpkg_folder, paragraphs, read_debian

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...model.plan import Plan

Marks = dict[str, tuple[str, ...]]

_WHOLE = ("installed", "not-installed", "config-files")


def note(plan: Plan) -> Marks:
    """Return the packages that were half installed before, those that must stay, and archives."""
    change = plan.change
    known = [old for old, _ in change.changed] if change else read_debian()
    return {
        "known": tuple(half()),
        "there": tuple(package.name for package in known),
        "files": tuple(os.path.abspath(spec.place) for spec in plan.request.specs if spec.place),
    }


def half() -> dict[str, Sequence[str]]:
    """Return the status of each half-installed package, by name.

    Its words are dpkg's: the wish, whether it must be installed again, the state (dpkg-query(1)).
    """
    folder = dpkg_folder()
    states: dict[str, list[str]] = {}
    for file in (folder / "status", *journal()):
        with suppress(OSError):
            for fields in paragraphs(file.read_text(errors="replace")):
                states[fields["Package"]] = fields.get("Status", "").split()
    return {
        name: words
        for name, words in states.items()
        if len(words) == 3 and (words[2] not in _WHOLE or words[1] == "reinstreq")
    }


def journal() -> list[Path]:
    """Return the files of dpkg's journal that are not merged, in their order."""
    folder = dpkg_folder() / "updates"
    try:
        return sorted(folder / name for name in os.listdir(folder) if name.isdigit())
    except OSError:
        return []


def is_interrupted() -> bool:
    """Return whether a dpkg was cut off, and none is at work."""
    return bool(journal()) and not _is_at_work()


def _is_at_work() -> bool:
    """Return whether a process holds dpkg's lock, which is fcntl(2)'s; see proc_locks(5)."""
    folder, inodes = dpkg_folder(), set()
    for name in ("lock", "lock-frontend"):
        with suppress(OSError):
            inodes.add(str(os.stat(folder / name).st_ino))
    with suppress(OSError):
        held = re.findall(r"POSIX .*:(\d+) \d+ \w+$", Path("/proc/locks").read_text(), re.MULTILINE)
        return not inodes.isdisjoint(held)
    return False


def sentences(marks: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return what a change left half done; `Manager.half_done` has more on this."""
    known = marks.get("known", ())
    found = tuple(
        f"{name} is {words[2].replace('-', ' ')}"
        for name, words in half().items()
        if name not in known
    )
    return found or (("dpkg was interrupted",) if is_interrupted() else ())
