"""The shallow proof of what decides, besides packages, what is imported or started.

Each is a file whose content decides what is imported, installed or started, or a line of the
image's configuration. The base image, if known, shows which side changed it.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...model.credentials import mask
from ..engine.dockersdk import variables_of
from ..installed import survey
from ..root import LIBRARY, Entry, Root
from .proof import ProofFinding, Ways

_KINDS = (
    (
        "import path",
        re.compile(rf".*/{LIBRARY}/(?:[^/]+\.(?:pth|egg-link)|(?:site|user)customize\.py)"),
    ),
    ("kernel", re.compile(r".*/kernels/[^/]+/kernel\.json")),
    (
        "settings",
        re.compile(
            r"(?!.*-packages/)(?!.*/pkgs/).*/(?:\.?(?:condarc|mambarc)|pip\.conf|uv\.toml|\.pydistutils\.cfg"
            r"|condarc\.d/[^/]+|conda-meta/(?:pinned|frozen|state)|EXTERNALLY-MANAGED)"
            r"|/etc/(?:apt|dpkg|conda)/.*|/var/lib/dpkg/arch"
        ),
    ),
    ("start-up", re.compile(r"/usr/local/bin/(?:start-notebook|before-notebook)\.d/.*")),
)
_METADATA = re.compile(rf".*/(?:conda-meta/[^/]+\.json|{LIBRARY}/[^/]+\.(?:dist|egg)-info(?:/.*)?)")
CONFIGURATION = (
    *("Entrypoint", "Cmd", "User", "WorkingDir", "ExposedPorts", "Volumes"),
    *("Healthcheck", "StopSignal", "OnBuild"),
)
"""The compared fields of an image's configuration, besides the variables.

``Shell`` is for builds, labels for people.
"""


@dataclass
class SideView:
    """One side of the proof."""

    root: Root
    #: the image's configuration; empty if there is nothing to compare
    config: Mapping[str, Any] = field(default_factory=dict)
    on_disk: bool = False  #: whether the files can be opened here, by their own paths

    def content(self, path: str) -> bytes:
        """Return a file's content; nothing if unknown."""
        if self.on_disk:
            try:
                return Path(path).read_bytes()
            except OSError:
                return b""
        return self.root.contents.get(path, b"")


def facts(
    here: SideView,
    image: SideView,
    ways: Ways,
    *,
    places: Mapping[str, str],
    skipped: Iterable[str] = (),
) -> Iterator[ProofFinding]:
    """Yield the differences besides the packages.

    Args:
        skipped: Paths that another difference explains.
    """
    started = {*_programs(here), *_programs(image)}
    left_out = set(skipped)
    for path in sorted(here.root.entries.keys() | image.root.entries.keys()):
        kind = "start-up" if path in started else kind_of(path)
        if not kind or path in left_out:
            continue
        one, other = here.root.entries.get(path), image.root.entries.get(path)
        if (one and one.what) == (other and other.what) or _is_same_kernel(kind, here, image, path):
            continue
        if all(each is None or each.kind == "folder" for each in (one, other)):
            continue
        yield ProofFinding(
            place_of(path, places),
            kind,
            path,
            *_words(one, other),
            ways.of(path, one, other),
        )
    yield from _configuration(here, image, ways)
    yield from _holds(here, image, ways)


def kind_of(path: str) -> str:
    """Return which kind of fact a file is; empty for none."""
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(path)), "")


def prefix_of(path: str, places: Mapping[str, str]) -> str:
    """Return the prefix of the innermost environment that has a path; empty for none."""
    folder = path
    while folder not in ("/", ""):
        folder = posixpath.dirname(folder)
        if folder in places:
            return folder
    return ""


def place_of(path: str, places: Mapping[str, str]) -> str:
    """Return the name of the environment that has a path, or "system"."""
    return places.get(prefix_of(path, places), "system")


def _words(one: Entry | None, other: Entry | None) -> tuple[str, str]:
    """Return how each side has a file: only what differs of it."""

    def said(entry: Entry | None) -> str:
        if entry is None:
            return "not there"
        return f"leads to {entry.target}" if entry.kind == "link" else f"{entry.size} bytes"

    here, there = said(one), said(other)
    return (here, f"{there}, others") if here == there else (here, there)


def _is_same_kernel(kind: str, here: SideView, image: SideView, path: str) -> bool:
    """Return True where two kernelspecs say the same in other words (spaces, order of keys)."""
    if kind != "kernel":
        return False
    try:
        one, other = (json.loads(view.content(path)) for view in (here, image))
    except ValueError:
        return False
    return bool(one == other)


