"""``conda-meta/history``: the user's requests to conda, and the changes that they made."""

from __future__ import annotations

import re
import time
from ast import literal_eval
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..io.reading import own_bytes
from ..model.packages import Package

_HEAD = re.compile(r"==>\s*(.+?)\s*<==")
_SPECS = re.compile(r"#\s*(\w+)\s*specs:\s*(.+)?")


@dataclass
class Revision:
    """One entry of the history."""

    date: str = ""
    #: ``+CHANNEL::NAME-VERSION-BUILD`` for what came and ``-`` for what went; without a sign, all
    #: that there is
    changes: list[str] = field(default_factory=list)
    #: conda's word for what was done, and the specs
    specs: list[tuple[str, list[str]]] = field(default_factory=list)

    def took(self, stem: str) -> bool:
        """Return whether a package went, by its NAME-VERSION-BUILD."""
        return any(line[0] == "-" and line.endswith(f"::{stem}") for line in self.changes)

    def stems(self, sign: str) -> set[str]:
        """Return what came (``+``) or went (``-``), as NAME-VERSION-BUILD, no other text."""
        found = (line[1:].strip().rpartition("::")[2] for line in self.changes if line[0] == sign)
        return {stem for stem in found if stem.count("-") > 1}

    @property
    def time(self) -> float:
        """Its date in seconds since the epoch; 0 of one that cannot be read."""
        try:
            return time.mktime(time.strptime(self.date, "%Y-%m-%d %H:%M:%S"))
        except ValueError:
            return 0.0


def revisions(prefix: str) -> Iterator[Revision]:
    """Yield the entries of an environment's history, the oldest first; none without one.

    Raises:
        OSError: It is there and cannot be read.
    """
    try:
        text = own_bytes(Path(prefix, "conda-meta", "history")).decode(errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return
    revision: Revision | None = None
    for line in map(str.strip, text.splitlines()):
        head = _HEAD.match(line)
        if head:
            if revision is not None:
                yield revision
            revision = Revision(head[1])
        elif revision is None or not line:
            continue
        elif line.startswith("#"):
            match = _SPECS.match(line)
            if match:
                revision.specs.append((match[1], _specs(match[2] or "")))
        else:
            revision.changes.append(line)
    if revision is not None:
        yield revision


def changing(prefix: str) -> list[Revision]:
    """Return the entries that changed packages; none where they cannot be read."""
    try:
        return [each for each in revisions(prefix) if each.stems("+") or each.stems("-")]
    except OSError:
        return []


def first(
    prefix: str, here: Iterable[Package], begun: float | None
) -> tuple[list[Package], str] | None:
    """Return the packages of the first entry, or of the last before this container began.

    Args:
        here: The packages that are there now, for what a NAME-VERSION-BUILD does not say.
        begun: The start of this container, in seconds since the epoch; None outside of one.
    """
    found = changing(prefix)
    if not found:
        return None
    base = [found[0], *(each for each in found[1:] if begun is not None and each.time <= begun)]
    stems: set[str] = set()
    for revision in base:
        stems = (stems - revision.stems("-")) | revision.stems("+")
    there = {package.stem: package for package in here}
    words = "conda's history before this container" if len(base) > 1 else "conda's first revision"
    for stem in stems - there.keys():
        name, version, build = stem.rsplit("-", 2)
        there[stem] = Package("conda", name, version, build)
    return [there[stem] for stem in sorted(stems)], words


def _specs(text: str) -> list[str]:
    if text.startswith("["):
        try:
            specs = literal_eval(text)
        except (SyntaxError, ValueError):
            return []
    else:
        specs = _old_specs(text.split(","))
    return [str(spec) for spec in specs if spec and not str(spec).endswith("@")]


def _old_specs(parts: Iterable[str]) -> list[str]:
    """Before conda 4.5, ``a >=1,<2,b``: what begins with a relation belongs to the one before."""
    specs: list[str] = []
    for part in parts:
        if specs and re.match(r"\s*[=<>!~]", part):
            specs[-1] = f"{specs[-1]},{part}"
        else:
            specs.append(part)
    return specs
