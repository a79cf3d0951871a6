"""The values that the options and arguments of a verb take, for Tab; no network is asked."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator, Sequence

from ..managers import get
from ..model import managers
from ..model.environment import Environment
from ..model.managers import of_environment, of_system
from ..model.packages import ManagerName
from ..session import Session


def values_of(
    action: argparse.Action, token: str, words: list[str], session: Session
) -> Iterable[str]:
    """Return the values of an option or a positional argument; nothing if unknown."""
    if action.choices is not None:
        return [str(choice) for choice in action.choices]
    match action.metavar:
        case "ENV":
            from ..where.detect import known_names

            return known_names()
        case "KERNELSPEC":
            from ..where.kernels import kernelspecs

            return sorted(kernelspecs())
        case "ID":
            return _ids(token, session)
        case "FILE" | "PATH" | "NOTEBOOK" | "FOLDER":
            return _paths(token)
    if action.dest == "channel":
        from ..managers.conda.known import channels

        return channels(_target(words))
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
    """Return the history's ids, the newest first; after a transaction's name its records' ids."""
    records = list(reversed(session.history.records()))
    found = [record.transaction for record in records]
    return found + [record.id for record in records] if "." in token else found


def _target(words: Sequence[str]) -> Environment:
    """Return the environment that the previous words name, or else the running one."""
    from ._options import declare, typed
    from ._shared import TargetOptions

    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    declare(parser, TargetOptions)
    args, _ = parser.parse_known_args(list(words))
    return typed(TargetOptions, args).environments()[0]


# Packages


def _prefixed(token: str) -> tuple[ManagerName | None, str]:
    said, colon, rest = token.partition(":")
    manager = next((name for name in managers.names() if colon and name == said), None)
    return manager, rest if manager else token


def _said(words: Sequence[str]) -> ManagerName | None:
    return next((name for name in managers.names() if f"--{name}" in words), None)


def packages(token: str, words: Sequence[str]) -> Iterator[str]:
    """Yield what can be installed: names that are known, the much used first; managers to name."""
    prefix, name = _prefixed(token)
    head = f"{prefix}:" if prefix else ""
    if not prefix:
        yield from (f"{each}:" for each in (*of_environment(), *of_system()))
    if not name:
        return
    environment = _target(words)
    said = prefix or _said(words)
    usual = (each for each in of_environment() if get(each).works_in(environment))
    manager = said or next(usual, None)
    if manager:
        yield from (head + each for each in get(manager).known(name, environment))


def installed(token: str, words: Sequence[str]) -> Iterator[str]:
    from ..where.metadata import read_packages

    prefix, name = _prefixed(token)
    manager = prefix or _said(words)
    if not prefix:
        yield from (f"{each}:" for each in (*of_environment(), *of_system()) if name)
    asked = (manager,) if manager else of_environment()
    head = f"{prefix}:" if prefix else ""
    for package in read_packages(_target(words), asked).packages:
        yield head + package.name