def _programs(view: SideView) -> Iterator[str]:
    """Yield the files that a container starts with: of the entry point and of the command."""
    folders = variables_of(view.config).get("PATH", "").split(":")
    for word in (*(view.config.get("Entrypoint") or ()), *(view.config.get("Cmd") or ())):
        candidates = [word] if word.startswith("/") else [f"{folder}/{word}" for folder in folders]
        for path in candidates if not word.startswith("-") else ():
            found = view.root.resolve(path)
            if found is not None and found != "/":
                yield found
                break


def _configuration(here: SideView, image: SideView, ways: Ways) -> Iterator[ProofFinding]:
    if not here.config:
        return
    fix = f"Changed in the image: {ways.build}"
    ours, theirs = _settings(here), _settings(image)
    names = ours.keys() | theirs.keys()
    for name in sorted(names, key=lambda name: (not name.startswith("ENV "), name)):
        (one, was), (other, now) = (each.get(name, (None, "not set")) for each in (ours, theirs))
        if one != other:
            yield ProofFinding("image", "configuration", name, was, now, fix)


def _settings(view: SideView) -> dict[str, tuple[object, str]]:
    """Return the compared settings by name, each with its value as it is shown."""
    found: dict[str, tuple[object, str]] = {
        f"ENV {name}": (value, _shown_variable(name, value))
        for name, value in variables_of(view.config).items()
    }
    for key in CONFIGURATION:
        value = view.config.get(key)
        compared = _number(view, value) if key == "User" else value or None
        found[key.upper()] = (compared, _text(value))
    return found


def _shown_variable(name: str, value: str) -> str:
    """Return a variable's value, unless it is long, which is useless in a table, or secret."""
    shown = mask(f"{name}={value}").partition("=")[2]
    return shown if len(value) <= 40 else f"{len(value)} characters"


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        value = [f"{key} {value[key] or ''}".rstrip() for key in sorted(value)]
    return mask(" ".join(map(str, value)) if isinstance(value, list) else str(value or "not set"))


def _number(view: SideView, user: object) -> str:
    """Return a user's number; an image has either the number or the name."""
    name = str(user or "root").partition(":")[0]
    for line in view.content("/etc/passwd").decode(errors="replace").splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[0] == name:
            return fields[2]
    return "0" if name == "root" else name


def _holds(here: SideView, image: SideView, ways: Ways) -> Iterator[ProofFinding]:
    """Yield the Debian packages that apt holds at their version on one side alone."""
    one, other = (_wanted(view.content("/var/lib/dpkg/status")) for view in (here, image))
    one = {**dict.fromkeys(other, "install"), **one}  # a package of one side alone is held there
    for name in sorted(one.keys() & other.keys()):
        if one[name] != other[name]:
            held = f"!sudo apt-mark unhold {shlex.quote(name)}"
            fix = held if one[name] == "hold" else ways.build
            yield ProofFinding("system", "hold", name, one[name], other[name], fix)


def _wanted(status: bytes) -> dict[str, str]:
    """Return the wanted state of each package in dpkg: install, or hold (dpkg(1))."""
    found = re.findall(rb"^Package: (\S+)\n(?:.+\n)*?Status: (\S+) \S+ \S+$", status, re.MULTILINE)
    return {name.decode(): want.decode() for name, want in found if want in (b"install", b"hold")}


def unread_in(view: SideView, where: str, ways: Ways) -> Iterator[str]:
    """Yield what of one side's metadata could not be read, a sentence each.

    Args:
        where: "here" or "in the image".
    """
    yield from view.root.unread
    yield from _dangling(view, where, ways)
    yield from _nameless(view, where, ways)


def _dangling(view: SideView, where: str, ways: Ways) -> Iterator[str]:
    """Yield the links among the metadata that lead nowhere or to unread files."""
    for path, entry in view.root.entries.items():
        if entry.kind != "link" or not _METADATA.fullmatch(path):
            continue
        found = view.root.resolve(path)
        is_file = found is not None and view.root.entries[found].kind == "file"
        if found is None or (is_file and not view.on_disk and found not in view.root.contents):
            what = "is not there" if found is None else "was not read"
            said = f"{path} {where} is a link to {entry.target}, which {what}."
            yield f"{said} {ways.read_again(path, where)}"


def _nameless(view: SideView, where: str, ways: Ways) -> Iterator[str]:
    """Yield a sentence for each ``*.dist-info`` folder without a name."""
    libraries = survey(view.root)[1].values()
    for library in sorted(path for paths in libraries for path in paths):
        for path in view.root.children(library):
            name = posixpath.basename(path)
            if not name.endswith(".dist-info") or name.startswith("~"):
                continue
            if view.root.entries[path].kind == "link":
                continue  # `_dangling` speaks of it
            metadata = view.content(f"{path}/METADATA")
            if not re.search(rb"^Name:[ \t]*\S", metadata, re.MULTILINE):
                said = f"{path} {where} does not name its distribution."
                yield f"{said} {ways.read_again(path, where)}"
