"""One line of a list, read as strictly as the tool that the list is for reads it.

Pure. A list has one reader, so that what it refuses is refused here, with what is meant.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote

from .errors import UsageError
from .parsing import (
    Asked,
    check_length,
    is_path,
    is_requirement,
    only_reader,
    own_options,
    read_requirement,
    read_specs,
)
from .spec import CONDA_ARCHIVE, PIP_ARCHIVE, split_hashes, turned

_COMMAND = (
    r"[!%$]?\s*(?:(?:python\S*\s+-m\s+)?pip\d?|conda|mamba|uv(?:\s+pip)?)\s+install\s+(?P<rest>.+)"
)

NOTHING_READ = "pip reads no requirement in it."


# pip


def listed_requirement(text: str, *, folder: str) -> tuple[Asked, tuple[str, ...]]:
    """Read a logical line of a requirements file.

    Returns:
        Its request, and the options for its requirement alone.

    Raises:
        UsageError: pip would refuse it, or find no such package.
    """
    check_length(text)
    try:
        meant = pips_meaning(text) if text.startswith("- ") else ""
        if reason := _no_index_has(text) or no_package_of_pip(text) or meant:
            raise UsageError(reason)
        if text.startswith("-"):
            return read_requirement(text, folder=folder), ()
        requirement, own, notes = own_options(text)
        asked = read_requirement(requirement, folder=folder)
        ((_, spec),) = asked.specs
        if not _is_readable(spec):
            raise UsageError(NOTHING_READ)
    except UsageError as error:
        raise UsageError(_no_index_has(text) or pips_meaning(text) or error.problem) from None
    return replace(asked, notes=notes), own


_PYTHON = re.compile(r"python\s*(?:[=<>!~]\D*?\s*(\d[\w.]*).*|[=<>!~;(].*)?", re.IGNORECASE)
_DEBIANS = re.compile(
    r"(?:(?P<part>pkg[-_]resources)\s*==\s*0\.0\.0"
    r"|(?P<name>[A-Za-z0-9][\w.-]*)\s*={2,3}\s*\d\S*?(?:\+(?:ubuntu|deb)\S*|build\d+|ubuntu\d\S*))"
    r"\s*(?:;.*)?"
)
"""A version that only Debian or Ubuntu gives: ``2.4.0+ubuntu2``, ``1.1build1``, ``6.4+deb12u1``."""

_UBUNTUS = (
    *("command-not-found", "ubuntu-drivers-common", "ubuntu-advantage-tools", "ubuntu-pro-client"),
    *("ufw", "cloud-init", "unattended-upgrades", "language-selector", "usb-creator", "xkit"),
)
"""Distributions in Ubuntu's packages of that name, which no index has."""

_FORGE = re.compile(
    r"(?:[\w.-]+\s*(?:\[.*?\])?\s*@\s*)?(?P<url>https?://(?:[\w-]+\.)?(?:github|gitlab|bitbucket)\.[\w.]+"
    r"/[\w.-]+/[\w.-]+?)(?:\.git)?/?(?:(?:/-)?/(?P<kind>tree|blob)/(?P<ref>[^/#?\s]+)(?P<rest>/\S*)?)?"
)


def page_of_forge(text: str) -> str:
    """Return what to write for a repository's page, which is no archive; empty for another text.

    >>> page_of_forge("https://github.example.com/o/r/tree/v1")
    'It is a page, not a package: write git+https://github.example.com/o/r@v1'
    >>> page_of_forge("https://github.example.com/o/r/archive/v1.zip")
    ''
    """
    page = _FORGE.fullmatch(text)
    if page is None or page["url"].endswith((*PIP_ARCHIVE, *CONDA_ARCHIVE)):
        return ""
    url, ref = page["url"], page["ref"]
    if page["kind"] == "blob":
        url = f"{url}/raw/{ref}{page['rest'] or ''}"
    else:
        url = f"git+{url}" + (f"@{ref}" if ref else "")
    return f"It is a page, not a package: write {url}"


