"""One line of a list, read as strictly as the tool that the list is for reads it.

Pure. A list has one reader, so that what it refuses is refused here, with what is meant.
"""

from __future__ import annotations

import re
from dataclasses import replace

from .errors import UsageError
from .parsing import (
    Asked,
    is_path,
    is_requirement,
    only_reader,
    own_options,
    read_requirement,
    read_specs,
)
from .spec import CONDA_ARCHIVE, split_hashes

_COMMAND = (
    r"[!%]?\s*(?:(?:python\S*\s+-m\s+)?pip\d?|conda|mamba|uv(?:\s+pip)?)\s+install\s+(?P<rest>.+)"
)


# pip


def listed_requirement(text: str, *, folder: str) -> tuple[Asked, tuple[str, ...]]:
    """Read a logical line of a requirements file.

    Args:
        text: The line, without a comment.
        folder: What relative paths are relative to.

    Returns:
        Its request, and the options for its requirement alone.

    Raises:
        UsageError: pip would refuse it, or find no such package.
    """
    try:
        if reason := _no_index_has(text) or (_pips_meaning(text) if text.startswith("- ") else ""):
            raise UsageError(reason)
        if text.startswith("-"):
            return read_requirement(text, folder=folder), ()
        requirement, own, notes = own_options(text)
        asked = read_requirement(requirement, folder=folder)
        ((_, spec),) = asked.specs
        if not _is_readable(spec):
            raise UsageError("pip reads no requirement in it.")
    except UsageError as error:
        raise UsageError(_no_index_has(text) or _pips_meaning(text) or error.problem) from None
    return replace(asked, notes=notes), own


_PYTHON = re.compile(r"python\s*(?:[=<>!~]\D*?\s*(\d[\w.]*).*|[=<>!~;(].*)?", re.IGNORECASE)
_DEBIANS = re.compile(
    r"(?:(?P<part>pkg[-_]resources)\s*==\s*0\.0\.0"
    r"|(?P<name>[A-Za-z0-9][\w.-]*)\s*={2,3}\s*\d\S*?(?:\+(?:ubuntu|deb)\S*|build\d+|ubuntu\d\S*))"
    r"\s*(?:;.*)?"
)
"""A version that only Debian or Ubuntu gives: ``2.4.0+ubuntu2``, ``1.1build1``, ``6.4+deb12u1``."""

_UBUNTUS = ("command-not-found", "ubuntu-drivers-common", "ubuntu-advantage-tools")
"""Distributions in Ubuntu's packages of that name, which no index has."""


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
        r"[!%]?\s*(?:sudo\s+)?(?:apt|apt-get)\s+(?:-\S+\s+)*install\s+(?:-\S+\s+)*(\S+).*",
        r"pip has no Debian packages: %envinstall apt:\1",
    ),
    (r"(?:import|from)\s+[\w.]+.*", "It is a line of Python, no requirement."),
    (_COMMAND, r"A list holds packages, no commands: write \g<rest>"),
    (rf"{_NAME}\s*=([<>])\s*(\S+)", r"Write \1\2=\3"),
    (rf"([\w.-]+::){_NAME}(.*)", r"A channel is conda's: write \2, or %envinstall conda:\1\2\3"),
    (rf"{_NAME}\s*=\s*([^=\s]+)(?:=[^=\s]+)?", r"It is conda's form: write \1==\2"),
    (r"Package\s+Version.*|[-\s]+", "It is the heading of a table: pip list --format=freeze writes"
     " a list."),
    (rf"{_NAME}\s+\(?v?(\d[\w.!+-]*)\)?(?:\s.*)?", r"Write \1==\2"),
)  # fmt: skip
"""Lines that pip refuses, and what is meant."""


def _pips_meaning(text: str) -> str:
    """Return the replacement for a line that pip refuses; empty if it is unclear."""
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

_PART = r"(?:[<>=!~]=?|===)?\s*\^?[\w*][\w.*+!-]*\$?"
_CONSTRAINT = rf"\(?{_PART}\)?(?:\s*[,|]\s*\(?{_PART}\)?)*"
_FIRST = rf"(?:[<>=!~]=?\s*|(?<=\s)(?=[\d*(^])){_CONSTRAINT}"
_MATCH_SPEC = re.compile(
    r"(?:\S+::)?(?!\d[\d.]*(?:\s|$))[A-Za-z0-9_*][\w.*-]*\s*"
    rf"(?:{_FIRST}(?:\s*=\s*\S+|\s+[\w.*^][^\s,\[]*)?)?"
    r"\s*(?:\[\s*\w+\s*=.*\])?",
    re.ASCII,
)
"""conda's MatchSpec: ``channel::name version build`` and its other spellings."""


def listed_spec(text: str, *, folder: str) -> Asked:
    """Read an item of an ``environment.yml``, or a line of a list of conda's.

    Args:
        text: The item.
        folder: What relative paths are relative to.

    Raises:
        UsageError: conda would refuse it.
    """
    text = re.sub(r"\s+#.*$", "", text).strip()
    bare = re.split(r"[?#]", text, maxsplit=1)[0]
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
    words = re.split(r"[,\s]+", text)
    if len(words) > 1 and all(map(_MATCH_SPEC.fullmatch, words)):
        return f"Write {len(words)} items, each on a line of its own: - {words[0]}"
    if re.fullmatch(r"[\d.]+", text):
        return "It is a version without a name."
    return ""


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
