"""pixi.toml, or ``[tool.pixi]`` of a pyproject.toml: what pixi's default environment has.

https://pixi.prefix.dev/latest/reference/pixi_manifest/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...model.credentials import mask
from ...model.documents import parse_toml, table
from ...model.errors import UsageError
from ...model.listed import listed_spec
from ...model.packages import normalise
from ...model.parsing import Asked, Problem, is_requirement
from ...model.sources import Sources
from ...model.spec import turned
from .. import Found
from ..commandlines import recognise
from . import Reading
from ._finds import archive_of, finds, folder_of, platform_here, text_of
from ._toolsources import pips, poetrys, sources_in, texts

_CONDAS = ("build-dependencies", "host-dependencies", "dependencies")
"""Tables whose packages are installed side by side; of one in several the last counts."""
_PYPI = "pypi-dependencies"

_READ = (
    *("workspace", "project", "target", "feature", "environments", "tasks", "system-requirements"),
    *(*_CONDAS, _PYPI, "pypi-options", "platforms", "channels"),
)
_WORKSPACE = ("channel-priority", "solve-strategy", "exclude-newer")
"""Settings of the workspace that choose packages."""


def recognises(path: Path) -> bool:
    return path.name in ("pixi.toml", "mojoproject.toml") and path.is_file()


def read(path: Path) -> Reading:
    """Read its default environment for this platform; other environments are noted."""
    text = text_of(path)
    found, notes = manifest(parse_toml(text, str(path)), text, folder_of(path))
    if not found:
        notes = (*notes, "Its default environment has no dependencies.")
    return Reading(path, found, notes)


def manifest(
    data: dict[str, Any], text: str, folder: str, *, below: str = "", others: Asked | None = None
) -> tuple[tuple[Found, ...], tuple[str, ...]]:
    """Return what a manifest has, and notes.

    Args:
        below: What comes before the names of its tables: ``tool.pixi.``.
        others: What the same file asks for elsewhere, from the same indexes.
    """
    lines = _lines(text, below)
    names, own = _default(data)
    features = table(data, "feature")
    parts = [(f"feature.{name}.", table(features, name)) for name in names]
    parts += [("", data)] if own else []
    asked = others or Asked()
    for before, part in parts:
        asked += _part(part, before, folder, lines)
    asked += Asked(sources=Sources(tuple(_channels(data, parts))))
    found: list[Found] = []
    cuda = _cuda(data, parts)
    for each in finds(asked):
        if each.request and each.request.manager == "conda":
            sources = replace(each.request.sources, variables=cuda)
            each = replace(each, request=replace(each.request, sources=sources))
        found.append(replace(each, line=each.line or _line(each, lines)))
    for before, part in parts:
        for at, tables in _tables(before, part):
            found += _tasks(table(tables, "tasks"), lines, f"{at}tasks", folder)
    return tuple(found), tuple(dict.fromkeys((*_notes(data, parts), *asked.notes)))


def _lines(text: str, below: str) -> dict[str, int]:
    """Return the line of each table, and of each key below it: ``dependencies.six``."""
    found: dict[str, int] = {}
    place = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[+([^\[\]]+)\]", line):
            place = f"{header[1].strip()}."
            name = place[:-1]
        elif key := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            name = f"{place}{key[1]}"
        else:
            continue
        name = name.replace('"', "").replace("'", "").replace(" ", "")
        if name.startswith(below):
            found.setdefault(name.removeprefix(below), number)
    return found


def _line_of(place: str, name: str, lines: Mapping[str, int]) -> int:
    """Return the line of a key of a table, or of the table; 0 if neither is seen."""
    return lines.get(f"{place}.{name}", lines.get(place, 0))


def _line(found: Found, lines: Mapping[str, int]) -> int:
    """Return the line of the first table that a request may be of; 0 if there is none."""
    kinds = _CONDAS if found.request and found.request.manager == "conda" else (_PYPI,)
    own = (n for place, n in lines.items() if place.rpartition(".")[2] in kinds)
    return next(own, 0)


def _default(data: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Return the features of the default environment, and whether the manifest's own belong."""
    said = table(data, "environments").get("default")
    settings = said if isinstance(said, dict) else {"features": said}
    return texts(settings.get("features")), settings.get("no-default-feature") is not True


