"""One spec of a request, as a value: read once, where text comes in.

Pure, and generous: an invalid spec is read as far as possible. The managers' own readers
say what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import cast
from urllib.parse import unquote

from .credentials import without_login
from .managers import listed, named
from .packages import ManagerName, Package, normalise

CONDA_ARCHIVE = (".conda", ".tar.bz2")
PIP_ARCHIVE = (".whl", ".tar.gz", ".tgz", ".zip", ".tar.xz")

_HASHES = re.compile(r"(?:\s+--hash=\w+:\w+)+\s*$")
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PLACE = re.compile(rf"{URL.pattern}|file:/")
_VCS = re.compile(r"(?:git|hg|svn|bzr)\+")
_EXTRAS = re.compile(r"\[([^\]=]*)\]$")
_ANY_ARCHIVE = re.compile(r"\.(?:whl|zip|tgz|tar\.\w+)$")
_NAME = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?"
_REQUIREMENT = re.compile(
    rf"(?P<name>{_NAME})(?=\s*(?:[<>=!~;\[(,@]|$))\s*(?:\[(?P<extras>[^\]]*)\])?\s*"
    r"(?:@\s*(?P<url>[A-Za-z+]+:(?:(?!\s;).)*)|(?P<version>[^;@]*))\s*(?:;\s*(?P<marker>.*))?",
    re.ASCII | re.DOTALL,
)
_MATCH = re.compile(
    r"(?:(?P<channel>.+)::)?\s*(?P<name>[A-Za-z0-9_.-]+)(?P<version>[^\[]*)(?:\[(?P<keys>.*)\])?"
)
_CONDA_NAME = re.compile(r"\s*([\w.-]+)", re.ASCII)
_BUILD = re.compile(
    r"\s*[<>!~=]*[^\s=,|]+(?:[,|][<>!~=]*[^\s=,|]+)*(?:=|\s+)(?P<build>[\w*.]+)", re.ASCII
)
_KEY = re.compile(r"\s*(?P<key>\w+)\s*=\s*(?:'(?P<one>[^']*)'|\"(?P<two>[^\"]*)\"|(?P<bare>[^,]*))")


@dataclass(frozen=True, slots=True)
class Spec:
    """One spec of a request; its class is its kind."""

    text: str  #: as the user wrote it, with local paths absolute; also its form in files
    name: str = ""  #: the package's normalised name; empty if the text has no name
    #: the path or URL that it is taken from, its fragment and commit included; empty if a channel
    #: or an index has it
    place: str = ""
    extras: tuple[str, ...] = ()  #: the extras of a distribution, as pip calls them
    hashes: tuple[str, ...] = ()  #: those that its archive may have, such as ``sha256:…``
    editable: bool = False  #: whether it stays in its folder, and is linked to
    marker: str = ""  #: the environments that it is for, as the user wrote it

    def __str__(self) -> str:
        return self.text

    @property
    def unhashed(self) -> Spec:
        """The same without its hashes, which are pip's."""
        return read("pip", split_hashes(self.text)[0]) if self.hashes else self

    @property
    def words(self) -> tuple[str, ...]:
        """The text as the words of a command line: a flag such as ``-r`` is one of its own."""
        if not (self.editable or isinstance(self, Listing)):
            return (self.text,)
        flag, _, rest = self.text.partition(" ")
        return flag, rest.strip()

    @property
    def is_url(self) -> bool:
        """Return whether its place is a URL, be it of this machine."""
        return bool(_PLACE.match(self.place) or _VCS.match(self.place))

    @property
    def path(self) -> str:
        """The local file or folder that it names; empty where it names none.

        >>> read("pip", "u @ file:///w/u%20x.zip").path, read("pip", "-e /w/mine[test]").path
        ('/w/u x.zip', '/w/mine')
        """
        bare = re.sub("^file:(?://)?", "", self.place)
        if not bare.startswith(("/", ".", "~")):
            return ""
        return bare if bare == self.place else unquote(bare)

    @property
    def tail(self) -> str:
        """Its extras and marker, as they follow a path or a name."""
        return _bracketed(self.extras) + (f" ; {self.marker}" if self.marker else "")

    def elsewhere(self, place: str) -> str:
        """Return the text after a command's flag if the file or folder is in another place.

        >>> read("pip", "u[a] @ file:///w/u.zip ; os_name == 'nt'").elsewhere("/tmp/u.zip")
        "u[a] @ file:///tmp/u.zip ; os_name == 'nt'"
        """
        return f"{place}{self.tail}"

    def named(self, name: str, url: str) -> str:
        """Return the requirement of a distribution at a URL, with these extras and this marker."""
        marker = f" ; {self.marker}" if self.marker else ""
        return f"{name}{_bracketed(self.extras)} @ {url}{marker}"


