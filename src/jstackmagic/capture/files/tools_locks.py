"""uv.lock, poetry.lock, pdm.lock, Pipfile.lock, pixi.lock: what other tools have locked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from ...model.documents import parse_json, parse_toml, parse_yaml
from ...model.errors import InvalidSpec, UsageError
from ...model.parsing import Asked, Problem, read_requirement, read_specs
from ...model.sources import Sources
from ..argv import repository
from . import Reading, other_tools
from ._finds import archive_of, finds, folder_of, of_lock, platform_here, text_of
from ._toolsources import both, is_pypi, left_of


@dataclass(frozen=True, slots=True)
class _Locked:
    """One package of a lock."""

    requirement: str
    hashes: tuple[str, ...] = ()  #: as ``sha256:…``
    index: str = ""
    marker: str = ""

    @property
    def text(self) -> str:
        """The line of a requirements file."""
        marker = f" ; {self.marker}" if self.marker else ""
        return f"{self.requirement}{marker}{''.join(f' --hash={each}' for each in self.hashes)}"


def recognises(path: Path) -> bool:
    return path.name in _LOCKS and path.is_file()


def read(path: Path) -> Reading:
    """Read what its tool installs by default; the other groups and the extras are noted.

    Raises:
        InvalidSpec: It is broken, or of an older form that does not say what is by default.
    """
    parse, entries = _LOCKS[path.name]
    data = parse(text_of(path), str(path))
    notes: list[str] = []
    try:
        if entries is None:
            return Reading(path, tuple(finds(_pixis(data, folder_of(path)), line=1)))
        locked = list(dict.fromkeys(entries(data, notes)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        lacks = f", without {error}" if isinstance(error, KeyError) else ""
        raise InvalidSpec(  # an older form says less
            f"{path} is of a form that is not read here{lacks}.",
            advice=other_tools.LOCKS[path.name],
        ) from None
    indexes = [each.index for each in locked if each.index and not is_pypi(each.index)]
    only = len({each.index for each in locked if each.hashes}) == 1
    urls = tuple(dict.fromkeys(indexes))
    sources = Sources(
        index_url=urls[0] if urls and only else "", extra_index_urls=urls[1:] if only else urls
    )
    asked = ((_asked(each, folder_of(path)), bool(each.hashes)) for each in locked)
    return Reading(
        path, tuple(of_lock(asked, line=1, sources=sources)), tuple(dict.fromkeys(notes))
    )


def _asked(package: _Locked, folder: str) -> Asked:
    """Return the request of one package; a problem where pip does not read it."""
    try:
        return read_requirement(package.text, folder=folder)
    except UsageError as error:
        return Asked(problems=(Problem(package.text, error.problem),))


def _of(package: dict[str, Any], files: Any, index: str = "", marker: str = "") -> _Locked:
    """Return a package from a table, by the keys that the tools have in common."""
    name, folder = package.get("name"), str(package.get("path") or "")
    place = str(package.get("url") or package.get("file") or "")
    if folder:
        flag = "-e " if package.get("editable") else ""
        return _Locked(f"{flag}{folder if folder[0] in './' else f'./{folder}'}", marker=marker)
    if package.get("git"):
        ref = package.get("revision") or package.get("resolved_reference") or package.get("ref")
        place = repository(
            str(package["git"]), str(ref or ""), str(package.get("subdirectory") or "")
        )
    hashes = tuple(str(each.get("hash")) for each in files or () if each.get("hash"))
    if place:
        return _Locked(f"{name} @ {place}", () if "git+" in place else hashes, marker=marker)
    return _Locked(f"{name}=={str(package['version']).removeprefix('==')}", hashes, index, marker)


def _uvs(data: dict[str, Any], notes: list[str]) -> Iterator[_Locked]:
    """Yield what ``uv export`` writes: from the project on, by markers.

    A marker for another platform leaves a package out; one on Python's version stays with it, as
    the environment that it goes to decides.
    """
    every = data["package"]
    own = [at for at, each in enumerate(every) if {"virtual", "editable"} & each["source"].keys()]
    roots = [at for at in own if "." in every[at]["source"].values()] or own
    waiting = [(root, "", frozenset[str]()) for root in roots]
    #: by a package's place in `every` and an extra, the sets of markers that bring it
    under: dict[tuple[int, str], list[frozenset[str]]] = {}
    for root in roots:
        groups = every[root].get("dev-dependencies", {})
        notes += _aside(groups.keys() - {"dev"}, "group")
        notes += _aside(every[root].get("optional-dependencies", ()), "extra")
        if "dev" in groups:
            waiting.append((root, "dev", frozenset()))
    while waiting:
        place, extra, given = waiting.pop(0)
        ways = under.setdefault((place, extra), [])
        if any(way <= given for way in ways):
            continue
        ways[:] = [given, *(way for way in ways if not given <= way)]
        package = every[place]
        of = "dev-dependencies" if place in roots else "optional-dependencies"
        needs = package.get(of, {})[extra] if extra else package.get("dependencies", ())
        for need in needs:
            left = left_of(str(need.get("marker") or ""))
            if left is None:
                continue
            all_of = given | {left} if left else given
            if left_of(_markers([all_of])) is None:
                continue
            keys = [key for key in ("name", "version", "source") if key in need]
            fits = (at for at, e in enumerate(every) if all(e.get(k) == need[k] for k in keys))
            if (found := next(fits, None)) is None:
                raise KeyError(need["name"])
            waiting += [(found, each, all_of) for each in ("", *need.get("extra", ()))]
    for (place, extra), ways in under.items():
        package = every[place]
        source = package["source"]
        if extra or "virtual" in source:
            continue
        url, _, commit = str(source.get("git") or "").partition("#")
        git, _, query = url.partition("?")
        below = dict(parse_qsl(query)).get("subdirectory", "")
        path = source.get("editable") or source.get("directory") or source.get("path")
        said = {"path": path, "git": git, "revision": commit, "subdirectory": below}
        files = [*package.get("wheels", ()), package.get("sdist") or {}]
        marker = left_of(_markers(ways)) or ""
        index = str(source.get("registry") or "")
        yield _of({**package, **source, **said}, files, index, marker)


def _markers(ways: Iterable[frozenset[str]]) -> str:
    """Return the marker that holds where all of one of the sets do; empty if one is empty."""
    each = [reduce(both, sorted(way), "") for way in ways]
    return "" if "" in each else " or ".join(each)


def _poetrys(data: dict[str, Any], notes: list[str]) -> Iterator[_Locked]:
    notes += _aside((g for each in data["package"] for g in each["groups"] if g != "main"), "group")
    for package in data["package"]:
        if "main" not in package["groups"]:
            continue
        if package.get("optional"):
            notes.append(f"{package['name']} is of an extra, and left aside.")
            continue
        said = package.get("markers") or ""
        marker = str(said.get("main") or "") if isinstance(said, dict) else said
        source = package.get("source", {})
        kind, url = str(source.get("type") or ""), str(source.get("url") or "")
        key = {"git": "git", "url": "url", "directory": "path", "file": "path"}.get(kind, "index")
        whole = {**package, **source, "url": "", key: url, "editable": package.get("develop")}
        yield _of(whole, package["files"], url if key == "index" else "", marker)


def _pdms(data: dict[str, Any], notes: list[str]) -> Iterator[_Locked]:
    every = data["package"]
    notes += _aside((g for each in every for g in each["groups"] if g != "default"), "group")
    for package in every:
        if "default" in package["groups"]:
            yield _of(package, package.get("files"), "", str(package.get("marker") or ""))


def _pipenvs(data: dict[str, Any], notes: list[str]) -> Iterator[_Locked]:
    sources = {each["name"]: str(each["url"]) for each in data["_meta"].get("sources", ())}
    notes += ["Its develop packages are left aside."] if data.get("develop") else []
    first = next(iter(sources.values()), "")
    for name, package in data["default"].items():
        files = [{"hash": digest} for digest in package.get("hashes", ())]
        index = sources.get(package.get("index"), first)
        yield _of({"name": name, **package}, files, index, str(package.get("markers") or ""))


def _aside(names: Iterable[str], kind: str) -> list[str]:
    return [f"Its {kind} {name} is left aside." for name in sorted(set(names))]


def _pixis(data: dict[str, Any], folder: str) -> Asked:
    """Return what the default environment has on this platform."""
    default, here = data["environments"]["default"], platform_here()
    known = {
        each.get("conda") or each.get("pypi") or each["url"]: each for each in data["packages"]
    }
    listed = default["packages"].get(here)
    if listed is None:
        raise InvalidSpec(
            f"It locks {', '.join(default['packages'])}, and this machine is {here}.",
            advice=f"Lock it for this machine too: pixi workspace platform add {here}",
        )
    archives: list[str] = []
    asked = Asked()
    for entry in listed:
        url = entry.get("conda") or entry["pypi"]
        package = known[url]
        digest = package.get("sha256")
        if "conda" in entry:
            archives.append(archive_of(url, digest, package.get("md5")))
            continue
        files = [{"hash": f"sha256:{digest}"}] if digest else []
        place = {} if "://" in url and "+" not in url else {"url" if "+" in url else "path": url}
        locked = _of({**package, "url": "", **place}, files)
        asked += read_requirement(locked.text, folder=folder)
    if asked.specs:
        urls = tuple(each for each in default.get("indexes", ()) if not is_pypi(each))
        sources = Sources(extra_index_urls=urls)
        asked += Asked(sources=sources, pip_options=("--no-deps",))
    return read_specs(archives, manager="conda", folder=folder) + asked


_LOCKS: dict[str, tuple[Callable[[str, str], Any], Callable[..., Iterator[_Locked]] | None]] = {
    "uv.lock": (parse_toml, _uvs),
    "poetry.lock": (parse_toml, _poetrys),
    "pdm.lock": (parse_toml, _pdms),
    "Pipfile.lock": (parse_json, _pipenvs),
    "pixi.lock": (parse_yaml, None),
}
