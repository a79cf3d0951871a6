"""``conda-meta/history``: the user's requests to conda, and the resulting packages."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence

from ....model.credentials import mask
from ....model.errors import InvalidSpec
from ....where.revisions import revisions
from ..spec import name_of, parse

_ADDING = {"update", "install", "create", "neutered"}
_TAKING = {"remove", "uninstall"}


def requested(prefix: str, *, while_there: str = "") -> dict[str, str]:
    """Return the user's specs, by package name; also of packages no longer installed.

    As conda reads it (``History.get_requested_specs_map``): a later request for a package replaces
    an earlier one, and a removal cancels it.

    Args:
        while_there: A package, as NAME-VERSION-BUILD: if it has gone, what had been asked for by
            then.
    """
    entries = list(revisions(prefix))
    if while_there:
        gone = [n for n, revision in enumerate(entries) if revision.took(while_there)]
        entries = entries[: gone[-1]] if gone else entries
    wanted: dict[str, str] = {}
    for revision in entries:
        ordered = sorted(revision.specs, key=lambda item: item[0] not in _TAKING)
        for action, specs in ordered:
            for spec in specs:
                try:
                    name = name_of(parse(spec))
                except InvalidSpec:  # one that names no package, as "*[md5=…]"
                    continue
                wanted.pop(name, None)
                if action in _ADDING:
                    wanted[name] = spec
    return wanted


def asked_on(prefix: str) -> dict[str, str]:
    """Return the date of the user's last request for each package, from conda's history."""
    when: dict[str, str] = {}
    for revision in revisions(prefix):
        for action, specs in revision.specs:
            for spec in specs if action in _ADDING else ():
                with contextlib.suppress(InvalidSpec):
                    when[name_of(parse(spec))] = revision.date
    return {name: date for name, date in when.items() if date}


def state(prefix: str) -> set[str]:
    """Return the packages after the last revision, spelled as conda spells them there."""
    current: set[str] = set()
    for revision in revisions(prefix):
        if any(line.startswith(("-", "+")) for line in revision.changes):
            for line in revision.changes:
                if line.startswith("+"):
                    current.add(line[1:])
                else:
                    current.discard(line[1:])
        elif revision.changes:  # conda's oldest form lists the whole environment
            current = set(revision.changes)
    return current


def entry(
    *,
    argv: Sequence[str],
    before: set[str],
    after: set[str],
    removed: Sequence[str] = (),
    updated: Sequence[str] = (),
) -> str:
    """Return the lines that conda would have written for a change.

    ``# conda version:`` is left out: no conda had part in it, and one that finds a newer version
    there refuses the environment.
    """
    lines = [time.strftime("==> %Y-%m-%d %H:%M:%S <=="), mask(f"# cmd: {' '.join(argv)}")]
    lines += [f"-{item}" for item in sorted(before - after)]
    lines += [f"+{item}" for item in sorted(after - before)]
    lines += [f"# remove specs: {list(map(mask, removed))!r}"] if removed else []
    lines += [f"# update specs: {list(map(mask, updated))!r}"] if updated else []
    return "".join(f"{' '.join(line.splitlines())}\n" for line in lines)


def append(prefix: str, text: str) -> None:
    """Append one entry, whole and on disk before this returns."""
    path = os.path.join(prefix, "conda-meta", "history")
    # one write: a process killed around it leaves all of the entry or none
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o664)
    try:
        os.write(file, text.encode())
        os.fsync(file)
    finally:
        os.close(file)
