"""The deep part of the proof: every file of the system and its environments, and imports."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ... import managers
from ...model.environment import Environment
from ...model.managers import is_system
from ...model.packages import Package
from ...model.record import Record
from ...where.compiled import is_taken
from ...where.metadata import files_of
from ..engine.dockersdk import ContainerEngine, speaking
from ..engine.roots import container_of
from ..owned import Owned, owners
from ..root import BUFFER, LIBRARY, Entry, is_below, is_cached
from .proof import FileDifference, FileState, Side, Ways, same
from .shallow import SideView, kind_of, place_of, prefix_of

_OUT_OF_SIGHT = re.compile(
    r"/(?:dev|home|proc|root|run|sys|tmp)(?:/.*)?|/var(?!/lib/)(?:/.*)?|/\.dockerenv"
)
"""Folders of people's data, and of what a running container writes."""

_WRITTEN_WHILE_RUNNING = re.compile(
    r"/etc/(?:hostname|hosts|resolv\.conf|mtab|machine-id|\.pwd\.lock|ld\.so\.cache|jstackmagic(?:/.*)?"
    r"|(?:passwd|group|shadow|gshadow|subuid|subgid)-?|sudoers\.d/(?:added-by-start-script|path))"
    r"|/var/lib/(?:apt|dpkg|systemd|ucf|dbus|pam|python|shells\.state|update-.*|command-not-found)(?:/.*)?"
    r"|/usr/share/(?:info/dir|mime/.*|applications/mimeinfo\.cache|icons/.*/icon-theme\.cache)"
    r"|/usr/lib/.*/gconv/gconv-modules\.cache"
)
"""Of the rest, what the engine, a server's start and the managers' own triggers write."""

_INSTALLERS_OWN = re.compile(
    r".*/conda-meta/(?:history|[^/]+\.json|[^/]+\.lock)|.*/conda-meta/?|.*/\.condatmp(?:/.*)?|.*/CACHEDIR\.TAG|.*/\.lock"
    r"|.*/pkgs(?:/.*)?"
    r"|.*\.(?:dist|egg)-info/(?:RECORD|REQUESTED|INSTALLER|direct_url\.json|uv_cache\.json"
    r"|installed-files\.txt|SOURCES\.txt)"
)
"""Files on how a package was installed; the comparison of the metadata has read them."""

IN_LIBRARY = re.compile(rf".*/{LIBRARY}/.*")
_COMPILED = re.compile(r"(?P<folder>.*/)__pycache__/(?P<stem>[^/]+?)\.[^/.]+-\d+[^/]*\.pyc")
_TOP_LEVEL = re.compile(
    r".*/(?:site|dist)-packages/(?P<module>[A-Za-z]\w*)(?:/__init__\.py|\.py|(?:\.[\w-]+)?\.so)"
)
_IMPORT = """
import importlib, json, sys
failed = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = f"{type(error).__name__}: {error}"
sys.stdout = sys.__stdout__
print("\\n" + json.dumps(failed))
"""
_SECONDS = 600.0


Explained = Collection[tuple[str, tuple[str, str]]]
"""Packages that differ, each with the prefix of its environment; "" for the system's."""


@dataclass(frozen=True)
class Compared:
    """The input of a deep comparison."""

    here: SideView
    image: SideView  #: the image's side
    ways: Ways  #: the ways to fix a difference
    places: Mapping[str, str]  #: the name of each environment, by its prefix here
    explained: Explained = ()  #: the packages that differ: their files need no line of their own
    #: the prefixes of environments with another path in the image; its files are named as they
    #: would be here
    moved: Collection[str] = ()
    local: bool = True  #: whether the other side is on this process's disk
    named: Collection[str] = ()  #: the paths that the shallow part has named
    lone: Collection[str] = ()  #: the prefixes of the environments that only one side has
    whole: bool = True  #: whether the whole system is compared, or the environments alone
    mounted: Collection[str] = ()  #: folders and files that are no part of this side
    #: finds compiled files of the image whose source is not what they claim
    compiled: Callable[[Sequence[str]], Collection[str]] = lambda _: ()


def contents(compared: Compared) -> tuple[FileDifference, ...]:
    """Compare every file that counts, with mode, owner and the place that a link leads to."""
    owners_here, owners_image = owners_of(compared.here), owners_of(compared.image)
    found = []
    doubtful: list[str] = []
    ours, theirs = compared.here.root.entries, compared.image.root.entries
    for path in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(path), theirs.get(path)
        lost = one is None or other is None
        content = (one and one.what) != (other and other.what)
        if one == other or not _counts(path, compared, lost=lost, other_content=content):
            continue
        owned = owners_here.get(path) or owners_image.get(path)
        if "folder" in (one and one.kind, other and other.kind):
            owned = None  # many packages list one folder
        if owned is None and "link" in (one and one.kind, other and other.kind):
            # an alternative comes and goes with the package that it leads to
            view, known = (compared.here, owners_here) if one else (compared.image, owners_image)
            owned = known.get(view.root.resolve(path) or "")
            explained = owned and is_explained(path, owned, compared.explained, compared.places)
            owned = owned if explained else None
        if owned and is_explained(path, owned, compared.explained, compared.places):
            continue
        if path.endswith(".pyc") and _COMPILED.fullmatch(path):
            if other and _may_hide(path, one, other, compared):
                doubtful.append(path)
            continue
        state = _state(path, one, other, owned, compared, owners_here, owners_image)
        if state:
            found.append(_difference(path, owned, state, compared))
    hiding = compared.compiled(doubtful) if doubtful else ()
    for path in doubtful:
        if path in hiding:
            owned = owners_here.get(source_of(path))
            found.append(_difference(path, owned, "hides its source", compared))
    return tuple(found)