@dataclass(frozen=True, slots=True)
class Requirement(Spec):
    """A distribution by its name, from an index or from a URL: PEP 508."""

    version: str = ""  #: the specifier, as the user wrote it

    def elsewhere(self, place: str) -> str:
        """Return the same requirement of a file in another place."""
        return self.named(self.name, f"file://{place}")


@dataclass(frozen=True, slots=True)
class MatchSpec(Spec):
    """A package of a channel."""

    channel: str = ""  #: the channel it must come from; empty for any
    version: str = ""  #: the constraint, as the user wrote it, a build after it included
    keys: tuple[tuple[str, str], ...] = ()  #: the values in brackets, by name
    has_build: bool = False


@dataclass(frozen=True, slots=True)
class DebianPackage(Spec):
    """A package of Debian's archives."""

    version: str = ""  #: what follows ``=``; empty if it may be any
    release: str = ""  #: what follows ``/``


@dataclass(frozen=True, slots=True)
class NamedPackage(Spec):
    """A package of any other manager in the list: ``NAME`` or ``NAME==VERSION``."""

    version: str = ""  #: what follows ``==``; empty if it may be any


@dataclass(frozen=True, slots=True)
class LocalArchive(Spec):
    """A package in a file of this machine, given as a path or as a ``file:`` URL."""


@dataclass(frozen=True, slots=True)
class RemoteArchive(Spec):
    """A package in a file elsewhere."""


@dataclass(frozen=True, slots=True)
class LocalProject(Spec):
    """A folder to build a distribution from, or to link to where it is editable."""


@dataclass(frozen=True, slots=True)
class VcsReference(Spec):
    """A project under version control; its place is ``git+https://…@REF#egg=NAME``."""


@dataclass(frozen=True, slots=True)
class RequirementsFile(Spec):
    """A list of specs, which the manager reads itself; its place is the file."""


@dataclass(frozen=True, slots=True)
class Constraint(Spec):
    """A list of limits that holds for a whole run, and installs nothing; its place is the file."""


Listing = (RequirementsFile, Constraint)
"""The kinds that name a file of specs rather than a package."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A place under version control, ``KIND+URL@REF#FRAGMENT``."""

    kind: str  #: ``git``, ``hg``, ``svn`` or ``bzr``
    url: str  #: without the rest
    ref: str = ""  #: a branch, a tag or a commit; empty for the default branch
    fragment: str = ""  #: what follows ``#``

    def __str__(self) -> str:
        ref = f"@{self.ref}" if self.ref else ""
        return f"{self.kind}+{self.url}{ref}" + (f"#{self.fragment}" if self.fragment else "")

    @property
    def subdirectory(self) -> str:
        """The folder of the project in it; empty for its top."""
        match = re.search(r"(?:^|&)subdirectory=([^&]+)", self.fragment)
        return match[1] if match else ""


def checkout(place: str) -> Checkout | None:
    """Read a place under version control; None for any other place.

    pip takes what follows the path's last @ for the ref; a user name ends with one too.

    >>> checkout("git+ssh://git@h.example/r.git@v1#egg=r")
    Checkout(kind='git', url='ssh://git@h.example/r.git', ref='v1', fragment='egg=r')
    """
    match = re.fullmatch(r"(git|hg|svn|bzr)\+([^#]+)(?:#(.*))?", place)
    if match is None:
        return None
    kind, url, fragment = match.groups(default="")
    scheme, slashes, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if "@" in path:
        path, _, ref = path.rpartition("@")
        return Checkout(kind, f"{scheme}{slashes}{host}{slash}{path}", ref, fragment)
    return Checkout(kind, url, "", fragment)


