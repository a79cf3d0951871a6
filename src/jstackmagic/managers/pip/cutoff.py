"""Find what an interrupted pip or uv leaves: half packages, double ones, files without one.

Both write a package's RECORD (PEP 376, PEP 627) last, with their INSTALLER in it, and both remove a
package file by file. So a distribution whose RECORD names no INSTALLER was never finished, and
one whose files differ from its RECORD is half there, even if its METADATA looks whole.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ...io.files import clock, digest_of
from ...io.reading import own_bytes
from ...model.environment import Environment
from ...model.packages import normalise
from ...model.plan import Plan
from ...where.distributions import record_rows
from ...where.metadata import conda_distributions, files_of, read_distributions
from .. import asked_names
from .harm import is_pythons
from .landing import landed

Marks = dict[str, tuple[str, ...]]

_PAUSE = 60 * 10**9  # nanoseconds without a new file, after which new files are not the change's
_TICK = 10**7  # nanoseconds by which a file's time may lie before the note's: a clock's tick


def note(plan: Plan) -> Marks:
    """Return the names in a change, their files, and the entries next to them.

    Nothing if the user's own options lead it out of the environment.
    """
    environment = plan.environment
    if landed(plan.request, environment):
        return {}
    change = plan.change
    coming = change.came if change else []
    asked = set(asked_names(plan.request, environment))
    names = asked.union(package.name for package in (*coming, *(change.removed if change else ())))
    there = [package for package in read_distributions(environment) if package.name in names]
    return {
        "names": tuple(sorted(names)),
        "needed": tuple(package.name for package in coming if package.name not in asked),
        "files": tuple(file for package in there for file in files_of(package, environment)),
        "entries": tuple(_entries(environment)),
    }


@dataclass(frozen=True, slots=True)
class Left:
    """The remains of a change that was interrupted."""

    broken: Mapping[str, str]  #: the fault of each distribution that is not whole, by name
    folders: tuple[str, ...]  #: the metadata folders of those
    files: tuple[str, ...]  #: files that belong to them, or to no distribution
    emptied: frozenset[str] = frozenset()  #: folders that the change may have left empty


def left_over(environment: Environment, marks: Mapping[str, tuple[str, ...]], since: int) -> Left:
    """Find what an interrupted change left half done.

    Args:
        since: Its start, in nanoseconds of the file system's clock.
    """
    if not marks:  # a change that led out of the environment
        return Left({}, (), ())
    names = set(marks.get("names", ()))
    by_name: dict[str, list[_Metadata]] = {}
    for found in _metadata(environment):
        by_name.setdefault(found.name, []).append(found)
    broken: dict[str, str] = {}
    for name, several in by_name.items():
        touched = name in names or any(each.changed >= since - _TICK for each in several)
        if why := _wrong(several) if touched else "":
            broken[name] = why
    kept = {file for name in by_name.keys() - broken for each in by_name[name] for file in each}
    lost = [file for name in broken for each in by_name[name] for file in each]
    listed = (file for file in (*marks.get("files", ()), *lost) if os.path.lexists(file))
    stray = _strays(environment, marks, since, kept)
    inside = f"{environment.prefix}{os.sep}"
    return Left(
        broken,
        tuple(each.folder for name in broken for each in by_name[name]),
        tuple(
            file
            for file in dict.fromkeys((*listed, *stray))
            if file not in kept
            and file.startswith(inside)
            and not is_pythons(file, environment.prefix)
        ),
        frozenset(map(os.path.dirname, (*marks.get("files", ()), *lost))),
    )


def sentences(left: Left, environment: Environment) -> tuple[str, ...]:
    """Return a sentence for each thing left over."""
    said = [f"{name}: {why}" for name, why in left.broken.items()]
    own = tuple(f"{folder}{os.sep}" for folder in left.folders)
    files = [file for file in left.files if not file.startswith(own)]
    if files and not left.broken:
        first = os.path.relpath(files[0], environment.prefix)
        more = f" and {len(files) - 1} more" if files[1:] else ""
        said.append(f"Files of no package: {first}{more}")
    return tuple(said)


def clear(left: Left) -> None:
    """Remove what is left over, and the folders that are then empty."""
    folders = {*left.emptied}
    for file in left.files:
        folders.add(os.path.dirname(file))
        if os.path.isdir(file) and not os.path.islink(file):
            shutil.rmtree(file)
        else:
            os.unlink(file)
    for folder in left.folders:
        shutil.rmtree(folder, ignore_errors=True)
    for folder in sorted(folders, key=len, reverse=True):
        _prune(folder)


def _prune(folder: str) -> None:
    """Remove a folder that holds nothing but bytecode, and those above it."""
    while not folder.endswith(("site-packages", "dist-packages", "bin")):
        if os.path.isdir(folder):
            if set(os.listdir(folder)) - {"__pycache__"}:
                return
            shutil.rmtree(folder)
        folder = os.path.dirname(folder)


# Metadata on disk


@dataclass(frozen=True, slots=True)
class _Metadata:
    """A ``dist-info`` folder, whole or not."""

    folder: str
    changed: int  #: the time of the last change of its entries, in nanoseconds
    #: the rows of its RECORD, with absolute paths; None without one
    rows: tuple[tuple[str, str], ...] | None
    whole: bool  #: whether its METADATA names it

    @property
    def name(self) -> str:
        return normalise(os.path.basename(self.folder).partition("-")[0])

    def __iter__(self) -> Iterator[str]:
        """Yield the files that it lists."""
        return (path for path, _ in self.rows or ())


def _places(environment: Environment) -> list[str]:
    inside = f"{environment.prefix}{os.sep}"
    sites = [path for path in environment.site_packages if path.startswith(inside)]
    return [path for path in dict.fromkeys(sites) if os.path.isdir(path)]


def _entries(environment: Environment) -> Iterator[str]:
    for place in (*_places(environment), os.path.join(environment.prefix, "bin")):
        with os.scandir(place) as entries:
            yield from (entry.path for entry in entries)
    with os.scandir(environment.prefix) as entries:  # where uv tries how it can write
        yield from (entry.path for entry in entries if entry.name.startswith(".tmp"))


def _metadata(environment: Environment) -> Iterator[_Metadata]:
    by_conda = conda_distributions(environment)
    for place in _places(environment):
        for name in os.listdir(place):
            folder = os.path.join(place, name)
            if not name.endswith(".dist-info") or name.startswith("~") or not os.path.isdir(folder):
                continue
            found = _Metadata(
                folder,
                os.stat(folder).st_ctime_ns,
                _rows(folder, place),
                bool(_bytes(os.path.join(folder, "METADATA"))),
            )
            if found.name not in by_conda:
                yield found


def _rows(folder: str, place: str) -> tuple[tuple[str, str], ...] | None:
    text = _bytes(os.path.join(folder, "RECORD"))
    if text is None:
        return None
    rows = record_rows(text.decode(errors="replace"))
    return tuple((row.below(place), row.digest) for row in rows)


def _bytes(path: str) -> bytes | None:
    try:
        return own_bytes(path)
    except OSError:
        return None


def _wrong(several: list[_Metadata]) -> str:
    """Return a distribution's fault; empty if it is whole."""
    if several[1:]:
        return f"two of it: {', '.join(sorted(os.path.basename(each.folder) for each in several))}"
    (one,) = several
    if not one.whole:
        return "it has no METADATA"
    if one.rows is None:
        return "it has no RECORD"
    short = [path for path, digest in one.rows if not _is_as_recorded(path, digest)]
    if short:
        return f"{len(short)} of its {len(one.rows)} files are not as its RECORD says"
    finished = os.path.join(one.folder, "INSTALLER") in {*one}
    return "" if finished else "its installation was not finished"


