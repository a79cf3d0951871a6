"""What a word of a verb can become: for Tab in notebooks and terminals.

Nothing here asks a network. Names of packages come from the names that jstackmagic brings, from
what conda or rattler keep of their channels on this disk, and from what is installed.
"""

from __future__ import annotations

import argparse
import os
import re
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..model import managers
from ..model.managers import of_environment, of_system
from . import names as verbs
from . import parser as parser_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..model.environment import Environment
    from ..model.packages import ManagerName
    from ..session import Session

    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]

LIMIT = 300
"""Names of packages given at once: more than anybody scrolls through."""

_BIG = 4 * 1024 * 1024  # bytes of repodata that take noticeable time to look through


def complete(
    verb: str, words: Sequence[str], token: str, session: Session, *, body: bool = False
) -> list[str]:
    """Return what the last word of a verb's line can become.

    Args:
        verb: Its name.
        words: The whole words before the last.
        token: The last word so far; may be empty.
        session: Whose history has the ids.
        body: Whether it stands in the body of ``%%envinstall``, where there are no options.

    Returns:
        Whole words, the likeliest first; empty where nobody knows.
    """
    if verb not in verbs() or "--" in words:
        return []
    if body:
        return _ordered(_packages(token, words), token)
    parser, words = _innermost(parser_of(verb, magic=True), list(words))
    if isinstance(parser, argparse._SubParsersAction):
        return _ordered(parser.choices or (), token)
    option, equals, value = token.partition("=")
    if token.startswith("--") and equals:
        action = parser._option_string_actions.get(option)
        found = _values(action, value, words, session) if action else ()
        return [f"{option}={each}" for each in _ordered(found, value)]
    pending = parser._option_string_actions.get(words[-1]) if words else None
    if pending is not None and pending.nargs != 0:
        values = _ordered(_values(pending, token, words[:-1], session), token)
        if pending.nargs is None or values:
            return values
    if token.startswith("-"):
        return _ordered(_options(parser), token)
    return _ordered(_positional(parser, token, words, verb, session), token)


def _ordered(found: Iterable[str], token: str) -> list[str]:
    every = dict.fromkeys(found)
    exact = [each for each in every if each.startswith(token)]
    return (exact or [each for each in every if each.lower().startswith(token.lower())])[:LIMIT]


# What stands where


