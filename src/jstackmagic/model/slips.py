"""Typing errors in a list of packages: a command typed in place of a package."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from .errors import UsageError

_TOOLS = frozenset(
    (
        *("sudo", "python", "-m", "pip", "pipx", "uv", "poetry", "pixi"),
        *("conda", "mamba", "micromamba", "apt", "apt-get", "aptitude", "pipenv", "pdm", "rye"),
        *("npm", "yarn", "brew", "yum", "dnf", "apk", "gem", "cargo", "snap"),
    )
)
_INSTALL = ("install", "add")
_REMOVE = ("remove", "uninstall")
_UPDATE = ("update", "upgrade")
VERBS = (*_INSTALL, *_REMOVE, *_UPDATE)


def repeated_verb(words: Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
    """Return the verb that a list of packages begins with, and the packages behind it.

    A verb with nothing behind it, with a version, or with a manager's prefix is a package: there
    are packages called *install*, and who names one so means it.

    >>> repeated_verb(["install", "six"]), repeated_verb(["pip", "install", "-U", "six"])
    (('install', ('six',)), ('install', ('six',)))
    >>> repeated_verb(["pip", "six"]), repeated_verb(["install"]), repeated_verb(["pip:install"])
    (None, None, None)
    >>> repeated_verb(["six", "install"]), repeated_verb(["install==1.3.5", "six"])
    (None, None)
    """
    bare = [word.lstrip("!%") for word in words]
    at = 0
    while at < len(bare) and bare[at].rstrip("0123456789.") in _TOOLS:
        at += 1
    if at >= len(bare) or bare[at].lower().removeprefix("env") not in VERBS:
        return None
    rest = tuple(word for word in words[at + 1 :] if not word.startswith("-"))
    return (bare[at], rest) if rest else None


def magic_for(verb: str) -> str:
    """Return the magic that does what a verb says."""
    verb = verb.lower().removeprefix("env")
    if verb in _REMOVE:
        return "%envremove"
    return "%envinstall --upgrade" if verb in _UPDATE else "%envinstall"


def check_verb(words: Sequence[str]) -> None:
    """Stop at a command that was typed in place of a package.

    Raises:
        UsageError: The words begin with one.
    """
    found = repeated_verb([part for word in words for part in word.split()])
    if found is None:
        return
    verb, rest = found
    raise UsageError(
        f"{verb} is what the command does; it would be looked for as a package.",
        kept="Nothing was started.",
        advice=(
            f"Did you mean: {magic_for(verb)} {shlex.join(rest)}?",
            f"If you do mean a package called {verb}: pip:{verb}, or add --force",
        ),
    )