def _matching() -> tuple[str, ...]:
    """Return the names of this platform in ``[target.NAME]``, the most particular last."""
    here = platform_here()
    system = here.partition("-")[0]
    return (*(("unix",) if system in ("linux", "osx") else ()), system, here)


def _tables(before: str, part: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a feature's own tables, and its targets' for this platform, by what they begin with."""
    yield before, part
    for name in _matching():
        if name in table(part, "target"):
            yield f"{before}target.{name}.", table(part, "target", name)


def _part(part: Mapping[str, Any], before: str, folder: str, lines: Mapping[str, int]) -> Asked:
    """Return what one feature asks for on this platform, where a target's package replaces."""
    asked = _options(table(part, "pypi-options"), f"{before}pypi-options", folder)
    condas: dict[str, tuple[str, str, Any]] = {}
    pypis: dict[str, tuple[str, str, Any]] = {}
    for at, tables in _tables(before, part):
        for kind in _CONDAS:
            for name, entry in table(tables, kind).items():
                condas[name.lower()] = (f"{at}{kind}", name, entry)
        for name, entry in table(tables, _PYPI).items():
            pypis[normalise(name)] = (f"{at}{_PYPI}", name, entry)
    for place, name, entry in condas.values():
        asked += _conda(name, entry, _line_of(place, name, lines), folder)
    for place, name, entry in pypis.values():
        line = _line_of(place, name, lines)
        try:
            _check_pips(name, entry)
        except UsageError as error:
            problem = Problem(f"{name} = {_shown(entry)}", error.problem, line)
            asked += Asked(problems=(problem,))
            continue
        one = poetrys({name: _with_marker(entry)}, (), folder, by="pixi")
        at_line = tuple(replace(each, line=line) for each in one.problems)
        urls = texts(entry.get("index")) if isinstance(entry, dict) else []
        said = [f"pixi has {name} from the index {mask(url)} alone; pip asks all." for url in urls]
        sources = Sources(extra_index_urls=tuple(urls))
        asked += replace(one, problems=at_line, sources=sources, notes=(*one.notes, *said))
    return asked


def _conda(name: str, entry: Any, line: int, folder: str) -> Asked:
    try:
        return listed_spec(_match_spec(name, entry), folder=folder)
    except UsageError as error:
        return Asked(problems=(Problem(f"{name} = {_shown(entry)}", error.problem, line),))


def _check_pips(name: str, entry: Any) -> None:
    """Stop at a version of a package of PyPI's that pixi refuses, such as ``^1`` and ``1.0``."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    version = entry.get("version", "*") if isinstance(entry, dict) else entry
    if version == "*" or not isinstance(entry, (dict, str)):
        return
    try:
        SpecifierSet(version if isinstance(version, str) else "?")
    except InvalidSpecifier:
        raise UsageError(f"pixi does not take this version.{_right(name, entry)}") from None


def _right(name: str, entry: Any) -> str:
    """Return what to write for a dependency whose version pixi refuses; empty if it is unclear."""
    meant = pips(turned(str(entry["version"] if isinstance(entry, dict) else entry)))
    right = _shown({**entry, "version": meant} if isinstance(entry, dict) else meant)
    return f" Write {name} = {right}" if meant and is_requirement(f"{name}{meant}") else ""


def _with_marker(entry: Any) -> Any:
    """Return an entry in poetry's words, for which a marker is ``markers``."""
    if not isinstance(entry, dict):
        return entry
    rest = {key: value for key, value in entry.items() if key not in ("env-markers", "index")}
    return {**rest, "markers": entry.get("env-markers") or ""}


def _shown(entry: Any) -> str:
    if not isinstance(entry, dict):
        return repr(entry)
    return "{" + ", ".join(f"{key} = {value!r}" for key, value in entry.items()) + "}"


_KEYS = {"build": "build", "build-number": "build_number", "subdir": "subdir"}
_KEYS |= {"md5": "md5", "sha256": "sha256", "license": "license"}


def _match_spec(name: str, entry: Any) -> str:
    """Return a dependency as conda's match spec.

    >>> _match_spec("python", "3.12.*"), _match_spec("six", "1.16.0"), _match_spec("numpy", "*")
    ('python=3.12.*', 'six==1.16.0', 'numpy')
    >>> _match_spec("pytorch", {"version": ">=2", "build": "*cuda*", "channel": "conda-forge"})
    "conda-forge::pytorch[version='>=2',build='*cuda*']"
    """
    said = entry if isinstance(entry, dict) else {"version": entry}
    url = said.get("url")
    if isinstance(url, str):
        return archive_of(url, said.get("sha256"), said.get("md5"))
    if place := next((key for key in ("git", "path") if key in said), ""):
        raise UsageError(f"pixi builds it from {said[place]}, which conda cannot.")
    if unknown := said.keys() - _KEYS.keys() - {"version", "channel"}:
        raise UsageError(f"conda's match specs have no {', '.join(sorted(unknown))}.")
    version = said.get("version", "*")
    if not isinstance(version, str):
        # a float has lost its last zero: 1.10
        right = {int: f'write {name} = "{version}"', bool: f'write {name} = "*"'}
        meant = right.get(type(version), "put it in quotes")
        raise UsageError(f"Its version is no text: {meant}")
    if both := re.fullmatch(r"\s*((?:\S.*)?[\w.*])\s+([\w*]\S*)\s*", version):
        meant = f'{{version = "{both[1]}", build = "{both[2]}"}}'
        raise UsageError(f"Its build stands in its version. Write {name} = {meant}")
    if re.match(r"\s*(?:=[<>~!]|\^|~(?!=))", version):
        raise UsageError(f"pixi does not take this version.{_right(name, entry)}")
    version = "".join(version.split())
    keys = [f"{_KEYS[key]}='{value}'" for key, value in said.items() if key in _KEYS]
    channel = f"{said['channel']}::" if said.get("channel") else ""
    if keys:
        keys = [f"version='{version}'", *keys] if version not in ("", "*") else keys
        return f"{channel}{name}[{','.join(keys)}]"
    joint = "" if version[:1] in ("<", ">", "=", "!", "~") else "=" if "*" in version else "=="
    return f"{channel}{name}" + (f"{joint}{version}" if version not in ("", "*") else "")


def _options(said: Mapping[str, Any], place: str, folder: str) -> Asked:
    """Return what ``[pypi-options]`` says, in pip's words."""
    options: list[str] = []
    for key, option in (("no-build", "--only-binary"), ("no-binary", "--no-binary")):
        names = [":all:"] if said.get(key) is True else texts(said.get(key))
        options += [word for name in names for word in (option, name)]
    options += ["--no-build-isolation"] if said.get("no-build-isolation") is True else []
    options += ["--pre"] if said.get("prerelease-mode") == "allow" else []
    carried = ("index-url", "extra-index-urls", "find-links", "no-build", "no-binary")
    aside = [
        f"[{place}] {key} is left aside."
        for key, value in said.items()
        if key not in carried
        and (key, value) not in (("no-build-isolation", True), ("prerelease-mode", "allow"))
    ]
    sources = sources_in(said, folder)
    return Asked(sources=sources, pip_options=tuple(options), notes=tuple(aside))


def _channels(data: Mapping[str, Any], parts: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Return the channels, the strongest first: features' before the workspace's own."""
    every: list[tuple[int, str]] = []
    for before, part in parts:
        said = part.get("channels") if before else _workspace(data).get("channels")
        for each in _list(said):
            channel = each.get("channel") if isinstance(each, dict) else each
            priority = each.get("priority") if isinstance(each, dict) else 0
            if isinstance(channel, str) and channel:
                every.append((-priority if isinstance(priority, int) else 0, channel))
    return list(dict.fromkeys(channel for _, channel in sorted(every, key=lambda each: each[0])))


def _workspace(data: Mapping[str, Any]) -> dict[str, Any]:
    return table(data, "workspace") or table(data, "project")


def _cuda(data: Mapping[str, Any], parts: list[tuple[str, dict[str, Any]]]) -> tuple[str, ...]:
    """Return the CUDA that pixi solves for, as conda takes it; see `Sources.variables`."""
    said = [table(part, "system-requirements").get("cuda") for _, part in parts]
    said += [
        each.get("cuda")
        for each in _list(_workspace(data).get("platforms"))
        if isinstance(each, dict) and each.get("platform", each.get("name")) == platform_here()
    ]
    found = [each for each in said if isinstance(each, str) and each]
    highest = max(found, key=lambda each: list(map(int, re.findall(r"\d+", each))), default="")
    return (f"CONDA_OVERRIDE_CUDA={highest}",) if highest else ()


def _notes(data: dict[str, Any], parts: list[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    platforms = [
        str(each.get("platform") or each.get("name")) if isinstance(each, dict) else str(each)
        for each in _list(_workspace(data).get("platforms"))
    ]
    here = platform_here()
    if platforms and here not in platforms:
        yield f"It is for {', '.join(platforms)}, and this machine is {here}."
    for key in _WORKSPACE:
        if key in _workspace(data):
            yield f"{key} = {_workspace(data)[key]} is left aside."
    read = [before for before, _ in parts]
    for name, part in table(data, "feature").items():
        if f"feature.{name}." not in read:
            yield f"Its feature {name} is left aside: {', '.join(_listed(part)) or 'no package'}."
    for name, said in table(data, "environments").items():
        features = ", ".join(texts(said.get("features") if isinstance(said, dict) else said))
        if name != "default":
            of = f" (of {features})" if features else ""
            yield f"Its environment {name}{of} is left aside: the default one is read."
    if "" not in read and (listed := _listed(data)):
        yield f"Its default environment is without its default feature: {', '.join(listed)}."
    for before, part in parts:
        if before and not part:
            yield f"[{before[:-1]}] is of its default environment, and is not in this file."
        for name, values in table(part, "target").items():
            if name not in _matching() and (listed := _listed(values)):
                yield f"[{before}target.{name}] is not for this machine: {', '.join(listed)}."
        system = [key for key in table(part, "system-requirements") if key != "cuda"]
        if system:
            yield f"[{before}system-requirements] {', '.join(system)} is left aside."
        for at, tables in _tables(before, part):
            for key, values in tables.items():
                if key not in _READ and values:
                    names = ", ".join(values) if isinstance(values, dict) else str(values)
                    yield f"[{at}{key}] is left aside: {names}."


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _listed(part: Any) -> list[str]:
    """Return the names of a feature's or a target's packages, those of its targets too."""
    own = [name for kind in (*_CONDAS, _PYPI) for name in table(part, kind)]
    return own + [name for values in table(part, "target").values() for name in _listed(values)]


def _tasks(
    tasks: Mapping[str, Any], lines: Mapping[str, int], place: str, folder: str
) -> Iterator[Found]:
    """Yield what tasks install, which run when they are called."""
    for name, task in tasks.items():
        command = task.get("cmd") if isinstance(task, dict) else task
        text = " ".join(map(str, command)) if isinstance(command, list) else command
        for found in recognise(text, folder=folder) if isinstance(text, str) else ():
            reason = f"It is a task of pixi's, which runs when it is called: pixi run {name}"
            yield Found(found.command, _line_of(place, name, lines), reason=reason)