def _counts(path: str, compared: Compared, *, lost: bool, other_content: bool) -> bool:
    """Return whether a file is one that has to be the same on both sides."""
    # installers word a RECORD differently, but none can remove a package without it
    record = lost and path.endswith(".dist-info/RECORD") and not is_cached(path)
    if (_INSTALLERS_OWN.fullmatch(path) and not record) or _WRITTEN_WHILE_RUNNING.fullmatch(path):
        return False
    if path in compared.mounted or is_below(path, compared.mounted):
        return False
    if path in compared.named or (kind_of(path) and other_content):
        return False  # the shallow part has compared it
    if is_below(path, compared.lone):
        return False  # the whole environment is a difference
    inside = bool(prefix_of(path, compared.places))
    if not compared.whole:
        return inside
    return bool(inside or not _OUT_OF_SIGHT.fullmatch(path) or IN_LIBRARY.fullmatch(path))


def is_explained(path: str, owned: Owned, explained: Explained, places: Mapping[str, str]) -> bool:
    """Return whether a file is of a package that differs in the file's own environment."""
    prefix = "" if is_system(owned.key[0]) else prefix_of(path, places)
    return (prefix, owned.key) in explained


def _difference(
    path: str, owned: Owned | None, state: FileState, compared: Compared
) -> FileDifference:
    ways = compared.ways
    one, other = (view.root.entries.get(path) for view in (compared.here, compared.image))
    fix = ways.of(path, one, other, reinstall=_reinstall(path, owned, state, one, compared))
    if owned and state == "not in the image":  # a package's file, which the base need not have
        fix = f"Changed in the image: {ways.build}"
    name = owned.key[1] if owned else ""
    return FileDifference(place_of(path, compared.places), name, path, state, fix)


def _reinstall(
    path: str, owned: Owned | None, state: FileState, one: Entry | None, compared: Compared
) -> str:
    """Return what puts a package's file back here; empty if it is as it was installed."""
    usual = one is not None and one.mode & ~0o022 in (0o644, 0o755, 0o444, 0o555)
    here = state in ("changed here", "not here") or (state == "other mode" and not usual)
    if owned is None or not here or not compared.whole:
        return ""
    package = Package(*owned.key, owned.version)
    prefix = prefix_of(path, compared.places)
    return managers.get(package.manager).reinstall(package, prefix, path)


def _state(
    path: str,
    one: Entry | None,
    other: Entry | None,
    owned: Owned | None,
    compared: Compared,
    owners_here: Mapping[str, Owned],
    owners_image: Mapping[str, Owned],
) -> FileState | None:
    if one is None or other is None:
        entry = one or other
        # an empty folder is nothing, and the files of another are named
        if entry is not None and entry.kind == "folder":
            return None
        return "not here" if one is None else "not in the image"
    if one.what != other.what:
        recorded = owned.sha256 if owned else ""
        if one.kind == other.kind == "file":
            if owned and owned.has_prefix and is_below(path, compared.moved):
                return None  # it contains the prefix, which differs
            sides = ((owners_here.get(path), one), (owners_image.get(path), other))
            as_said = all(each and each.sha256 == entry.sha256 for each, entry in sides)
            if owned and owned.entry_point and as_said:
                return None
        base = compared.ways.base.entries.get(path) if compared.ways.base else None
        known = recorded or (base.sha256 if base else "")
        if owned and owned.md5 and compared.local:
            known = one.sha256 if _md5(path) == owned.md5 else other.sha256
        if known and known == other.sha256:
            return "changed here"
        return "changed in the image" if known and known == one.sha256 else "differs"
    if not compared.whole:
        return None  # another machine's users and umask
    inside = bool(prefix_of(path, compared.places))
    # fix-permissions gives an environment to its group, here or there
    mask = 0o5707 if inside else 0o7777
    if one.kind != "link" and (one.mode ^ other.mode) & mask:
        return "other mode"
    if one.uid != other.uid or (one.gid != other.gid and not inside):
        return "other owner"
    return "other capabilities" if one.capability != other.capability else None