def _no_index_has(text: str) -> str:
    """Return why no index of pip's has a requirement; empty if one may.

    >>> _no_index_has("python>=3.9")
    'pip installs no Python: leave it out, or install it with conda: %envinstall conda:python=3.9'
    >>> _no_index_has("python-apt==2.4.0+ubuntu2")
    "It is Debian's own, which no index has: leave it out, or %envinstall apt:python3-apt"
    >>> _no_index_has("python-dateutil>=2"), _no_index_has("torch==2.1+cu118")
    ('', '')
    """
    if python := _PYTHON.fullmatch(text):
        wanted = f"=={python[1]}" if python[1] else ""
        return (
            "pip installs no Python: leave it out, or install it with conda:"
            f" %envinstall conda:python{wanted[1:]}"
        )
    name = re.split(r"[=<>!~;\s]", text, maxsplit=1)[0].lower()
    debians = _DEBIANS.fullmatch(text)
    if debians is None and name not in _UBUNTUS:
        return ""
    if debians and debians["part"]:
        return "It is a part of Debian's setuptools, which no index has: leave it out."
    package = name if name in _UBUNTUS else f"python3-{name.removeprefix('python-')}"
    return f"It is Debian's own, which no index has: leave it out, or %envinstall apt:{package}"


def no_package_of_pip(text: str) -> str:
    """Return why pip takes no package from a requirement; empty if it may.

    >>> no_package_of_pip("git+git@host.example:o/r.git")
    'pip takes it as a URL: write git+ssh://git@host.example/o/r.git'
    """
    scp = pips_meaning(text) if text.startswith("git+git@") else ""
    return page_of_forge(text) or of_another_system(text) or scp


_WHEEL = re.compile(
    r"(?<![\w.])(?P<name>[\w.]+)-(?P<version>[^-/\s]+)(?:-\d[^-/\s]*)?-\w[\w.]*-\w+-(?P<tags>[\w.]+)\.whl"
)
_SYSTEMS = {"win32": ("win", "Windows"), "darwin": ("macosx", "macOS"), "linux": ("linux", "Linux")}
_OF_PIP = {
    "win32": r"pywin32|pypiwin32|pywinpty|windows-curses|tensorflow-intel|winrt(-\w+)*",
    "darwin": r"pyobjc(-\w+)*|tensorflow-(macos|metal)",
}
_OF_CONDA = {
    "win32": r"pywin32|pywinpty|winpty|vs201\d_runtime|vc(14_runtime)?|ucrt|m2w64-.+|icc_rt"
    r"|msys2-conda-epoch|win_inet_pton|wincertstore",
    "linux": r"ld_impl_linux-.+|libgcc-ng|libstdcxx-ng|_libgcc_mutex",
    "darwin": r"pyobjc-.+",
}
"""Packages of one system alone, which lists that were frozen there have without a marker."""


def of_another_system(text: str) -> str:
    """Return why a requirement without a marker is of another system; empty for one of this.

    >>> of_another_system("t @ https://h.example/t-1.13%2Bcu116-cp38-cp38-macosx_11_0_arm64.whl")
    'It is a wheel for macosx_11_0_arm64, and this machine is linux: write t==1.13+cu116'
    >>> of_another_system("pywin32 ; sys_platform == 'win32'")
    ''
    """
    if re.search(r"\s*;", text):
        return ""
    if re.match(r"(?:-e\s+|file:/*)?[A-Za-z]:\\|\.\\", text):
        return "It is a path of Windows."
    wheel = _WHEEL.search(unquote(text))
    tags = wheel["tags"].split(".") if wheel else []
    own = _SYSTEMS.get(sys.platform, ("", ""))[0]
    if wheel and not any(tag == "any" or own in tag for tag in tags):
        return (
            f"It is a wheel for {wheel['tags']}, and this machine is {sys.platform}: write"
            f" {wheel['name']}=={wheel['version']}"
        )
    return _of_another(re.split(r"[=<>!~\s\[]", text, maxsplit=1)[0], _OF_PIP)


def archive_of_another_system(text: str) -> str:
    """Return why a conda archive is of another system; empty for one of this, or another text.

    >>> archive_of_another_system("https://c.example/ch/win-64/six-1-0.conda")
    'It is of win-64, and this machine is linux: write six=1'
    >>> archive_of_another_system("https://c.example/ch/noarch/six-1-0.conda")
    ''
    """
    archive = re.search(
        r"/((linux|osx|win)-\w+)/(\S+)-([^-\s]+)-[^-\s]+(?:\.conda|\.tar\.bz2)", text
    )
    own = {"win32": "win", "darwin": "osx"}.get(sys.platform, "linux")
    if archive is None or archive[2] == own:
        return ""
    _, _, name, version = archive.groups()
    return f"It is of {archive[1]}, and this machine is {sys.platform}: write {name}={version}"