def _innermost(
    parser: argparse.ArgumentParser, words: list[str]
) -> tuple[
    argparse.ArgumentParser | argparse._SubParsersAction[argparse.ArgumentParser], list[str]
]:
    """The parser of the sub-command that was named; the choice of one where none was."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for at, word in enumerate(words):
                if word in action.choices:
                    return _innermost(action.choices[word], words[at + 1 :])
            return action, words
    return parser, words


def _options(parser: argparse.ArgumentParser) -> list[str]:
    long = [name for name in parser._option_string_actions if name.startswith("--")]
    return long + [name for name in parser._option_string_actions if not name.startswith("--")]


def _positional(
    parser: argparse.ArgumentParser, token: str, words: list[str], verb: str, session: Session
) -> Iterable[str]:
    for action in parser._actions:
        if action.option_strings or isinstance(action, argparse._SubParsersAction):
            continue
        if action.dest == "specs":
            return _installed(token, words) if verb == "remove" else _packages(token, words)
        return _values(action, token, words, session)
    return ()


def _values(
    action: argparse.Action, token: str, words: list[str], session: Session
) -> Iterable[str]:
    """What an option, or a place that is no list of packages, takes; nothing where nobody knows."""
    if action.choices is not None:
        return [str(choice) for choice in action.choices]
    match action.metavar:
        case "ENV":
            from ..where.environment import known_names

            return known_names()
        case "KERNELSPEC":
            from ..where.kernels import kernelspecs

            return sorted(kernelspecs())
        case "ID":
            return _ids(token, session)
        case "FILE" | "PATH" | "NOTEBOOK" | "FOLDER":
            return _paths(token)
    if action.dest == "channel":
        return _channels(words)
    return ()


def _paths(token: str) -> list[str]:
    """Files and folders that a path can become, a folder with its slash."""
    head, _, name = token.rpartition("/")
    folder = os.path.expanduser(f"{head}/" if "/" in token else ".")
    try:
        with os.scandir(folder) as entries:
            found = [entry.name + "/" * entry.is_dir() for entry in entries]
    except OSError:
        return []
    shown = sorted(each for each in found if name.startswith(".") or not each.startswith("."))
    return [f"{head}/{each}" if "/" in token else each for each in shown]


def _ids(token: str, session: Session) -> list[str]:
    """The ids of the history, the newest first; of single records once a transaction is named."""
    records = list(reversed(session.history.records()))
    found = [record.transaction for record in records]
    return found + [record.id for record in records] if "." in token else found


def _target(words: Sequence[str]) -> Environment:
    """The environment that the words before name, and the running one where they name none."""
    from ._target import add_target, targets

    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    add_target(parser)
    args, _ = parser.parse_known_args(list(words))
    return targets(args)[0]


# Packages


def _prefixed(token: str) -> tuple[ManagerName | None, str]:
    said, colon, rest = token.partition(":")
    manager = next((name for name in managers.names() if colon and name == said), None)
    return manager, rest if manager else token


def _said(words: Sequence[str]) -> ManagerName | None:
    return next((name for name in managers.names() if f"--{name}" in words), None)


def _packages(token: str, words: Sequence[str]) -> Iterator[str]:
    """What can be installed: names that are known, the much used first; managers to be named."""
    prefix, name = _prefixed(token)
    head = f"{prefix}:" if prefix else ""
    manager = prefix or _said(words)
    if not prefix:
        yield from (f"{each}:" for each in (*of_environment(), *of_system()))
    if not name:
        return
    if manager == "apt":
        yield from (head + each for each in _debian(name))
        return
    from .. import names

    environment = _target(words)
    conda = manager == "conda" or (manager is None and environment.is_conda)
    if conda:
        yield from (head + each for each in sorted(_of_channels(environment)))
    for each in names.names().known:
        yield head + (names.conda_name(each) if conda else each)


def _installed(token: str, words: Sequence[str]) -> Iterator[str]:
    from ..where.packages import read_packages

    prefix, name = _prefixed(token)
    manager = prefix or _said(words)
    if not prefix:
        yield from (f"{each}:" for each in (*of_environment(), *of_system()) if name)
    asked = (manager,) if manager else of_environment()
    head = f"{prefix}:" if prefix else ""
    for package in read_packages(_target(words), asked).packages:
        yield head + package.name


def _debian(name: str) -> list[str]:
    """Debian's packages that begin so, as apt has them on disk."""
    import subprocess

    try:
        done = subprocess.run(
            ["apt-cache", "pkgnames", name],
            capture_output=True,
            text=True,
            check=False,
            timeout=5,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return sorted(done.stdout.split())


def _channels(words: Sequence[str]) -> list[str]:
    from ..managers.conda.spec import configuration
    from ..where.condarc import channel_name

    environment = _target(words)
    config = configuration(environment)
    configured = [each.channel for each in (*config.channels, *environment.channels)]
    return [*(channel_name(each, config) for each in configured), "conda-forge"]


# What is on this disk of the channels


def _of_channels(environment: Environment) -> set[str]:
    """The packages of the channels, as far as they lie on this disk.

    What is big is looked through in the background, so that this Tab is quick and the next knows.
    """
    found: set[str] = set()
    for file in _repodata_files(environment):
        try:
            status = file.stat()
        except OSError:
            continue
        key = (str(file), status.st_mtime_ns)
        if key in _known or status.st_size < _BIG:
            found |= _known.get(key) or _learn(key)
        elif key not in _begun:
            _begun.add(key)
            threading.Thread(target=_learn, args=(key,), daemon=True).start()
    return found


_known: dict[tuple[str, int], frozenset[str]] = {}
_begun: set[tuple[str, int]] = set()


def _learn(key: tuple[str, int]) -> frozenset[str]:
    _known[key] = _names_in(*key)
    return _known[key]


@lru_cache(maxsize=64)
def _names_in(path: str, _mtime: int) -> frozenset[str]:
    import mmap

    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            found = {match[1] for match in re.finditer(rb'"name"\s*:\s*"([\w.-]+)"', text)}
    except (OSError, ValueError):  # gone, or empty
        return frozenset()
    return frozenset(name.decode() for name in found)


def _repodata_files(environment: Environment) -> Iterator[Path]:
    """Yield where repodata lies: in channels on this disk, and in conda's and rattler's caches."""
    import json
    from urllib.parse import unquote, urlsplit

    from ..managers.conda.rattler.repodata import Channels, cache_dir, platforms

    urls = [url.rstrip("/") for url in Channels.of(environment, ()).urls]
    subdirs = [str(subdir) for subdir in platforms()]
    remote = {f"{url}/{subdir}" for url in urls for subdir in subdirs if "://" in url}
    for url in urls:
        if url.startswith("file://"):
            for subdir in subdirs:
                yield Path(unquote(urlsplit(url).path), subdir, "repodata.json")
    caches = [cache_dir()]
    if environment.root:
        caches.append(Path(environment.root, "pkgs/cache"))
    for cache in caches:
        for told in cache.glob("*.info.json"):
            try:
                url = str(json.loads(told.read_bytes()).get("url", ""))
            except (OSError, ValueError, AttributeError):
                continue
            if os.path.dirname(url) in remote or url.rstrip("/") in remote:
                yield told.with_name(told.name.replace(".info.json", ".json"))