def _md5(path: str) -> str:
    """Return the MD5 of a file here, as dpkg lists it; empty if it cannot be read."""
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with open(path, "rb") as file:
            while block := file.read(BUFFER):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


# Compiled Python


def source_of(path: str) -> str:
    """Return the source that a compiled file in a ``__pycache__`` is of (PEP 3147)."""
    found = _COMPILED.fullmatch(path)
    assert found is not None
    return f"{found['folder']}{found['stem']}.py"


def _may_hide(path: str, one: Entry | None, other: Entry, compared: Compared) -> bool:
    """Return whether a compiled file of the image is another one, and Python would take it."""
    if other.body is None or (one is not None and one.body and one.body[0] == other.body[0]):
        return False
    name = source_of(path)
    source = compared.image.root.entries.get(name)
    ours = compared.here.root.entries.get(name)
    if source is None or ours is None or source.sha256 != ours.sha256:
        return False  # never taken, or the source itself is a difference
    return is_taken(other.body[1], source.time, source.size)


SAME_CODE = """
import json, sys
other = []
for path, source, name in json.load(open(sys.argv[1])):
    try:
        with open(path, "rb") as file, open(source, "rb") as of:
            if hides(name, file.read(), of.read()):
                other.append(name)
    except OSError:
        other.append(name)
print(json.dumps(other))
"""
"""Run by the environment's own Python after `where.compiled`: names the files that hide theirs."""


def owners_of(view: SideView, names: Collection[str] | None = None) -> dict[str, Owned]:
    """Return the files that the records of one side list; see `jstackmagic.image.owned.owners`."""
    return owners(view.root, view.content, names)


def pairs(
    environments: Sequence[Environment], sides: Sequence[Side]
) -> Iterator[tuple[Environment, Side]]:
    """Yield the environments that the image has too, each with its compared side."""
    by_prefix = {environment.prefix: environment for environment in environments}
    for side in sides:
        if side.environment is not None and side.image is not None:
            yield by_prefix[side.environment.prefix], side


# Imports


def imports(
    engine: ContainerEngine,
    image: str,
    environments: Sequence[Environment],
    sides: Sequence[Side],
    records: Sequence[Record],
) -> tuple[tuple[str, ...], list[str]]:
    """Import the top-level modules of the packages that the history added, in the image.

    A module that fails here as well is not a difference.

    Returns:
        The modules that fail only there, with the error, and sentences about what could not be
        tried.
    """
    found: list[str] = []
    unread: list[str] = []
    for environment, side in pairs(environments, sides):
        modules = sorted(set(_added_modules(environment, side, records)))
        if not modules or environment.executable is None:
            continue
        python = side.in_image + environment.executable.removeprefix(environment.prefix)
        there = _import_in_image(engine, image, python, modules)
        if there is None:
            unread.append(f"{python} of the image could not be run, to import what was added.")
            continue
        here = _import_here(environment.executable, list(there)) if there else {}
        found += [
            f"{name} in {side.name}: {error}" for name, error in there.items() if name not in here
        ]
    return tuple(found), unread


def _added_modules(
    environment: Environment, side: Side, records: Iterable[Record]
) -> Iterator[str]:
    """Yield the modules of added packages that are the same on both sides."""
    assert side.image is not None
    packages = {
        package
        for record in records
        if record.outcome and record.environment.prefix == environment.prefix
        for package in (*record.outcome.change.added, *record.outcome.resolved)
        if not is_system(package.manager)
    }
    for package in packages:
        one, other = side.here.by_key.get(package.key), side.image.by_key.get(package.key)
        if one is None or other is None or not same(one, other):
            continue  # which is a difference of its own
        for path in files_of(package, environment):
            match = _TOP_LEVEL.fullmatch(path)
            if match:
                yield match["module"]


def _import_in_image(
    engine: ContainerEngine, image: str, python: str, modules: Sequence[str]
) -> dict[str, str] | None:
    """Return the modules that fail in the image, with their errors; None if Python does not run."""
    api = engine.client.api
    alone = {"network_disabled": True, "host_config": api.create_host_config(network_mode="none")}
    asked = {"entrypoint": [python], "command": ["-c", _IMPORT, *modules]}
    with (
        speaking("The image could not be run"),
        container_of(engine, image, **asked, **alone) as created,
    ):
        api.start(created)
        api.wait(created, timeout=_SECONDS)
        return _failures(api.logs(created, stdout=True, stderr=False).decode(errors="replace"))


def _import_here(python: str, modules: Sequence[str]) -> dict[str, str]:
    from ...io import process
    from ...model.plan import Command

    captured = process.capture(Command((python, "-c", _IMPORT, *modules)))
    return _failures(captured.stdout) or {}


def _failures(output: str) -> dict[str, str] | None:
    """Return the failures in the last line of the output; None if it has none."""
    lines: list[Any] = output.strip().splitlines()
    try:
        found = json.loads(lines[-1])
    except (IndexError, ValueError):
        return None
    return {str(name): str(error) for name, error in found.items()}