@lru_cache(maxsize=65_536)
def read(manager: ManagerName, text: str) -> Spec:
    """Read one spec of a manager.

    >>> read("pip", "Zope.Interface[test]==7").name, read("apt", "graphviz=2.42.4-2").name
    ('zope-interface', 'graphviz')
    >>> read("conda", "conda-forge::numpy>=1.20").channel
    'conda-forge'
    >>> read("pip", "-c /w/limits.txt").place
    '/w/limits.txt'
    """
    if reader := listed(manager).spec:
        return cast("Spec", named(reader)(text))
    name, _, version = text.partition("==")
    return NamedPackage(text, name, version=version)


def read_all(manager: ManagerName, specs: Iterable[Spec | str]) -> tuple[Spec, ...]:
    """Read those of a manager's specs that are text yet."""
    return tuple(read(manager, spec) if isinstance(spec, str) else spec for spec in specs)


def of_package(package: Package) -> Spec:
    """Return what a package that was found on disk is asked for by: where it came from, or a name.

    >>> of_package(Package("pip", "six", "1.17.0", source="file:///w/my%20six", editable=True)).text
    '-e /w/my six'
    """
    source = package.source
    if not (listed(package.manager).direct and source and is_direct(package)):
        return read(package.manager, package.name)
    if package.editable:
        local = source.startswith("file://")
        place = unquote(source.removeprefix("file://")) if local else source
        return read(package.manager, f"-e {place}")
    return read(package.manager, f"{package.name} @ {source}")


def is_direct(package: Package) -> bool:
    """Return whether a package came from a direct URL or path (PEP 610), not from an index.

    The source of one from an index is the index's name or URL.
    """
    source = package.source
    path = re.split(r"[#?]", source, maxsplit=1)[0]
    direct = package.editable or is_vcs(source) or source.startswith("file:")
    return direct or bool(URL.match(source) and _ANY_ARCHIVE.search(path))


