"""Typing errors in a list of packages: a command typed in place of a package."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise

from .environment import TOOLS
from .errors import UsageError
from .packages import ManagerName

_TOOLS = frozenset(
    (
        *("sudo", "python", "-m", "pip", "pipx", "uv", "poetry", "pixi"),
        *(*TOOLS, "apt", "apt-get", "aptitude", "pipenv", "pdm", "rye"),
        *("npm", "yarn", "brew", "yum", "dnf", "apk", "gem", "cargo", "snap"),
    )
)
_MANAGERS: Mapping[str, ManagerName] = {
    **dict.fromkeys(TOOLS, "conda"),
    **dict.fromkeys(("apt", "apt-get", "aptitude"), "apt"),
}
"""The managers that are named by their tools; pip's packages may be conda's as well."""

_LIST = re.compile(
    r"(?:\S*/)?(?:(?:requirements|constraints)[\w.-]*\.(?:txt|in)|environment[\w.-]*\.ya?ml"
    r"|(?:apt|packages)\.txt|(?:pyproject|pixi|pylock[\w.-]*)\.toml|conda-lock\.ya?ml|Pipfile)"
)
_INSTALL = ("install", "add")
_REMOVE = ("remove", "uninstall")
_UPDATE = ("update", "upgrade")
VERBS = (*_INSTALL, *_REMOVE, *_UPDATE)


def repeated_verb(words: Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
    """Return the verb that a list of packages begins with, and the packages behind it.

    A verb with a version or with a manager's prefix is a package: there are packages called
    *install*, and who names one so means it.

    >>> repeated_verb(["install", "six"]), repeated_verb(["pip", "install", "-U", "six"])
    (('install', ('six',)), ('install', ('six',)))
    >>> repeated_verb(["pip", "six"]), repeated_verb(["install"]), repeated_verb(["pip:install"])
    (None, ('install', ()), None)
    >>> repeated_verb(["six", "install"]), repeated_verb(["install==1.3.5", "six"])
    (None, None)
    """
    bare = [word.lstrip("!%") for word in words]
    at = 0
    while at < len(bare) and bare[at].rstrip("0123456789.") in _TOOLS:
        at += 1
    if at >= len(bare) or bare[at].lower().removeprefix("env") not in VERBS:
        return None
    return bare[at], tuple(word for word in words[at + 1 :] if not word.startswith("-"))


def magic_for(verb: str) -> str:
    """Return the magic that does what a verb says."""
    verb = verb.lower().removeprefix("env")
    if verb in _REMOVE:
        return "%envremove"
    return "%envinstall --upgrade" if verb in _UPDATE else "%envinstall"


def lone_version(words: Sequence[str], manager: ManagerName | None = None) -> tuple[str, str]:
    """Return a version that was typed as a package of its own, and what was meant; or "", "".

    >>> lone_version(["six", "1.16"]), lone_version(["six", "1.16"], "apt"), lone_version(["six"])
    (('1.16', 'six==1.16'), ('1.16', 'six=1.16'), ('', ''))
    """
    equals = "=" if manager in ("apt", "conda") else "=="
    for name, word in pairwise(words):
        if re.fullmatch(r"\d+(?:\.\d+)+", word) and re.fullmatch(r"[A-Za-z][\w.-]*", name):
            return word, f"{name}{equals}{word}"
    return "", ""


def names_a_list(word: str) -> bool:
    """Return whether a word is the name of a list, which managers take for a package's.

    >>> names_a_list("docker/requirements-dev.txt"), names_a_list("requirements-parser")
    (True, False)
    """
    return _LIST.fullmatch(word) is not None


def _is_text(word: str, folder: str) -> bool:
    """Return whether a word is a text file that is here, and not merely called as a package is."""
    if not ("/" in word or re.search(r"\.(?:txt|in|ya?ml|toml|lock|list)$", word)):
        return False
    try:
        with open(os.path.join(folder, os.path.expanduser(word)), "rb") as file:
            return b"\0" not in file.read(1024)
    except (OSError, ValueError):
        return False


def check_words(
    words: Sequence[str], manager: ManagerName | None = None, *, folder: str | None = ""
) -> None:
    """Stop at what was typed in place of packages: a command, the name of a list, commas.

    Args:
        folder: The folder that the line runs in, by default this one; None if only the run knows.

    Raises:
        UsageError: There is such a word.
    """
    check_verb(words, manager)
    for word in words:
        if names_a_list(word) or (folder is not None and _is_text(word, folder)):
            raise UsageError(
                f"{word} is a list of packages, not a package.",
                advice=f"Install what it lists: %envinstall -f {shlex.quote(word)}",
            )
    version, meant = lone_version(words, manager)
    if version:
        raise UsageError(
            f"{version} is a version; it would be looked for as a package.",
            advice=f"Did you mean: %envinstall {meant}?",
        )
    if any(re.fullmatch(r"[\w.-]+,", word) for word in words):
        bare = shlex.join(word.rstrip(",") for word in words)
        raise UsageError(
            "Separate packages by blanks, not by commas.",
            advice=f"Did you mean: %envinstall {bare}?",
        )


def check_verb(words: Sequence[str], manager: ManagerName | None = None) -> None:
    """Stop at a command that was typed in place of a package.

    Raises:
        UsageError: The words begin with one.
    """
    parts = [part for word in words for part in word.split()]
    found = repeated_verb(parts)
    if found is None:
        return
    verb, rest = found
    named = (_MANAGERS.get(part.lstrip("!%")) for part in parts[: len(parts) - len(rest)])
    manager = next(filter(None, named), manager)
    by = f"{manager}:" if manager in _MANAGERS.values() else ""
    meant = shlex.join(f"{by}{word}" for word in rest) or f"{by}NAME"
    raise UsageError(
        f'"{verb}" is the command itself, not a package.',
        advice=(
            f"Did you mean: {magic_for(verb)} {meant}?",
            f"If you do mean a package called {verb}: {manager or 'pip'}:{verb}, or add --force",
        ),
    )
