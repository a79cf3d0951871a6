"""Find what an interrupted dpkg leaves: half-installed packages, an unmerged journal.

dpkg notes each step of a package in ``updates/`` before it takes it, and merges that into
``status`` when it ends or starts again (dpkg's lib/dpkg/dbmodify.c); apt-get refuses to begin
while there is something to merge.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...io.reading import own_bytes
from ...model.packages import Package
from ...model.plan import Plan
from ...model.request import Request
from ...model.spec import DebianPackage
from ...where.metadata import dpkg_folder, paragraphs, read_debian

Marks = dict[str, tuple[str, ...]]

_WHOLE = ("installed", "not-installed", "config-files")


def note(plan: Plan) -> Marks:
    """Return what `finish` needs: what was half installed before, what must stay, what comes.

    Of a new package that dpkg could not write, its status has no version, or nothing at all.
    """
    change = plan.change
    coming = change.came if change else plan.request.specs
    known = [old for old, _ in change.changed] if change else read_debian()
    before = {package.name for package in read_debian()}
    added = {package.name for package in change.added} if change else set()
    return {
        "automatic": tuple(sorted(added & automatic(plan.request, before, added))),
        "known": tuple(each.name for each in half()),
        "there": tuple(package.name for package in known),
        "versions": tuple(
            f"{each.name.partition(':')[0]}={each.version}"
            for each in coming
            if isinstance(each, (Package, DebianPackage)) and each.version
        ),
        "files": tuple(os.path.abspath(spec.place) for spec in plan.request.specs if spec.place),
    }


def automatic(
    request: Request, before: Collection[str], added: Collection[str] | None = None
) -> set[str]:
    """Return the names of packages that an install brought, or would bring, without being asked.

    None if one of the names is not a package's: apt-get then takes another that provides it.

    Args:
        added: Those that come; without them, what is there now counts.
    """
    asked = {spec.name.partition(":")[0] for spec in request.specs}
    there = {package.name for package in read_debian()} if added is None else {*before, *added}
    if request.action != "install" or not asked <= {name.partition(":")[0] for name in there}:
        return set()
    return {name for name in there.difference(before) if name.partition(":")[0] not in asked}


def drafts() -> list[Path]:
    """Return the lists of files that a killed dpkg was writing, where none is at work."""
    return [] if _is_at_work() else [*(dpkg_folder() / "info").glob("*.list-new")]


@dataclass(frozen=True, slots=True)
class Half:
    """A half-installed package."""

    name: str
    version: str  #: the version that dpkg was at; empty if it was at none yet
    state: str  #: its state in words, such as "half configured"
    again: bool  #: whether it must be unpacked again


def half() -> list[Half]:
    """Return the half-installed packages, as dpkg's status and journal have them."""
    folder = dpkg_folder()
    found: dict[str, Half] = {}
    for file in (folder / "status", *journal()):
        with suppress(OSError):
            text = own_bytes(file).decode(errors="replace")
            if file.name == "status":  # megabytes of what is whole
                parts = text.split("\n\n")
                text = "\n\n".join(part for part in parts if " ok installed\n" not in part)
            for fields in paragraphs(text):
                _, flag, state = (*fields.get("Status", "").split(), "", "", "")[:3]
                name, again = fields["Package"], flag == "reinstreq"
                found.pop(name, None)
                if state and (state not in _WHOLE or again):
                    version = fields.get("Version", "")
                    found[name] = Half(name, version, state.replace("-", " "), again)
    return list(found.values())


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
    """Return what a change left half done; `Manager.half_done` has more on this.

    Without marks, what another program is at just now is not half done.
    """
    if not marks and _is_at_work():
        return ()
    known = marks.get("known", ())
    found = tuple(f"{each.name} is {each.state}" for each in half() if each.name not in known)
    return found or (("dpkg was interrupted",) if is_interrupted() else ())