def _of_another(name: str, packages: Mapping[str, str]) -> str:
    for system, names in packages.items():
        if system != sys.platform and re.fullmatch(names, name, re.IGNORECASE):
            return f"It is for {_SYSTEMS[system][1]} alone."
    return ""


def _is_readable(spec: str) -> bool:
    bare, _ = split_hashes(spec)
    if is_path(bare) or "://" in bare or bare.endswith((".whl", ".zip", ".tar.gz", ".tgz")):
        return True
    return is_requirement(bare)


_NAME = r"([A-Za-z0-9][\w.-]*)"
_MEANT = (
    (r"(?:<{7}|={7}|>{7})(?: .*)?", "It is a mark of a merge conflict: choose one side, and take"
     " the marks out."),
    (r"[-*•]\s+(\S.*)", r"A list has no dashes before its items: write \1"),
    (
        r"[!%$]?\s*(?:sudo\s+)?(?:apt|apt-get)\s+(?:-\S+\s+)*install\s+(?:-\S+\s+)*(\S+).*",
        r"pip has no Debian packages: %envinstall apt:\1",
    ),
    (r"(?:import|from)\s+[\w.]+.*", "It is a line of Python, no requirement."),
    (r"(?i:<!doctype|<html|<head).*|404: Not Found", "It is a web page, no list: get the file"
     " itself again."),
    (_COMMAND, r"A list holds packages, no commands: write \g<rest>"),
    (rf"{_NAME}\s*=([<>])\s*(\S+)", r"Write \1\2=\3"),
    (rf"{_NAME}\s*<>\s*([\w.*]+)", r"Write \1!=\2"),
    (rf"{_NAME}\s*=\s*\"(?:\*|([=<>!~][^\"]*))\",?", r"It is TOML's form: write \1\2"),
    (rf"([\w.-]+::){_NAME}(.*)", r"A channel is conda's: write \2, or %envinstall conda:\1\2\3"),
    (r"(git)\+(\w+@[^:]+):(.+)", r"pip takes it as a URL: write \1+ssh://\2/\3"),
    (rf"{_NAME}\s*=\s*([\w.*+!-]+)(?:=[^=\s]+)?", r"It is conda's form: write \1==\2"),
    (r"Package\s+Version.*|[-\s]+", "It is the heading of a table: pip list --format=freeze writes"
     " a list."),
    (rf"{_NAME}\s*([<>]=?\s*[\w.]+)\s+([<>]=?\s*[\w.]+)", r"Write \1\2,\3"),
    (rf"{_NAME}\s*([=<>!~]=)\s*[\"']([\w.*+!-]+)[\"']", r"Write \1\2\3"),
    (r"(.+;.*\w\s*[<>=!]=?)\s*([\d.]+)", r"A marker's version has quotes: write \1 '\2'"),
    (rf"{_NAME}\s+\(?v?(\d[\w.!+-]*)\)?(?:\s.*)?", r"Write \1==\2"),
)  # fmt: skip
"""Lines that pip refuses, and what is meant."""


def pips_meaning(text: str) -> str:
    """Return the replacement for a line that pip refuses; empty if it is unclear."""
    if template := re.search(r"\{\{.*?\}\}|\{%.*?%\}", text):
        return f"{template[0]} is a template's, which pip does not fill in: write its value."
    if odd := re.search(r"[^\x00-\x7f]", text.partition(";")[0]):
        return f"It has the character U+{ord(odd[0]):04X}, which no requirement has: type it again."
    for pattern, said in _MEANT:
        if match := re.fullmatch(pattern, text):
            return match.expand(said)
    trailing = re.fullmatch(r"[\"']?([A-Za-z0-9][\w.\[\]-]*[^,\"';]*)[\"']?[,;]?", text)
    if trailing and trailing[1] != text and _is_readable(trailing[1].strip()):
        return f"Write {trailing[1].strip()}"
    words = text.replace(",", " ").split()
    if len(words) > 1 and all(map(_is_readable, words)):
        return f"A line holds one requirement: write {len(words)} lines."
    return ""