def split_hashes(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a requirement without its hashes, and these.

    >>> split_hashes("six==1.17.0 --hash=sha256:00 --hash=sha256:11")
    ('six==1.17.0', ('sha256:00', 'sha256:11'))
    """
    match = _HASHES.search(text) if "--hash=" in text else None
    if match is None:
        return text, ()
    return text[: match.start()], tuple(re.findall(r"--hash=(\S+)", match[0]))


def turned(text: str) -> str:
    """Return a spec with the operators that are written backwards the right way round.

    >>> turned("numpy=>1.20,=<2")
    'numpy>=1.20,<=2'
    """
    return re.sub(r"=([<>~!])(?!=)", r"\1=", text)


def is_vcs(place: str) -> bool:
    """Return whether a place is under version control, as ``git+https://…``."""
    return bool(_VCS.match(place))


def same_place(place: str) -> str:
    """Return what a spec's place and the URL in the installed metadata share, of the same place.

    >>> same_place("git+https://me@h.example/r.git@main#egg=r")
    'git+https://h.example/r.git'
    """
    place = place.partition("#")[0]
    place = without_login(place).removeprefix("file://")
    if is_vcs(place):
        scheme, slashes, path = place.partition("://")
        place = scheme + slashes + re.sub(r"@[^@]*$", "", path)
    return unquote(place).rstrip("/")


def of_conda(text: str) -> Spec:
    """Read a match spec, a package archive, or a list."""
    if text.startswith("--file "):
        return RequirementsFile(text, place=text.removeprefix("--file ").strip())
    path = re.split(r"[#?]", text, maxsplit=1)[0]
    if path.endswith(CONDA_ARCHIVE) and "::" not in text:
        kind = RemoteArchive if _is_remote(path) else LocalArchive
        name = path.rpartition("/")[2].rsplit("-", 2)[0].lower()
        return kind(text, name, text.partition("#")[0])
    match = _MATCH.fullmatch(text)
    if match is None:
        named = _CONDA_NAME.match(text.rpartition("::")[2])
        return MatchSpec(text, named[1].lower() if named else "")
    keys = {
        found["key"]: next(filter(None, found.group("one", "two", "bare")), "").strip()
        for found in _KEY.finditer(match["keys"] or "")
    }
    version = match["version"].strip()
    return MatchSpec(
        text,
        match["name"].lower(),
        channel=match["channel"] or keys.get("channel", ""),
        version=version,
        keys=tuple(keys.items()),
        has_build="build" in keys or _BUILD.fullmatch(version) is not None,
    )


def of_apt(text: str) -> Spec:
    """Read a Debian package as apt-get names it (apt-get(8)), or a ``.deb``."""
    if text.endswith(".deb"):
        return LocalArchive(text, text.rpartition("/")[2].partition("_")[0], text)
    name, mark, rest = re.match(r"([^=/]*)([=/]?)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    return DebianPackage(
        text, name, version=rest if mark == "=" else "", release=rest if mark == "/" else ""
    )


def of_pip(text: str) -> Spec:
    """Read a line of a requirements file: a requirement (PEP 508), a place, or another file."""
    bare, hashes = split_hashes(text)
    flag, _, rest = bare.partition(" ")
    if flag in ("-r", "--file"):  # the second, of uv: a project's file, which pip cannot read
        return RequirementsFile(text, place=rest.strip(), hashes=hashes)
    if flag == "-c":
        return Constraint(text, place=rest.strip(), hashes=hashes)
    if flag == "-e":
        return _at_place(text, rest.strip(), hashes, editable=True)
    match = None if is_vcs(bare) else _REQUIREMENT.fullmatch(bare)
    if match is None or _ANY_ARCHIVE.search(match["name"]):
        return _at_place(text, bare, hashes)
    return Requirement(
        text,
        normalise(match["name"]),
        (match["url"] or "").strip(),
        _words(match["extras"]),
        hashes,
        version=(match["version"] or "").strip(),
        marker=(match["marker"] or "").strip(),
    )


def _at_place(text: str, place: str, hashes: tuple[str, ...], *, editable: bool = False) -> Spec:
    egg = re.search(r"[#&]egg=([\w.-]+)(?:\[([^\]]*)\])?", place)
    if is_vcs(place):
        name, more = (egg[1], egg[2]) if egg else ("", "")
        return VcsReference(text, normalise(name), place, _words(more), hashes, editable)
    # as pip: a URL may have a semicolon, and a marker then follows a space
    mark = r"\s+;\s*|;\s+" if _PLACE.match(place) else r"\s*;\s*"
    place, marker = (*re.split(mark, place, maxsplit=1), "")[:2]
    extras = _EXTRAS.search(place)
    place = place[: extras.start()] if extras else place
    path = re.split(r"[#?]", place, maxsplit=1)[0]
    kind: type[Spec] = LocalProject
    if _is_remote(place):
        kind = RemoteArchive
    elif _ANY_ARCHIVE.search(path) and not editable:
        kind = LocalArchive
    name = egg[1] if egg else _name_of_file(path.rpartition("/")[2])
    more = _words(extras and extras[1])
    return kind(text, normalise(name), place, more, hashes, editable, marker)


def _name_of_file(file: str) -> str:
    if file.endswith(".whl"):
        return file.partition("-")[0]
    source = re.fullmatch(r"(.+)-\d[^-]*\.(?:tar\.\w+|tgz|zip)", file)
    return source[1] if source else ""


def _is_remote(place: str) -> bool:
    return bool(_PLACE.match(place)) and not place.startswith("file:")


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word for each in (text or "").split(",") if (word := each.strip()))


def _bracketed(extras: tuple[str, ...]) -> str:
    return f"[{','.join(extras)}]" if extras else ""