def _is_as_recorded(path: str, recorded: str) -> bool:
    kind, _, digest = recorded.partition("=")
    if not digest:  # bytecode, and RECORD itself
        return path.endswith(".pyc") or os.path.exists(path)
    if not os.path.isfile(path):
        return False
    try:
        raw = bytes.fromhex(digest_of(path, kind))
    except (OSError, ValueError):
        return False
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == digest


# Files of no distribution


def _strays(
    environment: Environment,
    marks: Mapping[str, tuple[str, ...]],
    since: int,
    kept: Collection[str],
) -> list[str]:
    """Return files of the change that belong to no distribution.

    They are among the new entries next to the packages and in the folders that the change was
    about, and as new as the change: files that were added later stay.
    """
    known = set(marks.get("entries", ()))
    new = [path for path in _entries(environment) if path not in known] if known else []
    tops = {*new, *(top for file in marks.get("files", ()) if (top := _top(file, environment)))}
    asides = [path for path in new if os.path.basename(path).startswith("~")]  # of pip
    times = sorted(
        (os.lstat(file).st_ctime_ns, file, top in new)
        for top in tops.difference(asides)
        for file in _walk(top)
        if "__pycache__" not in file
    )
    found, last = asides, 0
    set_back = clock(environment.prefix) * 10**9 < since  # the clock was, meanwhile
    for changed, file, is_new in times:
        if changed < since - _TICK:
            if is_new and set_back and file not in kept:
                found.append(file)
            continue
        if last and changed - last > _PAUSE:
            break
        last = changed
        if file not in kept:
            found.append(file)
    return found


def _top(file: str, environment: Environment) -> str:
    """Return the entry next to the packages that contains a file; empty for other files."""
    for place in _places(environment):
        if file.startswith(f"{place}{os.sep}"):
            return os.path.join(place, file[len(place) + 1 :].partition(os.sep)[0])
    return ""


def _walk(path: str) -> Iterable[str]:
    if not os.path.isdir(path) or os.path.islink(path):
        if os.path.lexists(path):
            yield path
        return
    for folder, _, files in os.walk(path):
        yield from (os.path.join(folder, name) for name in files)