# conda

_PART = r"(?:(?:===?|[<>!~]=|[<>=])\s*)?(?:[\w*][\w.*+!-]*|\^[^\s,|]*\$)"
_CONSTRAINT = rf"\(?{_PART}\)?(?:\s*[,|]\s*\(?{_PART}\)?)*"
_FIRST = rf"(?:(?=[<>=!~])|(?<=\s)(?=[\d*(^])){_CONSTRAINT}"
_MATCH_SPEC = re.compile(
    r"(?:\S+::)?(?!\d[\d.]*(?:\s|$))[A-Za-z0-9_*][\w.*-]*\s*"
    rf"(?:{_FIRST}(?:\s*=\s*\S+|\s+[\w.*^][^\s,\[]*)?)?"
    r"\s*(?:\[\s*\w+\s*=.*\])?",
    re.ASCII,
)
"""conda's MatchSpec: ``channel::name version build`` and its other spellings."""


def listed_spec(text: str, *, folder: str) -> Asked:
    """Read an item of an ``environment.yml``, or a line of a list of conda's.

    Raises:
        UsageError: conda would refuse it.
    """
    text = re.sub(r"\s+#.*$", "", text).strip()
    bare = re.split(r"[?#]", text, maxsplit=1)[0]
    name = re.split(r"[=<>!~\s\[]", text.rpartition("::")[2], maxsplit=1)[0]
    if other := _of_another(name, _OF_CONDA):
        raise UsageError(f"{other} conda env export --from-history leaves it out.")
    if bare.endswith(CONDA_ARCHIVE) or text.startswith("apt:") or _MATCH_SPEC.fullmatch(text):
        return read_specs([text], manager="conda", folder=folder)
    raise UsageError(_condas_meaning(text) or "conda reads no package in it.")


def _condas_meaning(text: str) -> str:
    """Return the replacement for an item that conda refuses; empty if it is unclear."""
    if filled := filled_in(text):
        return filled
    if channel := re.fullmatch(r"(?:-c|--channel)[\s=]+(\S+)(?:\s+(\S.*))?", text):
        rest = f"; write - {channel[2]}" if channel[2] else ""
        return f"A channel goes into the list channels: - {channel[1]}{rest}"
    if text.startswith("-"):
        return "An item is a package, and has no options."
    if command := re.fullmatch(_COMMAND, text):
        below = "below - pip: " if re.match(r"[!%]?\s*(?:python|pip|uv)", text) else ""
        return f"A list holds packages, no commands: write {below}- {command['rest']}"
    if channel := re.fullmatch(r"([A-Za-z][\w.-]*):([A-Za-z0-9_][^:/]*)", text):
        return f"A channel has two colons: write - {channel[1]}::{channel[2]}"
    if only_reader(text) == "pip":
        return "It is pip's: write it below - pip:"
    if words := several_specs(text):
        return f"Write {len(words)} items, each on a line of its own: - {words[0]}"
    if re.fullmatch(r"[\d.]+", text):
        return "It is a version without a name."
    if (meant := turned(text)) != text and _MATCH_SPEC.fullmatch(meant):
        return f"Write - {meant}"
    return ""


def several_specs(text: str) -> list[str]:
    """Return the match specs in a word that should be one; empty if conda may read it.

    >>> several_specs("numpy pandas>=2"), several_specs("numpy 1.2 py39_0")
    (['numpy', 'pandas>=2'], [])
    """
    words = re.split(r"[,\s]+", text)
    several = len(words) > 1 and all(map(_MATCH_SPEC.fullmatch, words))
    return words if several and not _MATCH_SPEC.fullmatch(text) else []


def filled_in(text: str) -> str:
    """Return why a text with a template's braces or a variable is no item; empty without one.

    >>> filled_in("python=${PYVER}")
    'conda fills in no ${PYVER} here: write its value.'
    >>> filled_in("python=3.12")
    ''
    """
    if template := re.search(r"\{\{.*?\}\}|\{%.*?%\}", text):
        return f"{template[0]} is a template's, which conda does not fill in: write its value."
    if variable := re.search(r"\$\{\w+\}|\$[A-Za-z_]\w*", text):
        return f"conda fills in no {variable[0]} here: write its value."
    return ""
