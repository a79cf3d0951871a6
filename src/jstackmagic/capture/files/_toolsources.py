"""Sources of single packages that a project's tools name: ``[tool.uv.sources]``, poetry's."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache, reduce
from pathlib import Path
from typing import Any

from ...model.documents import table
from ...model.errors import InvalidSpec, UsageError
from ...model.listed import listed_requirement
from ...model.packages import normalise
from ...model.parsing import Asked, Problem, logical_lines, read_requirement
from ...model.sources import Sources
from ...model.spec import turned
from ..argv import repository
from ._finds import text_of

_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(\[[^\]]*\])?")
_VERSION = r"\d+(?:\.\d+)*"


def requirements(
    lines: Any,
    folder: str,
    path: Path,
    uv: Mapping[str, Any],
    poetry: Mapping[str, Any] | None = None,
) -> Asked:
    """Read a list of requirements in a TOML file; an invalid one becomes a problem of its own.

    Args:
        uv: The table ``[tool.uv]``, with the sources of single packages.
        poetry: The table ``[tool.poetry]``, whose dependencies may have some, too.

    Raises:
        InvalidSpec: It is not a list of texts.
    """
    if isinstance(lines, str) or not isinstance(lines or [], list):
        raise InvalidSpec(f"The dependencies of {path} are not a list.")
    named = (("poetry", table(poetry, "dependencies")), ("[tool.uv.sources]", table(uv, "sources")))
    places = {normalise(name): (by, of) for by, each in named for name, of in each.items()}
    names = index_names(uv.get("index"), (poetry or {}).get("source"))
    asked = Asked()
    for line in lines or ():
        if not isinstance(line, str):
            raise InvalidSpec(f"The dependencies of {path} are not a list of texts: {line}")
        try:
            asked += _from_its_source(line.strip(), places, names, folder)
        except UsageError as error:
            asked += Asked(problems=(Problem(line, error.problem),))
    return asked


def of_files(named: Any, folder: str) -> list[str]:
    """Return the lines of the files that setuptools takes a list from.

    Raises:
        InvalidSpec: One cannot be read.
    """
    names = re.split(r"[,\s]+", named.strip()) if isinstance(named, str) else named
    lines: list[str] = []
    for name in names if isinstance(names, list) else ():
        try:
            text = text_of(Path(folder, str(name)))
        except OSError as error:
            raise InvalidSpec(
                f"{Path(folder, str(name))} cannot be read: {error.strerror}.",
            ) from None
        lines += [line for _, line in logical_lines(text)]
    return lines


def of_tools(data: dict[str, Any], folder: str) -> Asked:
    """Return the indexes in uv's, poetry's and pdm's settings, and notes on uv's other settings."""
    tool = table(data, "tool")
    uv = table(tool, "uv")
    asked = Asked()
    for by, settings in (("[tool.uv]", uv), ("[tool.uv.pip]", table(uv, "pip"))):
        options = ("--no-index",) if settings.get("no-index") is True else ()
        aside = (key for key in settings if key not in _UV_READ + _UV_OTHER)
        notes = tuple(_aside(f"{by} {key}", settings[key]) for key in aside)
        asked += Asked(sources=sources_in(settings, folder), pip_options=options, notes=notes)
    used = {
        source.get("index")
        for said in table(uv, "sources").values()
        for source in (said if isinstance(said, list) else [said])
        if isinstance(source, dict) and _left(source) is not None
    }
    own = [
        each
        for each in uv.get("index") or ()
        if isinstance(each, dict) and (not each.get("explicit") or each.get("name") in used)
    ]
    asked += indexes(own, folder)
    asked += indexes(table(tool, "pdm").get("source"), folder)
    return asked + indexes(table(tool, "poetry").get("source"), folder)


_UV_READ = ("index", "sources", "pip", "index-url", "extra-index-url", "find-links", "no-index")
_UV_OTHER = ("package", "managed", "workspace", "default-groups", "cache-dir", "cache-keys")
"""Settings that choose no package."""


def _aside(key: str, value: Any) -> str:
    listed = ", ".join(texts(value))
    said = f", {listed}," if listed else ""
    return f"{key}{said} is left aside."


def texts(value: Any) -> list[str]:
    """Return a text, or the texts of a list, without empty ones."""
    listed = value if isinstance(value, list) else [value]
    return [each for each in listed if isinstance(each, str) and each]


def place_of(url: str, folder: str) -> str:
    """Return a URL as it is, and a path made absolute."""
    return url if ":" in url else os.path.abspath(os.path.join(folder, url))


def sources_in(settings: Mapping[str, Any], folder: str) -> Sources:
    """Return the indexes, and the folders of archives, in a table of uv's settings or of pixi's."""

    def places(key: str) -> tuple[str, ...]:
        said = settings.get(key)
        every = said if isinstance(said, list) else [said]
        urls = [table(each).get("url") or table(each).get("path") or each for each in every]
        return tuple(place_of(url, folder) for url in texts(urls))

    index, *_ = *places("index-url"), ""
    extra = (*places("extra-index-url"), *places("extra-index-urls"))
    return Sources(index_url=index, extra_index_urls=extra, find_links=places("find-links"))


def indexes(listed: Any, folder: str) -> Asked:
    """Return the indexes of ``[[tool.uv.index]]``, and of poetry's and pdm's ``source``.

    The default one is said in a word by uv and poetry, and by pdm with the name of PyPI's. A
    primary one takes PyPI's place unless that is listed too
    (https://python-poetry.org/docs/repositories/#project-configuration).
    """
    every = [each for each in listed or () if isinstance(each, dict)]
    named = [each for each in every if isinstance(each.get("url"), str) and each["url"]]
    with_pypi = any(str(each.get("name")).lower() == "pypi" for each in every if each not in named)
    first = ("default",) if with_pypi else ("default", "primary")
    flat, default, extra = [], "", []
    for each in named:
        place = place_of(re.sub(r"\$(\w+)(?=[:@])", r"${\1}", each["url"]), folder)
        is_first = each.get("default") or each.get("priority") in first
        if each.get("format") == "flat":
            flat.append(place)
        elif not default and (is_first or each.get("name") == "pypi"):
            default = place
        else:
            extra.append(place)
    sources = Sources(index_url=default, extra_index_urls=tuple(extra), find_links=tuple(flat))
    return Asked(sources=sources)


def is_pypi(url: Any) -> bool:
    """Return whether an index is PyPI, for which a site's mirror stands in."""
    return "//pypi.org/" in str(url)


def index_names(*tables: Any) -> frozenset[str]:
    """Return the names of the indexes in lists of tables."""
    listed = (each for each_list in tables for each in each_list or () if isinstance(each, dict))
    return frozenset(str(each["name"]) for each in listed if each.get("name"))


def _of_index(by: str, name: str, index: str, names: frozenset[str]) -> str:
    if index in names:
        return f"{by} has {name} from the index {index}; pip asks all."
    return (
        f"{by} has {name} from the index {index}, which is not in this file: pip does not ask it;"
        " add its URL with --extra-index-url."
    )


def _from_its_source(
    line: str, places: Mapping[str, tuple[str, Any]], names: frozenset[str], folder: str
) -> Asked:
    match = _NAME.match(line)
    by, said = places.get(normalise(match[1]), ("", None)) if match else ("", None)
    if match is None or said is None:
        return _listed(line, folder)
    name = f"{match[1]}{match[2] or ''}"
    marker = line.partition(";")[2].strip()
    every = [each for each in (said if isinstance(said, list) else [said]) if _PLACES & set(each)]
    fit = [(each, left) for each in every if (left := _left(each)) is not None]
    if not fit:
        note = f"{by} has {name} from other places, and from none on this machine."
        return Asked(notes=(note,) if every else ()) + _listed(line, folder)
    asked = Asked()
    for source, left in fit:
        meant = f"{line.partition(';')[0].strip()} ; {both(marker, left)}" if left else line
        if index := source.get("index") or source.get("source"):
            asked += Asked(notes=(_of_index(by, name, str(index), names),))
            asked += _listed(meant, folder)
        else:
            asked += _direct(name, source, both(marker, left), folder, by)
        if not left:
            return asked
    lefts = " or ".join(left for _, left in fit)
    note = f"{by} says where {name} comes from if {lefts}, and not with another Python."
    return Asked(notes=(note,)) + asked


_PLACES = {"index", "source", "git", "hg", "svn", "bzr", "url", "path", "file", "workspace"}
"""The keys of a table that say where one package comes from."""


@lru_cache(maxsize=1024)
def left_of(marker: str) -> str | None:
    """Return what is left of a marker for the Python of the target, which pip judges.

    Returns:
        The marker where that Python decides; empty where it holds on this machine with any
        Python, and None where it holds with none.

    >>> left_of("python_version < '3.9'"), left_of("os_name == 'none'"), left_of("os_name != ''")
    ("python_version < '3.9'", None, '')
    """
    from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName

    pythons = {(3, 0, 0), (4, 0, 0)}
    for said in re.findall(r"\d+(?:\.\d+)*", marker):
        major, minor, patch = (*map(int, said.split(".")[:3]), 0, 0)[:3]
        near = ((minor - 1, 0), (minor, patch - 1), (minor, patch), (minor, patch + 1))
        pythons |= {
            (major, *each) for each in (*near, (minor + 1, 0)) if min(each) >= 0 and major > 2
        }
    kinds = ("CPython", "PyPy") if "implementation" in marker else ("CPython",)
    try:
        found = {
            not marker
            or Marker(marker).evaluate(
                {
                    "python_version": f"{major}.{minor}",
                    "python_full_version": f"{major}.{minor}.{patch}",
                    "implementation_version": f"{major}.{minor}.{patch}",
                    "implementation_name": kind.lower(),
                    "platform_python_implementation": kind,
                }
            )
            for major, minor, patch in pythons
            for kind in kinds
        }
    except (InvalidMarker, UndefinedEnvironmentName):
        return None
    return marker if len(found) > 1 else "" if found == {True} else None


def both(one: str, other: str) -> str:
    """Return the marker that holds where two do.

    >>> both("a", ""), both("a or b", "c")
    ('a', '(a or b) and c')
    """
    said = [each for each in dict.fromkeys((one, other)) if each]
    if len(said) < 2:
        return "".join(said)
    return " and ".join(f"({each})" if " or " in each else each for each in said)


def _left(source: Any) -> str | None:
    """Return what is left of a source's marker; see `left_of`."""
    return left_of(str(source.get("marker") or "")) if isinstance(source, dict) else ""


def _listed(line: str, folder: str) -> Asked:
    """Return one requirement of a list."""
    if line.startswith("-"):
        raise UsageError("It is an option, and a project's dependency is a requirement.")
    if template := re.search(r"\{[\w:]+\}|\$\{\w+\}", line):
        raise UsageError(f"{template[0]} is filled in by the project's tool: -e . installs it.")
    asked, options = listed_requirement(line, folder=folder)
    if options:
        raise UsageError(f"It has options, which a requirement here cannot: {' '.join(options)}.")
    return asked


def _direct(name: str, source: Mapping[str, Any], marker: str, folder: str, by: str) -> Asked:
    """Return a package from the place in a table."""
    place = _place(source)
    bare = name.partition("[")[0]
    given = "" if place else str(source.get("file") or source.get("url") or "")
    path = str(source.get("path") or (given if "file" in source or given[:5] == "file:" else ""))
    path = re.sub(r"^file:(?!//)", "", path)
    if path:
        flag = "-e " if source.get("editable") or source.get("develop") else ""
        local = path if path.startswith(("/", ".")) else f"./{path}"
        asked = read_requirement(f"{flag}{local}{name[len(bare) :]}", folder=folder)
    elif place:
        suffix = f" ; {marker}" if marker else ""
        asked = read_requirement(f"{name} @ {place}{suffix}", folder=folder)
    else:
        said = ", ".join(source)
        raise UsageError(f"{by} has {bare} by {said}, which pip has no word for.")
    return asked + Asked(notes=(f"{by} has {bare} from {place or path}.",))


def _place(source: Mapping[str, Any]) -> str:
    url = str(source.get("url") or source.get("file") or "")  # a Pipfile's word is file
    if "://" in url:
        return url
    if "git" not in source:
        return ""
    ref = next((str(source[key]) for key in ("rev", "ref", "tag", "branch") if source.get(key)), "")
    return repository(str(source["git"]), ref, str(source.get("subdirectory") or ""))


# poetry: https://python-poetry.org/docs/dependency-specification/


def poetrys(tables: Mapping[str, Any], sources: Any, folder: str, *, by: str = "poetry") -> Asked:
    """Read ``[tool.poetry.dependencies]``: its carets and tildes as pip's comparisons.

    Args:
        tables: The packages, by name.
        sources: The list ``[[tool.poetry.source]]``.
        by: Whose list it is, for messages: a Pipfile's has the same form.
    """
    names = index_names(sources)
    asked = Asked()
    each_one = (
        (name, one)  # one of a list is for some environments
        for name, entry in tables.items()
        for one in (entry if isinstance(entry, list) else [entry])
    )
    for name, entry in each_one:
        if normalise(name) == "python":
            asked += Asked(notes=(f"It is for Python {entry}.",))
            continue
        try:
            asked += _poetrys_one(name, entry, names, folder, by)
        except UsageError as error:
            asked += Asked(problems=(Problem(f"{name} = {entry!r}", error.problem),))
    return asked


def _poetrys_one(name: str, entry: Any, names: frozenset[str], folder: str, by: str) -> Asked:
    if isinstance(entry, str):
        return _listed(f"{name}{pips(entry)}", folder)
    if not isinstance(entry, dict):
        raise UsageError("It is neither a version nor a table.")
    if entry.get("optional"):
        return Asked(notes=(f"{name} is optional, and left aside.",))
    extras = entry.get("extras") or []
    whole = f"{name}[{','.join(map(str, extras))}]" if extras else name
    platform = f"sys_platform == '{entry['platform']}'" if entry.get("platform") else ""
    pipenvs = (f"{key} {entry[key]}" for key in _MARKERS if key in entry)
    said = (str(entry.get("markers") or ""), _pythons(entry), platform, *pipenvs)
    marker = reduce(both, said, "")
    if entry.keys() & _PLACES - {"index", "source"}:
        return _direct(whole, entry, marker, folder, by)
    version = pips(str(entry.get("version") or "*"))
    index = str(entry.get("source") or entry.get("index") or "")  # a Pipfile's word is index
    notes = Asked(notes=(_of_index(by, name, index, names),) if index else ())
    if entry.get("allow-prereleases"):
        notes += Asked(notes=(f"{by} takes pre-releases of {name}; pip does with --pre.",))
    text = f"{whole}{version} ; {marker}" if marker else f"{whole}{version}"
    return notes + _listed(text, folder)


_MARKERS = (
    *("os_name", "sys_platform", "platform_machine", "platform_system", "platform_version"),
    *("platform_release", "platform_python_implementation", "python_version"),
    *("python_full_version", "implementation_name", "implementation_version"),
)
"""The keys of a Pipfile that hold the rest of a marker: ``sys_platform = "== 'win32'"``."""


def _pythons(entry: Mapping[str, Any]) -> str:
    said = pips(str(entry["python"])) if entry.get("python") else ""
    parts = [re.fullmatch(r"([<>=!~]+)(.+)", part.strip()) for part in said.split(",") if part]
    return " and ".join(f"python_version {part[1]} '{part[2]}'" for part in parts if part)


def pips(constraint: str) -> str:
    """Return a constraint of poetry's as pip's.

    >>> pips("^1.16"), pips("^0.2.3"), pips("^0.0.3"), pips("~1.2"), pips("~1"), pips("2.1")
    ('>=1.16,<2', '>=0.2.3,<0.3', '>=0.0.3,<0.0.4', '>=1.2,<1.3', '>=1,<2', '==2.1')
    >>> pips("*"), pips("1.*"), pips(">=1,<3"), pips(">= 1 <3"), pips("=1.0"), pips("== 1.0")
    ('', '==1.*', '>=1,<3', '>=1,<3', '==1.0', '==1.0')
    """
    if "||" in constraint or re.search(r"\d\s*\|", constraint):
        raise UsageError(f"pip has no word for either of {constraint!r}: write one of them.")
    return ",".join(filter(None, map(_pips_one, re.split(r",|\s+(?=[<>=!~^])", constraint))))


def _pips_one(part: str) -> str:
    part = part.strip()
    if part in ("", "*"):
        return ""
    bounded = re.fullmatch(rf"([\^~])\s*({_VERSION})(.*)", part)
    if bounded is None:
        part = part.replace(" ", "")
        if (meant := turned(part)) != part:
            raise UsageError(f"{part} has its operator the wrong way round. Write {meant}")
        part = part.removeprefix("=").removeprefix("=")
        return part if part[0] in "<>!~" else f"=={part}"
    sign, version, rest = bounded.groups()
    numbers = [int(number) for number in version.split(".")]
    if sign == "~":
        at = min(1, len(numbers) - 1)
    else:  # the first that is not zero, else the last
        at = next((n for n, number in enumerate(numbers) if number), len(numbers) - 1)
    upper = [*numbers[:at], numbers[at] + 1]
    return f">={version}{rest},<{'.'.join(map(str, upper))}"
